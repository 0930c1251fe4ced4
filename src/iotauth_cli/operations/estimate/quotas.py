"""Which of an account's quotas a fleet meets first: each with what it uses, fullest first.

The figures are AWS's defaults in the large regions; smaller ones have less, and a new account may have
less Lambda concurrency. What an account really has: `aws service-quotas list-service-quotas`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsFloat

from iotauth_cli.operations.estimate.load import DAY_S, Fleet, Function, Load, read_units
from iotauth_cli.operations.estimate.storm import CALLS_PER_CONCURRENCY, Limits, Storm

IOT = "https://docs.aws.amazon.com/general/latest/gr/iot-core.html"
LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
SCALING = "https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html"
TABLE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"
CONCURRENCY = "L-B99A9384"  # concurrent executions; the calls of a second follow it
ITSELF, NOTHING = "itself", "nothing"  # how a quota without a code becomes more
WARM = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html"


@dataclass(frozen=True)
class Quota:
    """A limit with its source. *code* is what Service Quotas calls it, where it has one.

    *raised_by* is how it becomes more: on request by a code, its own or that of what it follows; by itself; `nothing`.
    """

    what: str
    limit: int
    raised_by: str
    code: str | None
    source: str

    @property
    def is_adjustable(self) -> bool:
        return self.raised_by not in (ITSELF, NOTHING)


@dataclass(frozen=True)
class Headroom:
    """How much of *quota* is used on a usual day and in the storm, None where the storm does not touch it."""

    quota: Quota
    usual: float
    storm: float | None

    @property
    def share(self) -> float:
        """How full it is at the worst: 1 is full."""
        return max(self.usual, self.storm or 0.0) / self.quota.limit


def headrooms(
    fleet: Fleet, function: Function, load: Load, limits: Limits, storms: Sequence[Storm]
) -> tuple[Headroom, ...]:
    """Return every quota that *fleet* uses, fullest first. *storms* are the ways in which it may come back."""
    attempts = max((each.peak_attempts for each in storms), default=None)
    calls = max((each.peak_calls for each in storms), default=None)
    at_a_time = max((each.peak_concurrency for each in storms), default=None)
    busy = float(load.calls_per_s) * function.warm_ms / 1000
    found = [
        iot("publishes in/s", 20_000, "L-4B33E451", load.published_per_s),
        iot("publishes out/s", 20_000, "L-FE4EDCF9", load.delivered_per_s),
        of_lambda("calls at a time", limits.concurrency, CONCURRENCY, busy, at_a_time),
        of_lambda("calls/s", CALLS_PER_CONCURRENCY * limits.concurrency, None, load.calls_per_s, calls),
        *of_table(float(load.calls_per_s) * read_units(), calls),
    ]
    if fleet.protocol == "mqtt":
        a_second = fleet.messages_per_day / DAY_S
        subscribing = None if calls is None else calls * fleet.filters
        found += [
            iot("connects/s", limits.connects_per_s, "L-AEA1E176", load.connects_per_s, attempts),
            iot("connections", 500_000, "L-75CAB723", fleet.devices),
            iot("subscriptions/s", 500, "L-589D5E1D", load.connects_per_s * fleet.filters, subscribing),
            iot("filters/device", 50, "L-45957C13", fleet.filters),
            iot("publishes/s/device", 100, "L-083F3861", a_second, is_fixed=True),
            iot("bytes/s/device", 512 * 1024, "L-D9C66F9D", a_second * fleet.message_bytes, is_fixed=True),
        ]
    return tuple(sorted(found, key=lambda each: -each.share))


def iot(
    what: str, limit: int, code: str, usual: SupportsFloat, storm: float | None = None, *, is_fixed: bool = False
) -> Headroom:
    return Headroom(Quota(f"AWS IoT: {what}", limit, NOTHING if is_fixed else code, code, IOT), float(usual), storm)


def of_lambda(what: str, limit: int, code: str | None, usual: SupportsFloat, storm: float | None) -> Headroom:
    source = LAMBDA if code else SCALING
    return Headroom(Quota(f"Lambda: {what}", limit, code or CONCURRENCY, code, source), float(usual), storm)


def of_table(reads_per_s: float, calls: float | None) -> list[Headroom]:
    """Return the table's quotas. In a storm during a rotation, each device's first use of its secret is a write."""
    reading = None if calls is None else calls * read_units()
    code = "L-CF0CBE56"
    return [
        Headroom(Quota("DynamoDB: reads/s (new)", 12_000, ITSELF, None, WARM), reads_per_s, reading),
        Headroom(Quota("DynamoDB: reads/s (table)", 40_000, code, code, TABLE), reads_per_s, reading),
        Headroom(Quota("DynamoDB: writes/s (new)", 4000, ITSELF, None, WARM), 0.0, calls),
    ]
