"""A message on its way to subscribers, encoded once for each MQTT level however many there are."""

from __future__ import annotations

import functools

from iotauth_cli.emulator.mqtt.codec import PUBLISH
from iotauth_cli.emulator.mqtt.packets import LEVEL_3_1_1, Publish, Will
from iotauth_cli.emulator.mqtt.properties import FORWARDED, Property, encode_properties, number
from iotauth_cli.emulator.mqtt.wire import encode_length, encode_number, encode_text

NEVER = float("inf")


def routed(packet: Publish | Will, now: float) -> Message:
    """Return what goes on of a published message or a will: not its flags, and not all its properties."""
    if not packet.properties:
        return Message(packet.topic, packet.payload)
    lifetime_s = number(packet.properties, Property.MESSAGE_EXPIRY, -1)
    return Message(
        packet.topic,
        packet.payload,
        properties=encode_properties(pair for pair in packet.properties if pair[0] in FORWARDED),
        expires_at=NEVER if lifetime_s < 0 else now + lifetime_s,
    )


@functools.lru_cache(maxsize=4096)  # asked for every message, mostly about the same few
def _topic_field(topic: str) -> bytes:
    return encode_text(topic)


class Encoded:
    """A PUBLISH without packet id and duplicate flag. *block* is level 5's properties with their length."""

    __slots__ = ("_at_most_once", "_block", "_head", "_payload", "_retain", "_topic")

    def __init__(self, topic: bytes, block: bytes, payload: bytes, retain: bool) -> None:
        self._topic = topic
        self._block = block
        self._payload = payload
        self._retain = retain
        self._at_most_once = b""
        self._head = b""  # remaining length and topic, as they are at QoS 1

    def at_most_once(self) -> bytes:
        if not self._at_most_once:
            length = len(self._topic) + len(self._block) + len(self._payload)
            first = PUBLISH << 4 | self._retain
            self._at_most_once = b"%c%b%b%b%b" % (
                first,
                encode_length(length),
                self._topic,
                self._block,
                self._payload,
            )
        return self._at_most_once

    def at_least_once(self, packet_id: int, *, is_duplicate: bool = False) -> bytes:
        if not self._head:
            length = len(self._topic) + 2 + len(self._block) + len(self._payload)
            self._head = encode_length(length) + self._topic
        first = PUBLISH << 4 | is_duplicate << 3 | 1 << 1 | self._retain
        return b"%c%b%b%b%b" % (first, self._head, encode_number(packet_id), self._block, self._payload)


class Message:
    """*properties* are those that are forwarded, encoded; *expires_at* is in the emulator's seconds."""

    __slots__ = ("_at_4", "_at_5", "expires_at", "payload", "properties", "retain", "topic")

    def __init__(
        self, topic: str, payload: bytes, retain: bool = False, properties: bytes = b"", expires_at: float = NEVER
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.retain = retain
        self.properties = properties
        self.expires_at = expires_at
        self._at_4: Encoded | None = None
        self._at_5: Encoded | None = None

    def at(self, level: int) -> Encoded:
        """Return the message as it is for every receiver of *level* that asks for nothing special."""
        if level == LEVEL_3_1_1:
            if self._at_4 is None:
                self._at_4 = Encoded(_topic_field(self.topic), b"", self.payload, self.retain)
            return self._at_4
        if self._at_5 is None:
            self._at_5 = self.with_properties(self.topic, b"")
        return self._at_5

    def with_retain(self) -> Message:
        """Return the message with its RETAIN flag set, for who asked to have it as published."""
        return Message(self.topic, self.payload, retain=True, properties=self.properties, expires_at=self.expires_at)

    def size_at_5(self) -> int:
        """Return how many bytes the message takes at level 5 and QoS 1, its expiry included."""
        return len(self.with_properties(self.topic, b"" if self.expires_at == NEVER else bytes(5)).at_least_once(1))

    def with_properties(self, topic: str, more: bytes) -> Encoded:
        """Return the message at level 5 for one receiver: under *topic*, and with *more* properties."""
        properties = more + self.properties
        block = encode_length(len(properties)) + properties
        return Encoded(_topic_field(topic), block, self.payload, self.retain)
