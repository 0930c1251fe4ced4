"""The walk against servers that are right, and against every kind that is not."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from iotauth_authorizer import username
from iotauth_cli.errors import InputError
from iotauth_cli.probe.stages import Endpoint, Errand, Login, Stage, Started, Symptom
from iotauth_cli.probe.tls import AMAZON_ROOTS, build_context
from iotauth_cli.probe.walk import topic_matches, walk
from iotauth_cli.secret import Secret
from support_broker import CONNECT, NOT_AUTHORIZED, PUBLISH, SUBSCRIBE, Answer, broker, plain_server
from support_tls import IN_DATE, NOT_YET, OVER, Authority, Span

PASSWORD = "iota_canary_in_the_mine"
LOGIN = Login(
    "thermo-1",
    username.compose("thermo-1", [(username.AUTHORIZER_NAME, "iotauth")]),
    Secret(PASSWORD),
)
ERRAND = Errand(publish="sensors/thermo-1", subscribe="sensors/thermo-1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Path:
    return authority.leaf()


def stages_of(endpoint: Endpoint, login: Login = LOGIN, errand: Errand = ERRAND, timeout_s: float = 3) -> list[Stage]:
    return [event for event in walk(endpoint, login, errand, timeout_s=timeout_s) if isinstance(event, Stage)]


def at(port: int, authority: Authority, **changes: object) -> Endpoint:
    endpoint = Endpoint("localhost", port, authority.file)
    return replace(endpoint, **changes)  # type: ignore[arg-type]


def test_a_good_walk_names_every_stage_and_brings_the_message_back(authority: Authority, leaf: Path) -> None:
    """Each stage is announced, ends well, and tells what it found."""
    with broker(leaf) as peer:
        events = list(walk(at(peer.port, authority), LOGIN, ERRAND, timeout_s=3))
    stages = {event.name: event for event in events if isinstance(event, Stage)}
    assert list(stages) == ["dns", "tcp", "tls", "alpn", "connect", "subscribe", "publish", "receive", "end"]
    assert [event.name for event in events if isinstance(event, Started)] == list(stages)
    assert all(stage.ok for stage in stages.values())
    assert "127.0.0.1" in stages["dns"].facts["addresses"]
    assert stages["tcp"].facts == {"address": "127.0.0.1", "port": peer.port}
    assert stages["tls"].facts["version"] == "TLSv1.3"
    assert stages["tls"].facts["subject"] == "localhost"
    assert stages["tls"].facts["issuer"] == "test CA"
    assert stages["tls"].facts["server_name"] == "localhost"
    assert (stages["tls"].facts["root"], stages["tls"].facts["chain"]) == ("test CA", [])
    assert stages["tls"].facts["root_not_after"].endswith("Z")
    assert stages["alpn"].facts == {"offered": ["mqtt"], "selected": "mqtt"}
    assert stages["connect"].facts["username"] == "thermo-1?x-amz-customauthorizer-name=iotauth"
    assert stages["receive"].facts["topic"] == "sensors/thermo-1"
    assert peer.alpn == ["mqtt", "mqtt"], "the probe's handshake and the device's own"


def test_connect_tells_the_size_that_went_over_the_wire(authority: Authority, leaf: Path) -> None:
    """The packet size is what a small device's buffer must hold."""
    with broker(leaf) as peer:
        stages = stages_of(at(peer.port, authority))
    kind, body = peer.packets[0]
    assert kind >> 4 == CONNECT
    assert next(s for s in stages if s.name == "connect").facts["packet_bytes"] == 2 + len(body)


@pytest.mark.parametrize("length", [1, 30, 97, 98, 99, 100, 3000, 40_000], ids=str)
def test_the_size_of_a_connect_packet_is_right_at_every_length(authority: Authority, leaf: Path, length: int) -> None:
    """The remaining length takes one to three bytes; the told size counts them."""
    login = Login("c", "u" * length, None)
    with broker(leaf) as peer:
        stages = stages_of(at(peer.port, authority), login, Errand())
    size = len(peer.packets[0][1])
    header = 2 if size < 128 else 3 if size < 16_384 else 4
    assert next(s for s in stages if s.name == "connect").facts["packet_bytes"] == size + header


