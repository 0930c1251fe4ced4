"""MQTT's control packets as values.

The fields are those of MQTT 5, of which 3.1.1 is the smaller half: at level 4 a packet has no
*properties*, and a *reason* only where 3.1.1 has a return code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

LEVEL_3_1_1, LEVEL_5 = 4, 5  # the protocol level byte of CONNECT

PropertyValue = int | str | bytes | tuple[str, str]
Properties = tuple[tuple[int, PropertyValue], ...]  # MQTT 5: identifier and value, in the order sent


@dataclass(frozen=True)
class Will:
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = ()


@dataclass(frozen=True)
class Connect:
    """*username* may carry a token and its signature, so neither it nor *password* is in the repr."""

    client_id: str
    clean_start: bool = True  # 3.1.1 calls it clean session
    keep_alive_s: int = 0
    username: str | None = field(default=None, repr=False)
    password: bytes | None = field(default=None, repr=False)
    will: Will | None = None
    level: int = LEVEL_3_1_1
    properties: Properties = ()


@dataclass(frozen=True)
class Connack:
    reason: int = 0
    session_present: bool = False
    properties: Properties = ()


class Publish(NamedTuple):
    """*packet_id* is None exactly when *qos* is 0.

    Like `Puback` it is a tuple and no frozen dataclass: one is made for each message, three times as fast.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    is_duplicate: bool = False
    packet_id: int | None = None
    properties: Properties = ()


class Puback(NamedTuple):
    packet_id: int
    reason: int = 0
    properties: Properties = ()


@dataclass(frozen=True)
class Pubrec:
    packet_id: int
    reason: int = 0
    properties: Properties = ()


@dataclass(frozen=True)
class Pubrel:
    packet_id: int
    reason: int = 0
    properties: Properties = ()


@dataclass(frozen=True)
class Pubcomp:
    packet_id: int
    reason: int = 0
    properties: Properties = ()


@dataclass(frozen=True)
class Subscription:
    """One filter of a SUBSCRIBE; all but *qos* are MQTT 5's."""

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(frozen=True)
class Subscribe:
    packet_id: int
    subscriptions: tuple[Subscription, ...]
    properties: Properties = ()


@dataclass(frozen=True)
class Suback:
    """One reason for each filter, in their order: the granted QoS, or a failure (3.1.1 has only 0x80)."""

    packet_id: int
    reasons: tuple[int, ...]
    properties: Properties = ()


@dataclass(frozen=True)
class Unsubscribe:
    packet_id: int
    topic_filters: tuple[str, ...]
    properties: Properties = ()


@dataclass(frozen=True)
class Unsuback:
    packet_id: int
    reasons: tuple[int, ...] = ()  # MQTT 5 only
    properties: Properties = ()


@dataclass(frozen=True)
class Pingreq:
    pass


@dataclass(frozen=True)
class Pingresp:
    pass


@dataclass(frozen=True)
class Disconnect:
    reason: int = 0
    properties: Properties = ()


Packet = (
    Connect
    | Connack
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
)
