"""Conformance rows 102 to 106 for WebSockets: the upgrade, the credentials' three places, the frames."""

from __future__ import annotations

import asyncio
import random
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from iotauth_cli.emulator.http import HttpProtocol
from iotauth_cli.emulator.model import HttpRequest
from iotauth_cli.emulator.mqtt.codec import encode
from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_5,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Will,
)
from iotauth_cli.emulator.mqtt.properties import Property
from iotauth_cli.emulator.websocket import CLOSE_TIMEOUT_S, NotAnUpgrade, accept
from iotauth_cli.token import generate, load_private_key, public_key_pem, sign
from support_data import CONNECT_ONLY, Plane, answer, in_loop, policy, settle, statement
from support_websocket import NAMED, WebSocketDevice, Wire

NAME, SIGNATURE = "x-amz-customauthorizer-name", "x-amz-customauthorizer-signature"
KEYS = [load_private_key(generate(), is_own=True) for _ in range(2)]
TOKEN = "token/with+signs"


async def opened(plane: Plane, target: str = "/mqtt", *headers: tuple[str, str]) -> WebSocketDevice:
    """Return a device whose upgrade was accepted."""
    device = WebSocketDevice(plane)
    await device.upgrade(target, headers)
    assert (device.status, device.subprotocol) == (101, "mqtt")
    return device


def ending(device: WebSocketDevice) -> tuple[int | None, bool]:
    """Return the code of the close frame that came, and whether the socket is closed."""
    return device.close_code, device.is_closed


async def connected(plane: Plane, client_id: str = "thermo-1") -> WebSocketDevice:
    device = await opened(plane)
    await device.connect(client_id)
    assert device.received.pop(0) == Connack(0)
    return device


@in_loop
async def test_row_102_upgrade_then_connack(plane: Plane) -> None:
    """101 and subprotocol `mqtt`; the function is called at CONNECT and not before; then all is MQTT."""
    device = await opened(plane)
    assert plane.runner.events == []
    await device.connect()
    assert device.received == [Connack(0)]
    assert len(plane.runner.events) == 1
    await device.subscribe("a/b")
    await device.send(Publish("a/b", b"21.5"), Pingreq())
    assert [type(packet) for packet in device.received[1:]] == [Suback, Publish, Pingresp]
    assert device.messages == [("a/b", b"21.5")]


@in_loop
async def test_row_103_credentials_in_headers(plane: Plane) -> None:
    """The upgrade names the authorizer, CONNECT says nothing; the event has all three parts."""
    device = await opened(plane, "/mqtt", (NAME, "doors"), ("x-token", "t"))
    await device.connect(username=None)
    assert device.received == [Connack(0)]
    event = plane.runner.events[0]
    assert event["protocols"] == ["tls", "http", "mqtt"]
    assert event["protocolData"]["mqtt"] == {"clientId": "thermo-1"}
    assert event["protocolData"]["tls"] == {"serverName": "localhost"}
    http = event["protocolData"]["http"]
    assert "queryString" not in http
    assert http["headers"].items() >= {NAME: "doors", "x-token": "t", "host": "localhost"}.items()


@in_loop
async def test_row_105_credentials_in_the_query(plane: Plane) -> None:
    """As parameters of `/mqtt`; the event has the query string with its question mark."""
    device = await opened(plane, f"/mqtt?{NAME}=doors&x=%20")
    await device.connect(username="user")
    assert device.received == [Connack(0)]
    data = plane.runner.events[0]["protocolData"]
    assert data["http"]["queryString"] == f"?{NAME}=doors&x=%20"
    assert data["mqtt"] == {"clientId": "thermo-1", "username": "user", "password": "c2VjcmV0"}


@in_loop
async def test_row_103_credentials_in_connect(plane: Plane) -> None:
    """With the user name's grammar, and the event has the upgrade's headers too."""
    device = await opened(plane)
    await device.connect()
    data = plane.runner.events[0]["protocolData"]
    assert data["mqtt"]["username"] == NAMED
    assert data["http"]["headers"]["sec-websocket-protocol"] == "mqtt"


