"""MQTT 3.1.1 on the wire: bytes to packets and packets to bytes, both ways for every packet.

`Decoder` takes bytes as they come, in any pieces, and gives packets; what breaks a rule is a
`MalformedPacket` with the rule in words, and nothing else is ever raised. `encode` is its
mirror. `Message` is the broker's short cut: a PUBLISH encoded once for all its receivers.

Source of the rules: MQTT 3.1.1, chapters 2 and 3 (OASIS, 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
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
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from iotauth_cli.emulator.mqtt.wire import (
    MalformedPacket,
    Reader,
    checked_packet_id,
    decode_length,
    decode_text,
    encode_blob,
    encode_length,
    encode_number,
    encode_text,
)

MAX_PACKET_BYTES = 146 * 1024  # AWS IoT's quota for a whole packet; the payload's own limit is 128 KB


class UnsupportedLevel(MalformedPacket):
    """A CONNECT of another MQTT version than is served here."""

    def __init__(self, level: int) -> None:
        super().__init__(f"CONNECT asks for protocol level {level}; level {LEVEL_3_1_1} (MQTT 3.1.1) is served")
        self.level = level


class Decoder:
    """Turn bytes into packets. Feed it, then take what `packets` yields; the rest waits for more."""

    __slots__ = ("_buffer", "_max_bytes", "_position")

    def __init__(self, max_packet_bytes: int = MAX_PACKET_BYTES) -> None:
        self._buffer = b""
        self._position = 0
        self._max_bytes = max_packet_bytes

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
            decode = _DECODERS[buffer[start]]
            if decode is None:
                raise MalformedPacket(f"no packet begins with 0x{buffer[start]:02x}")
            body, length = decode_length(buffer, start + 1)
            if length > self._max_bytes:
                raise MalformedPacket(f"a packet of {length} bytes; the limit is {self._max_bytes}")
            if body == 0 or len(buffer) < body + length:
                return
            self._position = body + length
            yield decode(buffer[start], buffer[body : body + length])


def encode(packet: Packet) -> bytes:
    """Return *packet* as it goes over the wire.

    Raises:
        ValueError: a text or a password is too long for its two length bytes.
    """
    kind = _BY_TYPE[type(packet)]
    flags, body = kind.encode(packet)
    return _frame(kind.number << 4 | flags, body)


class Message:
    """A message on its way to subscribers, encoded once however many there are."""

    __slots__ = ("_at_most_once", "_head", "payload", "retain", "topic")

    def __init__(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.topic = topic
        self.payload = payload
        self.retain = retain
        self._at_most_once = b""
        self._head = b""  # remaining length and topic, as they are at QoS 1

    def at_most_once(self) -> bytes:
        if not self._at_most_once:
            self._at_most_once = _frame(_PUBLISH << 4 | self.retain, encode_text(self.topic) + self.payload)
        return self._at_most_once

    def at_least_once(self, packet_id: int, *, is_duplicate: bool = False) -> bytes:
        if not self._head:
            topic = encode_text(self.topic)
            self._head = encode_length(len(topic) + 2 + len(self.payload)) + topic
        first = _PUBLISH << 4 | is_duplicate << 3 | 1 << 1 | self.retain
        return b"%c%b%b%b" % (first, self._head, encode_number(packet_id), self.payload)


def _frame(first: int, body: bytes) -> bytes:
    return b"%c%b%b" % (first, encode_length(len(body)), body)


# The flags byte of CONNECT, 3.1.2.3
_RESERVED, _CLEAN, _WILL, _WILL_RETAIN, _PASSWORD, _USERNAME = 0x01, 0x02, 0x04, 0x20, 0x40, 0x80
_WILL_QOS_SHIFT = 3


def _decode_connect(first: int, body: bytes) -> Connect:
    reader = Reader(body)
    protocol, level = reader.text(), reader.byte()
    if protocol not in ("MQTT", "MQIsdp"):  # the second is MQTT 3.1
        raise MalformedPacket("CONNECT names another protocol than MQTT")
    if protocol != "MQTT" or level != LEVEL_3_1_1:
        raise UnsupportedLevel(level)
    flags, keep_alive_s = reader.byte(), reader.number()
    if flags & _RESERVED:
        raise MalformedPacket("CONNECT sets its reserved flag")
    if flags & _PASSWORD and not flags & _USERNAME:
        raise MalformedPacket("CONNECT has a password and no user name")
    packet = Connect(
        client_id=reader.text(),
        clean_start=bool(flags & _CLEAN),
        keep_alive_s=keep_alive_s,
        will=_decode_will(flags, reader),
        username=reader.text() if flags & _USERNAME else None,
        password=reader.blob() if flags & _PASSWORD else None,
    )
    reader.end()
    return packet


def _decode_will(flags: int, reader: Reader) -> Will | None:
    qos, retain = flags >> _WILL_QOS_SHIFT & 3, bool(flags & _WILL_RETAIN)
    if not flags & _WILL:
        if qos or retain:
            raise MalformedPacket("CONNECT has the flags of a will and no will")
        return None
    if qos == 3:
        raise MalformedPacket("the will has QoS 3")
    return Will(topic=reader.text(), payload=reader.blob(), qos=qos, retain=retain)


def _encode_connect(packet: Connect) -> tuple[int, bytes]:
    flags, fields = _CLEAN * packet.clean_start, encode_text(packet.client_id)
    if packet.will is not None:
        flags |= _WILL | packet.will.qos << _WILL_QOS_SHIFT | _WILL_RETAIN * packet.will.retain
        fields += encode_text(packet.will.topic) + encode_blob(packet.will.payload)
    if packet.username is not None:
        flags |= _USERNAME
        fields += encode_text(packet.username)
    if packet.password is not None:
        flags |= _PASSWORD
        fields += encode_blob(packet.password)
    head = encode_text("MQTT") + bytes((packet.level, flags)) + encode_number(packet.keep_alive_s)
    return 0, head + fields


def _decode_connack(first: int, body: bytes) -> Connack:
    reader = Reader(body)
    flags, reason = reader.byte(), reader.byte()
    reader.end()
    if flags > 1:
        raise MalformedPacket("CONNACK sets reserved flags")
    return Connack(reason, bool(flags))


def _encode_connack(packet: Connack) -> tuple[int, bytes]:
    return 0, bytes((packet.session_present, packet.reason))


def _decode_publish(first: int, body: bytes) -> Publish:
    # By hand, without a Reader: this is the packet that comes by the hundred thousand.
    qos = first >> 1 & 3
    topic_end = 2 + int.from_bytes(body[:2], "big")
    payload_start = topic_end + 2 if qos else topic_end
    if len(body) < payload_start:
        raise MalformedPacket("the packet ends in the middle of a field")
    return Publish(
        decode_text(body[2:topic_end]),
        body[payload_start:],
        qos,
        first & 1 == 1,
        first & 8 == 8,
        checked_packet_id(int.from_bytes(body[topic_end:payload_start], "big")) if qos else None,
    )


def _encode_publish(packet: Publish) -> tuple[int, bytes]:
    flags = packet.is_duplicate << 3 | packet.qos << 1 | packet.retain
    packet_id = b"" if packet.packet_id is None else encode_number(packet.packet_id)
    return flags, encode_text(packet.topic) + packet_id + packet.payload


def _decode_subscribe(first: int, body: bytes) -> Subscribe:
    reader = Reader(body)
    packet_id = reader.packet_id()
    subscriptions: list[Subscription] = []
    while not reader.is_at_end or not subscriptions:
        topic_filter, qos = reader.text(), reader.byte()
        if qos > 2:
            raise MalformedPacket("SUBSCRIBE asks for QoS 3 or sets reserved bits")
        subscriptions.append(Subscription(topic_filter, qos))
    return Subscribe(packet_id, tuple(subscriptions))


def _encode_subscribe(packet: Subscribe) -> tuple[int, bytes]:
    filters = [encode_text(each.topic_filter) + bytes((each.qos,)) for each in packet.subscriptions]
    return 2, encode_number(packet.packet_id) + b"".join(filters)


def _decode_suback(first: int, body: bytes) -> Suback:
    reader = Reader(body)
    packet_id, reasons = reader.packet_id(), body[2:]
    if not reasons or not set(reasons) <= {0, 1, 2, 0x80}:
        raise MalformedPacket("SUBACK has no return code, or one that 3.1.1 does not know")
    return Suback(packet_id, tuple(reasons))


def _encode_suback(packet: Suback) -> tuple[int, bytes]:
    return 0, encode_number(packet.packet_id) + bytes(packet.reasons)


def _decode_unsubscribe(first: int, body: bytes) -> Unsubscribe:
    reader = Reader(body)
    packet_id, filters = reader.packet_id(), [reader.text()]
    while not reader.is_at_end:
        filters.append(reader.text())
    return Unsubscribe(packet_id, tuple(filters))


def _encode_unsubscribe(packet: Unsubscribe) -> tuple[int, bytes]:
    return 2, encode_number(packet.packet_id) + b"".join(map(encode_text, packet.topic_filters))


_Decode = Callable[[int, bytes], Packet]
_Encode = Callable[[Any], tuple[int, bytes]]  # the flags of the first byte, and the body


def _id_alone(packet_type: Callable[[int], Packet], flags: int = 0) -> tuple[_Decode, _Encode]:
    """Return the mirrors of a packet that is nothing but a packet id."""

    def decode(first: int, body: bytes) -> Packet:
        reader = Reader(body)
        packet = packet_type(reader.packet_id())
        reader.end()
        return packet

    return decode, lambda packet: (flags, encode_number(packet.packet_id))


def _empty(packet_type: Callable[[], Packet]) -> tuple[_Decode, _Encode]:
    """Return the mirrors of a packet without a body."""

    def decode(first: int, body: bytes) -> Packet:
        Reader(body).end()
        return packet_type()

    return decode, lambda packet: (0, b"")


class _Kind(NamedTuple):
    """One packet type: its number, the flags its first byte may carry, and its two mirrors."""

    number: int
    packet: type
    flags: tuple[int, ...]
    decode: _Decode
    encode: _Encode


_PUBLISH = 3
_PUBLISH_FLAGS = (0, 1, 2, 3, 4, 5, 10, 11, 12, 13)  # neither QoS 3, nor a duplicate at QoS 0

_KINDS = (
    _Kind(1, Connect, (0,), _decode_connect, _encode_connect),
    _Kind(2, Connack, (0,), _decode_connack, _encode_connack),
    _Kind(_PUBLISH, Publish, _PUBLISH_FLAGS, _decode_publish, _encode_publish),
    _Kind(4, Puback, (0,), *_id_alone(Puback)),
    _Kind(5, Pubrec, (0,), *_id_alone(Pubrec)),
    _Kind(6, Pubrel, (2,), *_id_alone(Pubrel, flags=2)),
    _Kind(7, Pubcomp, (0,), *_id_alone(Pubcomp)),
    _Kind(8, Subscribe, (2,), _decode_subscribe, _encode_subscribe),
    _Kind(9, Suback, (0,), _decode_suback, _encode_suback),
    _Kind(10, Unsubscribe, (2,), _decode_unsubscribe, _encode_unsubscribe),
    _Kind(11, Unsuback, (0,), *_id_alone(Unsuback)),
    _Kind(12, Pingreq, (0,), *_empty(Pingreq)),
    _Kind(13, Pingresp, (0,), *_empty(Pingresp)),
    _Kind(14, Disconnect, (0,), *_empty(Disconnect)),
)
_BY_TYPE = {kind.packet: kind for kind in _KINDS}
_BY_FIRST_BYTE = {kind.number << 4 | flags: kind.decode for kind in _KINDS for flags in kind.flags}
_DECODERS = tuple(_BY_FIRST_BYTE.get(first) for first in range(256))
