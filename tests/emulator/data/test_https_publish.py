"""Conformance rows 105 to 113 for HTTPS publish: credentials, policy, answers, what the function is told."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.model import HttpRequest, HttpResponse
from iotauth_cli.emulator.mqtt.packets import LEVEL_5, Publish
from iotauth_cli.emulator.mqtt.properties import Property
from iotauth_cli.token import generate, load_private_key, public_key_pem, sign
from support_data import Plane, answer, in_loop, policy, settle, statement

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAME, SIGNATURE = "x-amz-customauthorizer-name", "x-amz-customauthorizer-signature"
NAMED = ((NAME, "doors"),)
KEYS = [load_private_key(generate(), is_own=True) for _ in range(2)]
TOKEN = "token/with+signs"

FUZZED = [NAME, SIGNATURE, "x-amz-mqtt5-user-properties", "x-amz-mqtt5-correlation-data", "upgrade", "connection"]

Headers = Iterable[tuple[str, str]]


def request(
    target: str = "/topics/a%2Fb?qos=1",
    headers: Headers = NAMED,
    body: bytes = b"21.5",
    *,
    method: str = "POST",
    connection: str = "http-1",
) -> HttpRequest:
    lower = tuple((name.lower(), value) for name, value in headers)
    return HttpRequest(method, target, lower, body, connection, "127.0.0.1", "localhost")


async def ask(plane: Plane, sent: HttpRequest) -> HttpResponse:
    response = await plane.data_http.handle(sent)
    await settle()
    return response


def said(response: HttpResponse) -> dict[str, Any]:
    """Return the body, whose trace id is a UUID and that of the header."""
    body: dict[str, Any] = json.loads(response.body)
    trace_id = body.pop("traceId")
    assert UUID.fullmatch(trace_id)
    assert dict(response.headers)["x-amzn-requestid"] == trace_id
    return body


async def accepted(plane: Plane, sent: HttpRequest) -> dict[str, Any]:
    """Send, see 200 and OK, and return the event of the latest call."""
    response = await ask(plane, sent)
    assert response.status == 200
    assert said(response) == {"message": "OK"}
    assert plane.last.outcome == "published"
    return plane.runner.events[-1]


async def forbidden(plane: Plane, sent: HttpRequest, check: str, sentence: str = "") -> None:
    """Send, see 403 and nothing but Forbidden; the log has the check and the sentence."""
    plane.clock.now += 1
    response = await ask(plane, sent)
    assert response.status == 403
    assert said(response) == {"message": "Forbidden"}
    assert (plane.last.outcome, plane.last.decided_by) == ("refused", check)
    assert sentence in plane.last.sentence


@in_loop
async def test_row_107_a_publish_with_good_credentials(plane: Plane) -> None:
    """200 and OK, and the message is with the MQTT subscribers of the topic."""
    device = await plane.connected()
    await device.subscribe("a/b", qos=1)
    await accepted(plane, request())
    assert device.messages == [("a/b", b"21.5")]
    assert device.received[0].qos == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("topic", ["a/b", "a%2Fb", "a%2fb", "%61/b"])
@in_loop
async def test_row_107_slashes_encoded_or_not(plane: Plane, topic: str) -> None:
    """The topic is percent-decoded once, and its slashes may stand as they are."""
    device = await plane.connected()
    await device.subscribe("a/b")
    await accepted(plane, request(f"/topics/{topic}"))
    assert device.messages == [("a/b", b"21.5")]


@pytest.mark.parametrize(("topic", "meant"), [("a/", "a/"), ("%2Fa", "/a"), ("a%252Fb", "a%2Fb"), ("t%C3%BCr", "tür")])
@in_loop
async def test_every_character_of_a_topic_counts(plane: Plane, topic: str, meant: str) -> None:
    """Slashes at the ends, an encoded percent sign and UTF-8."""
    device = await plane.connected()
    await device.subscribe("#")
    await accepted(plane, request(f"/topics/{topic}"))
    assert device.messages == [(meant, b"21.5")]


@in_loop
async def test_row_108_a_bad_signature(plane: Plane) -> None:
    """403 and Forbidden, the function not called."""
    sign_at(plane)
    bad = [*NAMED, ("tok", TOKEN), (SIGNATURE, sign(TOKEN + "x", KEYS[0]))]
    await forbidden(plane, request(headers=bad), "signature", "of none of the 2 keys")
    assert plane.runner.events == []


@in_loop
async def test_row_109_a_topic_that_the_policy_does_not_grant(plane: Plane) -> None:
    """The same 403 and the same body; the log names the action and the topic."""
    plane.runner.reply = answer(policy(statement("iot:Publish", "topic/a/c")))
    await forbidden(plane, request(), "iot:Publish", "no statement allows iot:Publish on topic/a/b")
    assert plane.last.function_called


@in_loop
async def test_publish_alone_is_needed_and_no_connect(plane: Plane) -> None:
    """There is no client to connect, so iot:Publish on the topic is enough."""
    plane.runner.reply = answer(policy(statement("iot:Publish", "topic/a/b")))
    await accepted(plane, request())


@in_loop
async def test_a_retained_publish_needs_retain_publish(plane: Plane) -> None:
    """As over MQTT; with both actions the message is kept."""
    plane.runner.reply = answer(policy(statement("iot:Publish", "*")))
    await forbidden(plane, request("/topics/a?retain=true"), "iot:RetainPublish")
    assert plane.broker.retained.find("a", plane.clock()) is None
    plane.runner.reply = answer(policy(statement(["iot:Publish", "iot:RetainPublish"], "*")))
    await accepted(plane, request("/topics/a?retain=true&qos=1"))
    kept = plane.broker.retained.find("a", plane.clock())
    assert kept is not None
    assert (kept.payload, kept.qos) == (b"21.5", 1)


@in_loop
async def test_the_client_id_has_no_value_over_http(plane: Plane) -> None:
    """A resource with the variable matches nothing; not even a topic of that very text."""
    plane.runner.reply = answer(policy(statement("iot:Publish", "topic/x/${iot:ClientId}")))
    await forbidden(plane, request("/topics/x%2F%24%7Biot%3AClientId%7D"), "iot:Publish")


@pytest.mark.parametrize(("enabled", "calls"), [(False, 2), (True, 1)])
@in_loop
async def test_row_110_two_publishes_on_one_connection(plane: Plane, enabled: bool, calls: int) -> None:
    """The function is called for each, and once where the authorizer has caching on."""
    plane.authorizers.add(enable_caching_for_http=enabled)
    await accepted(plane, request())
    await accepted(plane, request("/topics/c?qos=0", body=b"22"))
    assert len(plane.runner.events) == calls


@in_loop
async def test_row_110_another_connection_asks_again(plane: Plane) -> None:
    """What is kept is kept for one connection."""
    plane.authorizers.add(enable_caching_for_http=True)
    for connection in ("http-1", "http-2"):
        await accepted(plane, request(connection=connection))
    assert len(plane.runner.events) == 2


@in_loop
async def test_row_110_a_kept_answer_counts_until_its_refresh(plane: Plane) -> None:
    """Then the function is asked again."""
    plane.authorizers.add(enable_caching_for_http=True)
    plane.runner.reply = answer(refreshAfterInSeconds=300)
    for seconds in (0, 299, 1):
        plane.clock.now += seconds
        await accepted(plane, request())
    assert len(plane.runner.events) == 2


@pytest.mark.parametrize(
    "other",
    [
        request(headers=[*NAMED, ("x-iotauth-password", "other")]),
        request("/topics/a%2Fb?qos=1&token=other"),
        dataclasses.replace(request(), server_name="127.0.0.1"),
    ],
    ids=["header", "query", "server-name"],
)
@in_loop
async def test_row_110_nobody_comes_in_on_the_answer_for_another(plane: Plane, other: HttpRequest) -> None:
    """Other credentials on the same connection are another question."""
    plane.authorizers.add(enable_caching_for_http=True)
    await accepted(plane, request())
    plane.runner.reply = answer(isAuthenticated=False)
    await forbidden(plane, other, "authentication")
    assert len(plane.runner.events) == 2


@pytest.mark.parametrize("key_name", ["date", "Qos", "x-amz-mqtt5-user-properties"])
@in_loop
async def test_row_110_a_token_counts_also_under_the_name_of_a_message_s_header(plane: Plane, key_name: str) -> None:
    """An owner may call the token what a message's header is called; another token is another question."""
    plane.authorizers.add(enable_caching_for_http=True, token_key_name=key_name)
    await accepted(plane, request("/topics/a", headers=[*NAMED, (key_name, "W10=")]))
    plane.runner.reply = answer(isAuthenticated=False)
    await forbidden(plane, request("/topics/a", headers=[*NAMED, (key_name, "W3t9XQ==")]), "authentication")
    assert len(plane.runner.events) == 2


