"""The function as Lambda calls it: an event in, an answer out, one line in the log, never an exception."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotauth_authorizer.credential import CHEAPEST, Slot, SlotState, hash_secret, new_secret
from iotauth_authorizer.dynamodb import Client, Credentials
from iotauth_authorizer.event import REFUSAL, ConnectRequest, build_answer, build_event, parse_answer
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.handler import Function, Table
from iotauth_authorizer.record import ClientRecord, from_item, key, to_item
from support_table import HANG_UP, Asked, Server, answer, error, in_turn, moto_table, serving

SECRET = new_secret()
HASH = hash_secret(SECRET.encode(), "door-7")
REFUSED = build_answer(REFUSAL)
CONNECTION = "10a5c4e8-0000-4000-8000-2d7d2c2d2d2d"


class Context:
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:iotauth"


def environ(server: Server, **more: str) -> dict[str, str]:
    return {
        "IOTAUTH_TABLE": "clients",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        **more,
    }


def row(state: SlotState = "active", **fields: Any) -> dict[str, Any]:
    record = ClientRecord("door-7", slots={"A": Slot(HASH, 1, state)}, grants=Grants.for_topic("doors/7"))
    return to_item(record._replace(**fields))


def event(**fields: Any) -> dict[str, Any]:
    request = ConnectRequest(
        protocols=("tls", "mqtt"),
        connection_id=CONNECTION,
        client_id="door-7",
        username="door-7?x-amz-customauthorizer-name=doors",
        password=SECRET.encode(),
    )
    return build_event(request._replace(**fields))


Load = Callable[..., Function]
Log = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def load() -> Iterator[Load]:
    """Load functions for a server's table, each closed when the test is over."""
    with ExitStack() as loaded:
        yield lambda server, **more: loaded.enter_context(closing(Function(environ(server, **more))))


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    """Return a function that gives the log lines since it was last called."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_right_secret_gets_an_answer_and_a_line(load: Load, log: Log) -> None:
    """The answer is AWS IoT's to take; the line says who, what and in which slot."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        given_answer = load(server)(event(), Context())
    assert parse_answer(json.loads(json.dumps(given_answer))).is_authenticated
    (line,) = log()
    assert line.pop("ms") >= 0
    assert line == {
        "iotauth": 1,
        "connection": CONNECTION,
        "client": "door-7",
        "allowed": True,
        "reason": "ok",
        "slot": "A",
    }


@pytest.mark.parametrize(
    ("event_", "replies", "reason", "cause"),
    [
        pytest.param(event(password=b"x"), [answer({"Item": row()})], "wrong-password", None, id="wrong password"),
        pytest.param(event(), [answer({})], "unknown-client", None, id="unknown client"),
        pytest.param(
            event(),
            [answer({"Item": {**row(), "Expires": {"S": "x"}}})],
            "malformed-record",
            "MalformedRecord",
            id="row",
        ),
        pytest.param([], [HANG_UP], "malformed-event", "MalformedEvent", id="event"),
        pytest.param(
            event(),
            [error("AccessDeniedException")],
            "table-unavailable",
            "AccessDeniedException",
            id="role may not read",
        ),
        pytest.param(
            event(),
            [error("ResourceNotFoundException")],
            "table-unavailable",
            "ResourceNotFoundException",
            id="no such table",
        ),
        pytest.param(
            event(), [answer({"Item": 5})], "internal-error", "AttributeError", id="something nobody thought of"
        ),
    ],
)
def test_a_refusal_is_the_same_from_outside_and_named_in_the_log(
    load: Load, log: Log, event_: object, replies: list[bytes], reason: str, cause: str | None
) -> None:
    """What failed on our side has a cause beside its reason: a name, never a text."""
    with serving(in_turn(*replies)) as server:
        assert load(server)(event_, Context()) == REFUSED
    (line,) = log()
    assert (line["allowed"], line["reason"], line.get("cause")) == (False, reason, cause)


def test_what_no_row_could_change_is_refused_without_a_look_up(load: Load) -> None:
    """A request without a password costs the table nothing."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        assert load(server)(event(password=None), Context()) == REFUSED
    assert server.asked == []


@pytest.mark.parametrize("name", ["IOTAUTH_TABLE", "AWS_ENDPOINT_URL"])
def test_without_its_settings_the_function_refuses(load: Load, name: str, log: Log) -> None:
    """An environment that names no table, or an endpoint that is none, lets nobody in."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        broken = {"IOTAUTH_TABLE": "", "AWS_ENDPOINT_URL": "nonsense"}[name]
        assert load(server, **{name: broken})(event(), Context()) == REFUSED
    assert log()[0]["reason"] == "misconfigured"


