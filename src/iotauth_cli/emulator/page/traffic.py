"""Messages as they pass, for the page; and its own, which it publishes as the account's owner.

The page is an operator, as the MQTT test client of AWS's console is: no authorizer is asked, and no policy
holds. Messages are kept only while somebody looks, because noting each costs time that devices would miss.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from iotauth_cli.emulator.admin import Handler, Members, flag, number, text
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.model import MessageSeen
from iotauth_cli.emulator.mqtt.topics import InvalidTopic, Subscriptions, check_filter, check_topic
from iotauth_cli.errors import InputError

KEPT = 500  # messages
WATCHED_S = 15.0  # after the last look; the page looks every second
SHOWN_BYTES = 4096  # of a payload


class Traffic:
    """The messages since somebody looks, numbered from 1."""

    def __init__(self, broker: Broker, behaviour: Behaviour) -> None:
        self._broker = broker
        self._behaviour = behaviour
        self._seen: deque[tuple[int, MessageSeen]] = deque(maxlen=KEPT)
        self._last_number = 0
        self._unobserve: Callable[[], None] | None = None
        self._end: asyncio.TimerHandle | None = None
        self.nouns: Mapping[str, Handler] = {"page/messages": self.show}
        self.verbs: Mapping[str, Handler] = {"page/publish": self.publish}

    async def show(self, members: Members) -> Members:
        """Return the messages after number ``after`` that one of ``filters`` takes, which are one to a line.

        Raises:
            InputError: ``after`` is no number, or a filter is not valid.
        """
        after = _after(members)
        filters = [each for each in members.get("filters", "").split("\n") if each]
        subscriptions = _subscriptions(filters)
        self._watch()
        messages = [
            _document(each, message)
            for each, message in self._seen
            if each > after and subscriptions.match(message.topic)
        ]
        return {"messages": messages, "last": self._last_number}

    async def publish(self, members: Members) -> Members:
        """Publish ``payload``, a text, on ``topic``, with ``qos`` and ``retain``.

        Raises:
            InputError: AWS IoT would not take the message.
        """
        topic, payload, qos = text(members, "topic"), text(members, "payload").encode(), number(members, "qos")
        if qos not in (0, 1):
            raise InputError("AWS IoT knows QoS 0 and 1 only")
        if len(payload) > self._behaviour.max_payload_bytes:
            raise InputError(f"a payload of {len(payload)} bytes; the limit is {self._behaviour.max_payload_bytes}")
        try:
            check_topic(topic)
        except InvalidTopic as error:
            raise InputError(str(error)) from error
        self._broker.publish_from_api(topic, payload, int(qos), retain=flag(members, "retain"))
        return {"topic": topic, "bytes": len(payload)}

    def _watch(self) -> None:
        """Note messages from now on, until nobody has looked for a while."""
        if self._unobserve is None:
            self._unobserve = self._broker.observe(self._note)
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(WATCHED_S, self._rest)

    def _rest(self) -> None:
        if self._unobserve is not None:
            self._unobserve()
        self._unobserve = self._end = None
        self._seen.clear()

    def _note(self, message: MessageSeen) -> None:
        self._last_number += 1
        self._seen.append((self._last_number, message))


def _after(members: Members) -> int:
    try:
        return int(members.get("after", 0))
    except ValueError as error:
        raise InputError("`after` must be the number of a message") from error


def _subscriptions(filters: list[str]) -> Subscriptions[str]:
    subscriptions: Subscriptions[str] = Subscriptions()
    for topic_filter in filters:
        try:
            check_filter(topic_filter)
        except InvalidTopic as error:
            raise InputError(str(error)) from error
        subscriptions.add(topic_filter, topic_filter, 0)
    return subscriptions


def _document(number: int, message: MessageSeen) -> dict[str, Any]:
    return {
        "number": number,
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
