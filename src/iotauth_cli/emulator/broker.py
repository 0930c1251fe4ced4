"""Who gets which message: clients, subscriptions, retained messages, wills, all under policies.

Each connection lives under the policy its authorizer returned. Publishing asks `iot:Publish`
(and `iot:RetainPublish`), subscribing `iot:Subscribe` on the filter as text, and every single
delivery `iot:Receive`: so a policy that shrinks at a refresh cuts subscriptions that exist.
A denied publish or subscribe ends the connection; a denied delivery only does not happen.

A `Client` is what the broker knows by one client id, connected or not; MQTT calls it a session.
Sources: AWS IoT developer guide, "AWS IoT Core policy actions" and "MQTT".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from iotauth_cli.emulator.attempts import IGNORED, Attempt, AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.gateway import PUBLISH, RETAIN_PUBLISH, Admission
from iotauth_cli.emulator.model import ConnectionInfo, MessageSeen
from iotauth_cli.emulator.mqtt.message import Message
from iotauth_cli.emulator.mqtt.outbox import Outbox
from iotauth_cli.emulator.mqtt.packets import LEVEL_3_1_1, Publish, Subscription, Will
from iotauth_cli.emulator.mqtt.session import DisconnectReason
from iotauth_cli.emulator.mqtt.topics import Subscriptions, has_wildcard, is_basic_ingest
from iotauth_cli.emulator.retained import RetainedMessage, RetainedMessages
from iotauth_cli.emulator.state import State
from iotauth_cli.policy.evaluate import Decision

SUBSCRIBE = "iot:Subscribe"
RECEIVE = "iot:Receive"
FAILURE = 0x80  # SUBACK's return code; MQTT 3.1.1, 3.9.3
TICK_S = 1.0  # how exactly timers are kept; the shortest of them is 45 s
KNOWN_ROUTES = 4096  # topics whose receivers are remembered
NOTED_TOPICS = 100  # undelivered topics that are written down for one connection


class Link(Protocol):
    """A connection, as the broker needs it."""

    @property
    def admission(self) -> Admission: ...

    @property
    def connected_at(self) -> float: ...

    @property
    def keep_alive_s(self) -> int: ...

    def write(self, frame: bytes) -> None:
        """Send a packet soon."""

    def write_if_room(self, frame: bytes) -> None:
        """Send a packet soon, or drop it because the client reads too slowly."""

    def end(self, reason: DisconnectReason, sentence: str) -> None: ...

    def tick(self, now: float) -> None: ...

    def hear(self, now: float) -> None:
        """Take the client to have pinged at *now*."""

    async def settle(self) -> None:
        """Wait until the authorizer has answered, if it is being asked."""


class Client:
    """One client id: its connection while it has one, its subscriptions, what is kept for it."""

    __slots__ = (
        "client_id",
        "expires_at",
        "filter_prefix",
        "is_persistent",
        "link",
        "outbox",
        "policy",
        "subscriptions",
        "topic_prefix",
        "undelivered",
        "will",
    )

    def __init__(self, admission: Admission, outbox: Outbox) -> None:
        self.client_id = admission.client_id
        self.outbox = outbox
        self.subscriptions: dict[str, int] = {}  # topic filter: QoS
        self.link: Link | None = None
        self.is_persistent = False
        self.will: Will | None = None
        self.expires_at = float("inf")
        self.admit(admission)

    def admit(self, admission: Admission) -> None:
        """Live under the policy of *admission* from now on."""
        self.policy = admission.policy
        self.topic_prefix = admission.scope.topic("")
        self.filter_prefix = admission.scope.topicfilter("")
        self.undelivered: set[str] = set()


class Broker:
    def __init__(
        self,
        state: State,
        attempts: AttemptLog,
        *,
        clock: Callable[[], float] = time.time,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.clients: dict[str, Client] = {}
        self._attempts = attempts
        self._clock = clock
        self._behaviour = behaviour or Behaviour()
        self.retained = RetainedMessages(state)
        self._observers: list[Callable[[MessageSeen], None]] = []
        self._subscriptions: Subscriptions[Client] = Subscriptions()
        self._routes: dict[str, tuple[tuple[Client, int], ...]] = {}
        self._links: set[Link] = set()
        self._timer: asyncio.TimerHandle | None = None

    # Connections come and go

    def attend(self, link: Link) -> None:
        """Keep the time of a connection, also before it is admitted."""
        self._links.add(link)

    def forget(self, link: Link) -> None:
        self._links.discard(link)

    def join(self, link: Link, admission: Admission) -> tuple[Client, bool]:
        """Take a client in, ending an older connection of the same id; tell whether a session was kept."""
        old = self.clients.get(admission.client_id)
        if old is not None and old.link is not None:
            old.link.end(DisconnectReason.DUPLICATE_CLIENTID, "the same client id connected again")
        client = self.clients.get(admission.client_id)
        if client is not None and admission.connect.clean_start:
            self._remove(client)
            client = None
        is_present = client is not None
        if client is None:
            outbox = Outbox(self._behaviour.in_flight, self._behaviour.queued_messages)
            client = self.clients[admission.client_id] = Client(admission, outbox)
        client.admit(admission)
        client.link = link
        client.will = admission.connect.will
        client.is_persistent = not admission.connect.clean_start
        client.expires_at = float("inf")
        return client, is_present

    def resume(self, client: Client) -> None:
        """Send what a persistent session kept, as far as the policy of today lets it through."""
        if not client.outbox or client.link is None:
            return
        client.outbox.keep_only(lambda message: self._may_receive(client, message.topic))
        now = self._clock()
        for frame in client.outbox.resend(now, limit_s=self._behaviour.redelivery_limit_s):
            client.link.write(frame)
        self._fill(client)

    def leave(self, client: Client, link: Link, reason: DisconnectReason) -> None:
        """Let a connection go: its will is published, unless the client said goodbye."""
        if client.link is not link:
            return
        client.link = None
        if client.is_persistent:
            client.expires_at = self._clock() + self._behaviour.session_expiry_s
        else:
            self._remove(client)
        will, client.will = client.will, None
        if will is not None and reason is not DisconnectReason.CLIENT_INITIATED_DISCONNECT:
            self._accept(will, client.client_id)

    def _remove(self, client: Client) -> None:
        self.unsubscribe(client, list(client.subscriptions))
        del self.clients[client.client_id]

    # Messages

    def publish(self, client: Client, packet: Publish) -> Decision | None:
        """Route a client's message; return the decision that forbids it, or None."""
        resource = client.topic_prefix + packet.topic
        if not client.policy.allows(PUBLISH, resource):
            return client.policy.decide(PUBLISH, resource)
        if packet.retain and not client.policy.allows(RETAIN_PUBLISH, resource):
            return client.policy.decide(RETAIN_PUBLISH, resource)
        self._accept(packet, client.client_id)
        return None

    def publish_from_api(self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False) -> None:
        """Route a message that no client sent; whether its sender may is the caller's to ask."""
        self._accept(Publish(topic, payload, qos, retain), None)

    def _accept(self, message: Publish | Will, client_id: str | None) -> None:
        """Take a message from who may publish it: retain it, show it, route it."""
        topic, payload, qos = message.topic, message.payload, message.qos
        if message.retain:
            self.retained.store(RetainedMessage(topic, payload, qos, self._clock()))
        if self._observers:
            seen = MessageSeen(topic, payload, qos, message.retain, client_id, self._clock())
            for observer in tuple(self._observers):
                observer(seen)
        self._route(Message(topic, payload), qos)

    def _route(self, message: Message, qos: int) -> None:
        receivers = self._routes.get(message.topic)
        if receivers is None:
            receivers = self._find_route(message.topic)
        for client, granted in receivers:
            if self._may_receive(client, message.topic):
                self._deliver(client, message, min(qos, granted))

    def _find_route(self, topic: str) -> tuple[tuple[Client, int], ...]:
        # Basic Ingest goes past the message broker to a rule, and the emulator has no rules.
        found = {} if is_basic_ingest(topic) else self._subscriptions.match(topic)
        if len(self._routes) >= KNOWN_ROUTES:
            self._routes.clear()
        receivers = self._routes[topic] = tuple(found.items())
        return receivers

    def _may_receive(self, client: Client, topic: str) -> bool:
        if client.policy.allows(RECEIVE, client.topic_prefix + topic):
            return True
        self._note_undelivered(client, topic)
        return False

    def _deliver(self, client: Client, message: Message, qos: int) -> None:
        link = client.link
        if qos == 0:
            if link is not None:
                link.write_if_room(message.at(LEVEL_3_1_1).at_most_once())
        elif link is None:
            if not client.outbox.is_full:
                client.outbox.hold(message)
        elif client.outbox.is_full:
            link.end(DisconnectReason.THROTTLED, "the client leaves too many messages unacknowledged")
        else:
            frame = client.outbox.send(message, self._clock())
            if frame is not None:
                link.write(frame)

    def acknowledge(self, client: Client, packet_id: int) -> None:
        """Take a PUBACK, and send what waited for its place in the window."""
        client.outbox.acknowledge(packet_id)
        self._fill(client)

    def resend(self, client: Client, now: float) -> None:
        """Send again what a connected client has left unacknowledged for too long."""
        behaviour = self._behaviour
        again = client.outbox.resend(now, after_s=behaviour.redelivery_interval_s, limit_s=behaviour.redelivery_limit_s)
        for frame in again:
            if client.link is not None:
                client.link.write(frame)

    def _fill(self, client: Client) -> None:
        if client.link is not None:
            for frame in client.outbox.fill(self._clock()):
                client.link.write(frame)

    # Subscriptions

    def forbids_subscription(self, client: Client, subscriptions: Iterable[Subscription]) -> Decision | None:
        """Return the decision that forbids one of *subscriptions*, or None."""
        for subscription in subscriptions:
            resource = client.filter_prefix + subscription.topic_filter
            if not client.policy.allows(SUBSCRIBE, resource):
                return client.policy.decide(SUBSCRIBE, resource)
        return None

    def subscribe(self, client: Client, subscriptions: Iterable[Subscription]) -> tuple[int, ...]:
        """Subscribe; return SUBACK's codes, `FAILURE` for what is over the limit."""
        return tuple(self._subscribe(client, each) for each in subscriptions)

    def _subscribe(self, client: Client, subscription: Subscription) -> int:
        topic_filter, qos = subscription.topic_filter, subscription.qos
        is_new = topic_filter not in client.subscriptions
        if is_new and len(client.subscriptions) >= self._behaviour.subscriptions_per_connection:
            return FAILURE
        client.subscriptions[topic_filter] = qos
        self._subscriptions.add(topic_filter, client, qos)
        self._routes.clear()
        return qos

    def send_retained(self, client: Client, subscriptions: Iterable[Subscription]) -> None:
        """Send the retained messages of exact filters; a wildcard gets none at subscribe time."""
        for topic_filter, qos in ((each.topic_filter, each.qos) for each in subscriptions):
            kept = None if has_wildcard(topic_filter) else self.retained.find(topic_filter, self._clock())
            if kept is not None and self._may_receive(client, topic_filter):
                message = Message(kept.topic, kept.payload, retain=True)
                self._deliver(client, message, min(qos, kept.qos))

    def unsubscribe(self, client: Client, topic_filters: Iterable[str]) -> None:
        for topic_filter in topic_filters:
            client.subscriptions.pop(topic_filter, None)
            self._subscriptions.discard(topic_filter, client)
        self._routes.clear()

    # For the page and the APIs

    def connections(self) -> tuple[ConnectionInfo, ...]:
        """Return what is to be known of every client that is connected, by client id."""
        connected = ((client, client.link) for _, client in sorted(self.clients.items()))
        return tuple(_info(client, link) for client, link in connected if link is not None)

    def disconnect(self, client_id: str, *, clean_session: bool = False, prevent_will: bool = False) -> bool:
        """End a client's connection, as iot-data's DeleteConnection does; tell whether there was one.

        *clean_session* forgets its session too, *prevent_will* its will.
        """
        client = self.clients.get(client_id)
        if client is None or client.link is None:
            return False
        if clean_session:
            client.is_persistent = False
        if prevent_will:
            client.will = None
        client.link.end(DisconnectReason.API_INITIATED_DISCONNECT, "DeleteConnection was called for this client")
        return True

    def observe(self, observer: Callable[[MessageSeen], None]) -> Callable[[], None]:
        """Call *observer* with every message that is accepted, until the returned function is called."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    # Time

    def start(self) -> None:
        """Begin to keep time, in the running event loop."""
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._beat)

    def stop(self) -> None:
        """End every connection and stop keeping time."""
        if self._timer is not None:
            self._timer.cancel()
        for link in list(self._links):
            link.end(DisconnectReason.SERVER_INITIATED_DISCONNECT, "the emulator stops")

    def tick(self, *, pinging: bool = False) -> None:
        """Do what is due by now: timers of connections, and sessions that nobody came back to.

        *pinging* clients count as heard just now, however long they have been silent.
        """
        now = self._clock()
        for link in list(self._links):
            if pinging:
                link.hear(now)
            link.tick(now)
        for client in [each for each in self.clients.values() if each.expires_at <= now]:
            self._remove(client)

    async def settle(self) -> None:
        """Wait until every authorizer that is being asked has answered."""
        await asyncio.gather(*(link.settle() for link in list(self._links)))

    def _beat(self) -> None:
        self.start()
        self.tick()

    def _note_undelivered(self, client: Client, topic: str) -> None:
        """Say once per connection and topic that a subscription stays silent, and why."""
        if topic in client.undelivered or len(client.undelivered) >= NOTED_TOPICS:
            return
        client.undelivered.add(topic)
        decision = client.policy.decide(RECEIVE, client.topic_prefix + topic)
        sentence = f"a message was not delivered: {decision.because}"
        self._attempts.record(Attempt(IGNORED, RECEIVE, sentence, client_id=client.client_id))


def _info(client: Client, link: Link) -> ConnectionInfo:
    admission = link.admission
    return ConnectionInfo(
        client_id=client.client_id,
        connection_id=admission.connection_id,
        principal_id=admission.principal_id,
        authorizer=admission.authorizer,
        peer=admission.arrival.peer,
        protocol="MQTT 3.1.1",
        transports=admission.arrival.protocols,
        connected_at=link.connected_at,
        keep_alive_s=link.keep_alive_s,
        is_persistent=client.is_persistent,
        refresh_at=admission.refresh_at,
        disconnect_at=admission.disconnect_at,
        subscriptions=tuple(sorted(client.subscriptions.items())),
        policy_documents=admission.policy_documents,
    )