def test_a_publish_only_client_is_not_told_to_wait_for_a_message(authority: Authority, leaf: Path) -> None:
    """Without a subscription that matches there is no message to come back, and that is no failure."""
    with broker(leaf) as peer:
        endpoint = at(peer.port, authority)
        only_publish = stages_of(endpoint, errand=Errand(publish="a/b"))
        elsewhere = stages_of(endpoint, errand=Errand(publish="a/b", subscribe="a/c"))
    assert [stage.name for stage in only_publish[4:]] == ["connect", "publish", "end"]
    assert [stage.name for stage in elsewhere[4:]] == ["connect", "subscribe", "publish", "end"]
    assert all(stage.ok for stage in only_publish + elsewhere)


REFUSALS: dict[str, tuple[dict[int, Answer], str, Symptom]] = {
    "hang-up-on-connect": ({CONNECT: "close"}, "connect", Symptom.CLOSED),
    "connack-5": ({CONNECT: NOT_AUTHORIZED}, "connect", Symptom.REFUSED),
    "silence-on-connect": ({CONNECT: "silence"}, "connect", Symptom.TIMEOUT),
    "http-on-connect": ({CONNECT: b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 100}, "connect", Symptom.NOT_MQTT),
    "hang-up-on-subscribe": ({SUBSCRIBE: "close"}, "subscribe", Symptom.CLOSED),
    "suback-80": ({SUBSCRIBE: bytes((0x90, 3, 0, 1, 0x80))}, "subscribe", Symptom.REFUSED),
    "hang-up-on-publish": ({PUBLISH: "close"}, "publish", Symptom.CLOSED),
    "no-puback": ({PUBLISH: "silence"}, "publish", Symptom.TIMEOUT),
    "no-message": ({PUBLISH: bytes((0x40, 2, 0, 2))}, "receive", Symptom.TIMEOUT),
}


