"""The other ways to an endpoint: WebSocket, one HTTPS request, MQTT 5; let in, refused, and precisely explained."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, InputError
from iotauth_cli.operations.connect import Report, Visit, manner_of
from iotauth_cli.probe.stages import Carrier, Manner, Stage
from iotauth_cli.secret import Secret
from support import missing
from support_emulator import running_emulator
from support_world import TOPIC, Place, answering, document, installed

SOCKET, SOCKET_HEADERS, SOCKET_QUERY = (Manner("websocket", c) for c in ("username", "headers", "query"))
HTTP, HTTP_QUERY = Manner("http", "headers"), Manner("http", "query")
FIVE, SOCKET_FIVE = Manner(is_mqtt5=True), Manner("websocket", is_mqtt5=True)
CRT = Manner(client="awscrt")
EVERY_WAY = {"-".join((m.words, m.carrier)): m for m in (SOCKET, SOCKET_HEADERS, SOCKET_QUERY, HTTP, HTTP_QUERY, FIVE)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("ways")
    with running_emulator(directory) as emulator, installed(emulator, directory) as place:
        yield place


def cause_of(report: Report) -> str:
    assert report.diagnosis is not None
    return report.diagnosis.cause


def stage(report: Report, name: str) -> Stage:
    return next(stage for stage in report.stages if stage.name == name)


@pytest.mark.parametrize("manner", EVERY_WAY.values(), ids=EVERY_WAY)
def test_a_good_client_gets_in_by_every_way(place: Place, manner: Manner) -> None:
    """Whichever way its credentials travel, and what the way has as a last step is done."""
    report = place.knock(manner=manner)
    assert report.ok, report
    last = {"http": "request"}.get(manner.transport, "end")
    assert report.stages[-1].name == last
    assert report.as_document()["over"] == manner.words


@pytest.mark.parametrize("manner", EVERY_WAY.values(), ids=EVERY_WAY)
def test_a_wrong_password_is_found_by_every_way(place: Place, manner: Manner) -> None:
    """The other side is asked as over MQTT, and the function's log line of this attempt is found."""
    report = place.knock(manner=manner, password=Secret("wrong"))
    assert cause_of(report) == "wrong-password"
    assert report.was_called is True
    assert "wrong" not in [str(value) for stage in report.stages for value in stage.facts.values()]


@pytest.mark.parametrize("manner", EVERY_WAY.values(), ids=EVERY_WAY)
def test_a_missing_authorizer_and_a_missing_grant_are_found_by_every_way(place: Place, manner: Manner) -> None:
    assert cause_of(place.knock(manner=manner, authorizer="windows")) == "authorizer-missing"
    assert cause_of(place.knock(manner=manner, publish="elsewhere/1")) == "publish-not-granted"


@dataclass(frozen=True)
class ReadOnly(Session):
    """A session that may list and describe, and invoke nothing: no test call, no direct call, no log."""

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        refuse(service, operation)
        return super().call(service, operation, **parameters)

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        refuse(service, operation)
        return super().pages(service, operation, **parameters)


def refuse(service: str, operation: str) -> None:
    if operation in ("invoke", "test_invoke_authorizer", "filter_log_events"):
        raise AccessDenied(f"this AWS user may not call `{service}:{operation}`")


READ_ONLY = {
    "a-wrong-password": ({"password": Secret("wrong")}, "connect-refused"),
    "a-missing-authorizer": ({"authorizer": "windows"}, "authorizer-missing"),
    "a-topic-that-is-not-granted": ({"publish": "elsewhere/1"}, "cut-off"),
    "a-request-that-is-refused": ({"publish": "elsewhere/1", "manner": HTTP}, "connect-refused"),
    "an-unsubscribed-filter-in-mqtt-5": ({"subscribe": "elsewhere/#", "manner": FIVE}, "subscribe-not-granted"),
}


