"""Who gets which message: clients, subscriptions, retained messages, wills, all under policies.

Each connection lives under the policy its authorizer returned. Publishing asks `iot:Publish`
(and `iot:RetainPublish`), subscribing `iot:Subscribe` on the filter as text, and every single
delivery `iot:Receive`: so a policy that shrinks at a refresh cuts subscriptions that exist.
What follows a denied publish or subscribe is the connection's to say; a denied delivery only
does not happen.

Sources: AWS IoT developer guide, "AWS IoT Core policy actions" and "MQTT".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from iotauth_cli.emulator.attempts import AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.client import Client, Link
from iotauth_cli.emulator.deliveries import Deliveries
from iotauth_cli.emulator.gateway import PUBLISH, RETAIN_PUBLISH, Admission
from iotauth_cli.emulator.iot_log import IotLog
from iotauth_cli.emulator.model import ConnectionInfo, MessageSeen
from iotauth_cli.emulator.mqtt.message import NEVER, Message, routed
from iotauth_cli.emulator.mqtt.outbox import Outbox
from iotauth_cli.emulator.mqtt.packets import Disconnect, Properties, Publish, Subscription, Will
from iotauth_cli.emulator.mqtt.properties import Property, number
from iotauth_cli.emulator.mqtt.reasons import Reason
from iotauth_cli.emulator.mqtt.session import DisconnectReason
from iotauth_cli.emulator.mqtt.topics import (
    NO_LOCAL,
    QOS,
    RETAIN_AS_PUBLISHED,
    has_wildcard,
    is_shared,
    shared_filter,
)
from iotauth_cli.emulator.presence import Presence
from iotauth_cli.emulator.retained import RetainedMessage, RetainedMessages
from iotauth_cli.emulator.routes import Routes
from iotauth_cli.emulator.sessions import SessionStore, StoredSession
from iotauth_cli.emulator.state import State
from iotauth_cli.policy.evaluate import EXPLICIT_DENY, Decision

SUBSCRIBE = "iot:Subscribe"
TICK_S = 1.0  # how exactly timers are kept; the shortest of them is 45 s

Observer = Callable[[MessageSeen], None]


class Granted(NamedTuple):
    """What became of one filter of a SUBSCRIBE: its reason code, and a retained message to send after the SUBACK."""

    code: int
    retained: RetainedMessage | None = None


class Broker:
    def __init__(
        self,
        state: State,
        attempts: AttemptLog,
        *,
        clock: Callable[[], float] = time.time,
        behaviour: Behaviour | None = None,
        iot_log: IotLog | None = None,
    ) -> None:
        self.clients: dict[str, Client] = {}
        self._clock = clock
        self._behaviour = behaviour or Behaviour()
        self.retained = RetainedMessages(state)
        self._observers: list[Observer] = []
        self._event_observers: list[Observer] = []
        self.presence = Presence(self._publish_event, clock)
        self._routes = Routes()
        self._sessions = SessionStore(state)
        self.iot_log = iot_log or IotLog(None)
        self.deliveries = Deliveries(self._sessions, attempts, clock, self._behaviour, self.iot_log)
        self._links: set[Link] = set()
        self._timer: asyncio.TimerHandle | None = None
        for stored in self._sessions.load():
            self._restore(stored)

    def _restore(self, stored: StoredSession) -> None:
        """Take up a session of an earlier process; its client may come back."""
        client = self._new_client(stored.client_id)
        client.session_expiry_s = stored.session_expiry_s
        client.expires_at = stored.expires_at or self._clock() + stored.session_expiry_s
        for subscription in stored.subscriptions:
            client.subscriptions[subscription.topic_filter] = subscription
            self._routes.add(client, subscription)
        for message in stored.messages:
            client.outbox.hold(message)
        client.is_stored, client.has_stored_messages = True, bool(stored.messages)

    def _new_client(self, client_id: str) -> Client:
        client = Client(client_id, Outbox(self._behaviour.in_flight, self._behaviour.queued_messages))
        self.clients[client_id] = client
        return client

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
            client = self._new_client(admission.client_id)
        client.admit(admission)
        client.attach(link, self._behaviour.in_flight)
        if client.session_expiry_s:
            self._sessions.open(client)
        elif client.is_stored:
            self._sessions.forget(client)
        return client, is_present

    def welcome(self, client: Client) -> None:
        """Tell that a client is in, now that it has its CONNACK, and send what its session kept."""
        if client.link is not None:
            self.presence.connected(client.link.admission)
            self.iot_log.connected(client.link.admission)
            self.deliveries.catch_up(client)

    def part(self, client: Client, goodbye: Disconnect) -> None:
        """Take a client's DISCONNECT: no will, unless it asks for it, and perhaps another session expiry."""
        if goodbye.reason != Reason.DISCONNECT_WITH_WILL:
            client.will = None
        asked_s = number(goodbye.properties, Property.SESSION_EXPIRY, client.session_expiry_s)
        client.session_expiry_s = min(asked_s, self._behaviour.max_session_expiry_s)

    def leave(self, client: Client, link: Link, reason: DisconnectReason) -> None:
        """Let a connection go. A will that is still there is published, now or after its delay."""
        if client.link is not link:
            return
        client.link = None
        self.presence.disconnected(link.admission, reason)
        self.iot_log.disconnected(link.admission, reason)
        if not client.session_expiry_s:
            self._remove(client)
            return
        now = self._clock()
        client.expires_at = now + client.session_expiry_s
        self._sessions.leave(client)
        if client.will is not None:
            client.will_at = now + number(client.will.properties, Property.WILL_DELAY, 0)
            self._publish_will_if_due(client, now)

    def _publish_will_if_due(self, client: Client, now: float) -> None:
        if client.will is not None and client.will_at <= now:
            will, client.will, client.will_at = client.will, None, NEVER
            self._accept(will, client.client_id)

    def _remove(self, client: Client) -> None:
        """End a session: its will waits no longer."""
        for topic_filter in client.subscriptions:
            self._routes.discard(client, topic_filter)
        if client.is_stored:
            self._sessions.forget(client)
        del self.clients[client.client_id]
        client.will_at = self._clock()
        self._publish_will_if_due(client, client.will_at)

    # Messages

    def publish(self, client: Client, packet: Publish) -> Decision | None:
        """Route a client's message; return the decision that forbids it, or None."""
        denied = self._forbidden_publish(client, packet)
        if self.iot_log.is_on and client.link is not None:
            self.iot_log.published(client.link.admission, packet.topic, allowed=denied is None)
        if denied is None:
            self._accept(packet, client.client_id)
        return denied

    def _forbidden_publish(self, client: Client, packet: Publish) -> Decision | None:
        resource = client.topic_prefix + packet.topic
        if not client.policy.allows(PUBLISH, resource):
            return client.policy.decide(PUBLISH, resource)
        if packet.retain and not client.policy.allows(RETAIN_PUBLISH, resource):
            return client.policy.decide(RETAIN_PUBLISH, resource)
        return None

    def publish_from_api(
        self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False, properties: Properties = ()
    ) -> None:
        """Route a message that no client sent; whether its sender may is the caller's to ask."""
        self._accept(Publish(topic, payload, qos, retain, properties=properties), None)

    def _publish_event(self, topic: str, payload: bytes) -> None:
        packet = Publish(topic, payload, self._behaviour.lifecycle_event_qos)
        self._show(packet, None, self._event_observers)
        self._accept(packet, None)

    def _accept(self, packet: Publish | Will, client_id: str | None) -> None:
        """Take a message from who may publish it: retain it, show it, route it."""
        message = routed(packet, self._clock()) if packet.properties else Message(packet.topic, packet.payload)
        if packet.retain:
            self._retain(message, packet.qos)
        if self._observers:
            self._show(packet, client_id, self._observers)
        self._route(message, packet, client_id)

    def _retain(self, message: Message, qos: int) -> None:
        self.retained.store(
            RetainedMessage(message.topic, message.payload, qos, self._clock(), message.properties, message.expires_at)
        )

    def _show(self, packet: Publish | Will, client_id: str | None, observers: Iterable[Observer]) -> None:
        seen = MessageSeen(packet.topic, packet.payload, packet.qos, packet.retain, client_id, self._clock())
        for observer in tuple(observers):
            observer(seen)

    def _route(self, message: Message, packet: Publish | Will, sender: str | None) -> None:
        receivers, shares = self._routes.find(message.topic)
        qos = packet.qos
        as_published = message.with_retain() if packet.retain else message
        for client, options in receivers:
            if options & NO_LOCAL and client.client_id == sender:
                continue
            # What waits for a client that is away is looked at when it comes back, under its policy of then.
            if client.link is None or self.deliveries.may_receive(client, message.topic):
                chosen = as_published if options & RETAIN_AS_PUBLISHED else message
                self.deliveries.deliver(client, chosen, min(qos, options & QOS))
        for share in shares:
            for client, options in share.in_turn():
                if client.link is None or self.deliveries.may_receive(client, message.topic):
                    chosen = as_published if options & RETAIN_AS_PUBLISHED else message
                    self.deliveries.deliver(client, chosen, min(qos, options & QOS))
                    break

    # Subscriptions

    def forbidden_subscriptions(self, client: Client, subscriptions: Iterable[Subscription]) -> dict[str, Decision]:
        """Return the decision on each topic filter that the policy denies."""
        decisions = (
            (each.topic_filter, self._decide_subscription(client, each.topic_filter)) for each in subscriptions
        )
        return {topic_filter: decision for topic_filter, decision in decisions if not decision.allowed}

    def _decide_subscription(self, client: Client, topic_filter: str) -> Decision:
        """Ask the policy about the filter as text; a shared one may be allowed by the filter inside it."""
        asked = [topic_filter]
        if is_shared(topic_filter) and self._behaviour.shared_filter_alone_allows:
            asked.append(shared_filter(topic_filter))
        decisions = [client.policy.decide(SUBSCRIBE, client.filter_prefix + each) for each in asked]
        denied = (each for each in decisions if each.effect == EXPLICIT_DENY)
        allowed = (each for each in decisions if each.allowed)
        return next(denied, None) or next(allowed, decisions[0])

    def subscribe(self, client: Client, subscription: Subscription) -> Granted:
        """Subscribe to one filter, or refuse because there are too many."""
        topic_filter = subscription.topic_filter
        is_new = topic_filter not in client.subscriptions
        if is_new and len(client.subscriptions) >= self._behaviour.subscriptions_per_connection:
            return Granted(Reason.QUOTA_EXCEEDED)
        client.subscriptions[topic_filter] = subscription
        self._routes.add(client, subscription)
        if client.is_stored:
            self._sessions.subscribe(client, subscription)
        wants_retained = subscription.retain_handling == 0 or (subscription.retain_handling == 1 and is_new)
        return Granted(subscription.qos, self._retained_for(topic_filter) if wants_retained else None)

    def _retained_for(self, topic_filter: str) -> RetainedMessage | None:
        """Return the retained message of an exact filter; a wildcard or a group gets none at subscribe time."""
        return (
            None
            if has_wildcard(topic_filter) or is_shared(topic_filter)
            else self.retained.find(topic_filter, self._clock())
        )

    def send_retained(self, client: Client, granted: Granted) -> None:
        kept = granted.retained
        if kept is not None and self.deliveries.may_receive(client, kept.topic):
            self.deliveries.deliver(client, kept.message(), min(granted.code, kept.qos))

    def unsubscribe(self, client: Client, topic_filters: Iterable[str]) -> tuple[int, ...]:
        """Unsubscribe; return a reason for each filter, which says whether there was a subscription."""
        codes = []
        for topic_filter in topic_filters:
            existed = client.subscriptions.pop(topic_filter, None) is not None
            codes.append(Reason.SUCCESS if existed else Reason.NO_SUBSCRIPTION_EXISTED)
            self._routes.discard(client, topic_filter)
            if client.is_stored:
                self._sessions.unsubscribe(client, topic_filter)
        return tuple(codes)

    # For the page and the APIs

    def connections(self) -> tuple[ConnectionInfo, ...]:
        """Return what is to be known of every client that is connected, by client id."""
        connected = ((client, client.link) for _, client in sorted(self.clients.items()))
        return tuple(client.info(link) for client, link in connected if link is not None)

    def disconnect(self, client_id: str, *, clean_session: bool = False, prevent_will: bool = False) -> bool:
        """End a client's connection, as iot-data's DeleteConnection does; tell whether there was one.

        *clean_session* forgets its session too, *prevent_will* its will.
        """
        client = self.clients.get(client_id)
        if client is None or client.link is None:
            return False
        if clean_session:
            client.session_expiry_s = 0
        if prevent_will:
            client.will = None
        client.link.end(DisconnectReason.API_INITIATED_DISCONNECT, "DeleteConnection was called for this client")
        return True

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call *observer* with every message that is accepted, until the returned function is called."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def observe_events(self, observer: Observer) -> None:
        """Call *observer* with every lifecycle event; unlike `observe`, this costs other messages nothing."""
        self._event_observers.append(observer)

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
        for client in list(self.clients.values()):
            if client.expires_at <= now:
                self._remove(client)
            else:
                self._publish_will_if_due(client, now)

    async def settle(self) -> None:
        """Wait until every authorizer that is being asked has answered."""
        await asyncio.gather(*(link.settle() for link in list(self._links)))

    def _beat(self) -> None:
        self.start()
        self.tick()