@pytest.mark.parametrize(("script", "stage", "symptom"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_ends_the_walk_where_it_happens(
    authority: Authority, leaf: Path, script: dict[int, Answer], stage: str, symptom: Symptom
) -> None:
    """The failing stage is the last one and carries what a device would see."""
    with broker(leaf, script) as peer:
        stages = stages_of(at(peer.port, authority), timeout_s=0.4)
    assert (stages[-1].name, stages[-1].symptom) == (stage, symptom)
    assert all(earlier.ok for earlier in stages[:-1])


CERTIFICATES: dict[str, tuple[Span, tuple[str, ...], Symptom]] = {
    "expired": (OVER, ("localhost",), Symptom.EXPIRED),
    "not-yet-valid": (NOT_YET, ("localhost",), Symptom.NOT_YET_VALID),
    "another-name": (IN_DATE, ("doors.example.com",), Symptom.WRONG_NAME),
}


@pytest.mark.parametrize(("span", "names", "symptom"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_a_bad_certificate_is_shown_although_it_is_refused(
    authority: Authority, span: Span, names: tuple[str, ...], symptom: Symptom
) -> None:
    """The TLS stage fails with its reason and still tells whose certificate was shown."""
    with broker(authority.leaf(names, span)) as peer:
        tls = stages_of(at(peer.port, authority))[-1]
    assert (tls.name, tls.symptom) == ("tls", symptom)
    assert tls.facts["subject"] == names[0]
    assert tls.facts["issuer"] == "test CA"
    assert tls.facts["not_after"].endswith("Z")
    assert not peer.packets


def test_a_foreign_authority_is_told_from_the_one_asked_for(authority: Authority, leaf: Path, tmp_path: Path) -> None:
    """Both the issuer that was shown and the root that was trusted are named."""
    foreign = Authority(tmp_path, "another CA")
    with broker(leaf) as peer:
        tls = stages_of(at(peer.port, foreign))[-1]
    assert tls.symptom is Symptom.UNTRUSTED
    assert (tls.facts["issuer"], tls.facts["ca_subject"]) == ("test CA", "another CA")


def test_an_expired_authority_shows_its_own_end_beside_a_leaf_in_date(tmp_path: Path) -> None:
    """The symptom is the same as for an expired leaf; the dates tell which of the two it was."""
    old = Authority(tmp_path, "old CA", OVER)
    with broker(old.leaf()) as peer:
        tls = stages_of(at(peer.port, old))[-1]
    assert tls.symptom is Symptom.EXPIRED
    assert tls.facts["ca_not_after"] < tls.facts["not_after"]


def test_the_systems_roots_do_not_know_a_test_authority(authority: Authority, leaf: Path) -> None:
    """Without a CA file the system's roots decide."""
    with broker(leaf) as peer:
        tls = stages_of(at(peer.port, authority, ca_file=None))[-1]
    assert (tls.name, tls.symptom) == ("tls", Symptom.UNTRUSTED)
    assert "ca_file" not in tls.facts


def test_amazons_roots_are_trusted_on_any_system() -> None:
    """AWS IoT's endpoints can be verified where nobody has installed a root."""
    trusted = build_context(Endpoint("localhost")).get_ca_certs()
    names = {part[0][1] for root in trusted for part in root["subject"] if part[0][0] == "commonName"}
    assert {"Amazon Root CA 1", "Amazon Root CA 3"} <= names
    assert build_context(Endpoint("localhost", ca_file=AMAZON_ROOTS)).cert_store_stats()["x509"] < 10


def test_an_address_sends_no_server_name(authority: Authority, leaf: Path) -> None:
    """TLS carries no SNI for an address; the walk says so instead of guessing."""
    with broker(leaf) as peer:
        stages = stages_of(at(peer.port, authority, host="127.0.0.1"))
    assert next(s for s in stages if s.name == "tls").facts["server_name"] is None
    assert stages[-1].ok


@pytest.mark.parametrize(
    ("offered", "selected"),
    [((), None), (("x-amzn-mqtt-ca",), "x-amzn-mqtt-ca"), (("h2",), None)],
    ids=["none", "the-certificate-protocol", "unknown"],
)
def test_alpn_tells_what_was_offered_and_selected(
    authority: Authority, leaf: Path, offered: tuple[str, ...], selected: str | None
) -> None:
    """Deliberate mistakes go over the wire as they are."""
    with broker(leaf) as peer:
        stages = stages_of(at(peer.port, authority, alpn=offered))
    assert next(s for s in stages if s.name == "alpn").facts == {"offered": list(offered), "selected": selected}
    assert peer.alpn == [selected, selected]


def test_a_closed_port_is_told_for_every_address() -> None:
    """Nothing listens: every address that was tried is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tcp = stages_of(Endpoint("127.0.0.1", port))[-1]
    assert (tcp.name, tcp.symptom) == ("tcp", Symptom.PORT_CLOSED)
    assert tcp.facts["tried"] == ["127.0.0.1: port-closed"]


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "a..b", "x" * 64 + ".example.com"], ids=["unknown", "empty-label", "long-label"]
)
def test_a_name_that_does_not_exist_fails_at_dns(host: str) -> None:
    """A host name nobody knows, or nobody could know, is a DNS failure and not a crash."""
    dns = stages_of(Endpoint(host))[-1]
    assert dns.name == "dns"
    assert dns.symptom in (Symptom.NO_SUCH_HOST, Symptom.NAME_NOT_RESOLVED)


def test_a_port_that_speaks_no_tls_is_told_from_one_that_hangs_up() -> None:
    """HTTP in the clear and a bare close are two different things."""
    with plain_server() as port:
        assert stages_of(Endpoint("127.0.0.1", port))[-1].symptom is Symptom.NOT_TLS
    with plain_server(None) as port:
        assert stages_of(Endpoint("127.0.0.1", port))[-1].symptom is Symptom.CLOSED


def test_a_server_that_never_speaks_is_a_timeout() -> None:
    """The time limit ends a handshake that nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        tls = stages_of(Endpoint("127.0.0.1", mute.getsockname()[1]), timeout_s=0.1)[-1]
    assert (tls.name, tls.symptom) == ("tls", Symptom.TIMEOUT)
    assert tls.facts["error"] == "no answer in time"


@pytest.mark.parametrize("content", [None, "no certificate\n"], ids=["missing", "not-pem"])
def test_a_bad_ca_file_is_the_callers_mistake(tmp_path: Path, content: str | None) -> None:
    """A CA file that cannot serve is refused before anything is sent."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=r"ca\.pem"):
        next(walk(Endpoint("localhost", 1, file), LOGIN, ERRAND, timeout_s=1))


@pytest.mark.parametrize(
    "errand", [Errand(publish="a/+"), Errand(subscribe="a/#/b")], ids=["wildcard-published", "hash-in-the-middle"]
)
def test_a_topic_that_mqtt_does_not_know_is_the_callers_mistake(
    authority: Authority, leaf: Path, errand: Errand
) -> None:
    """paho's ValueError becomes a sentence with the topic in it."""
    with broker(leaf) as peer, pytest.raises(InputError, match="`a/"):
        stages_of(at(peer.port, authority), errand=errand)


LONG = "x" * 65_536
UNFIT = {
    "client-id": (Login(LONG, "u", None), "the client id has 65536 bytes"),
    "user-name": (Login("c", LONG, None), "the user name has 65536 bytes"),
    "password": (Login("c", "u", Secret(LONG)), "the password has 65536 bytes"),
    "not-utf-8": (Login("c", "\udcff", None), "the user name is not UTF-8"),
}


@pytest.mark.parametrize(("login", "said"), UNFIT.values(), ids=UNFIT)
def test_a_login_that_mqtt_cannot_carry_is_refused_before_anything_is_sent(login: Login, said: str) -> None:
    """The field is named, its content is not repeated."""
    with pytest.raises(InputError, match=said) as refused:
        next(walk(Endpoint("localhost", 1), login, ERRAND, timeout_s=1))
    assert len(str(refused.value)) < 100


def test_the_password_is_in_no_fact_and_no_repr(authority: Authority, leaf: Path) -> None:
    """It goes over the wire, and nowhere else."""
    with broker(leaf) as peer:
        events = list(walk(at(peer.port, authority), LOGIN, ERRAND, timeout_s=3))
    assert PASSWORD.encode() in peer.packets[0][1]
    assert PASSWORD not in repr(events)
    assert PASSWORD not in repr(LOGIN)


def test_a_token_and_its_signature_are_masked_in_the_shown_user_name() -> None:
    """Only parameters that are known to be harmless are shown."""
    login = Login(
        "c", "u?x-amz-customauthorizer-name=doors&x-amz-customauthorizer-signature=s3cr3t&key=t0k3n&SDK=x", None
    )
    shown = login.shown_username
    assert shown == "u?x-amz-customauthorizer-name=doors&x-amz-customauthorizer-signature=••••&key=••••&SDK=x"


def test_leaving_a_walk_early_closes_every_socket(authority: Authority, leaf: Path) -> None:
    """Ctrl-C between two stages leaves no connection behind; an unclosed socket would be a warning."""
    with broker(leaf) as peer:
        for stop_after in ("tcp", "tls", "connect", "subscribe"):
            steps = walk(at(peer.port, authority), LOGIN, ERRAND, timeout_s=3)
            for event in steps:
                if isinstance(event, Stage) and event.name == stop_after:
                    break
            else:
                pytest.fail(f"the walk never came to {stop_after}")
            steps.close()


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", False),
        ("a/#", "a/", True),
        ("#", "a", True),
        ("a/+", "a/b/c", False),
    ],
)
def test_topics_match_as_aws_matches_them(topic_filter: str, topic: str, expected: bool) -> None:
    """`a/#` leaves out `a` itself, which MQTT would include."""
    assert topic_matches(topic_filter, topic) is expected
