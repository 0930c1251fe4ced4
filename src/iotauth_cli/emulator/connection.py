"""One MQTT connection: between its socket, the session, the gateway and the broker.

Bytes go into the session, its events to the gateway (CONNECT) or the broker, and what they
answer out again in one write per turn of the event loop. A client that reads too slowly is
bounded: QoS 0 is dropped first, then the connection is closed, as AWS IoT throttles.

An `asyncio.Protocol`, so that whatever carries MQTT (TLS, a WebSocket inside it) can feed it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any

from iotauth_cli.emulator import endings
from iotauth_cli.emulator.attempts import CUT_OFF, DENIED, IGNORED, REFUSED, Attempt, AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker, Granted
from iotauth_cli.emulator.client import Client
from iotauth_cli.emulator.gateway import CLIENT_ID, Admission, Arrival, Gateway, Refusal
from iotauth_cli.emulator.mqtt.courier import Courier
from iotauth_cli.emulator.mqtt.message import Message
from iotauth_cli.emulator.mqtt.outbox import Parcel
from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_5,
    Connack,
    Connect,
    Disconnect,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from iotauth_cli.emulator.mqtt.reasons import Reason
from iotauth_cli.emulator.mqtt.session import (
    NOT_AUTHORIZED,
    DisconnectReason,
    Ended,
    Event,
    Ignored,
    Phase,
    Session,
)
from iotauth_cli.emulator.mqtt.terms import Terms
from iotauth_cli.emulator.own_faults import way_to
from iotauth_cli.policy.evaluate import Decision

WAITING_BYTES = 256 * 1024  # what a client may send ahead of its CONNACK before its socket is left alone

_FAILURE = 0x80  # SUBACK's one return code for a refusal; MQTT 3.1.1, 3.9.3
# As AWS IoT words it to clients of MQTT 5, whatever the cause; the log has the cause.
_UNAUTHORIZED = "CONNACK:Client is not authorized to connect. ReturnCode: 5"

log = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    def __init__(
        self,
        arrival: Arrival,
        gateway: Gateway,
        broker: Broker,
        attempts: AttemptLog,
        *,
        clock: Callable[[], float] = time.time,
        behaviour: Behaviour | None = None,
    ) -> None:
        self._arrival = arrival
        self._gateway = gateway
        self._broker = broker
        self._attempts = attempts
        self._clock = clock
        self._behaviour = behaviour or Behaviour()
        self._session = Session(self._behaviour)
        self._courier = Courier(self._session.terms, clock)
        self._transport: asyncio.Transport | None = None
        self._client: Client | None = None
        self._admission: Admission | None = None
        self._client_id: str | None = None
        self._deciding: asyncio.Task[None] | None = None
        self._began_at = self.connected_at = clock()
        self._is_over = False
        self._is_paused = False
        self._is_dropping = False
        self._is_flush_due = False

    @property
    def admission(self) -> Admission:
        assert self._admission is not None, "the broker knows admitted connections only"
        return self._admission

    @property
    def terms(self) -> Terms:
        return self._session.terms

    # From the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._broker.attend(self)

    def data_received(self, data: bytes) -> None:
        for event in self._session.receive(data, self._clock()):
            _HANDLERS[type(event)](self, event)
        if self._session.unsent_bytes:
            self._flush()
        if self._session.phase is Phase.DECIDING and self._session.waiting_bytes > WAITING_BYTES:
            self._reading(False)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._transport.close()  # Python 3.10's TLS transport wants it, also when the client has closed
        self._transport = None
        self.end(DisconnectReason.CONNECTION_LOST, "the connection was lost")

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = self._is_dropping = False
        self._flush()

    # To the socket

    def deliver(self, message: Message) -> None:
        """Send a message at QoS 0, or drop it because the client reads too slowly."""
        if self._is_paused and self._session.unsent_bytes > self._behaviour.unsent_bytes:
            self._note_dropping()
        else:
            self._write(self._courier.encode(message).at_most_once())

    def deliver_acknowledged(self, parcel: Parcel) -> None:
        """Send a message at QoS 1."""
        packet_id, message, is_duplicate = parcel
        self._write(self._courier.encode(message).at_least_once(packet_id, is_duplicate=is_duplicate))

    def _write(self, frame: bytes) -> None:
        """Send a packet with the next flush; a client that has let too much pile up is cut off."""
        self._session.write(frame)
        if self._is_paused and self._session.unsent_bytes > 2 * self._behaviour.unsent_bytes:
            self.end(DisconnectReason.THROTTLED, "the client reads too slowly")
        elif not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if not self._is_paused and self._transport is not None and self._session.unsent_bytes:
            self._transport.write(self._session.take_output())

    def _note_dropping(self) -> None:
        if not self._is_dropping:
            self._is_dropping = True
            self._record(IGNORED, "slow-client", "messages at QoS 0 are dropped: the client reads too slowly")

    def _reading(self, wanted: bool) -> None:
        if self._transport is not None:
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    # Events of the session

    def _connect(self, packet: Connect) -> None:
        self._client_id = packet.client_id
        self._deciding = asyncio.ensure_future(self._guarded(self._decide(packet)))

    async def _decide(self, packet: Connect) -> None:
        verdict = await self._gateway.admit(self._arrival, packet)
        if self._is_over:
            return  # the client did not wait for the answer
        if isinstance(verdict, Refusal):
            self._turn_away(verdict)
        else:
            self._welcome(verdict)

    def _turn_away(self, refusal: Refusal) -> None:
        """Close on a client that was refused; the gateway has written down why."""
        if self._client_id:
            self._broker.presence.refused(self._client_id, self._arrival.peer, refusal)
        self._broker.iot_log.refused(self._client_id, self._arrival.peer, refusal.principal_id)
        if self._session.level >= LEVEL_5:
            if refusal.check == CLIENT_ID:
                self._session.refuse(Reason.CLIENT_IDENTIFIER_NOT_VALID, refusal.sentence)
            else:
                self._session.refuse(Reason.NOT_AUTHORIZED, _UNAUTHORIZED)
        elif self._behaviour.answers_refused_connect:
            self._session.send(Connack(NOT_AUTHORIZED))
        self._close(DisconnectReason.AUTH_ERROR)

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Let a fault of ours end this connection, as asyncio does for one in `data_received`."""
        try:
            await work
        except Exception as error:
            log.error("the connection of client %r failed: %s", self._client_id, way_to(error))
            self.end(DisconnectReason.SERVER_ERROR, "the emulator failed; its log has the cause")

    def _welcome(self, admission: Admission) -> None:
        self._admission = admission
        self._client_id = admission.client_id
        self.connected_at = self._clock()
        self._client, is_present = self._broker.join(self, admission)
        self._courier = Courier(self._session.terms, self._clock)
        given_id = None if admission.connect.client_id else admission.client_id
        self._session.accept(self._clock(), session_present=is_present, client_id=given_id)
        self._broker.welcome(self._client)
        self._reading(True)
        self.data_received(b"")  # what the client sent before it had its CONNACK

    def _publish(self, packet: Publish) -> None:
        assert self._client is not None
        denied = self._broker.publish(self._client, packet)
        if denied is not None:
            self._deny_publish(denied, packet)
        elif packet.packet_id is not None:
            self._session.acknowledge(packet.packet_id)

    def _deny_publish(self, denied: Decision, packet: Publish) -> None:
        """Close on 3.1.1; MQTT 5 has a PUBACK that says no, where there is a PUBACK at all."""
        is_answered = self._session.level >= LEVEL_5 and self._behaviour.answers_denied_publish
        if packet.packet_id is None or not is_answered:
            self._cut_off(denied)
            return
        self._record(DENIED, denied.action, denied.because)
        self._session.send(Puback(packet.packet_id, Reason.NOT_AUTHORIZED))

    def _acknowledge(self, packet: Puback) -> None:
        assert self._client is not None
        self._broker.deliveries.acknowledge(self._client, packet.packet_id)

    def _subscribe(self, packet: Subscribe) -> None:
        assert self._client is not None
        denied = self._broker.forbidden_subscriptions(self._client, packet.subscriptions)
        asked = [each.topic_filter for each in packet.subscriptions]
        self._broker.iot_log.subscribed(self.admission, asked, denied)
        if denied and self._session.level < LEVEL_5:
            if self._behaviour.answers_refused_subscribe:
                self._session.send(Suback(packet.packet_id, (_FAILURE,) * len(packet.subscriptions)))
            self._cut_off(next(iter(denied.values())))
            return
        for decision in denied.values():
            self._record(DENIED, decision.action, decision.because)
        self._grant(self._client, packet, denied)

    def _grant(self, client: Client, packet: Subscribe, denied: Container[str]) -> None:
        """Subscribe to what is not *denied*, and answer filter by filter."""
        results = [
            Granted(Reason.NOT_AUTHORIZED) if each.topic_filter in denied else self._broker.subscribe(client, each)
            for each in packet.subscriptions
        ]
        codes = tuple(each.code for each in results)
        if self._session.level < LEVEL_5:
            codes = tuple(min(code, _FAILURE) for code in codes)
        self._session.send(Suback(packet.packet_id, codes))
        if any(each.code == Reason.QUOTA_EXCEEDED for each in results):
            limit = self._behaviour.subscriptions_per_connection
            self.end(DisconnectReason.THROTTLED, f"more than {limit} subscriptions on one connection")
            return
        granted = [each.topic_filter for each in packet.subscriptions if each.topic_filter not in denied]
        if granted:
            self._broker.presence.subscribed(self.admission, granted)
        for each in results:
            self._broker.send_retained(client, each)

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        assert self._client is not None
        self._session.send(Unsuback(packet.packet_id, self._broker.unsubscribe(self._client, packet.topic_filters)))
        self._broker.presence.unsubscribed(self.admission, packet.topic_filters)
        self._broker.iot_log.unsubscribed(self.admission, packet.topic_filters)

    def _goodbye(self, packet: Disconnect) -> None:
        assert self._client is not None
        self._broker.part(self._client, packet)
        self._close(DisconnectReason.CLIENT_INITIATED_DISCONNECT)

    def _ended(self, event: Ended) -> None:
        self.end(event.reason, event.sentence)

    def _ignored(self, event: Ignored) -> None:
        self._record(IGNORED, "qos-2", event.sentence)

    # Time

    def hear(self, now: float) -> None:
        """Take the client to have pinged at *now*."""
        self._session.hear(now)

    async def settle(self) -> None:
        """Wait until the decision that is being made, if any, is made."""
        if self._deciding is not None:
            await asyncio.wait([self._deciding])

    def tick(self, now: float) -> None:
        """Do what is due by *now*."""
        if self._session.phase is Phase.GREETING:
            if now >= self._began_at + self._behaviour.connect_timeout_s:
                self.end(DisconnectReason.CLIENT_ERROR, "no CONNECT came")
        elif self._session.phase is Phase.OPEN and self._client is not None:
            self._tick_open(now, self.admission, self._client)

    def _tick_open(self, now: float, admission: Admission, client: Client) -> None:
        if now >= self._arrival.ends_at:
            self.end(DisconnectReason.WEBSOCKET_TTL_EXPIRATION, "the WebSocket has reached its greatest age")
        elif now >= admission.disconnect_at:
            sentence = "disconnectAfterInSeconds of the authorizer's answer has passed"
            self.end(DisconnectReason.CUSTOMAUTH_TTL_EXPIRATION, sentence)
        elif now >= self._session.silent_until():
            self.end(DisconnectReason.MQTT_KEEP_ALIVE_TIMEOUT, "the client was silent for too long")
        else:
            # MQTT 5 resends on a new connection alone (4.4); 3.1.1 leaves the broker free.
            if self.terms.level < LEVEL_5:
                self._broker.deliveries.resend(client, now)
            if now >= admission.refresh_at and (self._deciding is None or self._deciding.done()):
                self._deciding = asyncio.ensure_future(self._guarded(self._refresh(admission, client)))

    async def _refresh(self, admission: Admission, client: Client) -> None:
        verdict = await self._gateway.refresh(admission)
        if self._is_over:
            return
        if isinstance(verdict, Refusal):
            self._session.end(self._behaviour.refresh_denied_code)
            self._close(DisconnectReason.AUTH_ERROR)
            return
        self._admission = verdict
        client.admit(verdict)

    # The end

    def end(self, reason: DisconnectReason, sentence: str) -> None:
        """End the connection, and write down why unless it was the client's own doing."""
        if not self._is_over and reason not in endings.SILENT:
            self._record(CUT_OFF if self._client else REFUSED, reason.value, sentence)
        self._close(reason, sentence)

    def cut(self) -> None:
        """Break the line: the client is told nothing and finds out by itself."""
        if self._transport is not None:
            self._transport.abort()

    def _cut_off(self, denied: Decision) -> None:
        self._record(CUT_OFF, denied.action, denied.because)
        self._close(DisconnectReason.AUTH_ERROR)

    def _close(self, reason: DisconnectReason, sentence: str = "") -> None:
        """Close; *sentence* is for a client of MQTT 5, and holds nothing of a policy."""
        if self._is_over:
            return
        self._is_over = True
        self._session.end(endings.code_of(reason, self._behaviour), sentence)
        self._broker.forget(self)
        if self._transport is not None:
            self._flush()
            (self._transport.abort if reason in endings.ABORTED else self._transport.close)()
        if self._client is not None:  # last, because a session that cannot be stored must not keep the socket
            self._broker.leave(self._client, self, reason)

    def _record(self, outcome: str, decided_by: str, sentence: str) -> None:
        self._attempts.record(
            Attempt(
                outcome,
                decided_by,
                sentence,
                client_id=self._client_id,
                authorizer=self._admission.authorizer if self._admission else None,
                peer=self._arrival.peer,
                connection_id=self._admission.connection_id if self._admission else None,
            )
        )


_HANDLERS: Mapping[type[Event], Callable[[Connection, Any], None]] = {
    Connect: Connection._connect,
    Publish: Connection._publish,
    Puback: Connection._acknowledge,
    Subscribe: Connection._subscribe,
    Unsubscribe: Connection._unsubscribe,
    Disconnect: Connection._goodbye,
    Ended: Connection._ended,
    Ignored: Connection._ignored,
}
