"""What client and broker agree on at CONNECT, for the life of one connection.

A client of MQTT 5 says what it wants, and CONNACK tells what AWS IoT makes of it; for 3.1.1 the
same limits hold without being said. Source: AWS IoT developer guide, "MQTT 5 supported features";
quota page.
"""

from __future__ import annotations

from dataclasses import dataclass

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.mqtt.packets import LEVEL_3_1_1, LEVEL_5, Connect, Properties
from iotauth_cli.emulator.mqtt.properties import Property, number

MAX_ALIASES = 8  # each way; AWS IoT's Topic Alias Maximum
ALL_PACKET_IDS = 65_535  # MQTT 5: the receive maximum of a client that names none


@dataclass(frozen=True)
class Terms:
    """*aliases* is how many topic aliases the broker may set; *announced* is for CONNACK."""

    level: int = LEVEL_3_1_1
    keep_alive_s: int = 0
    session_expiry_s: int = 0  # 0: the session ends with its connection
    receive_maximum: int = ALL_PACKET_IDS
    max_packet_bytes: int | None = None
    aliases: int = 0
    announced: Properties = ()


def agree(connect: Connect, behaviour: Behaviour) -> Terms:
    """Return the terms for a client that connects in this way."""
    keep_alive_s = _keep_alive_s(connect.keep_alive_s, behaviour)
    if connect.level < LEVEL_5:
        kept_s = 0 if connect.clean_start else behaviour.session_expiry_s
        return Terms(keep_alive_s=keep_alive_s, session_expiry_s=kept_s)
    wanted_s = number(connect.properties, Property.SESSION_EXPIRY, 0)
    session_expiry_s = min(wanted_s, behaviour.max_session_expiry_s)
    adjusted = (
        (Property.SESSION_EXPIRY, session_expiry_s, wanted_s),
        (Property.SERVER_KEEP_ALIVE, keep_alive_s, connect.keep_alive_s),
    )
    return Terms(
        level=LEVEL_5,
        keep_alive_s=keep_alive_s,
        session_expiry_s=session_expiry_s,
        receive_maximum=number(connect.properties, Property.RECEIVE_MAXIMUM, ALL_PACKET_IDS),
        max_packet_bytes=number(connect.properties, Property.MAXIMUM_PACKET_SIZE, 0) or None,
        aliases=min(number(connect.properties, Property.TOPIC_ALIAS_MAXIMUM, 0), MAX_ALIASES),
        announced=(
            *((key, value) for key, value, asked in adjusted if value != asked),
            (Property.RECEIVE_MAXIMUM, behaviour.in_flight),
            (Property.MAXIMUM_QOS, 1),
            (Property.RETAIN_AVAILABLE, 1),
            (Property.MAXIMUM_PACKET_SIZE, behaviour.max_packet_bytes),
            (Property.TOPIC_ALIAS_MAXIMUM, MAX_ALIASES),
            (Property.WILDCARDS_AVAILABLE, 1),
            (Property.SUBSCRIPTION_IDS_AVAILABLE, 0),
            (Property.SHARED_AVAILABLE, 1),
        ),
    )


def _keep_alive_s(asked_s: int, behaviour: Behaviour) -> int:
    if asked_s == 0:
        return behaviour.max_keep_alive_s
    return min(max(asked_s, behaviour.min_keep_alive_s), behaviour.max_keep_alive_s)
