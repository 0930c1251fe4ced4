"""Topics and topic filters: which are valid on AWS IoT, and which filter takes which topic.

AWS IoT differs from MQTT in one point of matching: ``sensor/#`` does not take ``sensor``.
Sources: AWS IoT developer guide, "MQTT topics" and "AWS IoT Core Basic Ingest"; its quotas for
length and levels; MQTT 3.1.1, 4.7 for everything else.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from iotauth_authorizer.grants import MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES

SEPARATOR = "/"
ONE_LEVEL = "+"
ALL_LEVELS = "#"
BASIC_INGEST = "$aws/rules/"
SHARED = "$share/"
MAX_GROUP_CHARACTERS = 128
# A client may not invent topics under `$`, and these are the service's own to publish on.
CLIENT_PREFIX = "$aws/"
SERVICE_PREFIX = "$aws/events/"


# The options of a subscription, as MQTT 5's SUBSCRIBE has them in one byte (3.8.3.1).
QOS, NO_LOCAL, RETAIN_AS_PUBLISHED = 0x03, 0x04, 0x08


class InvalidTopic(ValueError):
    """A topic or a filter that AWS IoT does not take; the message is a sentence about it."""


@functools.lru_cache(maxsize=4096)  # asked for every PUBLISH, mostly about the same few
def check_topic(topic: str) -> None:
    """Check the name of a topic to publish on.

    Raises:
        InvalidTopic: it is empty, has a wildcard, is too long, too deep or the service's own.
    """
    if ONE_LEVEL in topic or ALL_LEVELS in topic:
        raise InvalidTopic(f"topic `{topic}` has a wildcard; one publishes on a single topic")
    _check_size(topic, "topic")
    if topic.startswith("$") and (not topic.startswith(CLIENT_PREFIX) or topic.startswith(SERVICE_PREFIX)):
        raise InvalidTopic(f"topic `{topic}` is reserved for AWS IoT")


def check_filter(topic_filter: str) -> None:
    """Check a topic filter to subscribe to.

    Raises:
        InvalidTopic: it is empty, too long or too deep, a wildcard shares its level, or its group has no name.
    """
    if is_shared(topic_filter):
        _check_group(topic_filter)
        topic_filter = shared_filter(topic_filter)
    _check_size(topic_filter, "topic filter")
    levels = topic_filter.split(SEPARATOR)
    if ALL_LEVELS in topic_filter and (levels[-1] != ALL_LEVELS or topic_filter.count(ALL_LEVELS) > 1):
        raise InvalidTopic(f"topic filter `{topic_filter}`: `#` must be the last level, alone")
    if any(ONE_LEVEL in level and level != ONE_LEVEL for level in levels):
        raise InvalidTopic(f"topic filter `{topic_filter}`: `+` must be alone in its level")


def _check_group(topic_filter: str) -> None:
    group = topic_filter.removeprefix(SHARED).partition(SEPARATOR)[0]
    if not group or ONE_LEVEL in group or ALL_LEVELS in group:
        raise InvalidTopic(f"topic filter `{topic_filter}`: a group that shares needs a name without wildcards")
    if len(group) > MAX_GROUP_CHARACTERS:
        raise InvalidTopic(f"the name of a group has {len(group)} characters; the limit is {MAX_GROUP_CHARACTERS}")


def is_shared(topic_filter: str) -> bool:
    """Tell whether the subscribers of a filter take turns."""
    return topic_filter.startswith(SHARED)


def shared_filter(topic_filter: str) -> str:
    """Return the filter inside a shared one; the two levels before it are free of AWS IoT's limits."""
    return topic_filter.removeprefix(SHARED).partition(SEPARATOR)[2]


def has_wildcard(topic_filter: str) -> bool:
    """Tell whether a valid filter can take more than one topic."""
    return ONE_LEVEL in topic_filter or topic_filter.endswith(ALL_LEVELS)


def is_basic_ingest(topic: str) -> bool:
    """Tell whether a message goes to a rule alone, past the message broker."""
    return topic.startswith(BASIC_INGEST)


