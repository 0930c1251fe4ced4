"""A topic and a filter to try, out of what a client is granted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.grants import Grants
from iotauth_cli.probe.errand import choose, concrete
from iotauth_cli.probe.stages import Errand
from iotauth_cli.probe.walk import topic_matches

GRANTED = Grants.for_topic("sensors/thermo-1")

CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...], Errand, Errand]] = {
    "as-granted-by-topic": (
        GRANTED.publish,
        GRANTED.subscribe,
        Errand(),
        Errand("sensors/thermo-1", "sensors/thermo-1"),
    ),
    "wildcards": (("a/+/b",), ("a/#",), Errand(), Errand("a/test/b", "a/#")),
    "the-filter-that-brings-it-back": (("a/1",), ("x", "a/+"), Errand(), Errand("a/1", "a/+")),
    "the-topic-that-comes-back": (("a/1", "b/1"), ("b/+",), Errand(), Errand("b/1", "b/+")),
    "two-that-never-meet": (("a",), ("b",), Errand(), Errand("a", "b")),
    "publish-only": (("a/#",), (), Errand(), Errand("a/test", None)),
    "subscribe-only": ((), ("a/#",), Errand(), Errand(None, "a/#")),
    "nothing": ((), (), Errand(), Errand()),
    "typed-topic": (("a",), ("b", "x/#"), Errand(publish="x/y"), Errand("x/y", "x/#")),
    "typed-filter": (("a", "b"), ("a",), Errand(subscribe="b"), Errand("b", "b")),
    "typed-both": (("a",), ("a",), Errand("x", "y"), Errand("x", "y")),
}


@pytest.mark.parametrize(("publish", "subscribe", "wanted", "expected"), CASES.values(), ids=CASES)
def test_a_pair_is_chosen_that_brings_the_message_back(
    publish: tuple[str, ...], subscribe: tuple[str, ...], wanted: Errand, expected: Errand
) -> None:
    """What was typed stays; the rest is chosen so that the published message returns, if it can."""
    assert choose(wanted, publish, subscribe) == expected


LEVELS = st.lists(st.sampled_from(["a", "b", "+", ""]), min_size=1, max_size=6)


@given(LEVELS, st.booleans())
def test_a_topic_made_of_a_filter_is_covered_by_it(levels: list[str], has_hash: bool) -> None:
    """Whatever the filter, the topic has no wildcard and matches."""
    topic_filter = "/".join([*levels, "#"] if has_hash else levels)
    topic = concrete(topic_filter)
    assert not {"+", "#"} & set(topic)
    assert not topic or topic_matches(topic_filter, topic)