@in_loop
async def test_the_upgrade_goes_before_the_user_name(plane: Plane) -> None:
    """Where both name an authorizer, it is the header's."""
    device = await opened(plane, f"/mqtt?{NAME}=nobody", (NAME, "doors"))
    await device.connect(username=f"u?{NAME}=nobody")
    assert device.received == [Connack(0)]


@in_loop
async def test_row_104_the_function_refuses(plane: Plane) -> None:
    """After the 101, at CONNECT: a close frame and no CONNACK."""
    plane.runner.reply = answer(isAuthenticated=False)
    device = await opened(plane)
    await device.connect()
    assert device.received == []
    assert ending(device) == (1000, False)
    await device.answer_close()
    assert ending(device) == (1000, True)
    assert (plane.last.outcome, plane.last.decided_by) == ("refused", "authentication")


@in_loop
async def test_row_104_the_function_refuses_a_client_of_mqtt_5(plane: Plane) -> None:
    """It gets CONNACK 0x87 with AWS IoT's words, and then the close frame."""
    plane.runner.reply = answer(isAuthenticated=False)
    device = await opened(plane)
    await device.connect(level=LEVEL_5)
    (refusal,) = device.received
    assert isinstance(refusal, Connack)
    assert refusal.reason == 0x87
    assert ending(device) == (1000, False)


@in_loop
async def test_mqtt_5_in_a_websocket(plane: Plane) -> None:
    """Versions have nothing to do with what carries them."""
    device = await opened(plane)
    await device.connect(level=LEVEL_5)
    await device.subscribe("a")
    await device.send(Publish("a", b"1", properties=((Property.CONTENT_TYPE, "text/plain"),)))
    (message,) = (packet for packet in device.received if isinstance(packet, Publish))
    assert message.properties == ((Property.CONTENT_TYPE, "text/plain"),)


@in_loop
async def test_row_106_names_in_mixed_case(plane: Plane) -> None:
    """Headers and parameters are matched without regard to case."""
    for target, headers in (
        ("/mqtt", [("X-Amz-CustomAuthorizer-Name", "doors")]),
        ("/mqtt?X-AMZ-CustomAuthorizer-Name=doors", []),
    ):
        device = await opened(plane, target, *headers)
        await device.connect(username=None)
        assert device.received == [Connack(0)]


@in_loop
async def test_row_043_the_default_authorizer(plane: Plane) -> None:
    """Who names none goes to the account's default; without one CONNECT is refused."""
    device = await opened(plane)
    await device.connect(username="u")
    assert device.close_code == 1000
    assert plane.last.decided_by == "authorizer"
    plane.authorizers.default_name = "doors"
    device = await opened(plane)
    await device.connect(username="u")
    assert device.received == [Connack(0)]


@pytest.fixture
def signed(plane: Plane) -> None:
    """Let `doors` want a token under `tok`, signed by the first key or the second."""
    pems = {f"key{number}": public_key_pem(key) for number, key in enumerate(KEYS, 1)}
    plane.authorizers.add(signing_disabled=False, token_key_name="tok", token_signing_public_keys=pems)