def test_without_credentials_the_function_refuses(load: Load, log: Log) -> None:
    """And says that it was not the client's fault."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        assert load(server, AWS_ACCESS_KEY_ID="")(event(), Context()) == REFUSED
    assert [line["reason"] for line in log()] == ["table-unavailable"]


def test_without_an_arn_there_is_no_policy_to_write(load: Load, log: Log) -> None:
    """Partition, region and account come from the function's own ARN."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        assert load(server)(event(), None) == REFUSED
    assert log()[0]["reason"] == "internal-error"


def test_the_connection_is_opened_when_the_function_is_loaded(load: Load) -> None:
    """The first device does not wait for a handshake."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        function = load(server)
        function(event(), Context())
        function(event(), Context())
    assert server.connections == 1


def test_a_table_that_is_not_there_yet_does_not_break_the_loading(
    load: Load, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading never fails; the first call tries again for as long as it may, and refuses."""
    monkeypatch.setattr("iotauth_authorizer.handler.READ_BUDGET_S", 0.05)
    with serving(in_turn(HANG_UP)) as server:
        pass
    assert load(server)(event(), Context()) == REFUSED
    assert [line["reason"] for line in log()] == ["table-unavailable"]


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", "enabled", "flase"])
def test_a_required_signature_is_required(load: Load, value: str, log: Log) -> None:
    """What is not clearly off is on, so a typing mistake does not open the door."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        function = load(server, IOTAUTH_REQUIRE_SIGNATURE=value)
        assert function(event(), Context()) == REFUSED
        assert function(event(token="door-7.5", signature_verified=True), Context())["isAuthenticated"]
    assert [line["reason"] for line in log()] == ["signature-required", "ok"]


@pytest.mark.parametrize("value", ["", "0", "false", "FALSE", " no ", "off"])
def test_a_signature_may_be_optional(load: Load, value: str) -> None:
    """The usual ways to say no."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        function = load(server, IOTAUTH_REQUIRE_SIGNATURE=value)
        assert function(event(), Context())["isAuthenticated"]


@pytest.mark.parametrize(
    ("value", "refresh_after_s"),
    [("600", 600), (" 600 ", 600), ("5", 300), ("-1", 300), ("soon", 3600), ("9" * 9999, 3600), ("", 3600)],
    ids=lambda value: str(value)[:8],
)
def test_timers_come_from_the_environment(load: Load, value: str, refresh_after_s: int) -> None:
    """Held to AWS's range; one that cannot be read is the default, not a refused fleet."""
    with serving(in_turn(answer({"Item": row()}))) as server:
        given_answer = load(server, IOTAUTH_REFRESH_AFTER_S=value)(event(), Context())
    assert given_answer["refreshAfterInSeconds"] == refresh_after_s


def table_of(server: Server) -> Client:
    return Client("eu-west-1", endpoint_url=server.url, credentials=lambda: Credentials("x", "x"))


def test_the_first_use_of_a_pending_secret_is_noted_once(load: Load) -> None:
    """In the row, under a condition: moto says what DynamoDB would hold afterwards."""
    with moto_table() as server:
        function = load(server)
        table = table_of(server)
        pending = row("pending")
        table.put_item("clients", pending)
        assert function(event(), Context())["isAuthenticated"]
        noted = table.get_item("clients", key("door-7"))
        assert noted is not None
        first_used = noted["Secret_A"]["M"].pop("First_used")
        assert int(first_used["N"]) > 1_700_000_000
        assert noted == pending
        assert function(event(), Context())["isAuthenticated"]
        table.close()
    assert [asked.operation for asked in server.asked].count("UpdateItem") == 1


OLD = Slot("$iota-hmac-sha256$v=1$c2FsdA$b2xk", 1, "retiring", grace_s=600)


def test_the_first_use_starts_the_grace_of_the_old_secret(load: Load) -> None:
    """In the same write; a device that never got its new secret is therefore never locked out."""
    with moto_table() as server:
        table = table_of(server)
        table.put_item("clients", row(slots={"A": Slot(HASH, 1, "pending"), "B": OLD}))
        assert load(server)(event(), Context())["isAuthenticated"]
        noted = table.get_item("clients", key("door-7"))
        assert noted is not None
        slots = from_item(noted).slots
        table.close()
    seen = slots["A"].first_used_at
    assert seen is not None
    assert slots["B"] == OLD._replace(expires_at=seen + 600)
    assert [asked.operation for asked in server.asked].count("UpdateItem") == 1


