"""Topics, filters and who gets what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.mqtt.topics import (
    InvalidTopic,
    Subscriptions,
    check_filter,
    check_topic,
    has_wildcard,
)


def subscribed(*filters: str) -> Subscriptions[str]:
    """Everyone subscribes to the filter that is their name."""
    subscriptions: Subscriptions[str] = Subscriptions()
    for topic_filter in filters:
        subscriptions.add(topic_filter, topic_filter, 0)
    return subscriptions


@pytest.mark.parametrize(
    ("topic_filter", "topic", "is_taken"),
    [
        ("sensor/#", "sensor/a", True),
        ("sensor/#", "sensor/a/b", True),
        ("sensor/#", "sensor/", True),
        ("sensor/+", "sensor/a", True),
        ("sensor/+", "sensor/", True),
        ("sensor/+", "sensor", False),
        ("sensor/+", "sensor/a/b", False),
        ("+/a", "/a", True),
        ("+", "a", True),
        ("#", "a/b", True),
        ("a/+/c/#", "a/b/c/d", True),
        ("a/+/c/#", "a/b/c", False),
        ("a", "A", False),
        ("#", "$aws/things/a", False),
        ("+/things/a", "$aws/things/a", False),
        ("$aws/#", "$aws/things/a", True),
        ("$aws/+/a", "$aws/things/a", True),
        ("a/$b/+", "a/$b/c", True),
        ("a/+", "a/$b", True),
    ],
)
def test_a_filter_takes_its_topics(topic_filter: str, topic: str, is_taken: bool) -> None:
    """MQTT's matching, case and empty levels included; `$` is hidden from leading wildcards."""
    assert bool(subscribed(topic_filter).match(topic)) is is_taken


def test_row_097_a_trailing_wildcard_does_not_take_its_own_level() -> None:
    """`sensor/#` does not get a message on `sensor`, against MQTT's specification."""
    assert subscribed("sensor/#").match("sensor") == {}


def test_overlapping_filters_give_one_delivery_at_the_highest_qos() -> None:
    """A client that subscribed three ways gets a message once."""
    subscriptions: Subscriptions[str] = Subscriptions()
    for topic_filter, qos in (("a/b", 0), ("a/+", 1), ("#", 0)):
        subscriptions.add(topic_filter, "one", qos)
    subscriptions.add("a/b", "two", 0)
    assert subscriptions.match("a/b") == {"one": 1, "two": 0}


def test_subscribing_again_replaces_the_qos() -> None:
    """The later SUBSCRIBE counts, also downwards."""
    subscriptions: Subscriptions[str] = Subscriptions()
    subscriptions.add("a/#", "one", 1)
    subscriptions.add("a/#", "one", 0)
    assert subscriptions.match("a/b") == {"one": 0}


levels = st.sampled_from(["a", "b", "", "$x"])
topics = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)


@st.composite
def filters(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.one_of(levels, st.just("+")), max_size=4))
    if draw(st.booleans()) or not parts:
        parts = [*parts, "#"]
    return "/".join(parts) or "+"


def takes(topic_filter: str, topic: str) -> bool:
    """The rules once more, as slowly and plainly as they are written down."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        if len(given) <= len(wanted):
            return False
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(w in ("+", g) for w, g in zip(wanted, given, strict=True))


@given(st.lists(filters(), max_size=6, unique=True), st.sets(st.integers(0, 5)), topics)
def test_the_tree_agrees_with_the_rules_read_one_filter_at_a_time(
    names: list[str], removed: set[int], topic: str
) -> None:
    """After any subscriptions and unsubscriptions exactly the filters that take the topic answer."""
    subscriptions = subscribed(*names)
    for index, name in enumerate(names):
        if index in removed:
            subscriptions.discard(name, name)
    left = [name for index, name in enumerate(names) if index not in removed]
    assert set(subscriptions.match(topic)) == {name for name in left if takes(name, topic)}


def test_unsubscribing_leaves_nothing_behind() -> None:
    """The tree is as empty as before; an unknown filter is none."""
    subscriptions = subscribed("a/b/#", "a/+")
    for topic_filter in ("a/b/#", "a/+", "x/y", "a"):
        subscriptions.discard(topic_filter, topic_filter)
    assert subscriptions._root.is_empty


LONG = "x" * 256
DEEP = "/".join("12345678")


@pytest.mark.parametrize("topic", ["a", "/", "a b", LONG, DEEP, f"$aws/rules/{LONG}/{LONG}", f"$aws/rules/r/{DEEP}"])
def test_a_topic_within_the_limits_is_taken(topic: str) -> None:
    """256 bytes and 7 slashes; Basic Ingest's first three levels are not counted."""
    check_topic(topic)


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("", "an empty topic"),
        ("a/+", "has a wildcard"),
        ("a/#", "has a wildcard"),
        (LONG + "x", "257 bytes; the limit is 256"),
        ("ü" * 129, "258 bytes; the limit is 256"),
        (DEEP + "/9", "8 slashes; the limit is 7"),
        ("$aws/rules/r/", "an empty topic"),
        (f"$aws/rules/r/{DEEP}/9", "8 slashes"),
        ("$SYS/a", "reserved"),
        ("$aws/events/presence/connected/a", "reserved"),
    ],
)
def test_another_topic_is_refused_with_its_reason(topic: str, reason: str) -> None:
    """Every refusal is a sentence, and the same one when asked again."""
    for _ in range(2):
        with pytest.raises(InvalidTopic, match=reason):
            check_topic(topic)


@pytest.mark.parametrize(
    "topic_filter", ["a", "#", "+", "a/#", "+/+/#", "/#", LONG, "$aws/events/#", "a/+/b", f"$share/g/{LONG}"]
)
def test_a_valid_filter_is_taken(topic_filter: str) -> None:
    """Wildcards alone in their level, `#` at the end."""
    check_filter(topic_filter)


@pytest.mark.parametrize(
    ("topic_filter", "reason"),
    [
        ("", "an empty topic filter"),
        ("a/#/b", "`#` must be the last level"),
        ("a#", "`#` must be the last level"),
        ("#/#", "`#` must be the last level"),
        ("a/b+", r"`\+` must be alone"),
        ("$share/group", "an empty topic filter"),
        ("$share/group/", "an empty topic filter"),
        ("$share//a", "needs a name"),
        ("$share/+/a", "needs a name"),
        ("$share/" + "g" * 129 + "/a", "129 characters; the limit is 128"),
        (f"$share/group/{DEEP}/#", "8 slashes"),
        (LONG + "x", "257 bytes"),
        (DEEP + "/#", "8 slashes"),
    ],
)
def test_another_filter_is_refused_with_its_reason(topic_filter: str, reason: str) -> None:
    """The same limits as for topics, and the places of the wildcards."""
    with pytest.raises(InvalidTopic, match=reason):
        check_filter(topic_filter)


@pytest.mark.parametrize(("topic_filter", "wild"), [("a/b", False), ("a/#", True), ("#", True), ("+/b", True)])
def test_a_filter_with_a_wildcard_is_known(topic_filter: str, wild: bool) -> None:
    """Retained messages come at once for exact filters only, so the difference matters."""
    assert has_wildcard(topic_filter) is wild