@in_loop
async def test_row_110_the_policy_of_a_kept_answer_decides_on_every_topic(plane: Plane) -> None:
    """What is kept is the answer, not the permission."""
    plane.authorizers.add(enable_caching_for_http=True)
    plane.runner.reply = answer(policy(statement("iot:Publish", "topic/a/b")))
    await accepted(plane, request())
    await forbidden(plane, request("/topics/c"), "iot:Publish")
    assert len(plane.runner.events) == 1


@in_loop
async def test_row_110_an_authorizer_that_changed_is_asked_again(plane: Plane) -> None:
    """An inactive one refuses at once, whatever its function said before."""
    plane.authorizers.add(enable_caching_for_http=True)
    await accepted(plane, request())
    plane.authorizers.add(enable_caching_for_http=True, is_active=False)
    await forbidden(plane, request(), "authorizer", "not ACTIVE")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
@in_loop
async def test_row_111_one_can_only_publish(plane: Plane, method: str) -> None:
    """405, the function not called."""
    response = await ask(plane, request("/topics/a", method=method))
    assert response.status == 405
    assert dict(response.headers)["x-amzn-errortype"] == "MethodNotAllowedException"
    assert plane.runner.events == []


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("/topics/a?qos=2", "Value '2' at 'qos' failed to satisfy constraint"),
        ("/topics/a?qos=-1", "Value '-1' at 'qos'"),
        ("/topics/a?qos=x", "cannot be converted to Integer"),
        ("/topics/", "an empty topic"),
        ("/topics/a%2F%23", "has a wildcard"),
        ("/topics/%24aws%2Fevents%2Fx", "reserved for AWS IoT"),
        ("/topics/a%00", "U+0000"),
        ("/topics/" + quote("a/" * 8, safe=""), "8 slashes; the limit is 7"),
        ("/topics/" + "a" * 257, "257 bytes; the limit is 256"),
        ("/topics/a?responseTopic=b%2F%2B", "has a wildcard"),
        ("/topics/%24aws%2Frules%2Fr%2Ft?retain=true", "retains no message on it"),
    ],
)
@in_loop
async def test_row_112_what_is_no_publish_is_a_400(plane: Plane, target: str, sentence: str) -> None:
    """QoS 2 and topics that AWS IoT does not take; said to the sender and in the log, the function not called."""
    response = await ask(plane, request(target))
    assert response.status == 400
    assert sentence in said(response)["message"]
    assert dict(response.headers)["x-amzn-errortype"] in ("InvalidRequestException", "SerializationException")
    assert (plane.last.outcome, plane.last.decided_by) == ("refused", "request")
    assert sentence in plane.last.sentence
    assert plane.runner.events == []


