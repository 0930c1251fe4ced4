"""One client's MQTT 3.1.1 connection as a state machine: bytes in, events and bytes out.

    GREETING ── CONNECT ──▶ DECIDING ── accept() ──▶ OPEN ──▶ ENDED
        └──────── anything that breaks a rule, or end() ────────▲

While the authorizer decides, nothing is decoded: what a client sends before its CONNACK waits
as bytes and is handled in order afterwards (applications publish straight after connecting).

What a packet leads to stands in `_REACTIONS`. The session answers by itself what needs no
policy, and gives out the rest as events: the packets that gateway and broker must look at,
`Ignored` for what AWS IoT leaves without an answer, and `Ended` with the reason why.
Sources: MQTT 3.1.1; AWS IoT developer guide, "MQTT" (QoS 2 is not there) and its quotas.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.mqtt.bodies import UnsupportedLevel
from iotauth_cli.emulator.mqtt.codec import Decoder, encode
from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Subscribe,
    Unsubscribe,
)
from iotauth_cli.emulator.mqtt.topics import InvalidTopic, check_filter, check_topic
from iotauth_cli.emulator.mqtt.wire import MalformedPacket

# Return codes of CONNACK, MQTT 3.1.1, 3.2.2.3
ACCEPTED = 0
UNACCEPTABLE_LEVEL = 1
IDENTIFIER_REJECTED = 2
NOT_AUTHORIZED = 5

# CONNACK of MQTT 5 with reason 0x84, unsupported protocol version, and no properties: the
# form in which a client that asked for MQTT 5 can read the refusal (MQTT 5, 3.1.2.2).
UNSUPPORTED_VERSION_MQTT_5 = bytes((0x20, 3, 0, 0x84, 0))


class DisconnectReason(str, enum.Enum):
    """Why a connection ended, in the words of AWS IoT's lifecycle events."""

    AUTH_ERROR = "AUTH_ERROR"
    CLIENT_INITIATED_DISCONNECT = "CLIENT_INITIATED_DISCONNECT"
    CLIENT_ERROR = "CLIENT_ERROR"
    CONNECTION_LOST = "CONNECTION_LOST"
    DUPLICATE_CLIENTID = "DUPLICATE_CLIENTID"
    MQTT_KEEP_ALIVE_TIMEOUT = "MQTT_KEEP_ALIVE_TIMEOUT"
    SERVER_ERROR = "SERVER_ERROR"
    SERVER_INITIATED_DISCONNECT = "SERVER_INITIATED_DISCONNECT"
    API_INITIATED_DISCONNECT = "API_INITIATED_DISCONNECT"
    THROTTLED = "THROTTLED"
    CUSTOMAUTH_TTL_EXPIRATION = "CUSTOMAUTH_TTL_EXPIRATION"
    WEBSOCKET_TTL_EXPIRATION = "WEBSOCKET_TTL_EXPIRATION"


@dataclass(frozen=True)
class Ended:
    """The connection is over; what `Session.take_output` still holds goes out first."""

    reason: DisconnectReason
    sentence: str


@dataclass(frozen=True)
class Ignored:
    """AWS IoT does not answer this packet, and the connection goes on."""

    sentence: str


Event = Connect | Publish | Puback | Subscribe | Unsubscribe | Ended | Ignored


class Phase(enum.Enum):
    GREETING = "waiting for CONNECT"
    DECIDING = "the authorizer decides"
    OPEN = "connected"
    ENDED = "over"


