"""The decision: deny unless every check says otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.authorize import Decision, Settings, client_id_of, decide
from iotauth_authorizer.credential import DUMMY, Slot, SlotState, equal, hash_secret, verify
from iotauth_authorizer.event import MAX_TIMER_S, MIN_TIMER_S, REFUSAL, ConnectRequest, build_answer, parse_answer
from iotauth_authorizer.grants import ArnScope, Grants
from iotauth_authorizer.record import ClientRecord, TokenNote

NOW = 1_800_000_000
SCOPE = ArnScope("aws", "eu-west-1", "123456789012")
SECRET = b"iota_open-sesame"
HASH = hash_secret(SECRET, "door-7")


def record(**fields: Any) -> ClientRecord:
    return ClientRecord(
        "door-7", slots={"A": Slot(HASH, NOW)}, grants=Grants.for_topic("doors/7"), created_at=NOW
    )._replace(**fields)


def request(**fields: Any) -> ConnectRequest:
    return ConnectRequest(
        protocols=("tls", "mqtt"),
        client_id="door-7",
        username="door-7?x-amz-customauthorizer-name=doors",
        password=SECRET,
    )._replace(**fields)


def decided(
    request: ConnectRequest, record: ClientRecord | None, settings: Settings | None = None, now: int = NOW
) -> Decision:
    return decide(request, record, now=now, scope=SCOPE, settings=settings or Settings())


def slot(state: SlotState = "active", **fields: Any) -> dict[str, Slot]:
    return {"A": Slot(HASH, NOW)._replace(state=state, **fields)}


def test_the_right_secret_is_let_in() -> None:
    """The answer is one that AWS IoT takes, and pins Connect to the client id."""
    decision = decided(request(), record())
    assert (decision.allowed, decision.reason, decision.slot, decision.first_use) == (True, "ok", "A", False)
    assert parse_answer(build_answer(decision.answer)) == decision.answer
    (connect, *_) = json.loads(decision.answer.policy_documents[0])["Statement"]
    assert connect["Resource"] == [SCOPE.client("door-7")]


@pytest.mark.parametrize(
    ("request_", "record_", "reason"),
    [
        pytest.param(request(client_id=None), record(), "no-client-id", id="no client id"),
        pytest.param(request(client_id=""), record(), "no-client-id", id="empty client id"),
        pytest.param(request(client_id="$door"), record(), "no-client-id", id="reserved client id"),
        pytest.param(request(client_id="é" * 65), record(), "no-client-id", id="long client id"),
        pytest.param(request(client_id="\ud800"), record(), "no-client-id", id="client id is no text"),
        pytest.param(request(password=None), record(), "no-password", id="no password"),
        pytest.param(request(password=b""), record(), "no-password", id="empty password"),
        pytest.param(request(), None, "unknown-client", id="no row"),
        pytest.param(request(), record(client_id="door-8"), "unknown-client", id="somebody else's row"),
        pytest.param(request(password=b"x"), record(), "wrong-password", id="wrong password"),
        pytest.param(request(), record(slots={}), "wrong-password", id="row without secrets"),
        pytest.param(
            request(password=b"hunter2"), record(slots={}, plain_password=""), "wrong-password", id="empty plain one"
        ),
        pytest.param(
            request(password=b"x"),
            record(slots={"A": Slot(hash_secret(b"x", "door-8"), NOW)}),
            "wrong-password",
            id="hash copied from another row",
        ),
        pytest.param(request(password=DUMMY.encode()), record(slots={}), "wrong-password", id="the dummy's text"),
        pytest.param(request(), record(slots=slot("retired")), "secret-retired", id="retired slot"),
        pytest.param(request(), record(slots=slot(expires_at=NOW)), "secret-expired", id="expired slot"),
        pytest.param(request(username="door-8?a=b"), record(), "wrong-username", id="another client's name"),
        pytest.param(request(username="anna"), record(username="bert"), "wrong-username", id="another name"),
        pytest.param(request(username=None), record(username="bert"), "wrong-username", id="no name"),
        pytest.param(request(), record(username=""), "wrong-username", id="a name where none may be"),
        pytest.param(request(), record(enabled=False), "disabled", id="disabled"),
        pytest.param(request(), record(expires_at=NOW), "expired", id="expired"),
        pytest.param(
            request(), record(grants=Grants(publish=("a/${x}",))), "malformed-record", id="variable in a topic"
        ),
        pytest.param(
            request(), record(grants=Grants(older_read="${iot:ClientId}")), "malformed-record", id="in an older topic"
        ),
        pytest.param(request(), record(grants=Grants(older_write="x" * 2048)), "policy-too-large", id="does not fit"),
    ],
)
def test_a_refusal_has_one_answer_and_its_own_reason(
    request_: ConnectRequest, record_: ClientRecord | None, reason: str
) -> None:
    """From outside all refusals are the same; the reason is for the log."""
    decision = decided(request_, record_)
    assert (decision.allowed, decision.reason, decision.first_use) == (False, reason, False)
    assert decision.answer == REFUSAL


def test_a_client_id_that_would_be_a_wildcard_is_malformed() -> None:
    """A row whose key is `door*` must not open Connect for every door."""
    wild = record(client_id="door*", slots={"A": Slot(hash_secret(SECRET, "door*"), NOW)})
    assert decided(request(client_id="door*", username=None), wild).reason == "malformed-record"


@pytest.mark.parametrize("state", ["active", "pending", "retiring"])
def test_every_state_but_retired_lets_in(state: SlotState) -> None:
    """During a rotation the old secret and the new one are both good."""
    assert decided(request(), record(slots=slot(state))).allowed


def test_the_second_slot_lets_in_too() -> None:
    """Two secrets per client: either will do, and the decision says which it was."""
    slots = {"A": Slot(hash_secret(b"old", "door-7"), NOW, "retiring"), "B": Slot(HASH, NOW, "pending")}
    decision = decided(request(), record(slots=slots))
    assert (decision.slot, decision.first_use) == ("B", True)
    assert decided(request(password=b"old"), record(slots=slots)).slot == "A"


def test_a_usable_slot_wins_over_a_retired_one_with_the_same_secret() -> None:
    """Which slot is looked at first does not matter."""
    slots = {"A": Slot(HASH, NOW, "retired"), "B": Slot(hash_secret(SECRET, "door-7"), NOW)}
    assert decided(request(), record(slots=slots)).slot == "B"


@pytest.mark.parametrize(
    ("fields", "first_use"),
    [({"state": "pending"}, True), ({"state": "pending", "first_used_at": NOW}, False), ({"state": "active"}, False)],
    ids=["pending", "pending and seen", "active"],
)
def test_first_use_is_a_pending_slot_not_seen_before(fields: dict[str, Any], first_use: bool) -> None:
    """It is reported once; a refusal is no use."""
    assert decided(request(), record(slots=slot(**fields))).first_use is first_use
    assert not decided(request(), record(slots=slot(**fields), enabled=False)).first_use


@pytest.mark.parametrize("username", [None, "", "door-7", "?x-amz-customauthorizer-name=doors", "door-7?a=b?c"])
def test_without_a_username_in_the_row_the_client_id_or_nothing_will_do(username: str | None) -> None:
    """The SDKs send nothing before the `?`; people repeat the client id."""
    assert decided(request(username=username), record()).allowed


def test_an_older_row_authenticates_as_it_is() -> None:
    """Plain password, user name, AWS's wildcards: nothing needs to be migrated first."""
    older = ClientRecord(
        "plug-3", username="plug", plain_password="hunter2", grants=Grants(older_read="plugs/*", older_write="plugs/3")
    )
    asked = request(client_id="plug-3", username="plug?x-amz-customauthorizer-name=plugs", password=b"hunter2")
    decision = decided(asked, older)
    assert (decision.reason, decision.slot) == ("ok", None)
    assert [statement["Action"] for statement in json.loads(decision.answer.policy_documents[0])["Statement"]] == [
        "iot:Connect",
        "iot:Publish",
        "iot:Subscribe",
        "iot:Receive",
    ]
    assert decided(asked._replace(password=b"hunter"), older).reason == "wrong-password"


