"""Cost and scale on paper: what a fleet costs a month, and what happens when all of it comes back at once.

Nothing here calls AWS, reads a clock or imports more than the standard library. `docs/guides/estimate.md`
has the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iotauth_cli.operations.estimate import load as loads
from iotauth_cli.operations.estimate import storm as storms
from iotauth_cli.operations.estimate.advice import Suggestion, in_words, suggestions
from iotauth_cli.operations.estimate.cost import Bill, Choice, Line, bill_of, calls_cost, choices
from iotauth_cli.operations.estimate.load import Fleet, Function, Load
from iotauth_cli.operations.estimate.price_file import read_prices
from iotauth_cli.operations.estimate.prices import HOME, Price, Source, prices_for, with_own
from iotauth_cli.operations.estimate.quotas import Headroom, headrooms
from iotauth_cli.operations.estimate.storm import Limits, Storm, storm, suggested_jitter

__all__ = [
    "HOME", "Bill", "Choice", "Estimate", "Fleet", "Function", "Headroom", "Limits", "Line", "Load", "Price",
    "Question",
    "Source", "Storm", "Suggestion", "estimate", "in_words", "prices_for", "read_prices", "with_own",
]  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A fleet, its function, what the account allows, and prices. *jitter_s* None lets the answer choose one."""

    fleet: Fleet
    function: Function
    limits: Limits
    prices: Mapping[str, Price]
    region: str
    jitter_s: int | None = None
    with_free_tier: bool = False


@dataclass(frozen=True)
class Estimate:
    """The answer to *question*.

    *million_calls_micro_usd* is what a million calls cost, also those of strangers. *choices* are other refresh
    timers; *storms* the return of the whole fleet: at once with each way to wait between attempts, then with
    jitter. None of these two for a fleet that speaks HTTPS without caching.
    """

    question: Question
    load: Load
    bill: Bill
    million_calls_micro_usd: int
    choices: tuple[Choice, ...]
    storms: tuple[Storm, ...]
    headrooms: tuple[Headroom, ...]
    suggestions: tuple[Suggestion, ...]


def estimate(question: Question) -> Estimate:
    """Return what *question* asks.

    Raises:
        InputError: a value in it is outside what AWS takes, or what makes sense.
    """
    fleet, function, limits = question.fleet, question.function, question.limits
    loads.check(fleet, function)
    storms.check(limits, question.jitter_s)
    load = loads.load_of(fleet, function)
    found = returns(question)
    worst = found[-1:] if question.jitter_s else found[:3]
    return Estimate(
        question=question,
        load=load,
        bill=bill_of(load, question.prices, with_free_tier=question.with_free_tier),
        million_calls_micro_usd=calls_cost(function, question.prices),
        choices=choices(fleet, function, question.prices) if fleet.protocol == "mqtt" or fleet.is_cached else (),
        storms=found,
        headrooms=headrooms(fleet, function, load, limits, worst),
        suggestions=suggestions(fleet, function, limits, question.prices),
    )


def returns(question: Question) -> tuple[Storm, ...]:
    """Return the ways in which the whole fleet comes back."""
    if question.fleet.protocol == "http":
        return ()
    devices, limits, cold_s = question.fleet.devices, question.limits, float(question.function.cold_s)
    chosen = question.jitter_s
    jitter_s = suggested_jitter(devices, limits, cold_s) if chosen is None else chosen
    found = [storm(devices, limits, cold_s, wait=wait) for wait in (storms.FIXED, storms.SDK, storms.FIRMWARE)]
    if 0 < jitter_s <= storms.LONGEST_JITTER_S:
        found.append(storm(devices, limits, cold_s, jitter_s=jitter_s, wait=storms.FIRMWARE))
    return tuple(found)
