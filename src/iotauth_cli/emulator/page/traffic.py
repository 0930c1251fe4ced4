"""Messages as they pass, for the page; and its own, which it publishes as the account's owner.

The page is an operator, as the MQTT test client of AWS's console is: no authorizer is asked, and no policy
holds. Messages are noted only while a page is open, because noting each costs time that devices would miss.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from typing import Any

from iotauth_cli.emulator.admin import Members, flag, number, text
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.model import MessageSeen
from iotauth_cli.emulator.mqtt.topics import InvalidTopic, Subscriptions, check_filter, check_topic, is_shared
from iotauth_cli.errors import InputError

MAX_WAITING = 100  # messages; half of what the page shows, so that it also shows that others gave way
SHOWN_BYTES = 4096  # of a payload


class Watch:
    """What one page sees from now until `close`: messages wait here until they are taken.

    The oldest give way to those that do not fit, and are counted. *on_news* is called when the first waits.
    """

    def __init__(self, broker: Broker, max_filters: int, on_news: Callable[[], None]) -> None:
        self._max_filters = max_filters
        self._on_news = on_news
        self._filters: set[str] = set()
        self._subscriptions: Subscriptions[None] = Subscriptions()
        self._waiting: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._unobserve = broker.observe(self._note)

    def subscribe(self, topic_filter: str) -> None:
        """See what a filter takes; one that is there already is not added again.

        Raises:
            InputError: AWS IoT would not take the filter, or it is one too many.
        """
        _check_filter(topic_filter)
        if topic_filter not in self._filters and len(self._filters) >= self._max_filters:
            raise InputError(f"{self._max_filters} topic filters are the most that AWS IoT lets one client have")
        self._filters.add(topic_filter)
        self._subscriptions.add(topic_filter, None, 0)

    def unsubscribe(self, topic_filter: str) -> None:
        """See it no more; a filter that is not there is none."""
        self._filters.discard(topic_filter)
        self._subscriptions.discard(topic_filter, None)

    def take(self) -> Members | None:
        """Return the messages that wait, and how many older ones were ``dropped``; None if there are none."""
        if not self._waiting:
            return None
        taken = {"messages": list(self._waiting), "dropped": self._dropped}
        self._waiting.clear()
        self._dropped = 0
        return taken

    def close(self) -> None:
        self._unobserve()

    def _note(self, message: MessageSeen) -> None:
        if not self._subscriptions.match(message.topic):
            return
        if not self._waiting:
            self._on_news()
        elif len(self._waiting) == MAX_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(_document(message))


def publish(broker: Broker, behaviour: Behaviour, members: Members) -> Members:
    """Publish ``payload``, a text, on ``topic``, with ``qos`` and ``retain``.

    Raises:
        InputError: AWS IoT would not take the message.
    """
    topic, payload, qos = text(members, "topic"), text(members, "payload").encode(), number(members, "qos")
    if qos not in (0, 1):
        raise InputError("AWS IoT knows QoS 0 and 1 only")
    if len(payload) > behaviour.max_payload_bytes:
        raise InputError(f"a payload of {len(payload)} bytes; the limit is {behaviour.max_payload_bytes}")
    try:
        check_topic(topic)
    except InvalidTopic as error:
        raise InputError(str(error)) from error
    broker.publish_from_api(topic, payload, int(qos), retain=flag(members, "retain"))
    return {"topic": topic, "bytes": len(payload)}


def _check_filter(topic_filter: str) -> None:
    try:
        check_filter(topic_filter)
    except InvalidTopic as error:
        raise InputError(str(error)) from error
    if is_shared(topic_filter):
        raise InputError(f"topic filter `{topic_filter}`: the page looks on, and takes no turns with those who share")


def _document(message: MessageSeen) -> dict[str, Any]:
    return {
        "at": message.at,
        "topic": message.topic,
        "qos": message.qos,
        "retain": message.retain,
        "client_id": message.client_id,
        "size": len(message.payload),
        **_payload(message.payload),
    }


def _payload(payload: bytes) -> dict[str, str]:
    """Return a payload as ``text`` if it is one, else as ``base64``; of a long one the beginning."""
    try:
        return {"text": payload.decode()[:SHOWN_BYTES]}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(payload[:SHOWN_BYTES]).decode()}
