"""One client's MQTT connection as a state machine: bytes in, events and bytes out.

    GREETING ── CONNECT ──▶ DECIDING ── accept() ──▶ OPEN ──▶ ENDED
        └──────── anything that breaks a rule, or end() ────────▲

While the authorizer decides, nothing is decoded: what a client sends before its CONNACK waits
as bytes and is handled in order afterwards (applications publish straight after connecting).

What a packet leads to stands in `_REACTIONS`. The session answers by itself what needs no
policy, and gives out the rest as events: the packets that gateway and broker must look at,
`Ignored` for what AWS IoT leaves without an answer, and `Ended` with the reason why. A client of
MQTT 5 is told that reason in a DISCONNECT, one of 3.1.1 sees the close alone.
Sources: MQTT 3.1.1; MQTT 5; AWS IoT developer guide, "MQTT" (QoS 2 is not there) and its quotas.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.mqtt.bodies import UnsupportedLevel
from iotauth_cli.emulator.mqtt.codec import Decoder, encode
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
    Publish,
    Subscribe,
    Unsubscribe,
    Will,
)
from iotauth_cli.emulator.mqtt.properties import Property, has, number, text
from iotauth_cli.emulator.mqtt.reasons import Reason
from iotauth_cli.emulator.mqtt.terms import MAX_ALIASES, Terms, agree
from iotauth_cli.emulator.mqtt.topics import SHARED, InvalidTopic, check_filter, check_topic
from iotauth_cli.emulator.mqtt.wire import MalformedPacket, PacketTooLarge

# Return codes of CONNACK, MQTT 3.1.1, 3.2.2.3
ACCEPTED = 0
UNACCEPTABLE_LEVEL = 1
IDENTIFIER_REJECTED = 2
NOT_AUTHORIZED = 5


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
    WEBSOCKET_TTL_EXPIRATION = "WEBSOCKET_TTL_EXPIRATION"
    CUSTOMAUTH_TTL_EXPIRATION = "CUSTOMAUTH_TTL_EXPIRATION"


@dataclass(frozen=True)
class Ended:
    """The connection is over; what `Session.take_output` still holds goes out first."""

    reason: DisconnectReason
    sentence: str


@dataclass(frozen=True)
class Ignored:
    """AWS IoT does not answer this packet, and the connection goes on."""

    sentence: str


Event = Connect | Publish | Puback | Subscribe | Unsubscribe | Disconnect | Ended | Ignored


class Phase(enum.Enum):
    GREETING = "waiting for CONNECT"
    DECIDING = "the authorizer decides"
    OPEN = "connected"
    ENDED = "over"


class _RuleBroken(Exception):
    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Session:
    """*now* is the emulator's time in seconds; the caller sends what `take_output` gives."""

    __slots__ = ("_aliases", "_behaviour", "_decoder", "_heard_at", "_output", "phase", "terms", "unsent_bytes")

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._decoder = Decoder(behaviour.max_packet_bytes)
        self._output: list[bytes] = []
        self._heard_at = 0.0
        self._aliases: dict[int, str] = {}  # the client's, for topics
        self.terms = Terms()
        self.unsent_bytes = 0
        self.phase = Phase.GREETING

    @property
    def level(self) -> int:
        return self._decoder.level

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
            self._refuse_level(error.level)
            yield self._broken(error.reason, str(error))
        except PacketTooLarge as error:
            yield self._broken(self._behaviour.packet_too_large_code, str(error))
        except MalformedPacket as error:
            yield self._broken(error.reason, str(error))
        except _RuleBroken as broken:
            yield self._broken(broken.code, broken.sentence)

    def accept(self, now: float, *, session_present: bool, client_id: str | None = None) -> None:
        """Let the client in. What it sent meanwhile is handled by the next `receive`.

        *client_id* is the one that was found for a client which brought none.
        """
        properties = self.terms.announced
        if client_id is not None and self.level >= LEVEL_5:
            properties = ((Property.ASSIGNED_CLIENT_ID, client_id), *properties)
        self.send(Connack(ACCEPTED, session_present, properties))
        self._heard_at = now
        self.phase = Phase.OPEN

    def refuse(self, code: int, sentence: str) -> None:
        """Answer CONNECT with a refusal that a client of MQTT 5 reads; the caller ends the session."""
        self.send(Connack(code, properties=((Property.REASON_STRING, sentence),)))

    def hear(self, now: float) -> None:
        """Take the client to have sent something at *now*."""
        self._heard_at = now

    def end(self, code: int | None = None, sentence: str = "") -> None:
        """Handle nothing that still arrives; tell a client of MQTT 5 the reason in a DISCONNECT, if there is one."""
        if self.phase is Phase.OPEN and self.level >= LEVEL_5 and code is not None:
            self._say_goodbye(code, sentence)
        self.phase = Phase.ENDED

    def send(self, packet: Packet) -> None:
        self.write(encode(packet, self.level))

    def acknowledge(self, packet_id: int) -> None:
        """Send a PUBACK of success, which is the same at both levels: one goes out for each message at QoS 1."""
        self.write(b"\x40\x02" + packet_id.to_bytes(2, "big"))

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

    def silent_until(self) -> float:
        """Return when a client that sends nothing more is to be dropped."""
        return self._heard_at + self.terms.keep_alive_s * self._behaviour.keep_alive_factor

    def _say_goodbye(self, code: int, sentence: str) -> None:
        limit = self.terms.max_packet_bytes
        frame = encode(Disconnect(code, ((Property.REASON_STRING, sentence),) if sentence else ()), LEVEL_5)
        if limit is not None and len(frame) > limit:
            frame = encode(Disconnect(code), LEVEL_5)
        self.write(frame)

    def _broken(self, code: int, sentence: str) -> Ended:
        self.end(code, sentence)
        return Ended(DisconnectReason.CLIENT_ERROR, sentence)

    def _refuse(self, packet: Packet) -> NoReturn:
        name = type(packet).__name__.upper()
        if self.phase is Phase.GREETING:
            raise _RuleBroken(Reason.PROTOCOL_ERROR, f"the first packet is {name}, not CONNECT")
        if isinstance(packet, Connect):
            raise _RuleBroken(Reason.PROTOCOL_ERROR, "a second CONNECT on one connection")
        raise _RuleBroken(Reason.PROTOCOL_ERROR, f"AWS IoT does not take {name} from a client")

    # CONNECT

    def _refuse_level(self, level: int) -> None:
        """Refuse in the form in which a client of that level can read it (MQTT 5, 3.1.2.2)."""
        if level > LEVEL_5:
            self.write(encode(Connack(Reason.UNSUPPORTED_VERSION), LEVEL_5))
        else:
            self.write(encode(Connack(UNACCEPTABLE_LEVEL), LEVEL_3_1_1))

    def _connect(self, packet: Connect) -> Event:
        is_nameless = not packet.client_id
        if is_nameless and self.level == LEVEL_3_1_1 and not (packet.clean_start and self._behaviour.assigns_client_id):
            self.send(Connack(IDENTIFIER_REJECTED))
            return self._broken(IDENTIFIER_REJECTED, "an empty client id; a session that is not clean needs one")
        if has(packet.properties, Property.AUTHENTICATION_METHOD):
            sentence = "CONNECT names an authentication method, and AWS IoT has no enhanced authentication"
            return self._refused(Reason.BAD_AUTHENTICATION_METHOD, sentence)
        if packet.will is not None:
            try:
                self._check_will(packet.will)
            except _RuleBroken as broken:
                return self._refused(broken.code, broken.sentence)
        self.terms = agree(packet, self._behaviour)
        self.phase = Phase.DECIDING
        return packet

    def _refused(self, code: int, sentence: str) -> Ended:
        if self.level >= LEVEL_5:
            self.refuse(code, sentence)
        return self._broken(code, sentence)

    def _check_will(self, will: Will) -> None:
        try:
            check_topic(will.topic)
        except InvalidTopic as error:
            raise _RuleBroken(Reason.TOPIC_NAME_INVALID, f"the will: {error}") from error
        if will.qos == 2:
            raise _RuleBroken(Reason.QOS_NOT_SUPPORTED, "the will has QoS 2, which AWS IoT does not have")

    # The other packets

    def _publish(self, packet: Publish) -> Event:
        if packet.qos == 2:
            return self._qos_2(f"a PUBLISH with QoS 2 on `{packet.topic}`")
        if packet.properties:
            packet = self._with_topic(packet)
        try:
            check_topic(packet.topic)
        except InvalidTopic as error:
            raise _RuleBroken(Reason.TOPIC_NAME_INVALID, str(error)) from error
        if packet.retain and packet.topic.startswith("$"):
            sentence = f"topic `{packet.topic}` is reserved, and nothing can be retained there"
            raise _RuleBroken(Reason.TOPIC_NAME_INVALID, sentence)
        if len(packet.payload) > self._behaviour.max_payload_bytes:
            size, limit = len(packet.payload), self._behaviour.max_payload_bytes
            code = self._behaviour.payload_too_large_code
            raise _RuleBroken(code, f"a payload of {size} bytes; the limit is {limit}")
        return packet

    def _with_topic(self, packet: Publish) -> Publish:
        """Check what the properties say of the session, and put the topic in the place of its alias."""
        if has(packet.properties, Property.SUBSCRIPTION_ID):
            raise _RuleBroken(Reason.PROTOCOL_ERROR, "a subscription identifier in a PUBLISH from a client")
        response_topic = text(packet.properties, Property.RESPONSE_TOPIC)
        if response_topic is not None and ("+" in response_topic or "#" in response_topic):
            raise _RuleBroken(Reason.PROTOCOL_ERROR, f"response topic `{response_topic}` has a wildcard")
        if not has(packet.properties, Property.TOPIC_ALIAS):
            return packet
        alias = number(packet.properties, Property.TOPIC_ALIAS, 0)
        if not 1 <= alias <= MAX_ALIASES:
            raise _RuleBroken(Reason.TOPIC_ALIAS_INVALID, f"topic alias {alias}; AWS IoT has 1 to {MAX_ALIASES}")
        if packet.topic:
            self._aliases[alias] = packet.topic
        elif alias not in self._aliases:
            raise _RuleBroken(Reason.PROTOCOL_ERROR, f"topic alias {alias} stands for no topic yet")
        return packet._replace(topic=self._aliases[alias])

    def _subscribe(self, packet: Subscribe) -> Event:
        count, limit = len(packet.subscriptions), self._behaviour.filters_per_subscribe
        if count > limit:
            code = self._behaviour.too_many_filters_code
            raise _RuleBroken(code, f"a SUBSCRIBE with {count} topic filters; the limit is {limit}")
        if any(each.qos == 2 for each in packet.subscriptions):
            return self._qos_2("a SUBSCRIBE with QoS 2")
        if has(packet.properties, Property.SUBSCRIPTION_ID):
            raise _RuleBroken(Reason.SUBSCRIPTION_IDS_NOT_SUPPORTED, "AWS IoT has no subscription identifiers")
        if any(each.no_local and each.topic_filter.startswith(SHARED) for each in packet.subscriptions):
            raise _RuleBroken(Reason.PROTOCOL_ERROR, "a shared subscription cannot leave out one's own messages")
        self._check_filters(each.topic_filter for each in packet.subscriptions)
        return packet

    def _qos_2(self, what: str) -> Ignored:
        """AWS IoT has QoS 0 and 1: MQTT 5 has a code to say so, 3.1.1 gets no answer."""
        if self.level >= LEVEL_5:
            raise _RuleBroken(Reason.QOS_NOT_SUPPORTED, f"{what}; AWS IoT has QoS 0 and 1")
        return Ignored(f"{what} gets no answer; AWS IoT has QoS 0 and 1")

    def _unsubscribe(self, packet: Unsubscribe) -> Event:
        self._check_filters(packet.topic_filters)
        return packet

    def _check_filters(self, filters: Iterable[str]) -> None:
        try:
            for topic_filter in filters:
                check_filter(topic_filter)
        except InvalidTopic as error:
            raise _RuleBroken(Reason.TOPIC_FILTER_INVALID, str(error)) from error

    def _acknowledged(self, packet: Puback) -> Event:
        return packet

    def _ping(self, packet: Pingreq) -> None:
        self.send(Pingresp())

    def _disconnect(self, packet: Disconnect) -> Event:
        if number(packet.properties, Property.SESSION_EXPIRY, 0) and not self.terms.session_expiry_s:
            sentence = "DISCONNECT sets a session expiry, and the session was to end with its connection"
            raise _RuleBroken(Reason.PROTOCOL_ERROR, sentence)
        self.end()
        return packet


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
