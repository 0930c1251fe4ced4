"""The body of each MQTT packet, at level 4 (3.1.1) and 5: bytes to a packet, and its mirror.

A decoder gets the packet's first byte, its body and the level; an encoder the packet and the
level, and gives the flags of the first byte and the body. The levels differ by the properties,
which level 4 does not have, and by the reasons, of which it has few.
Sources: MQTT 3.1.1, chapter 3 (OASIS, 2014); MQTT 5, chapter 3 (OASIS, 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
    LEVEL_5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from iotauth_cli.emulator.mqtt.properties import encode_block, read_properties
from iotauth_cli.emulator.mqtt.reasons import ALLOWED
from iotauth_cli.emulator.mqtt.topics import NO_LOCAL, RETAIN_AS_PUBLISHED
from iotauth_cli.emulator.mqtt.wire import (
    MalformedPacket,
    ProtocolError,
    Reader,
    checked_packet_id,
    decode_text,
    encode_blob,
    encode_number,
    encode_text,
)

Decode = Callable[[int, bytes, int], Packet]
Encode = Callable[[Any, int], tuple[int, bytes]]


class UnsupportedLevel(MalformedPacket):
    """A CONNECT of another MQTT version than is served here."""

    def __init__(self, level: int) -> None:
        super().__init__(f"CONNECT asks for protocol level {level}; 4 (MQTT 3.1.1) and 5 are served")
        self.level = level


# The flags byte of CONNECT, 3.1.2.3
_RESERVED, _CLEAN, _WILL, _WILL_RETAIN, _PASSWORD, _USERNAME = 0x01, 0x02, 0x04, 0x20, 0x40, 0x80
_WILL_QOS_SHIFT = 3


def decode_connect(first: int, body: bytes, level: int) -> Connect:
    """The level is the one that CONNECT itself names."""
    reader = Reader(body)
    protocol, level = reader.text(), reader.byte()
    if protocol not in ("MQTT", "MQIsdp"):  # the second is MQTT 3.1
        raise MalformedPacket("CONNECT names another protocol than MQTT")
    if protocol != "MQTT" or level not in (LEVEL_3_1_1, LEVEL_5):
        raise UnsupportedLevel(level)
    flags, keep_alive_s = reader.byte(), reader.number()
    if flags & _RESERVED:
        raise MalformedPacket("CONNECT sets its reserved flag")
    if flags & _PASSWORD and not flags & _USERNAME and level == LEVEL_3_1_1:
        raise MalformedPacket("CONNECT has a password and no user name")
    packet = Connect(
        properties=read_properties(reader, Connect, level),
        client_id=reader.text(),
        clean_start=bool(flags & _CLEAN),
        keep_alive_s=keep_alive_s,
        will=_decode_will(flags, reader, level),
        username=reader.text() if flags & _USERNAME else None,
        password=reader.blob() if flags & _PASSWORD else None,
        level=level,
    )
    reader.end()
    return packet


def _decode_will(flags: int, reader: Reader, level: int) -> Will | None:
    qos, retain = flags >> _WILL_QOS_SHIFT & 3, bool(flags & _WILL_RETAIN)
    if not flags & _WILL:
        if qos or retain:
            raise MalformedPacket("CONNECT has the flags of a will and no will")
        return None
    if qos == 3:
        raise MalformedPacket("the will has QoS 3")
    return Will(
        properties=read_properties(reader, Will, level),
        topic=reader.text(),
        payload=reader.blob(),
        qos=qos,
        retain=retain,
    )


def encode_connect(packet: Connect, level: int) -> tuple[int, bytes]:
    level = packet.level
    flags, fields = _CLEAN * packet.clean_start, encode_text(packet.client_id)
    if packet.will is not None:
        flags |= _WILL | packet.will.qos << _WILL_QOS_SHIFT | _WILL_RETAIN * packet.will.retain
        fields += encode_block(packet.will.properties, level)
        fields += encode_text(packet.will.topic) + encode_blob(packet.will.payload)
    if packet.username is not None:
        flags |= _USERNAME
        fields += encode_text(packet.username)
    if packet.password is not None:
        flags |= _PASSWORD
        fields += encode_blob(packet.password)
    head = encode_text("MQTT") + bytes((level, flags)) + encode_number(packet.keep_alive_s)
    return 0, head + encode_block(packet.properties, level) + fields


def decode_connack(first: int, body: bytes, level: int) -> Connack:
    reader = Reader(body)
    flags, reason = reader.byte(), reader.byte()
    properties = read_properties(reader, Connack, level)
    reader.end()
    if flags > 1:
        raise MalformedPacket("CONNACK sets reserved flags")
    if level >= LEVEL_5:
        _check_reason(Connack, reason)
    return Connack(reason, bool(flags), properties)


def encode_connack(packet: Connack, level: int) -> tuple[int, bytes]:
    return 0, bytes((packet.session_present, packet.reason)) + encode_block(packet.properties, level)


def decode_publish(first: int, body: bytes, level: int) -> Publish:
    # By hand, without a Reader: this is the packet that comes by the hundred thousand.
    qos = first >> 1 & 3
    topic_end = 2 + int.from_bytes(body[:2], "big")
    payload_start = topic_end + 2 if qos else topic_end
    if len(body) < payload_start + (level >= LEVEL_5):
        raise MalformedPacket("the packet ends in the middle of a field")
    topic = decode_text(body[2:topic_end])
    packet_id = checked_packet_id(int.from_bytes(body[topic_end:payload_start], "big")) if qos else None
    if level < LEVEL_5:
        return Publish(topic, body[payload_start:], qos, first & 1 == 1, first & 8 == 8, packet_id)
    if body[payload_start] == 0:
        return Publish(topic, body[payload_start + 1 :], qos, first & 1 == 1, first & 8 == 8, packet_id)
    reader = Reader(body[payload_start:])
    properties = read_properties(reader, Publish, level)
    return Publish(topic, reader.rest(), qos, first & 1 == 1, first & 8 == 8, packet_id, properties)


def encode_publish(packet: Publish, level: int) -> tuple[int, bytes]:
    flags = packet.is_duplicate << 3 | packet.qos << 1 | packet.retain
    packet_id = b"" if packet.packet_id is None else encode_number(packet.packet_id)
    return flags, encode_text(packet.topic) + packet_id + encode_block(packet.properties, level) + packet.payload


# In the options byte of SUBSCRIBE at level 5, 3.8.3.1; at level 4 it is the QoS alone.
_RETAIN_HANDLING_SHIFT = 4


def decode_subscribe(first: int, body: bytes, level: int) -> Subscribe:
    reader = Reader(body)
    packet_id, properties = reader.packet_id(), read_properties(reader, Subscribe, level)
    subscriptions: list[Subscription] = []
    while not reader.is_at_end or not subscriptions:
        subscriptions.append(_decode_subscription(reader.text(), reader.byte(), level))
    return Subscribe(packet_id, tuple(subscriptions), properties)


def _decode_subscription(topic_filter: str, options: int, level: int) -> Subscription:
    if options & 3 == 3 or options > (0x3F if level >= LEVEL_5 else 2):
        raise MalformedPacket("SUBSCRIBE asks for QoS 3 or sets reserved bits")
    retain_handling = options >> _RETAIN_HANDLING_SHIFT
    if retain_handling == 3:
        raise ProtocolError("SUBSCRIBE asks for retain handling 3")
    return Subscription(
        topic_filter, options & 3, bool(options & NO_LOCAL), bool(options & RETAIN_AS_PUBLISHED), retain_handling
    )


def encode_subscribe(packet: Subscribe, level: int) -> tuple[int, bytes]:
    filters = [encode_text(each.topic_filter) + bytes((_options(each, level),)) for each in packet.subscriptions]
    return 2, encode_number(packet.packet_id) + encode_block(packet.properties, level) + b"".join(filters)


def _options(subscription: Subscription, level: int) -> int:
    if level < LEVEL_5:
        return subscription.qos
    flags = NO_LOCAL * subscription.no_local | RETAIN_AS_PUBLISHED * subscription.retain_as_published
    return subscription.qos | flags | subscription.retain_handling << _RETAIN_HANDLING_SHIFT


def decode_suback(first: int, body: bytes, level: int) -> Suback:
    reader = Reader(body)
    packet_id, properties = reader.packet_id(), read_properties(reader, Suback, level)
    reasons = tuple(reader.rest())
    allowed = ALLOWED[Suback] if level >= LEVEL_5 else {0, 1, 2, 0x80}
    if not reasons or not set(reasons) <= allowed:
        raise MalformedPacket("SUBACK has no reason, or one that it may not have")
    return Suback(packet_id, reasons, properties)


def decode_unsuback(first: int, body: bytes, level: int) -> Unsuback:
    reader = Reader(body)
    packet_id = reader.packet_id()
    if level < LEVEL_5:
        reader.end()
        return Unsuback(packet_id)
    properties, reasons = read_properties(reader, Unsuback, level), tuple(reader.rest())
    if not reasons or not set(reasons) <= ALLOWED[Unsuback]:
        raise MalformedPacket("UNSUBACK has no reason, or one that it may not have")
    return Unsuback(packet_id, reasons, properties)


def encode_reasons(packet: Suback | Unsuback, level: int) -> tuple[int, bytes]:
    """SUBACK and UNSUBACK: one reason for each filter, which an UNSUBACK of level 4 does not have."""
    reasons = b"" if isinstance(packet, Unsuback) and level < LEVEL_5 else bytes(packet.reasons)
    return 0, encode_number(packet.packet_id) + encode_block(packet.properties, level) + reasons


def decode_unsubscribe(first: int, body: bytes, level: int) -> Unsubscribe:
    reader = Reader(body)
    packet_id, properties = reader.packet_id(), read_properties(reader, Unsubscribe, level)
    filters = [reader.text()]
    while not reader.is_at_end:
        filters.append(reader.text())
    return Unsubscribe(packet_id, tuple(filters), properties)


def encode_unsubscribe(packet: Unsubscribe, level: int) -> tuple[int, bytes]:
    head = encode_number(packet.packet_id) + encode_block(packet.properties, level)
    return 2, head + b"".join(map(encode_text, packet.topic_filters))


def acknowledgement(packet_type: Callable[..., Packet], flags: int = 0) -> tuple[Decode, Encode]:
    """Return the mirrors of PUBACK and its like: a packet id, and at level 5 perhaps a reason."""
    owner = packet_type
    assert isinstance(owner, type)

    def decode(first: int, body: bytes, level: int) -> Packet:
        reader = Reader(body)
        packet_id = reader.packet_id()
        if level < LEVEL_5:
            reader.end()
            return packet_type(packet_id)
        return packet_type(packet_id, *_decode_reason(reader, owner, level))

    def encode(packet: Any, level: int) -> tuple[int, bytes]:
        return flags, encode_number(packet.packet_id) + _encode_reason(packet, level)

    return decode, encode


def decode_disconnect(first: int, body: bytes, level: int) -> Disconnect:
    reader = Reader(body)
    if level < LEVEL_5:
        reader.end()
        return Disconnect()
    return Disconnect(*_decode_reason(reader, Disconnect, level))


def encode_disconnect(packet: Disconnect, level: int) -> tuple[int, bytes]:
    return 0, _encode_reason(packet, level)


def _decode_reason(reader: Reader, owner: type, level: int) -> tuple[int, Any]:
    """Read a reason and properties, of which the end may be left out: success without any."""
    reason = 0 if reader.is_at_end else reader.byte()
    properties = () if reader.is_at_end else read_properties(reader, owner, level)
    reader.end()
    _check_reason(owner, reason)
    return reason, properties


def _encode_reason(packet: Any, level: int) -> bytes:
    if level < LEVEL_5 or not (packet.reason or packet.properties):
        return b""
    properties = encode_block(packet.properties, level) if packet.properties else b""
    return bytes((packet.reason,)) + properties


def _check_reason(owner: type, reason: int) -> None:
    if reason not in ALLOWED[owner]:
        raise MalformedPacket(f"{owner.__name__.upper()} has no reason 0x{reason:02x}")


def empty(packet_type: Callable[[], Packet]) -> tuple[Decode, Encode]:
    """Return the mirrors of a packet without a body."""

    def decode(first: int, body: bytes, level: int) -> Packet:
        Reader(body).end()
        return packet_type()

    return decode, lambda packet, level: (0, b"")