def in_headers(signature: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return "/mqtt", ((NAME, "doors"), ("Tok", TOKEN), (SIGNATURE, signature))


def in_query(signature: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    pairs = ((NAME, "doors"), ("tok", TOKEN), (SIGNATURE, signature))
    return "/mqtt?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs), ()


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("place", [in_headers, in_query])
@pytest.mark.parametrize("number", [0, 1])
@in_loop
async def test_row_047_a_signed_token_in_the_upgrade(plane: Plane, place: type, number: int) -> None:
    """By either key, raw in headers and percent-encoded in the query."""
    target, headers = place(sign(TOKEN, KEYS[number]))
    device = await opened(plane, target, *headers)
    await device.connect(username=None)
    assert device.received == [Connack(0)]
    assert plane.runner.events[0]["token"] == TOKEN
    assert plane.runner.events[0]["signatureVerified"] is True


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("place", [in_headers, in_query])
@in_loop
async def test_row_108_a_bad_signature_in_the_upgrade(plane: Plane, place: type) -> None:
    """403 at the handshake, the function not called; the log says which check it was."""
    target, headers = place(sign(f"{TOKEN}\n", KEYS[0]))
    device = WebSocketDevice(plane)
    await device.upgrade(target, headers)
    assert device.status == 403
    assert device.said["message"] == "Forbidden"
    assert (plane.last.decided_by, plane.last.function_called) == ("signature", False)


@in_loop
async def test_a_bad_signature_in_the_upgrade_where_connect_is_to_refuse_it() -> None:
    """The choice can be flipped: then 101 comes first."""
    plane = Plane(refuses_signature_in_upgrade=False)
    pems = {"key1": public_key_pem(KEYS[0])}
    plane.authorizers.add(signing_disabled=False, token_key_name="tok", token_signing_public_keys=pems)
    target, headers = in_headers(sign(TOKEN, KEYS[1]))
    device = await opened(plane, target, *headers)
    await device.connect(username=None)
    assert device.close_code == 1000
    assert plane.last.decided_by == "signature"
    plane.close()


@pytest.mark.usefixtures("signed")
@in_loop
async def test_row_046_what_the_upgrade_lacks_may_come_in_connect(plane: Plane) -> None:
    """Only a wrong signature is refused at the door; a missing one is missed at CONNECT."""
    device = await opened(plane, "/mqtt", (NAME, "doors"), (SIGNATURE, sign(TOKEN, KEYS[0])))
    await device.connect(username=f"u?tok={quote(TOKEN, safe='')}")
    assert device.received == [Connack(0)]
    device = await opened(plane, "/mqtt", (NAME, "doors"))
    await device.connect(username=None)
    assert device.close_code == 1000
    assert plane.last.decided_by == "signature"
    assert "no token was given" in plane.last.sentence


HANDSHAKE = {
    "connection": "keep-alive, Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "mqttv3.1, mqtt",
}


def handshake(**changes: str | None) -> HttpRequest:
    headers = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return HttpRequest("GET", "/mqtt", tuple((name, value) for name, value in headers.items() if value is not None))


def test_the_handshake_of_rfc_6455() -> None:
    """The accept token is that of the RFC's own example (section 1.3)."""
    assert dict(accept(handshake())) == {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "sec-websocket-protocol": "mqtt",
    }


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"connection": "close"}, 426),
        ({"upgrade": None}, 426),
        ({"upgrade": "h2c"}, 426),
        ({"sec_websocket_version": "8"}, 426),
        ({"sec_websocket_version": None}, 426),
        ({"sec_websocket_key": None}, 400),
        ({"sec_websocket_key": "dG9vIHNob3J0"}, 400),
        ({"sec_websocket_key": "%%"}, 400),
        ({"sec_websocket_key": "\u00e9"}, 400),
        ({"sec_websocket_protocol": None}, 400),
        ({"sec_websocket_protocol": "wamp"}, 400),
    ],
)
@in_loop
async def test_what_is_no_upgrade_to_mqtt(plane: Plane, change: dict[str, str | None], status: int) -> None:
    """It is refused, with the version that is spoken where another was wanted, and the log says why."""
    with pytest.raises(NotAnUpgrade):
        accept(handshake(**change))
    response = await plane.data_http.handle(handshake(**change))
    assert response.status == status
    assert response.upgrade is None
    if "sec_websocket_version" in change:
        assert ("sec-websocket-version", "13") in response.headers
    assert (plane.last.outcome, plane.last.decided_by) == ("refused", "request")


@in_loop
async def test_only_get_upgrades(plane: Plane) -> None:
    """Anything else is a 405."""
    response = await plane.data_http.handle(HttpRequest("POST", "/mqtt"))
    assert response.status == 405


