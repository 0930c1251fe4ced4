"""A month's bill, line by line. Each line is rounded once, to a whole micro-dollar, and the sums are of lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from iotauth_cli.operations.estimate.load import Fleet, Function, Load, authorizer_use, load_of
from iotauth_cli.operations.estimate.prices import AUTHORIZER, FREE, Allowance, Price

MICRO = 1_000_000  # micro-dollars of a dollar
COMPARED_S = (300, 3600, 86_400)  # refresh timers that people ask about


@dataclass(frozen=True)
class Line:
    """*quantity* units at *price*. The free tier takes *free_micro_usd* off, where it is counted at all."""

    price: Price
    quantity: Fraction
    micro_usd: int
    allowance: Allowance | None = None
    free_micro_usd: int = 0

    @property
    def is_authorizer(self) -> bool:
        return self.price.key.startswith(AUTHORIZER)


@dataclass(frozen=True)
class Bill:
    """The lines of a month; sums in micro-dollars, before the free tier."""

    lines: tuple[Line, ...]

    @property
    def micro_usd(self) -> int:
        return sum(line.micro_usd for line in self.lines)

    @property
    def authorizer_micro_usd(self) -> int:
        return sum(line.micro_usd for line in self.lines if line.is_authorizer)

    @property
    def free_micro_usd(self) -> int:
        return sum(line.free_micro_usd for line in self.lines)


@dataclass(frozen=True)
class Choice:
    """What another refresh timer would cost. *is_asked* marks the one that was asked about."""

    refresh_s: int
    is_asked: bool
    calls_per_month: Fraction
    authorizer_micro_usd: int
    micro_usd: int


def bill_of(load: Load, prices: Mapping[str, Price], *, with_free_tier: bool = False) -> Bill:
    """Return what *load* costs at *prices*; what is not used has no line."""
    lines = [line(prices[key], quantity) for key, quantity in load.monthly.items() if quantity]
    return Bill(tuple(freed(each) if with_free_tier else each for each in lines))


def line(price: Price, quantity: Fraction) -> Line:
    return Line(price, quantity, micro(price.usd(quantity)))


def freed(line: Line) -> Line:
    """Return *line* with what the free tier takes off: only what is left is priced, from the first tier on."""
    allowance = FREE.get(line.price.key)
    if allowance is None:
        return line
    left = micro(line.price.usd(max(line.quantity - allowance.quantity, Fraction(0))))
    return replace(line, allowance=allowance, free_micro_usd=line.micro_usd - left)


def micro(usd: Fraction) -> int:
    """Return *usd* in whole micro-dollars, half of one rounded up."""
    return math.floor(usd * MICRO + Fraction(1, 2))


def choices(
    fleet: Fleet, function: Function, prices: Mapping[str, Price], refreshes: Iterable[int] = COMPARED_S
) -> tuple[Choice, ...]:
    """Return what *fleet* costs at each refresh timer, its own among them, shortest first."""
    return tuple(
        choice(replace(fleet, refresh_s=each), function, prices, fleet.refresh_s)
        for each in sorted({*refreshes, fleet.refresh_s})
    )


def choice(fleet: Fleet, function: Function, prices: Mapping[str, Price], asked_s: int) -> Choice:
    load = load_of(fleet, function)
    bill = bill_of(load, prices)
    return Choice(
        fleet.refresh_s,
        fleet.refresh_s == asked_s,
        load.calls_per_month,
        bill.authorizer_micro_usd,
        bill.micro_usd,
    )


def calls_cost(function: Function, prices: Mapping[str, Price], calls: int = 1_000_000) -> int:
    """Return what *calls* of the function cost in micro-dollars, whoever makes them: function, table read and log."""
    use = authorizer_use(Fleet(0), function, Fraction(calls))
    return sum(micro(prices[key].usd(quantity)) for key, quantity in use.items())
