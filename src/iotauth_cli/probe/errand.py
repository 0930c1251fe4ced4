"""What to publish and subscribe to, when nobody said: something that the client is granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from iotauth_cli.errors import InputError
from iotauth_cli.probe.stages import Errand

LEVEL = "test"  # stands where a filter leaves a level open


def choose(wanted: Errand, publish: Sequence[str], subscribe: Sequence[str]) -> Errand:
    """Return *wanted*, with what it leaves open filled in from the granted topic filters.

    A subscription that brings the published message back is preferred: only then is the whole
    way seen. A topic is made of a filter by putting a name for each wildcard.
    """
    topics = [wanted.publish] if wanted.publish else [concrete(topic) for topic in publish]
    filters = [wanted.subscribe] if wanted.subscribe else list(subscribe)
    if not topics or not filters:
        return replace(wanted, publish=next(iter(topics), None), subscribe=next(iter(filters), None))
    from iotauth_cli.probe.walk import topic_matches  # TLS and MQTT, which whoever only makes a topic can do without

    pairs = list(product(topics, filters))
    topic, topic_filter = next((pair for pair in pairs if topic_matches(pair[1], pair[0])), pairs[0])
    return replace(wanted, publish=topic, subscribe=topic_filter)


def concrete(topic_filter: str) -> str:
    """Return a topic that *topic_filter* covers: ``a/+/b`` gives ``a/test/b``."""
    return "/".join(LEVEL if level in ("+", "#") else level for level in topic_filter.split("/"))


def check(errand: Errand) -> None:
    """Refuse what MQTT itself cannot carry. What AWS IoT would refuse may be tried.

    Raises:
        InputError: a topic with a wildcard, or a filter with one in the wrong place.
    """
    if errand.publish is not None and ("+" in errand.publish or "#" in errand.publish):
        raise InputError(
            f"nothing can be published to `{errand.publish}`, which has a wildcard",
            hint=f"name one topic, such as `{concrete(errand.publish)}`",
        )
    if errand.will is not None and ("+" in errand.will or "#" in errand.will or not errand.will):
        raise InputError(f"no will can be left on `{errand.will}`", hint="name one topic, without wildcards")
    if errand.subscribe is not None and not is_filter(errand.subscribe):
        raise InputError(
            f"`{errand.subscribe}` is no topic filter: `#` must be the whole last level, `+` a whole level",
            hint="write `sensors/+/state` or `sensors/#`",
        )


def is_filter(text: str) -> bool:
    *levels, last = text.split("/")
    return all(level == "+" or not {"+", "#"} & set(level) for level in levels if level) and (
        last in ("+", "#") or not {"+", "#"} & set(last)
    )