PROPERTIES = (
    (Property.PAYLOAD_FORMAT, 1),
    (Property.MESSAGE_EXPIRY, 60),
    (Property.CONTENT_TYPE, "text/plain"),
    (Property.RESPONSE_TOPIC, "re/a"),
    (Property.CORRELATION_DATA, b"\x00\xff"),
    (Property.USER_PROPERTY, ("deviceName", "alpha")),
    (Property.USER_PROPERTY, ("deviceCnt", "45")),
)
MQTT_5 = "x-amz-mqtt5"
USER_PROPERTIES = base64.b64encode(b'[{"deviceName": "alpha"}, {"deviceCnt": "45"}]').decode()


@in_loop
async def test_the_properties_of_mqtt_5_travel_with_a_message(plane: Plane) -> None:
    """From query parameters and headers to a subscriber of MQTT 5, in full."""
    device = plane.device()
    await device.connect("ear", level=LEVEL_5)
    await device.subscribe("a")
    headers = [
        *NAMED,
        (f"{MQTT_5}-payload-format-indicator", "UTF8_DATA"),
        (f"{MQTT_5}-correlation-data", "AP8="),
        (f"{MQTT_5}-user-properties", USER_PROPERTIES),
    ]
    await accepted(plane, request("/topics/a?messageExpiry=60&contentType=text%2Fplain&responseTopic=re%2Fa", headers))
    received = device.received[-1]
    assert isinstance(received, Publish)
    assert sorted(received.properties) == sorted(PROPERTIES)