def test_an_old_secret_that_is_gone_meanwhile_is_noted_at_the_next_connection(load: Load) -> None:
    """The write stands for what was read, or is not made: half a retirement would be nobody's."""
    with moto_table() as server:
        table = table_of(server)
        pending = {"A": Slot(HASH, 1, "pending")}
        table.put_item("clients", row(slots=pending))
        Table("clients", table).record_first_use(from_item(row(slots={**pending, "B": OLD})), "A", 3)
        assert table.get_item("clients", key("door-7")) == row(slots=pending)
        assert load(server)(event(), Context())["isAuthenticated"]
        noted = table.get_item("clients", key("door-7"))
        assert noted is not None
        assert from_item(noted).slots["A"].first_used_at is not None
        table.close()


def test_a_slot_filled_anew_meanwhile_is_not_noted_as_used() -> None:
    """The row was read before a rotation and written after it: the new secret was not seen."""
    with moto_table() as server:
        table = table_of(server)
        rotated = row("pending", slots={"A": Slot("$another", 2, "pending")})
        table.put_item("clients", rotated)
        Table("clients", table).record_first_use(from_item(row("pending")), "A", 3)
        assert table.get_item("clients", key("door-7")) == rotated
        table.close()


TOKEN_EVENT = {"token": "door-7.5", "signature_verified": True}


@pytest.mark.parametrize(
    "note",
    [None, {"Issued": {"N": "9"}}, {"Issued": {"N": "9"}, "Seen": {"N": "4"}, "Required": {"BOOL": True}}],
    ids=["no note", "handed out", "an older one seen"],
)
def test_a_new_token_is_noted_once(load: Load, note: dict[str, Any] | None) -> None:
    """Beside what the row holds of tokens, under a condition; the next connection writes nothing."""
    with moto_table() as server:
        table = table_of(server)
        table.put_item("clients", {**row(), **({"Token": {"M": note}} if note else {})})
        function = load(server)
        for _ in range(2):
            assert function(event(**TOKEN_EVENT), Context())["isAuthenticated"]
        noted = table.get_item("clients", key("door-7"))
        assert noted == {**row(), "Token": {"M": {**(note or {}), "Seen": {"N": "5"}}}}
        table.close()
    assert [asked.operation for asked in server.asked].count("UpdateItem") == 1


def test_a_login_without_a_token_is_noted_once_where_there_are_tokens(load: Load) -> None:
    """Who moves a fleet to an unsigned authorizer sees who has arrived; other rows are not written."""
    with moto_table() as server:
        table = table_of(server)
        table.put_item("clients", {**row(), "Token": {"M": {"Issued": {"N": "9"}}}})
        function = load(server)
        for _ in range(2):
            assert function(event(), Context())["isAuthenticated"]
        noted = table.get_item("clients", key("door-7"))
        assert noted is not None
        assert int(noted["Token"]["M"]["Unsigned"]["N"]) > 1_700_000_000
        table.put_item("clients", row())
        assert function(event(), Context())["isAuthenticated"]
        assert table.get_item("clients", key("door-7")) == row()
        table.close()
    assert [asked.operation for asked in server.asked].count("UpdateItem") == 1


def test_a_token_is_noted_neither_over_a_newer_one_nor_in_a_row_that_is_gone() -> None:
    """The row was read before another connection noted more, or before somebody removed it."""
    with moto_table() as server:
        table = table_of(server)
        newer = {**row(), "Token": {"M": {"Seen": {"N": "7"}}}}
        table.put_item("clients", newer)
        for read in (row(), {**row(), "Token": {"M": {}}}):
            Table("clients", table).record_token(from_item(read), "Seen", 5)
            assert table.get_item("clients", key("door-7")) == newer
        table.delete_item("clients", key("door-7"))
        for read in (row(), newer):
            Table("clients", table).record_token(from_item(read), "Seen", 8)
            assert table.get_item("clients", key("door-7")) is None
        table.close()