@in_loop
async def test_frames_sent_ahead_of_the_answer_are_not_lost(plane: Plane) -> None:
    """A client may send its CONNECT in one piece with the upgrade."""
    packet = encode(Connect("thermo-1", username=NAMED, password=b"x"))
    masked = bytes([0x82, 0x80 | len(packet), 0, 0, 0, 0]) + packet  # under a mask of zeros
    device = WebSocketDevice(plane)
    await device.upgrade(ahead=masked)
    assert device.received == [Connack(0)]


@in_loop
async def test_a_packet_in_many_frames_and_many_packets_in_one(plane: Plane) -> None:
    """Frames and packets have nothing to do with each other, nor have fragments."""
    device = await opened(plane)
    connect = encode(Connect("thermo-1", username=NAMED, password=b"x"))
    await device.say(BytesMessage(connect[:1]), BytesMessage(connect[1:9]), BytesMessage(connect[9:]))
    assert device.received.pop() == Connack(0)
    await device.say(BytesMessage(encode(Pingreq()) * 3))
    assert device.received == [Pingresp()] * 3
    fragments = [BytesMessage(b"\xc0", message_finished=False), BytesMessage(b"\x00", message_finished=True)]
    await device.say(*fragments)
    assert device.received == [Pingresp()] * 4


@in_loop
async def test_a_ping_between_two_fragments(plane: Plane) -> None:
    """Is answered at once, with what it carried."""
    device = await connected(plane)
    await device.say(BytesMessage(b"\xc0", message_finished=False), Ping(b"are you there"))
    assert device.pongs == [b"are you there"]
    await device.say(BytesMessage(b"\x00"))
    assert device.received == [Pingresp()]


@in_loop
async def test_a_client_that_does_not_read_gets_no_pongs(plane: Plane) -> None:
    """They would pile up; once it reads, it gets them again."""
    device = await connected(plane)
    device.protocol.pause_writing()
    await device.say(Ping(b"1"))
    assert device.pongs == []
    device.protocol.resume_writing()
    await device.say(Ping(b"2"))
    assert device.pongs == [b"2"]


@in_loop
async def test_messages_wait_while_the_client_does_not_read(plane: Plane) -> None:
    """And QoS 0 is dropped beyond the limit, as without a WebSocket."""
    device = await connected(plane)
    await device.subscribe("a")
    device.protocol.pause_writing()
    sender = await plane.connected("sender")
    await sender.publish("a", b"1", qos=1)
    assert device.messages == []
    device.protocol.resume_writing()
    await settle()
    assert device.messages == [("a", b"1")]


@in_loop
async def test_text_ends_the_connection(plane: Plane) -> None:
    """MQTT is binary; 1003 says so."""
    device = await connected(plane)
    await device.say(TextMessage("hello"))
    assert device.close_code == 1003
    await device.answer_close()
    assert plane.broker.clients == {}


@in_loop
async def test_an_unmasked_frame_ends_the_connection(plane: Plane) -> None:
    """What breaks RFC 6455 gets its code, 1002, and nothing after it is read."""
    device = await connected(plane)
    device.protocol.data_received(b"\x82\x02\xc0\x00" * 2)
    await settle()
    assert device.close_code == 1002
    assert device.is_closed
    assert plane.broker.clients == {}


@in_loop
async def test_a_client_says_goodbye(plane: Plane) -> None:
    """DISCONNECT, then its close frame: the close is answered, and the will stays unsent."""
    listener = await plane.connected("ear")
    await listener.subscribe("gone")
    device = await opened(plane)
    await device.send(Connect("thermo-1", True, 60, NAMED, b"x", Will("gone", b"!")))
    await device.send(Disconnect())
    assert device.close_code == 1000
    await device.answer_close()
    assert device.is_closed
    assert listener.messages == []


@in_loop
async def test_a_close_frame_alone_is_a_lost_connection(plane: Plane) -> None:
    """For MQTT the client has vanished, so its will is published."""
    listener = await plane.connected("ear")
    await listener.subscribe("gone")
    device = await opened(plane)
    await device.send(Connect("thermo-1", True, 60, NAMED, b"x", Will("gone", b"!")))
    await device.say(CloseConnection(1001))
    assert device.close_code == 1001
    assert device.is_closed
    assert listener.messages == [("gone", b"!")]