@pytest.mark.parametrize(("members", "cause"), READ_ONLY.values(), ids=READ_ONLY)
def test_what_a_read_only_role_may_not_ask_is_said_and_not_guessed(
    place: Place, members: dict[str, Any], cause: str
) -> None:
    """What can be read decides; for the rest each closed door is named, and no cause that lies behind it."""
    report = place.knock(session=ReadOnly(place.target), **members)
    assert cause_of(report) == cause
    assert report.diagnosis is not None
    told = "\n".join(report.diagnosis.evidence)
    assert cause == "authorizer-missing" or "not seen: the authorizer's answer: this AWS user may not call" in told


def test_what_travels_in_the_upgrade_does_not_stand_in_connect(place: Place) -> None:
    """CONNECT is shorter by the parameters, and the header is named without its value."""
    plain, moved = place.knock(manner=SOCKET), place.knock(manner=SOCKET_HEADERS)
    assert stage(plain, "connect").facts["username"] == "thermo-1?x-amz-customauthorizer-name=doors"
    assert stage(moved, "connect").facts["username"] == "thermo-1"
    assert stage(moved, "upgrade").facts["headers"] == ["x-amz-customauthorizer-name"]
    assert stage(moved, "connect").facts["packet_bytes"] < stage(plain, "connect").facts["packet_bytes"]
    assert stage(moved, "upgrade").facts["status"] == 101


@pytest.mark.parametrize("manner", [SOCKET, HTTP], ids=["websocket", "http"])
def test_alpn_for_mqtt_is_a_mistake_over_http(place: Place, manner: Manner) -> None:
    """The port expects MQTT then; without any ALPN it is right, and nobody calls it a mistake."""
    assert cause_of(place.knock(manner=manner, alpn=("mqtt",))) == "alpn-for-mqtt"
    assert place.knock(manner=manner, alpn=()).ok


def test_mqtt_5_brings_the_brokers_own_words(place: Place) -> None:
    """CONNACK's reason string, SUBACK's and PUBACK's codes, and the terms."""
    refused = place.knock(manner=FIVE, password=Secret("wrong"))
    assert "0x87 not authorized, `CONNACK:Client is not authorized" in stage(refused, "connect").facts["reason"]
    assert stage(place.knock(manner=FIVE, publish="x"), "publish").facts["code"] == 0x87
    assert stage(place.knock(manner=FIVE, subscribe="x/#"), "subscribe").facts["code"] == 0x87
    terms = stage(place.knock(manner=FIVE), "connect").facts["terms"]
    assert "QoS up to 1" in terms
    assert "100 messages in flight" in terms


def test_over_http_the_policy_has_no_client_id(place: Place) -> None:
    """A grant that hangs on `${iot:ClientId}` holds over MQTT and not over HTTP."""
    grant = ("Allow", "iot:Publish", "arn:aws:iot:*:*:topic/by/${iot:ClientId}")
    source = answering([document(("Allow", "iot:Connect", "*"), grant)])
    with place.deployed("by-id", source):
        asked: dict[str, Any] = {"authorizer": "by-id", "publish": "by/thermo-1"}
        assert cause_of(place.knock(manner=HTTP, **asked)) == "publish-not-granted"
        only_publish = place.knock(**asked)
    assert cause_of(only_publish) == "subscribe-not-granted", "over MQTT it comes as far as its subscription"


def test_a_will_that_may_not_be_published_keeps_the_device_out(place: Place) -> None:
    report = place.knock(will="elsewhere/gone")
    assert cause_of(report) == "will-not-granted"
    assert report.was_called is True
    assert place.knock(will=TOPIC).ok


@pytest.fixture(scope="module")
def keeper(place: Place) -> Iterator[str]:
    """An authorizer whose clients may retain."""
    actions = ("Connect", "Publish", "RetainPublish", "Subscribe", "Receive")
    with place.deployed("keeper", answering([document(*(("Allow", f"iot:{action}", "*") for action in actions))])):
        yield "keeper"


