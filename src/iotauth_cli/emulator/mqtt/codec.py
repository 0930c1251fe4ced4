"""MQTT 3.1.1 and 5 on the wire: bytes to packets and packets to bytes, both ways for every packet.

`Decoder` takes bytes as they come, in any pieces, and gives packets; what breaks a rule is a
`MalformedPacket` with the rule in words, and nothing else is ever raised. It speaks the level that
CONNECT chose. `encode` is its mirror. `bodies` has the packets one by one.

Sources of the rules: MQTT 3.1.1, chapter 2 (OASIS, 2014); MQTT 5, chapter 2 (OASIS, 2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from iotauth_cli.emulator.mqtt import bodies
from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
    LEVEL_5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from iotauth_cli.emulator.mqtt.wire import (
    MalformedPacket,
    PacketTooLarge,
    ProtocolError,
    decode_length,
    encode_length,
)

MAX_PACKET_BYTES = 146 * 1024  # AWS IoT's quota for a whole packet; the payload's own limit is 128 KB
PUBLISH = 3
_CONNECT, _AUTH = 0x10, 0xF0  # first bytes


class Decoder:
    """Turn bytes into packets. Feed it, then take what `packets` yields; the rest waits for more.

    *level* is that of a connection in which CONNECT was the other side's.
    """

    __slots__ = ("_buffer", "_max_bytes", "_position", "level")

    def __init__(self, max_packet_bytes: int = MAX_PACKET_BYTES, level: int = LEVEL_3_1_1) -> None:
        self._buffer = b""
        self._position = 0
        self._max_bytes = max_packet_bytes
        self.level = level

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were fed and are not yet part of a packet given out."""
        return len(self._buffer) - self._position

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer[self._position :] + data if self.waiting_bytes else data
        self._position = 0

    def packets(self) -> Iterator[Packet]:
        """Yield each whole packet. A caller may stop at any of them and go on later.

        Raises:
            MalformedPacket: after the packets before the bad one were given out.
        """
        while True:
            buffer, start = self._buffer, self._position
            if start == len(buffer):
                return
            first = buffer[start]
            decode = _DECODERS[first]
            if decode is None:
                raise self._unknown(first)
            body, length = decode_length(buffer, start + 1)
            if length > self._max_bytes:
                raise PacketTooLarge(f"a packet of {length} bytes; the limit is {self._max_bytes}")
            if body == 0 or len(buffer) < body + length:
                return
            self._position = body + length
            packet = decode(first, buffer[body : body + length], self.level)
            if first == _CONNECT:
                assert isinstance(packet, Connect)
                self.level = packet.level
            yield packet

    def _unknown(self, first: int) -> MalformedPacket:
        if first == _AUTH and self.level >= LEVEL_5:
            return ProtocolError("AUTH, and AWS IoT has no enhanced authentication")
        return MalformedPacket(f"no packet begins with 0x{first:02x}")


def encode(packet: Packet, level: int = LEVEL_3_1_1) -> bytes:
    """Return *packet* as it goes over the wire at *level*; a CONNECT brings its own.

    Raises:
        ValueError: a text or a password is too long for its two length bytes.
    """
    kind = _BY_TYPE[type(packet)]
    flags, body = kind.encode(packet, level)
    return b"%c%b%b" % (kind.number << 4 | flags, encode_length(len(body)), body)


class _Kind(NamedTuple):
    """One packet type: its number, the flags its first byte may carry, and its two mirrors."""

    number: int
    packet: type
    flags: tuple[int, ...]
    decode: bodies.Decode
    encode: bodies.Encode


_PUBLISH_FLAGS = (0, 1, 2, 3, 4, 5, 10, 11, 12, 13)  # neither QoS 3, nor a duplicate at QoS 0

_KINDS = (
    _Kind(1, Connect, (0,), bodies.decode_connect, bodies.encode_connect),
    _Kind(2, Connack, (0,), bodies.decode_connack, bodies.encode_connack),
    _Kind(PUBLISH, Publish, _PUBLISH_FLAGS, bodies.decode_publish, bodies.encode_publish),
    _Kind(4, Puback, (0,), *bodies.acknowledgement(Puback)),
    _Kind(5, Pubrec, (0,), *bodies.acknowledgement(Pubrec)),
    _Kind(6, Pubrel, (2,), *bodies.acknowledgement(Pubrel, flags=2)),
    _Kind(7, Pubcomp, (0,), *bodies.acknowledgement(Pubcomp)),
    _Kind(8, Subscribe, (2,), bodies.decode_subscribe, bodies.encode_subscribe),
    _Kind(9, Suback, (0,), bodies.decode_suback, bodies.encode_reasons),
    _Kind(10, Unsubscribe, (2,), bodies.decode_unsubscribe, bodies.encode_unsubscribe),
    _Kind(11, Unsuback, (0,), bodies.decode_unsuback, bodies.encode_reasons),
    _Kind(12, Pingreq, (0,), *bodies.empty(Pingreq)),
    _Kind(13, Pingresp, (0,), *bodies.empty(Pingresp)),
    _Kind(14, Disconnect, (0,), bodies.decode_disconnect, bodies.encode_disconnect),
)
_BY_TYPE = {kind.packet: kind for kind in _KINDS}
_BY_FIRST_BYTE = {kind.number << 4 | flags: kind.decode for kind in _KINDS for flags in kind.flags}
_DECODERS = tuple(_BY_FIRST_BYTE.get(first) for first in range(256))