@pytest.mark.parametrize(
    ("target", "header", "sentence"),
    [
        ("/topics/a?messageExpiry=-1", ("x", "y"), "messageExpiry -1 is not between 0 and"),
        ("/topics/a?messageExpiry=4294967296", ("x", "y"), "is not between 0 and 4294967295"),
        ("/topics/a?contentType=a%00", ("x", "y"), "contentType has U+0000"),
        ("/topics/a", (f"{MQTT_5}-payload-format-indicator", "JSON"), "Member must satisfy enum value set"),
        ("/topics/a", (f"{MQTT_5}-correlation-data", "%"), "correlationData is not base64"),
        ("/topics/a", (f"{MQTT_5}-user-properties", "%"), "Invalid Base64"),
        ("/topics/a", (f"{MQTT_5}-user-properties", "eyJhIjoiYiJ9"), "not a JSON array of objects"),
        ("/topics/a", (f"{MQTT_5}-user-properties", "W3siYSI6MX1d"), "user property a is not a text"),
    ],
)
@in_loop
async def test_properties_that_mqtt_cannot_carry(
    plane: Plane, target: str, header: tuple[str, str], sentence: str
) -> None:
    """400, said to the sender; the function is not called."""
    response = await ask(plane, request(target, [*NAMED, header]))
    assert response.status == 400
    assert sentence in said(response)["message"]
    assert plane.runner.events == []


@in_loop
async def test_a_payload_over_128_kb_is_a_413(plane: Plane) -> None:
    """At the limit it passes."""
    await accepted(plane, request(body=b"x" * 131_072))
    response = await ask(plane, request(body=b"x" * 131_073))
    assert response.status == 413
    assert "131073 bytes; the limit is 131072" in said(response)["message"]


@in_loop
async def test_row_113_the_event_of_a_publish(plane: Plane) -> None:
    """TLS and HTTP, and nothing of MQTT: no client id, no user name, no password."""
    event = await accepted(plane, request(headers=[*NAMED, ("Host", "localhost"), ("X-Iotauth-Password", "secret")]))
    connection = event.pop("connectionMetadata")
    assert event == {
        "signatureVerified": False,
        "protocols": ["tls", "http"],
        "protocolData": {
            "tls": {"serverName": "localhost"},
            "http": {
                "headers": {NAME: "doors", "host": "localhost", "x-iotauth-password": "secret"},
                "queryString": "?qos=1",
            },
        },
    }
    assert UUID.fullmatch(connection["id"])


