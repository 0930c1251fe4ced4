"""An MQTT client by hand, for 3.1.1 and 5, over whatever carries bytes: what it sends is exactly what a test says.

No codec of the project is in it, so the emulator's cannot talk to itself; and no library, which would hide how a
refusal looks.
"""

from __future__ import annotations

import contextlib
import struct
import time
from dataclasses import dataclass
from typing import Protocol

from wsproto.utilities import LocalProtocolError

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 0x20, 0x30, 0x40, 0x90, 0xD0, 0xE0
WAIT_S = 15.0  # for an answer; a cold function on AWS may need seconds

# MQTT 5's properties, by how their value is written (MQTT 5, 2.2.2.2)
_SIZES = {1: 1, 2: 4, 17: 4, 19: 2, 23: 1, 24: 4, 25: 1, 33: 2, 34: 2, 35: 2, 36: 1, 37: 1, 39: 4, 40: 1, 41: 1, 42: 1}
_TEXTS = {3, 8, 9, 18, 21, 22, 26, 28, 31}
SESSION_EXPIRY, SERVER_KEEP_ALIVE, RECEIVE_MAXIMUM, ALIAS_MAXIMUM = 17, 19, 33, 34
MAXIMUM_QOS, SUBSCRIPTION_IDS, USER_PROPERTY = 36, 41, 38


class Pipe(Protocol):
    """What carries the bytes. `read` returns none when the other side has closed, and raises TimeoutError."""

    def write(self, data: bytes) -> None: ...
    def read(self, timeout_s: float) -> bytes: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Packet:
    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    is_duplicate: bool
    packet_id: int | None


@dataclass(frozen=True)
class Will:
    topic: str
    payload: bytes = b"gone"
    retain: bool = False


