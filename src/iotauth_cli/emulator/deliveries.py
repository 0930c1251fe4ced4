"""How a message gets to one client: under its policy, within its window, or into its waiting room.

Each delivery asks `iot:Receive`, so that a policy that shrinks at a refresh cuts subscriptions that
exist. A denied delivery only does not happen, and the log says so once.
"""

from __future__ import annotations

from collections.abc import Callable

from iotauth_cli.emulator.attempts import IGNORED, Attempt, AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.client import Client
from iotauth_cli.emulator.iot_log import IotLog
from iotauth_cli.emulator.mqtt.message import Message
from iotauth_cli.emulator.mqtt.session import DisconnectReason
from iotauth_cli.emulator.sessions import SessionStore

RECEIVE = "iot:Receive"
NOTED_TOPICS = 100  # undelivered topics that are written down for one connection


class Deliveries:
    def __init__(
        self,
        sessions: SessionStore,
        attempts: AttemptLog,
        clock: Callable[[], float],
        behaviour: Behaviour,
        iot_log: IotLog,
    ) -> None:
        self._sessions = sessions
        self._attempts = attempts
        self._clock = clock
        self._behaviour = behaviour
        self._iot_log = iot_log

    def may_receive(self, client: Client, topic: str) -> bool:
        """Ask the policy of a connected client."""
        if client.policy.allows(RECEIVE, client.topic_prefix + topic):
            return True
        self._note_undelivered(client, topic)
        return False

    def deliver(self, client: Client, message: Message, qos: int) -> None:
        """Send a message that the client may have; at QoS 1 keep it until it is acknowledged."""
        link = client.link
        if client.max_packet_bytes is not None and not client.takes(message):
            return
        if self._iot_log.is_on and link is not None:
            self._iot_log.delivered(link.admission, message.topic, allowed=True)
        if qos == 0:
            if link is not None:
                link.deliver(message)
        elif link is None:
            # One that was ended while this very message went round may have no session any more.
            if client.is_stored and not client.outbox.is_full:
                client.outbox.hold(message)
                self._sessions.hold(client, message)
        elif client.outbox.is_full:
            link.end(DisconnectReason.THROTTLED, "the client leaves too many messages unacknowledged")
        else:
            parcel = client.outbox.send(message, self._clock())
            if parcel is not None:
                link.deliver_acknowledged(parcel)

    def catch_up(self, client: Client) -> None:
        """Send what was kept for a client that is back. The policy of today decides on messages of yesterday."""
        link = client.link
        if link is None:
            return
        client.outbox.keep_only(lambda message: client.takes(message) and self.may_receive(client, message.topic))
        for parcel in client.outbox.resend(self._clock(), limit_s=self._behaviour.redelivery_limit_s):
            link.deliver_acknowledged(parcel)
        self._fill(client)

    def acknowledge(self, client: Client, packet_id: int) -> None:
        """Take a PUBACK, and send what waited for its place in the window."""
        client.outbox.acknowledge(packet_id)
        if client.has_stored_messages and not client.outbox:
            self._sessions.empty(client)
        self._fill(client)

    def resend(self, client: Client, now: float) -> None:
        """Send again what a connected client has left unacknowledged for too long."""
        link, behaviour = client.link, self._behaviour
        if link is None:
            return
        again = client.outbox.resend(now, after_s=behaviour.redelivery_interval_s, limit_s=behaviour.redelivery_limit_s)
        for parcel in again:
            link.deliver_acknowledged(parcel)

    def _fill(self, client: Client) -> None:
        link = client.link
        if link is not None:
            for parcel in client.outbox.fill(self._clock()):
                link.deliver_acknowledged(parcel)

    def _note_undelivered(self, client: Client, topic: str) -> None:
        """Say once per connection and topic that a subscription stays silent, and why."""
        if topic in client.undelivered or len(client.undelivered) >= NOTED_TOPICS:
            return
        client.undelivered.add(topic)
        decision = client.policy.decide(RECEIVE, client.topic_prefix + topic)
        sentence = f"a message was not delivered: {decision.because}"
        self._attempts.record(Attempt(IGNORED, RECEIVE, sentence, client_id=client.client_id))
        if client.link is not None:
            self._iot_log.delivered(client.link.admission, topic, allowed=False)