@in_loop
async def test_the_trace_id_is_the_connection_id_of_event_and_log(plane: Plane) -> None:
    """So that what a device was answered is found in both."""
    response = await ask(plane, request())
    trace_id = json.loads(response.body)["traceId"]
    assert plane.runner.events[0]["connectionMetadata"] == {"id": trace_id}
    assert plane.last.connection_id == trace_id


@in_loop
async def test_row_105_the_query_string_begins_with_a_question_mark(plane: Plane) -> None:
    """As it was sent, not decoded; without a query there is no such member."""
    event = await accepted(plane, request(f"/topics/a?{NAME}=doors&x=%20", headers=()))
    assert event["protocolData"]["http"]["queryString"] == f"?{NAME}=doors&x=%20"
    event = await accepted(plane, request("/topics/a"))
    assert "queryString" not in event["protocolData"]["http"]


@in_loop
async def test_headers_of_one_name_are_one(plane: Plane) -> None:
    """What the function sees and what AWS IoT looked at cannot differ."""
    event = await accepted(plane, request(headers=[*NAMED, ("x", "1"), ("X", "2")]))
    assert event["protocolData"]["http"]["headers"]["x"] == "1, 2"


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/topics/a", [("X-Amz-CustomAuthorizer-Name", "doors")]),
        ("/topics/a?X-Amz-CustomAuthorizer-Name=doors", []),
        (f"/topics/a?{NAME}=nobody", NAMED),
    ],
    ids=["header", "query", "header-first"],
)
@in_loop
async def test_row_106_names_in_mixed_case(plane: Plane, target: str, headers: Headers) -> None:
    """Header and parameter names are matched without regard to case; a header goes before a parameter."""
    await accepted(plane, request(target, headers))


def sign_at(plane: Plane, **members: Any) -> None:
    """Let `doors` want a token under `tok`, signed by the first key or the second."""
    pems = {f"key{number}": public_key_pem(key) for number, key in enumerate(KEYS, 1)}
    plane.authorizers.add(
        **{"signing_disabled": False, "token_key_name": "tok", "token_signing_public_keys": pems, **members}
    )


def signed_headers(signature: str, token: str = TOKEN) -> list[tuple[str, str]]:
    return [*NAMED, ("Tok", token), (SIGNATURE, signature)]


def signed_query(signature: str, token: str = TOKEN) -> str:
    pairs = [(NAME, "doors"), ("tok", token), (SIGNATURE, signature)]
    return "/topics/a?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


@pytest.mark.parametrize("key", KEYS, ids=["first", "second"])
@in_loop
async def test_row_050_a_signed_token_in_headers(plane: Plane, key: Any) -> None:
    """As it is, not encoded; by either key."""
    sign_at(plane)
    event = await accepted(plane, request(headers=signed_headers(sign(TOKEN, key))))
    assert (event["token"], event["signatureVerified"]) == (TOKEN, True)


@pytest.mark.parametrize("key", KEYS, ids=["first", "second"])
@in_loop
async def test_row_047_a_signed_token_in_the_query(plane: Plane, key: Any) -> None:
    """Percent-encoded, and the function sees it decoded."""
    sign_at(plane)
    event = await accepted(plane, request(signed_query(sign(TOKEN, key)), headers=()))
    assert (event["token"], event["signatureVerified"]) == (TOKEN, True)


@in_loop
async def test_row_046_one_of_the_two_is_missing(plane: Plane) -> None:
    """Refused before the function, over HTTP too."""
    sign_at(plane)
    await forbidden(plane, request(), "signature", "no token was given")
    await forbidden(plane, request(headers=[*NAMED, ("tok", TOKEN)]), "signature", "no signature was given")
    assert plane.runner.events == []