@pytest.mark.parametrize("manner", [Manner(), FIVE, HTTP], ids=["3.1.1", "5", "http"])
def test_a_retained_message_needs_its_own_grant_and_is_removed_again(place: Place, keeper: str, manner: Manner) -> None:
    """Without `iot:RetainPublish` it is refused and said so; with it nothing stays behind."""
    assert cause_of(place.knock(manner=manner, retain=True)) == "retain-not-granted"
    assert place.knock(manner=manner, authorizer=keeper, retain=True).ok
    kept = place.emulator.client("iot-data")
    assert TOPIC not in [each["topic"] for each in kept.list_retained_messages()["retainedTopics"]]


def test_awss_own_client_comes_to_the_same_diagnosis(place: Place) -> None:
    """Its error names are shown, and the other side is asked as ever."""
    if importlib.util.find_spec("awscrt") is None:
        missing("awscrt is not installed")
    assert place.knock(manner=CRT).ok
    wrong = place.knock(manner=CRT, password=Secret("wrong"))
    assert cause_of(wrong) == "wrong-password"
    assert "AWS_ERROR_MQTT_UNEXPECTED_HANGUP" in stage(wrong, "connect").facts["reason"]
    assert cause_of(place.knock(manner=CRT, publish="elsewhere/1")) == "publish-not-granted"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"is_http": True, "is_mqtt5": True}, "`--http` and `--mqtt5`"),
    ({"is_http": True, "is_websocket": True}, "`--http` and `--websocket`"),
    ({"is_http": True, "client": "awscrt"}, "over MQTT 3.1.1 alone"),
    ({"is_mqtt5": True, "client": "awscrt"}, "over MQTT 3.1.1 alone"),
    ({"is_http": True, "carrier": "username"}, "no user name"),
    ({"carrier": "headers"}, "MQTT has no headers"),
    ({"is_mqtt5": True, "carrier": "query"}, "MQTT has no query"),
]


@pytest.mark.parametrize(("flags", "said"), WRONG)
def test_what_does_not_go_together_is_refused(flags: dict[str, Any], said: str) -> None:
    plain: dict[str, Any] = {"is_http": False, "is_websocket": False, "is_mqtt5": False, "carrier": None}
    with pytest.raises(InputError, match=said) as refused:
        manner_of(**{**plain, **flags})
    assert refused.value.hint


def test_over_http_nothing_is_subscribed_to_and_a_topic_is_needed(place: Place) -> None:
    refused: list[dict[str, Any]] = [{"subscribe": TOPIC}, {"will": TOPIC}]
    for members in refused:
        with pytest.raises(InputError, match="can only publish"):
            place.knock(manner=HTTP, **members)
    with pytest.raises(InputError, match="no topic is known"):
        place.knock(Visit("nobody-1", password=Secret("x"), manner=HTTP))


@pytest.mark.parametrize("password", ["line\nbreak", "schlüssel"], ids=["newline", "not-ascii"])
def test_a_password_that_no_header_carries_is_refused_without_repeating_it(place: Place, password: str) -> None:
    with pytest.raises(InputError, match="`x-iotauth-password`") as refused:
        place.knock(manner=HTTP, password=Secret(password))
    assert password not in str(refused.value)


@pytest.mark.parametrize("carrier", ["headers", "query"])
def test_a_remedy_names_the_same_way_again(place: Place, carrier: Carrier, tmp_path: Path) -> None:
    """Whoever types what is said tries the same thing, not MQTT in its place."""
    assert Manner("websocket", carrier).flags == f" --websocket --credentials-in {carrier}"
    assert HTTP.flags == " --http"
    assert FIVE.flags == " --mqtt5"
    report = place.knock(manner=HTTP, username="somebody?SDK=x")
    assert report.diagnosis is not None
    assert "iotauth test-connect thermo-1 --http --authorizer NAME" in report.diagnosis.remedy