@given(password=st.binary(), client_id=st.text(), username=st.none() | st.text())
def test_nobody_gets_in_by_chance(password: bytes, client_id: str, username: str | None) -> None:
    """Whatever is tried, with this row or with none, is refused unless it is the secret."""
    tried = request(password=password, client_id=client_id, username=username)
    assert not decided(tried, None).allowed
    assert decided(tried, record()).allowed == (
        password == SECRET and client_id == "door-7" and (username or "").split("?")[0] in ("", "door-7")
    )


@pytest.mark.parametrize(
    "record_",
    [None, record(), record(slots={}), record(slots={"B": Slot(HASH, NOW)}), record(plain_password="x")],
    ids=["no row", "slot A", "no slots", "slot B", "plain password"],
)
def test_every_stranger_costs_the_same_hashes(record_: ClientRecord | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hashes are checked and one comparison made whether a client exists or not."""
    work: list[str] = []

    def counted_verify(encoded: str, client_id: str, secret: bytes) -> bool:
        work.append("hash")
        return verify(encoded, client_id, secret)

    def counted_equal(left: bytes, right: bytes) -> bool:
        work.append("comparison")
        return equal(left, right)

    monkeypatch.setattr("iotauth_authorizer.authorize.verify", counted_verify)
    monkeypatch.setattr("iotauth_authorizer.authorize.equal", counted_equal)
    assert not decided(request(password=b"wrong"), record_).allowed
    assert work == ["hash", "hash", "comparison"]


def http(**headers: str) -> ConnectRequest:
    named = {f"x-iotauth-{name.replace('_', '-')}": value for name, value in headers.items()}
    return ConnectRequest(protocols=("tls", "http"), http_headers=named)


def test_over_http_the_credentials_come_in_headers() -> None:
    """There is no CONNECT, and nothing but publishing makes sense."""
    granted = record(grants=Grants(publish=("a",), subscribe=("b",), retain=("c",), older_read="d", older_write="e"))
    decision = decided(http(client_id="door-7", password=SECRET.decode()), granted)
    assert decision.allowed
    statements = json.loads(decision.answer.policy_documents[0])["Statement"]
    assert {statement["Action"] for statement in statements} == {"iot:Connect", "iot:Publish", "iot:RetainPublish"}


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (http(), "no-client-id"),
        (http(client_id="door-7"), "no-password"),
        (http(client_id="door-7", password="x"), "wrong-password"),
        (http(client_id="door-7", password="\ud800"), "wrong-password"),
        (http(client_id="door-7", password=SECRET.decode(), username="anna"), "wrong-username"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_over_http_the_same_checks_hold(request_: ConnectRequest, reason: str) -> None:
    """A header is no way around anything."""
    assert decided(request_, record()).reason == reason


def test_over_http_a_username_is_a_third_header() -> None:
    """For a client whose row has one."""
    named = record(username="anna")
    assert decided(http(client_id="door-7", password=SECRET.decode(), username="anna"), named).allowed
    assert not decided(http(client_id="door-7", password=SECRET.decode()), named).allowed


def test_over_websocket_connect_carries_the_credentials() -> None:
    """The headers of the upgrade are not asked; a browser cannot set them, a proxy might."""
    headers = {"x-iotauth-client-id": "door-7", "x-iotauth-password": SECRET.decode()}
    upgraded = request(protocols=("tls", "http", "mqtt"), http_headers=headers)
    assert decided(upgraded, record()).allowed
    assert decided(upgraded._replace(password=None), record()).reason == "no-password"
    assert client_id_of(upgraded._replace(client_id=None)) is None


def test_a_required_signature_comes_first() -> None:
    """Without it not even the right secret counts, and what AWS verified is enough."""
    settings = Settings(require_signature=True)
    assert decided(request(), record(), settings).reason == "signature-required"
    assert decided(request(token="t"), record(), settings).reason == "signature-required"
    assert decided(request(token="door-7.1", signature_verified=True), record(), settings).allowed
    assert decided(request(password=b"x", signature_verified=True), record(), settings).reason == "wrong-password"


@pytest.mark.parametrize("token", ["door-8.1", "door-7", "door-7.x", "door-7.1.", "", "x" * 99, None])
def test_a_signed_token_of_another_client_is_refused(token: str | None) -> None:
    """Who holds one token and knows another device's password is still not that device."""
    decision = decided(request(token=token, signature_verified=True), record())
    assert (decision.allowed, decision.reason, decision.slot) == (False, "wrong-token", "A")
    assert decision.answer == REFUSAL


def test_a_token_that_nobody_verified_proves_and_spoils_nothing() -> None:
    """An unsigned authorizer hands a token on unread: it is then no token at all."""
    for verified in (False, None):
        assert decided(request(token="door-8.1", signature_verified=verified), record()).allowed
        required = record(token=TokenNote(is_required=True))
        assert decided(request(token="door-7.1", signature_verified=verified), required).reason == "signature-required"


def test_a_row_may_want_a_signed_token() -> None:
    """So one function serves a signed and an unsigned authorizer, and nobody slips through the second."""
    required = record(token=TokenNote(is_required=True))
    assert decided(request(), required).reason == "signature-required"
    assert decided(request(token="door-7.1", signature_verified=True), required).allowed


def test_the_password_is_asked_for_before_the_token() -> None:
    """Only who proved the password learns, from nothing but the log, that the token was wrong."""
    wrong = request(token="door-8.1", signature_verified=True, password=b"x")
    assert decided(wrong, record()).reason == "wrong-password"


@pytest.mark.parametrize(
    ("note", "noted"),
    [
        (None, 5),
        (TokenNote(), 5),
        (TokenNote(issued_at=9), 5),
        (TokenNote(seen_at=4), 5),
        (TokenNote(seen_at=5), None),
        (TokenNote(seen_at=6), None),
    ],
)
def test_a_token_is_noted_when_it_is_newer_than_any_seen_before(note: TokenNote | None, noted: int | None) -> None:
    """One write for each token that is handed out, and none for each connection."""
    decision = decided(request(token="door-7.5", signature_verified=True), record(token=note))
    assert (decision.allowed, decision.token_note) == (True, noted and ("Seen", noted))
    refused = decided(request(token="door-7.5", signature_verified=True), record(token=note, enabled=False))
    assert refused.token_note is None


@pytest.mark.parametrize(
    ("settings", "fields", "disconnect_after_s", "refresh_after_s"),
    [
        pytest.param(Settings(), {}, 86_400, 3600, id="defaults"),
        pytest.param(Settings(600, 7200), {}, 7200, 600, id="as set"),
        pytest.param(Settings(1, 1), {}, MIN_TIMER_S, MIN_TIMER_S, id="held up"),
        pytest.param(Settings(10**9, 10**9), {}, MAX_TIMER_S, MAX_TIMER_S, id="held down"),
        pytest.param(Settings(), {"expires_at": NOW + 1000}, 1000, 3600, id="ends with the client"),
        pytest.param(Settings(), {"slots": slot(expires_at=NOW + 1000)}, 1000, 3600, id="ends with the slot"),
        pytest.param(Settings(), {"expires_at": NOW + 1}, MIN_TIMER_S, 3600, id="no sooner than AWS can"),
        pytest.param(Settings(), {"expires_at": NOW + 10**6}, 86_400, 3600, id="expires later"),
    ],
)
def test_the_timers(settings: Settings, fields: dict[str, Any], disconnect_after_s: int, refresh_after_s: int) -> None:
    """No connection outlives its credential by more than AWS's shortest timer."""
    answer = decided(request(), record(**fields), settings).answer
    assert (answer.disconnect_after_s, answer.refresh_after_s) == (disconnect_after_s, refresh_after_s)


def test_a_credential_is_good_until_the_second_it_ends() -> None:
    """`Expires` is the first second in which it does not count."""
    ending = record(expires_at=NOW)
    assert decided(request(), ending, now=NOW - 1).allowed
    assert not decided(request(), ending, now=NOW).allowed