@in_loop
async def test_row_048_a_raw_plus_in_the_query(plane: Plane) -> None:
    """There it is a space, so the signature fails."""
    sign_at(plane)
    token = next(each for each in map(str, range(999)) if "+" in sign(each, KEYS[0]))
    raw = f"/topics/a?{NAME}=doors&tok={token}&{SIGNATURE}={sign(token, KEYS[0])}"
    await forbidden(plane, request(raw, headers=()), "signature", "of none of the 2 keys")


@in_loop
async def test_row_049_a_newline_was_signed_too(plane: Plane) -> None:
    """What `echo token | openssl dgst` signs is another text."""
    sign_at(plane)
    await forbidden(plane, request(headers=signed_headers(sign(f"{TOKEN}\n", KEYS[0]))), "signature")


@in_loop
async def test_row_051_a_key_that_was_removed(plane: Plane) -> None:
    """Its signatures are worth nothing, in headers as elsewhere."""
    sign_at(plane, token_signing_public_keys={"key1": public_key_pem(KEYS[0])})
    await forbidden(plane, request(headers=signed_headers(sign(TOKEN, KEYS[1]))), "signature", "none of the 1 keys")


@in_loop
async def test_row_043_the_default_authorizer(plane: Plane) -> None:
    """A request that names none goes to the account's default; without one it is refused (row 42)."""
    await forbidden(plane, request(headers=()), "authorizer", "the request names no authorizer")
    plane.authorizers.default_name = "doors"
    await accepted(plane, request(headers=()))


@in_loop
async def test_row_044_unknown_inactive_or_without_permission(plane: Plane) -> None:
    """As for a CONNECT: refused before the function."""
    await forbidden(plane, request(headers=[(NAME, "nobody")]), "authorizer", "no authorizer `nobody`")
    plane.functions.permissions.clear()
    await forbidden(plane, request(), "permission", "AWS IoT may not invoke")
    plane.authorizers.add(is_active=False)
    await forbidden(plane, request(), "authorizer", "not ACTIVE")
    assert plane.runner.events == []


@in_loop
async def test_a_fault_of_the_emulators_own_publishes_nothing(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is not a clear yes is a refusal."""
    device = await plane.connected()
    await device.subscribe("#")

    def fails(name: str) -> None:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(plane.authorizers, "find", fails)
    await forbidden(plane, request(), "emulator", "its log has the cause")
    assert device.messages == []
    assert "RuntimeError in test_https_publish.py" in caplog.text
    assert "disk on fire" not in caplog.text


@in_loop
async def test_nothing_secret_is_in_the_log(plane: Plane) -> None:
    """Neither headers nor the query string."""
    await accepted(plane, request("/topics/a?token=hunter2", headers=[*NAMED, ("x-iotauth-password", "hunter3")]))
    assert "hunter" not in repr(plane.last)


@in_loop
async def test_other_paths_are_not_found(plane: Plane) -> None:
    """Also those that AWS IoT has, but for clients with AWS credentials or certificates."""
    for target in ("/", "/topics", "/things/t/shadow"):
        response = await ask(plane, request(target, method="GET"))
        assert response.status == 404
        assert said(response) == {"message": "Not Found"}


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "OPTIONS"]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=40),
    st.lists(st.tuples(st.sampled_from(FUZZED), st.text(st.characters(max_codepoint=0xFF), max_size=30)), max_size=4),
    st.binary(max_size=50),
)
def test_no_request_whatever_raises(method: str, rest: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """Each gets an answer, and none that says that the emulator is at fault."""

    async def main() -> None:
        plane = Plane()
        for path in ("/topics/", "/mqtt", "/"):
            response = await plane.data_http.handle(request(path + rest, headers, body, method=method))
            assert response.status in (200, 400, 403, 404, 405, 426)
        assert all(attempt.decided_by != "emulator" for attempt in plane.attempts.recent())
        plane.close()

    asyncio.run(main())