class Session:
    """*now* is the emulator's time in seconds; the caller sends what `take_output` gives."""

    __slots__ = ("_behaviour", "_decoder", "_heard_at", "_output", "keep_alive_s", "phase", "unsent_bytes")

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._decoder = Decoder(behaviour.max_packet_bytes)
        self._output: list[bytes] = []
        self._heard_at = 0.0
        self.keep_alive_s = 0
        self.unsent_bytes = 0
        self.phase = Phase.GREETING

    @property
    def waiting_bytes(self) -> int:
        """Bytes received and not yet handled, because the decision is out or a packet is not whole."""
        return self._decoder.waiting_bytes

    def receive(self, data: bytes, now: float) -> Iterator[Event]:
        """Take *data* and yield what it leads to. After `accept`, call again with no data."""
        if self.phase is Phase.ENDED:
            return
        self._decoder.feed(data)
        reactions = _REACTIONS[self.phase]
        if self.phase is Phase.DECIDING:
            return
        try:
            for packet in self._decoder.packets():
                event = reactions.get(type(packet), Session._refuse)(self, packet)
                if type(packet) in _KEEPS_ALIVE:
                    self._heard_at = now
                if event is not None:
                    yield event
                if _REACTIONS[self.phase] is not reactions:
                    return
        except UnsupportedLevel as error:
            self.write(UNSUPPORTED_VERSION_MQTT_5 if error.level >= 5 else encode(Connack(UNACCEPTABLE_LEVEL)))
            yield self._broken(str(error))
        except MalformedPacket as error:
            yield self._broken(str(error))

    def accept(self, now: float, *, session_present: bool) -> None:
        """Let the client in. What it sent meanwhile is handled by the next `receive`."""
        self.write(encode(Connack(ACCEPTED, session_present)))
        self._heard_at = now
        self.phase = Phase.OPEN

    def end(self) -> None:
        """Handle nothing that still arrives."""
        self.phase = Phase.ENDED

    def send(self, packet: Packet) -> None:
        self.write(encode(packet))

    def write(self, frame: bytes) -> None:
        """Queue a packet that is encoded already."""
        self._output.append(frame)
        self.unsent_bytes += len(frame)

    def take_output(self) -> bytes:
        """Return everything queued, in one piece: one TLS record costs more than many packets."""
        data = b"".join(self._output)
        self._output.clear()
        self.unsent_bytes = 0
        return data

    def hear(self, now: float) -> None:
        """Take the client to have been heard at *now*."""
        self._heard_at = now

    def silent_until(self) -> float:
        """Return when a client that sends nothing more is to be dropped."""
        return self._heard_at + self.keep_alive_s * self._behaviour.keep_alive_factor

    def _broken(self, sentence: str) -> Ended:
        self.end()
        return Ended(DisconnectReason.CLIENT_ERROR, sentence)

    def _refuse(self, packet: Packet) -> Ended:
        name = type(packet).__name__.upper()
        if self.phase is Phase.GREETING:
            return self._broken(f"the first packet is {name}, not CONNECT")
        if isinstance(packet, Connect):
            return self._broken("a second CONNECT on one connection")
        return self._broken(f"AWS IoT does not take {name} from a client")

    def _connect(self, packet: Connect) -> Event:
        if packet.level != LEVEL_3_1_1:
            raise UnsupportedLevel(packet.level)
        if not packet.client_id and not (packet.clean_start and self._behaviour.assigns_client_id):
            self.send(Connack(IDENTIFIER_REJECTED))
            return self._broken("an empty client id; a session that is not clean needs one")
        if packet.will is not None:
            try:
                check_topic(packet.will.topic)
            except InvalidTopic as error:
                return self._broken(f"the will: {error}")
            if packet.will.qos == 2:
                return self._broken("the will has QoS 2, which AWS IoT does not have")
        self.keep_alive_s = self._effective_keep_alive_s(packet.keep_alive_s)
        self.phase = Phase.DECIDING
        return packet

    def _effective_keep_alive_s(self, asked_s: int) -> int:
        behaviour = self._behaviour
        if asked_s == 0:
            return behaviour.max_keep_alive_s
        return min(max(asked_s, behaviour.min_keep_alive_s), behaviour.max_keep_alive_s)

    def _publish(self, packet: Publish) -> Event:
        if packet.qos == 2:
            return Ignored(f"a PUBLISH with QoS 2 on `{packet.topic}` gets no answer; AWS IoT has QoS 0 and 1")
        try:
            check_topic(packet.topic)
        except InvalidTopic as error:
            return self._broken(str(error))
        if packet.retain and packet.topic.startswith("$"):
            return self._broken(f"topic `{packet.topic}` is reserved, and nothing can be retained there")
        if len(packet.payload) > self._behaviour.max_payload_bytes:
            size, limit = len(packet.payload), self._behaviour.max_payload_bytes
            return self._broken(f"a payload of {size} bytes; the limit is {limit}")
        return packet

    def _subscribe(self, packet: Subscribe) -> Event:
        count, limit = len(packet.subscriptions), self._behaviour.filters_per_subscribe
        if count > limit:
            return self._broken(f"a SUBSCRIBE with {count} topic filters; the limit is {limit}")
        if any(each.qos == 2 for each in packet.subscriptions):
            return Ignored("a SUBSCRIBE with QoS 2 gets no answer; AWS IoT has QoS 0 and 1")
        return self._filters_checked(packet, (each.topic_filter for each in packet.subscriptions))

    def _unsubscribe(self, packet: Unsubscribe) -> Event:
        return self._filters_checked(packet, packet.topic_filters)

    def _filters_checked(self, packet: Subscribe | Unsubscribe, filters: Iterator[str] | tuple[str, ...]) -> Event:
        try:
            for topic_filter in filters:
                check_filter(topic_filter)
        except InvalidTopic as error:
            return self._broken(str(error))
        return packet

    def _acknowledged(self, packet: Puback) -> Event:
        return packet

    def _ping(self, packet: Pingreq) -> None:
        self.send(Pingresp())

    def _disconnect(self, packet: Disconnect) -> Event:
        self.end()
        return Ended(DisconnectReason.CLIENT_INITIATED_DISCONNECT, "the client said goodbye")


_Reaction = Callable[[Session, Any], Event | None]

# What is not here is refused: a first packet that is no CONNECT, a second CONNECT, the packets
# of QoS 2 (AWS IoT does not have it) and those that only a server sends.
_REACTIONS: Mapping[Phase, Mapping[type, _Reaction]] = {
    Phase.GREETING: {Connect: Session._connect},
    Phase.DECIDING: {},
    Phase.OPEN: {
        Publish: Session._publish,
        Puback: Session._acknowledged,
        Subscribe: Session._subscribe,
        Unsubscribe: Session._unsubscribe,
        Pingreq: Session._ping,
        Disconnect: Session._disconnect,
    },
    Phase.ENDED: {},
}
# AWS IoT names these four; an UNSUBSCRIBE does not keep a connection alive (limits page, 2019).
_KEEPS_ALIVE = frozenset({Publish, Subscribe, Pingreq, Puback})
