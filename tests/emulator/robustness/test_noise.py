"""Bytes that make no sense, on every port and every layer: the emulator goes on, and its log has no traceback."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable

import pytest

from iotauth_cli.emulator.mqtt.codec import encode
from iotauth_cli.emulator.mqtt.packets import LEVEL_5, Connect, Publish, Subscribe, Subscription, Unsubscribe
from support_device import Device
from support_emulator import RunningEmulator
from support_load import LIMIT_S, connect_packet, tls

CASES = 120  # for each layer
WAIT_S = 0.005  # for an answer, which is never looked at

MQTT = [
    connect_packet("noise"),
    connect_packet("noise")
    + encode(Subscribe(1, (Subscription("a/+/#", 1),)))
    + encode(Publish("a/b", b"c", 1, packet_id=1)),
    connect_packet("noise") + encode(Unsubscribe(1, ("a",))) + b"\xc0\x00\xe0\x00",
    encode(Connect("noise", level=LEVEL_5), LEVEL_5) + encode(Publish("a/b", b"c"), LEVEL_5),
]
HTTP = [
    b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Length: 2\r\n"
    b"Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, "
    b"Signature=0\r\n\r\n{}",
    b"POST /topics/a?qos=1&x-amz-customauthorizer-name=dictated HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    b"\x82\x80\x00\x00\x00\x00",
]
HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(range(64)) * 8  # a ClientHello of sorts


def mutated(source: random.Random, whole: bytes) -> bytes:
    """Return *whole* with a few bytes changed, cut out, doubled, or put in."""
    data = bytearray(whole)
    for _ in range(source.randint(1, 6)):
        at = source.randrange(len(data) + 1)
        size = source.randint(1, 12)
        data[at : at + source.choice([0, 1, size])] = source.choice(
            [b"", source.randbytes(size), bytes(data[at : at + size])]
        )
    return bytes(data) or b"\0"


def over_tls(emulator: RunningEmulator, data: bytes, alpn: str) -> None:
    address, context = ("127.0.0.1", data_port(emulator)), tls(emulator.ready.ca_file, alpn)
    with (
        socket.create_connection(address, LIMIT_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wire,
    ):
        send(wire, data)


def plain(emulator: RunningEmulator, data: bytes, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as wire:
        send(wire, data)


def send(wire: socket.socket, data: bytes) -> None:
    wire.settimeout(WAIT_S)
    with contextlib.suppress(OSError):
        wire.sendall(data)
        wire.recv(1024)


def data_port(emulator: RunningEmulator) -> int:
    return emulator.ready.data_endpoint.port


def control_port(emulator: RunningEmulator) -> int:
    return int(emulator.ready.control_endpoint.rpartition(":")[2])


LAYERS: dict[str, tuple[list[bytes], Callable[[RunningEmulator, bytes], None]]] = {
    "tls": ([HELLO, *MQTT], lambda emulator, data: plain(emulator, data, data_port(emulator))),
    "mqtt": (MQTT, lambda emulator, data: over_tls(emulator, data, "mqtt")),
    "https": (HTTP, lambda emulator, data: over_tls(emulator, data, "http/1.1")),
    "control": ([*HTTP, HELLO, *MQTT], lambda emulator, data: plain(emulator, data, control_port(emulator))),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_noise_stops_nobody(beaten: RunningEmulator, layer: str) -> None:
    """A hundred damaged exchanges later the same process lets a device in, and nothing has failed inside."""
    source, said = random.Random(layer), len(beaten.log())
    wholes, deliver = LAYERS[layer]
    for number in range(CASES):
        deliver(beaten, source.randbytes(40) if number % 5 == 0 else mutated(source, source.choice(wholes)))
    with Device(beaten) as device:
        assert device.connect("after-noise") == (0, False)
        assert device.publish("doors/1")
    assert beaten.client("sts").get_caller_identity()["Account"]
    assert "Traceback" not in beaten.log()[said:]
