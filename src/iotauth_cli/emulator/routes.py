"""Which clients a message goes to: everyone who subscribed, and one of each group that shares.

A shared subscription is `$share/<group>/<filter>`. Its members take turns; while any of them is
connected, those that are not are passed over. Source: AWS IoT developer guide, "MQTT" (shared
subscriptions, on 3.1.1 and 5); the order of the turns is our choice.
"""

from __future__ import annotations

from typing import NamedTuple

from iotauth_cli.emulator.client import Client
from iotauth_cli.emulator.mqtt.packets import Subscription
from iotauth_cli.emulator.mqtt.topics import (
    NO_LOCAL,
    RETAIN_AS_PUBLISHED,
    Subscriptions,
    is_basic_ingest,
    is_shared,
    shared_filter,
)

KNOWN_ROUTES = 4096  # topics whose receivers are remembered


class Share:
    """One shared subscription. *members* have the options they subscribed with."""

    __slots__ = ("_turn", "members")

    def __init__(self) -> None:
        self.members: dict[Client, int] = {}
        self._turn = 0

    def in_turn(self) -> list[tuple[Client, int]]:
        """Return who is to get the next message, and after it who could instead."""
        members = list(self.members.items())
        able = [member for member in members if member[0].link is not None] or members
        first = self._turn % len(able)
        self._turn = first + 1
        return able[first:] + able[:first]


class Route(NamedTuple):
    receivers: tuple[tuple[Client, int], ...]  # with the options of their subscriptions
    shares: tuple[Share, ...]


class Routes:
    """The subscriptions of all clients, looked up by topic. Filters are valid."""

    def __init__(self) -> None:
        self._plain: Subscriptions[Client] = Subscriptions()
        self._shared: Subscriptions[Share] = Subscriptions()
        self._shares: dict[str, Share] = {}  # by the whole filter, group included
        self._known: dict[str, Route] = {}

    def add(self, client: Client, subscription: Subscription) -> None:
        """Subscribe *client*, or change the options of a subscription that exists."""
        topic_filter = subscription.topic_filter
        if not is_shared(topic_filter):
            self._plain.add(topic_filter, client, _options(subscription))
            self._known.clear()
            return
        share = self._shares.setdefault(topic_filter, Share())
        if not share.members:
            self._shared.add(shared_filter(topic_filter), share, 0)
            self._known.clear()
        share.members[client] = _options(subscription)

    def discard(self, client: Client, topic_filter: str) -> None:
        """Unsubscribe; a subscription that does not exist is none."""
        if not is_shared(topic_filter):
            self._plain.discard(topic_filter, client)
            self._known.clear()
            return
        share = self._shares.get(topic_filter)
        if share is None or share.members.pop(client, None) is None or share.members:
            return
        del self._shares[topic_filter]
        self._shared.discard(shared_filter(topic_filter), share)
        self._known.clear()

    def find(self, topic: str) -> Route:
        return self._known.get(topic) or self._look_up(topic)

    def _look_up(self, topic: str) -> Route:
        # Basic Ingest goes past the message broker to a rule, and the emulator has no rules.
        if is_basic_ingest(topic):
            return Route((), ())
        if len(self._known) >= KNOWN_ROUTES:
            self._known.clear()
        found = Route(tuple(self._plain.match(topic).items()), tuple(self._shared.match(topic)))
        self._known[topic] = found
        return found


def _options(subscription: Subscription) -> int:
    """Return a subscription's options as SUBSCRIBE has them, in one number."""
    flags = NO_LOCAL * subscription.no_local | RETAIN_AS_PUBLISHED * subscription.retain_as_published
    return subscription.qos | flags