class Client:
    """One connection. *messages* are those that came; they are acknowledged unless *acknowledges* is False."""

    def __init__(self, pipe: Pipe, level: int = 4) -> None:
        self.pipe, self.level = pipe, level
        self.messages: list[Message] = []
        self.acknowledges = True
        self.sent = 0  # messages, for the costs
        self.goodbye: int | None = None  # the reason of the server's DISCONNECT
        self._left = b""
        self._waiting: list[Packet] = []

    def connect(
        self,
        client_id: str,
        username: str | None,
        password: bytes | None,
        *,
        clean: bool = True,
        keep_alive_s: int = 1200,
        will: Will | None = None,
        properties: bytes = b"",
    ) -> int | None:
        """Return CONNACK's code, or None when the connection was closed without one."""
        flags = 2 * clean | 0x80 * (username is not None) | 0x40 * (password is not None)
        body = text("MQTT")
        if will is not None:
            flags |= 0x04 | 0x20 * will.retain
        body += bytes([self.level, flags]) + struct.pack(">H", keep_alive_s) + self._properties(properties)
        body += text(client_id)
        if will is not None:
            body += self._properties() + text(will.topic) + binary(will.payload)
        body += b"" if username is None else text(username)
        body += b"" if password is None else binary(password)
        self.send(0x10, body)
        self.connack = self.receive(CONNACK)
        return None if self.connack is None else self.connack.body[1]

    def subscribe(self, *filters: str, qos: int = 1) -> list[int] | None:
        """Return SUBACK's codes, or None when the connection was closed without one."""
        asked = b"".join(text(each) + bytes([qos]) for each in filters)
        self.send(0x82, b"\0\x09" + self._properties() + asked)
        answer = self.receive(SUBACK)
        if answer is None:
            return None
        return list(answer.body[2 + (1 + answer.body[2] if self.level == 5 else 0) :])

    def publish(
        self, topic: str, payload: bytes = b"1", *, qos: int = 1, retain: bool = False, properties: bytes = b""
    ) -> int | None:
        """Publish; with QoS 1 return PUBACK's code (0 where it has none), or None when the connection was closed."""
        self.sent += 1
        packet_id = struct.pack(">H", 7) if qos else b""
        self.send(0x30 | qos << 1 | retain, text(topic) + packet_id + self._properties(properties) + payload)
        if qos != 1:
            return None
        answer = self.receive(PUBACK)
        return None if answer is None else answer.body[2] if len(answer.body) > 2 else 0

    def ping(self) -> bool:
        """Tell whether the other side still answers."""
        self.send(0xC0, b"")
        return self.receive(PINGRESP) is not None

    def leave(self) -> None:
        """Say goodbye and close."""
        self.send(0xE0, b"")
        self.pipe.close()

    def collect(self, quiet_s: float) -> list[Message]:
        """Return the messages that are here after a ping's way to and fro, and *quiet_s* more."""
        if self.ping():
            self._take_until(time.monotonic() + quiet_s)
        return self.messages

    def wait_for_messages(self, count: int = 1, wait_s: float = WAIT_S) -> list[Message]:
        """Return the messages as soon as there are *count*, or what there is after *wait_s*."""
        ends_at = time.monotonic() + wait_s
        while len(self.messages) < count and time.monotonic() < ends_at:
            self._take_until(min(ends_at, time.monotonic() + 0.5), one=True)
        return self.messages

    def is_closed(self, wait_s: float = WAIT_S) -> bool:
        """Tell whether the other side closes within *wait_s*; what comes before is taken."""
        try:
            return self.receive(0, wait_s) is None
        except TimeoutError:
            return False

    def send(self, first: int, body: bytes) -> None:
        with contextlib.suppress(OSError, LocalProtocolError):  # `receive` tells that it is closed
            self.pipe.write(bytes([first]) + length(len(body)) + body)

    def receive(self, kind: int, wait_s: float = WAIT_S) -> Packet | None:
        """Return the next packet of *kind*, or None when the connection is closed; messages are put aside.

        Raises:
            TimeoutError: neither happened within *wait_s*.
        """
        ends_at = time.monotonic() + wait_s
        while True:
            packet = self._next(ends_at)
            if packet is None or packet.kind == kind:
                return packet

    def _take_until(self, ends_at: float, *, one: bool = False) -> None:
        try:
            while (packet := self._next(ends_at)) is not None:
                if one and packet.kind == PUBLISH:
                    return
        except TimeoutError:
            pass

    def _next(self, ends_at: float) -> Packet | None:
        while (packet := self._cut()) is None:
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            more = self.pipe.read(left_s)
            if not more:
                return None
            self._left += more
        if packet.kind == PUBLISH:
            self._keep(packet)
        if packet.kind == DISCONNECT:
            self.goodbye = packet.body[0] if packet.body else 0
        return packet

    def _cut(self) -> Packet | None:
        """Take a whole packet off what was read, if there is one."""
        size, at = 0, 1
        while True:
            if at >= len(self._left):
                return None
            size |= (self._left[at] & 127) << 7 * (at - 1)
            at += 1
            if self._left[at - 1] < 128:
                break
        if len(self._left) < at + size:
            return None
        packet = Packet(self._left[0] & 0xF0, self._left[0] & 15, self._left[at : at + size])
        self._left = self._left[at + size :]
        return packet

    def _keep(self, packet: Packet) -> None:
        qos = packet.flags >> 1 & 3
        size = struct.unpack(">H", packet.body[:2])[0]
        topic, rest = packet.body[2 : 2 + size].decode(), packet.body[2 + size :]
        packet_id = struct.unpack(">H", rest[:2])[0] if qos else None
        rest = rest[2:] if qos else rest
        if self.level == 5:
            size, used = number(rest)
            rest = rest[used + size :]
        self.messages.append(Message(topic, rest, qos, bool(packet.flags & 1), bool(packet.flags & 8), packet_id))
        if packet_id is not None and self.acknowledges:
            self.send(PUBACK, struct.pack(">H", packet_id))

    def _properties(self, properties: bytes = b"") -> bytes:
        return length(len(properties)) + properties if self.level == 5 else b""


def announced(connack: Packet) -> dict[int, int]:
    """Return the numbers among the properties of MQTT 5's CONNACK."""
    size, used = number(connack.body[2:])
    data, found = connack.body[2 + used : 2 + used + size], {}
    while data:
        name, data = data[0], data[1:]
        if name in _SIZES:
            found[name] = int.from_bytes(data[: _SIZES[name]], "big")
            data = data[_SIZES[name] :]
        elif name in _TEXTS or name == USER_PROPERTY:
            for _ in range(2 if name == USER_PROPERTY else 1):
                data = data[2 + struct.unpack(">H", data[:2])[0] :]
        else:
            raise AssertionError(f"CONNACK has the property {name}, which is none of it")
    return found


def text(value: str) -> bytes:
    return binary(value.encode())


def binary(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def length(size: int) -> bytes:
    """Return *size* as MQTT's variable byte integer."""
    found = b""
    while size > 127:
        found, size = found + bytes([size & 127 | 128]), size >> 7
    return found + bytes([size])


def number(data: bytes) -> tuple[int, int]:
    """Return the variable byte integer at the start of *data*, and how many bytes it takes."""
    value = 0
    for at, byte in enumerate(data):
        value |= (byte & 127) << 7 * at
        if byte < 128:
            return value, at + 1
    raise AssertionError("no end of a variable byte integer")