def _check_size(text: str, what: str) -> None:
    counted = _counted(text)
    if not counted:
        raise InvalidTopic(f"an empty {what}")
    size, slashes = len(counted.encode()), counted.count(SEPARATOR)
    if size > MAX_TOPIC_BYTES:
        raise InvalidTopic(f"a {what} of {size} bytes; the limit is {MAX_TOPIC_BYTES}")
    if slashes > MAX_TOPIC_SLASHES:
        raise InvalidTopic(f"{what} `{text}` has {slashes} slashes; the limit is {MAX_TOPIC_SLASHES}")


def _counted(text: str) -> str:
    """The part that the limits count: Basic Ingest's first three levels are free."""
    if is_basic_ingest(text):
        return text.removeprefix(BASIC_INGEST).partition(SEPARATOR)[2]
    return text


Subscriber = TypeVar("Subscriber", bound=Hashable)


class _Node(Generic[Subscriber]):
    """One level of the filters: who ends here, who takes all below, and the levels below."""

    __slots__ = ("below", "children", "here")

    def __init__(self) -> None:
        self.here: dict[Subscriber, int] = {}
        self.below: dict[Subscriber, int] = {}
        self.children: dict[str, _Node[Subscriber]] = {}

    @property
    def is_empty(self) -> bool:
        return not (self.here or self.below or self.children)


class Subscriptions(Generic[Subscriber]):
    """Who subscribes to what, with which options; a tree of levels, so that matching ignores the rest."""

    def __init__(self) -> None:
        self._root: _Node[Subscriber] = _Node()

    def add(self, topic_filter: str, subscriber: Subscriber, options: int) -> None:
        """Subscribe, or change the options of a subscription that exists. The filter is valid."""
        *levels, last = topic_filter.split(SEPARATOR)
        node = self._root
        for level in levels:
            node = node.children.setdefault(level, _Node())
        if last == ALL_LEVELS:
            node.below[subscriber] = options
        else:
            node.children.setdefault(last, _Node()).here[subscriber] = options

    def discard(self, topic_filter: str, subscriber: Subscriber) -> None:
        """Unsubscribe; a subscription that does not exist is none."""
        self._discard(self._root, topic_filter.split(SEPARATOR), subscriber)

    def _discard(self, node: _Node[Subscriber], levels: list[str], subscriber: Subscriber) -> None:
        if not levels:
            node.here.pop(subscriber, None)
        elif levels == [ALL_LEVELS]:
            node.below.pop(subscriber, None)
        elif (child := node.children.get(levels[0])) is not None:
            self._discard(child, levels[1:], subscriber)
            if child.is_empty:
                del node.children[levels[0]]

    def match(self, topic: str) -> dict[Subscriber, int]:
        """Return who gets a message on *topic*, each once, with the options of its filters together."""
        found: dict[Subscriber, int] = {}
        nodes = [self._root]
        for depth, level in enumerate(topic.split(SEPARATOR)):
            # MQTT 3.1.1, 4.7.2: a filter that begins with a wildcard takes no topic that begins with `$`.
            is_open_to_wildcards = depth > 0 or not level.startswith("$")
            if is_open_to_wildcards:
                # `#` is looked at before its level is entered: so it needs one level more, as on AWS IoT.
                _merge(found, (node.below for node in nodes))
            names = (level, ONE_LEVEL) if is_open_to_wildcards else (level,)
            nodes = [node.children[name] for node in nodes for name in names if name in node.children]
        _merge(found, (node.here for node in nodes))
        return found


def _merge(found: dict[Subscriber, int], more: Iterable[dict[Subscriber, int]]) -> None:
    for subscribers in more:
        for subscriber, options in subscribers.items():
            known = found.get(subscriber)
            found[subscriber] = options if known is None else _together(options, known)


def _together(one: int, other: int) -> int:
    """One delivery for two subscriptions: the higher QoS, one's own messages if either wants them."""
    return max(one & QOS, other & QOS) | one & other & NO_LOCAL | (one | other) & RETAIN_AS_PUBLISHED
