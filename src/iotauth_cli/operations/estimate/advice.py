"""What to set, and why: the timers, the jitter, the concurrency. Each suggestion follows from a rule that it states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from iotauth_authorizer.event import MAX_TIMER_S
from iotauth_cli.operations.estimate.cost import choices
from iotauth_cli.operations.estimate.load import Fleet, Function, load_of
from iotauth_cli.operations.estimate.prices import Price
from iotauth_cli.operations.estimate.storm import (
    CALLS_PER_CONCURRENCY,
    LONGEST_JITTER_S,
    Limits,
    storm,
    suggested_jitter,
)

CANDIDATES_S = (300, 900, 3600, 6 * 3600, MAX_TIMER_S)
PART = 10  # the authorizer may cost a tenth of what AWS IoT costs anyway
UNRESERVED = 100  # units that Lambda keeps for functions without a reservation
LEAST_RESERVED = 10
EXACT_S = 600  # a time below this is told in seconds
PATIENCE_S = 600  # after which a fleet that is not back needs a higher quota


@dataclass(frozen=True)
class Suggestion:
    """*value* for *topic*, which is a setting's name, and the reason in a sentence.

    *option* sets it with `iotauth authorizer create` and `update`, where they do and it is not so already.
    """

    topic: str
    value: int
    unit: str
    reason: str
    option: str | None = None


def suggestions(
    fleet: Fleet, function: Function, limits: Limits, prices: Mapping[str, Price]
) -> tuple[Suggestion, ...]:
    """Return what *fleet* should set, the most useful first."""
    if fleet.protocol == "http":
        return () if fleet.is_cached else (caching(),)
    jitter_s = suggested_jitter(fleet.devices, limits, float(function.cold_s))
    found = [refresh(fleet, function, prices), disconnect(fleet), *jitter(fleet, jitter_s)]
    found += reservation(fleet, function, limits, jitter_s)
    if jitter_s > PATIENCE_S:
        found.append(connects(fleet, jitter_s))
    return tuple(found)


def refresh(fleet: Fleet, function: Function, prices: Mapping[str, Price]) -> Suggestion:
    """Suggest the shortest timer whose calls cost no more than a tenth of what AWS IoT costs anyway."""
    costs = {each.refresh_s: each for each in choices(fleet, function, prices, CANDIDATES_S)}
    fitting = [
        each for each in CANDIDATES_S
        if costs[each].authorizer_micro_usd * PART <= costs[each].micro_usd - costs[each].authorizer_micro_usd
    ]  # fmt: skip
    if not fitting:
        why = "the authorizer costs more than a tenth of AWS IoT at any timer"
        return Suggestion("refresh", MAX_TIMER_S, "s", why, timer("--refresh-after", MAX_TIMER_S, fleet.refresh_s))
    value = fitting[0]
    why = "the shortest that costs at most a tenth of what AWS IoT costs anyway"
    # `iotauth client disable` ends the session itself; this is for what happens to a row by other hands.
    late = f"a row that is changed by other hands than iotauth's is obeyed within {in_words(value)}"
    return Suggestion("refresh", value, "s", f"{why}; {late}", timer("--refresh-after", value, fleet.refresh_s))


def timer(option: str, value: int, asked: int) -> str | None:
    """Return the option that makes a timer *value* seconds, or None where that is what was *asked* about."""
    return None if value == asked else f"{option} {value // 3600}h" if value % 3600 == 0 else f"{option} {value // 60}m"


def disconnect(fleet: Fleet) -> Suggestion:
    why = "the longest that AWS takes: a shorter one adds connects, and shuts nobody out sooner than the refresh does"
    option = timer("--disconnect-after", MAX_TIMER_S, fleet.disconnect_s)
    return Suggestion("disconnect", MAX_TIMER_S, "s", why, option)


def jitter(fleet: Fleet, jitter_s: int) -> list[Suggestion]:
    if not 0 < jitter_s <= LONGEST_JITTER_S:
        return []
    rate = fleet.devices / jitter_s
    why = (
        f"a random wait before the first attempt after an outage: {rate:,.0f} connects a second, at most four "
        "fifths of what is let in; the same wave returns with each refresh and disconnect timer"
    )
    return [Suggestion("jitter", jitter_s, "s", why)]


def reservation(fleet: Fleet, function: Function, limits: Limits, jitter_s: int) -> list[Suggestion]:
    """Suggest twice the concurrency that the wave needs with the suggested jitter, on top of a usual second."""
    wave = storm(fleet.devices, limits, float(function.cold_s), jitter_s=jitter_s)
    usual = float(load_of(fleet, function).calls_per_s)
    at_a_time = wave.peak_concurrency + usual * function.warm_ms / 1000
    by_rate = (wave.peak_calls + usual) / CALLS_PER_CONCURRENCY
    needed = math.ceil(max(at_a_time, by_rate))
    value = max(math.ceil(2 * needed / 10) * 10, LEAST_RESERVED)
    if value > limits.concurrency - UNRESERVED:
        return []
    why = (
        f"twice the {needed:,} that such a return needs: other functions cannot take them away, and strangers who "
        "call the authorizer cannot use more; too little would lock devices out"
    )
    return [Suggestion("reserved concurrency", value, "", why, f"--reserved-concurrency {value}")]


def connects(fleet: Fleet, jitter_s: int) -> Suggestion:
    value = math.ceil(fleet.devices / PATIENCE_S / 100) * 100
    why = f"ask AWS to raise L-AEA1E176, else a return takes {in_words(jitter_s)}"
    return Suggestion("connects per second", value, "/s", why)


def caching() -> Suggestion:
    why = "over HTTPS each message is a call of the function, unless its answer is cached and the connection kept"
    return Suggestion("http caching", 1, "on", why, "--caching")


def in_words(seconds: int) -> str:
    """Return a time in the largest unit that it is whole in, and one that is none in what is near enough."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    if seconds < EXACT_S:
        return f"{seconds} s"
    return f"{round(seconds / 60)} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