@pytest.mark.parametrize(
    "failure",
    [
        error("AccessDeniedException"),
        error("ConditionalCheckFailedException"),
        error("ProvisionedThroughputExceededException"),
        error("ThrottlingException"),
        error("ValidationException"),
        error("InternalServerError", 500),
        answer("not even an object"),
        HANG_UP,
    ],
    ids=["denied", "condition", "capacity", "throttled", "invalid", "fails", "nonsense", "hangs up"],
)
def test_a_first_use_that_cannot_be_noted_denies_nobody(
    load: Load, failure: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when it takes its whole time."""
    monkeypatch.setattr("iotauth_authorizer.handler.RECORD_BUDGET_S", 0.05)

    def only_reads(asked: Asked) -> bytes:
        pending = row(slots={"A": Slot(HASH, 1, "pending"), "B": OLD})
        return answer({"Item": pending}) if asked.operation == "GetItem" else failure

    with serving(only_reads) as server:
        assert load(server)(event(**TOKEN_EVENT), Context())["isAuthenticated"]
    assert {"UpdateItem"} < {asked.operation for asked in server.asked}


def test_a_log_that_cannot_be_written_keeps_nobody_out(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed standard output is not the device's fault."""
    closed = io.StringIO()
    closed.close()
    with serving(in_turn(answer({"Item": row()}))) as server:
        monkeypatch.setattr(sys, "stdout", closed)
        assert load(server)(event(), Context())["isAuthenticated"]


CANARY = "canary-5f3a9c"


@pytest.mark.parametrize(
    "event_",
    [
        pytest.param(event(password=CANARY.encode()), id="wrong password"),
        pytest.param(event(username=f"door-7?token={CANARY}", token=CANARY), id="token"),
        pytest.param(event(username=CANARY, password=CANARY.encode()), id="user name"),
        pytest.param({"protocolData": {"mqtt": {"clientId": "door-7", "password": CANARY}}}, id="not base64"),
        pytest.param({"protocolData": CANARY}, id="malformed"),
        pytest.param(
            event(client_id=None, username=None, password=None, protocols=("http",), query_string=f"?{CANARY}"),
            id="query string",
        ),
        pytest.param(
            build_event(
                ConnectRequest(
                    protocols=("http",),
                    http_headers={"x-iotauth-client-id": "door-7", "x-iotauth-password": CANARY},
                )
            ),
            id="header",
        ),
    ],
)
@pytest.mark.parametrize(
    "reply",
    [
        answer({"Item": row()}),
        answer({"Item": row(plain_password=CANARY)}),
        answer({"Item": {**row(), "Password": {"N": CANARY}}}),
        answer({}),
        error("AccessDeniedException"),
        answer(f"not a row: {CANARY}"),
    ],
    ids=["row", "older row", "malformed row", "no row", "error", "nonsense"],
)
def test_nothing_secret_reaches_the_log(
    load: Load, event_: object, reply: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever fails, neither what a device sent nor what the row holds is written anywhere."""
    with serving(in_turn(reply)) as server:
        load(server, AWS_SECRET_ACCESS_KEY=CANARY)(event_, Context())
    out, err = capfd.readouterr()
    assert '"iotauth":1' in out
    assert CANARY not in out + err
    assert SECRET not in out + err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
OURS = st.sampled_from(["door-7", "mqtt", "http", "MQ==", "x-iotauth-client-id", "x-iotauth-password", "1", ""])
LEAVES = OURS | JSON


def members(*names: str, of: st.SearchStrategy[Any] = LEAVES) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, of)) | LEAVES


EVENTS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "token": LEAVES,
        "signatureVerified": LEAVES,
        "protocols": LEAVES | st.lists(OURS, max_size=3),
        "connectionMetadata": members("id"),
        "protocolData": st.fixed_dictionaries(
            {},
            optional={
                "tls": members("serverName"),
                "http": members("headers", "queryString", of=LEAVES | st.dictionaries(OURS, OURS)),
                "mqtt": members("username", "password", "clientId"),
            },
        ),
    },
)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Function]:
    """One function whose table has the client `door-7`, with a hash of each kind and a plain password."""
    slots = {
        "A": Slot(HASH, 1, "pending"),
        "B": Slot(hash_secret(b"correct horse", "door-7", CHEAPEST), 1),
    }
    older = row(slots=slots, plain_password="hunter2")
    with serving(in_turn(answer({"Item": older}))) as server, closing(Function(environ(server))) as function:
        yield function


@given(event_=EVENTS)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_no_event_raises_and_none_is_let_in_without_the_secret(fuzzed: Function, event_: object) -> None:
    """Arbitrary JSON, and JSON in the shape of an event: always a refusal, always the same."""
    assert fuzzed(event_, Context()) == REFUSED
