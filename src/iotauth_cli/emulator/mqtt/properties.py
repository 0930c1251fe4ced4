"""MQTT 5's properties: how each is encoded, which packets may carry it, and what it may be.

In a packet they are `Properties`, pairs of identifier and value in the order sent; at level 4 there
are none. Source: MQTT 5, 2.2.2 (OASIS, 2019).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_5,
    Connack,
    Connect,
    Disconnect,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from iotauth_cli.emulator.mqtt.wire import (
    MalformedPacket,
    ProtocolError,
    Reader,
    encode_blob,
    encode_length,
    encode_text,
)


class Property(enum.IntEnum):
    PAYLOAD_FORMAT = 0x01
    MESSAGE_EXPIRY = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_ID = 0x0B
    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT_ID = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTHENTICATION_METHOD = 0x15
    AUTHENTICATION_DATA = 0x16
    REQUEST_PROBLEM_INFORMATION = 0x17
    WILL_DELAY = 0x18
    REQUEST_RESPONSE_INFORMATION = 0x19
    RESPONSE_INFORMATION = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27
    WILDCARDS_AVAILABLE = 0x28
    SUBSCRIPTION_IDS_AVAILABLE = 0x29
    SHARED_AVAILABLE = 0x2A


# What a receiver gets of a message as its publisher sent it; its expiry counts down on the way.
FORWARDED = frozenset(
    {
        Property.PAYLOAD_FORMAT,
        Property.CONTENT_TYPE,
        Property.RESPONSE_TOPIC,
        Property.CORRELATION_DATA,
        Property.USER_PROPERTY,
    }
)


class _Form(NamedTuple):
    """A type of the specification: how its value is read and written."""

    read: Callable[[Reader], Any]
    write: Callable[[Any], bytes]


def _whole(size: int) -> _Form:
    return _Form(lambda reader: int.from_bytes(reader.take(size), "big"), lambda value: value.to_bytes(size, "big"))


def _read_flag(reader: Reader) -> int:
    value = reader.byte()
    if value > 1:
        raise ProtocolError(f"a property that is 0 or 1 is {value}")
    return value


def _not_zero(form: _Form) -> _Form:
    def read(reader: Reader) -> int:
        value: int = form.read(reader)
        if value == 0:
            raise ProtocolError("a property that may not be 0 is 0")
        return value

    return _Form(read, form.write)


_FLAG = _Form(_read_flag, lambda value: bytes((value,)))
_TWO, _FOUR = _whole(2), _whole(4)
_VARIABLE = _Form(Reader.variable, encode_length)
_TEXT = _Form(Reader.text, encode_text)
_BLOB = _Form(Reader.blob, encode_blob)
_PAIR = _Form(lambda reader: (reader.text(), reader.text()), lambda pair: b"".join(map(encode_text, pair)))

_MESSAGE = (Publish, Will)
_ANSWERS = (Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect)
_ALL = (Connect, Will, Publish, Subscribe, Unsubscribe, *_ANSWERS)


class _Rule(NamedTuple):
    form: _Form
    owners: tuple[type, ...]


_RULES: Mapping[int, _Rule] = {
    Property.PAYLOAD_FORMAT: _Rule(_FLAG, _MESSAGE),
    Property.MESSAGE_EXPIRY: _Rule(_FOUR, _MESSAGE),
    Property.CONTENT_TYPE: _Rule(_TEXT, _MESSAGE),
    Property.RESPONSE_TOPIC: _Rule(_TEXT, _MESSAGE),
    Property.CORRELATION_DATA: _Rule(_BLOB, _MESSAGE),
    Property.SUBSCRIPTION_ID: _Rule(_not_zero(_VARIABLE), (Publish, Subscribe)),
    Property.SESSION_EXPIRY: _Rule(_FOUR, (Connect, Connack, Disconnect)),
    Property.ASSIGNED_CLIENT_ID: _Rule(_TEXT, (Connack,)),
    Property.SERVER_KEEP_ALIVE: _Rule(_TWO, (Connack,)),
    Property.AUTHENTICATION_METHOD: _Rule(_TEXT, (Connect, Connack)),
    Property.AUTHENTICATION_DATA: _Rule(_BLOB, (Connect, Connack)),
    Property.REQUEST_PROBLEM_INFORMATION: _Rule(_FLAG, (Connect,)),
    Property.WILL_DELAY: _Rule(_FOUR, (Will,)),
    Property.REQUEST_RESPONSE_INFORMATION: _Rule(_FLAG, (Connect,)),
    Property.RESPONSE_INFORMATION: _Rule(_TEXT, (Connack,)),
    Property.SERVER_REFERENCE: _Rule(_TEXT, (Connack, Disconnect)),
    Property.REASON_STRING: _Rule(_TEXT, _ANSWERS),
    Property.RECEIVE_MAXIMUM: _Rule(_not_zero(_TWO), (Connect, Connack)),
    Property.TOPIC_ALIAS_MAXIMUM: _Rule(_TWO, (Connect, Connack)),
    Property.TOPIC_ALIAS: _Rule(_TWO, (Publish,)),
    Property.MAXIMUM_QOS: _Rule(_FLAG, (Connack,)),
    Property.RETAIN_AVAILABLE: _Rule(_FLAG, (Connack,)),
    Property.USER_PROPERTY: _Rule(_PAIR, _ALL),
    Property.MAXIMUM_PACKET_SIZE: _Rule(_not_zero(_FOUR), (Connect, Connack)),
    Property.WILDCARDS_AVAILABLE: _Rule(_FLAG, (Connack,)),
    Property.SUBSCRIPTION_IDS_AVAILABLE: _Rule(_FLAG, (Connack,)),
    Property.SHARED_AVAILABLE: _Rule(_FLAG, (Connack,)),
}
# A message that came by several subscriptions carries the identifier of each.
_MAY_REPEAT = {(Property.USER_PROPERTY, owner) for owner in _ALL} | {(Property.SUBSCRIPTION_ID, Publish)}


def read_properties(reader: Reader, owner: type, level: int) -> Properties:
    """Read the properties of a packet (or of a will), length included; at level 4 nothing.

    Raises:
        MalformedPacket: one is unknown, not *owner*'s, there twice, or not what it may be.
    """
    if level < LEVEL_5:
        return ()
    block = Reader(reader.take(reader.variable()))
    found: list[tuple[int, Any]] = []
    seen: set[int] = set()
    while not block.is_at_end:
        identifier = block.variable()
        rule = _RULES.get(identifier)
        if rule is None or owner not in rule.owners:
            raise MalformedPacket(f"{owner.__name__.upper()} has no property 0x{identifier:02x}")
        if identifier in seen and (identifier, owner) not in _MAY_REPEAT:
            raise ProtocolError(f"property 0x{identifier:02x} is there twice")
        seen.add(identifier)
        found.append((identifier, rule.form.read(block)))
    return tuple(found)


def encode_properties(properties: Iterable[tuple[int, Any]]) -> bytes:
    """Return *properties* as they go over the wire, without the length before them."""
    return b"".join(encode_length(key) + _RULES[key].form.write(value) for key, value in properties)


def encode_block(properties: Properties, level: int) -> bytes:
    """Mirror `read_properties`."""
    if level < LEVEL_5:
        return b""
    encoded = encode_properties(properties)
    return encode_length(len(encoded)) + encoded


def decode_properties(encoded: bytes, owner: type = Publish) -> Properties:
    """Mirror `encode_properties`, for what was kept in that form."""
    return read_properties(Reader(encode_length(len(encoded)) + encoded), owner, LEVEL_5)


def number(properties: Properties, identifier: Property, default: int) -> int:
    """Return the value of a property that is a number, or *default* where it is not there."""
    for key, value in properties:
        if key == identifier:
            assert isinstance(value, int)
            return value
    return default


def text(properties: Properties, identifier: Property) -> str | None:
    """Return the value of a property that is a text, or None where it is not there."""
    for key, value in properties:
        if key == identifier:
            assert isinstance(value, str)
            return value
    return None


def has(properties: Properties, identifier: Property) -> bool:
    return any(key == identifier for key, _ in properties)