@in_loop
async def test_a_client_that_does_not_answer_the_close_is_hung_up_on(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment; until then the socket is its own."""
    monkeypatch.setattr("iotauth_cli.emulator.websocket.CLOSE_TIMEOUT_S", 0.01)
    assert CLOSE_TIMEOUT_S == 2.0
    plane.runner.reply = answer(isAuthenticated=False)
    device = await opened(plane)
    await device.connect()
    assert ending(device) == (1000, False)
    await asyncio.sleep(0.03)
    assert ending(device) == (1000, True)


@in_loop
async def test_a_denied_publish_ends_the_websocket(plane: Plane) -> None:
    """Whatever ends the MQTT connection ends what carries it."""
    plane.runner.reply = answer(policy(CONNECT_ONLY, statement("iot:Publish", "topic/a")))
    device = await connected(plane)
    await device.send(Publish("b", b""))
    assert device.close_code == 1000
    assert plane.last.decided_by == "iot:Publish"


@in_loop
async def test_a_websocket_lives_for_24_hours(plane: Plane) -> None:
    """Counted from the upgrade, so that it ends before the longest disconnectAfter of its CONNECT would."""
    device = await opened(plane)
    plane.clock.now += 10
    await device.connect()
    for _ in range(24 * 60 - 1):
        plane.clock.now += 60
        await device.send(Pingreq())
    await plane.advance(49)
    assert ending(device) == (None, False)
    await plane.advance(1)
    assert ending(device) == (1000, False)
    assert plane.last.decided_by == "WEBSOCKET_TTL_EXPIRATION"


@in_loop
async def test_an_upgrade_without_a_connect_is_closed(plane: Plane) -> None:
    """As a connection that says nothing is without a WebSocket."""
    device = await opened(plane)
    await plane.advance(31)
    assert device.close_code == 1000
    assert "no CONNECT came" in plane.last.sentence


@in_loop
async def test_two_clients_of_one_id_whatever_carries_them(plane: Plane) -> None:
    """The one in the WebSocket makes way for the one that comes without."""
    device = await connected(plane, "thermo-1")
    await plane.connected("thermo-1")
    assert device.close_code == 1000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=80), max_size=5))
def test_no_bytes_whatever_raise(pieces: list[bytes]) -> None:
    """After the upgrade any bytes end in frames or a close, never in an exception."""

    async def main() -> None:
        plane = Plane()
        device = await connected(plane)
        for piece in pieces:
            device.protocol.data_received(piece)
        await settle()
        device.close()
        await settle()
        assert plane.broker.clients == {}
        plane.close()

    asyncio.run(main())


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.binary(max_size=400))
def test_bytes_come_out_as_they_went_in(cuts: random.Random, payload: bytes) -> None:
    """However a message is cut into frames and the frames into reads."""

    async def main() -> None:
        plane = Plane()
        device = await connected(plane)
        await device.subscribe("a")
        packet, start = encode(Publish("a", payload)), 0
        while start < len(packet):
            end = start + cuts.randrange(1, 60)
            await device.say(
                BytesMessage(packet[start:end], message_finished=cuts.random() < 0.7 or end >= len(packet))
            )
            start = end
        assert device.messages == [("a", payload)]
        device.close()
        await settle()
        plane.close()

    asyncio.run(main())


@in_loop
async def test_a_client_that_left_during_its_upgrade_is_nobodys(plane: Plane) -> None:
    """No connection is made for a socket that is gone."""
    device = WebSocketDevice(plane)
    http = device.protocol
    assert isinstance(http, HttpProtocol)
    assert isinstance(device._wire, Wire)
    http.data_received(b"GET /mqtt HTTP/1.1\r\nHost: x\r\n" + raw_headers() + b"\r\n")
    http.connection_lost(None)
    await settle()
    assert device.protocol is http


def raw_headers() -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items()).encode()
