"""Messages as one client is to get them: at its level, with the time they have left, under aliases."""

from __future__ import annotations

import math
from collections.abc import Callable

from iotauth_cli.emulator.mqtt.message import NEVER, Encoded, Message
from iotauth_cli.emulator.mqtt.packets import LEVEL_3_1_1
from iotauth_cli.emulator.mqtt.properties import Property, encode_properties
from iotauth_cli.emulator.mqtt.terms import Terms


class Courier:
    """What it encodes must be sent: a topic alias that is set once is counted on afterwards."""

    __slots__ = ("_aliases", "_clock", "_level", "_max_aliases")

    def __init__(self, terms: Terms, clock: Callable[[], float]) -> None:
        self._level = terms.level
        self._max_aliases = terms.aliases
        self._aliases: dict[str, int] = {}
        self._clock = clock

    def encode(self, message: Message) -> Encoded:
        if self._level == LEVEL_3_1_1 or (message.expires_at == NEVER and not self._max_aliases):
            return message.at(self._level)
        properties: list[tuple[int, int]] = []
        if message.expires_at != NEVER:
            left_s = math.ceil(message.expires_at - self._clock())
            properties.append((Property.MESSAGE_EXPIRY, max(left_s, 0)))
        topic, alias = self._under_alias(message.topic)
        if alias:
            properties.append((Property.TOPIC_ALIAS, alias))
        return message.with_properties(topic, encode_properties(properties))

    def _under_alias(self, topic: str) -> tuple[str, int]:
        """Return the topic to send and its alias: the first topics get one each, in which they then vanish."""
        alias = self._aliases.get(topic)
        if alias is not None:
            return "", alias
        if len(self._aliases) >= self._max_aliases:
            return topic, 0
        alias = self._aliases[topic] = len(self._aliases) + 1
        return topic, alias
