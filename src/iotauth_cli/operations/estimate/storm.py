"""What happens when a whole fleet reconnects: after an outage, or when all sessions began together.

Every second, the attempts of that second meet two doors. AWS IoT lets `connects_per_s` of an account
in and refuses the rest. Each one let in is a call of the function, which runs as many at a time as
its concurrency allows; Lambda throttles the rest, and AWS IoT then closes the connection. A device that
was refused comes back after its library's wait. Devices are counted as a fluid, second by second:

    attempts(s) = first attempts(s) + returning(s)
    in(s)       = min(attempts(s), connects_per_s, room of the function(s))
    returning   = what was refused, after a fixed wait, or spread over a window that doubles

Jitter spreads the first attempts evenly over J seconds, so N / J come in each. As long as nobody is
refused, Little's law gives the concurrency: N / J × how long a cold call takes. Once somebody is, the
worst second counts: all that AWS IoT lets in arrives at once, each in an environment of its own.

Sources: AWS IoT Core quotas; Lambda developer guide, "Understanding Lambda function scaling" (1,000
environments each 10 s and function, ten calls a second for each unit of concurrency); for the waits
between attempts, see `Wait`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from iotauth_cli.errors import InputError
from iotauth_cli.operations.estimate.load import DAY_S, within

CONNECTS_PER_S = 500  # of an account; AWS IoT Core quotas, L-AEA1E176
CONCURRENCY = 1000  # of an account and region; Lambda quotas, L-B99A9384
CALLS_PER_CONCURRENCY = 10  # a second; Lambda developer guide, "Lambda quotas"
STARTED_AT_ONCE = 1000  # environments of a function, refilled by a tenth of it each second
STARTED_PER_S = 100
SPREAD = 4  # standard deviations of random arrivals, once in some thousand seconds
TOGETHER_S = 3  # seconds that a crowd with a backoff needs to spread
COMFORT = 0.8  # of a limit is what suggestions aim at: random arrivals and other devices need the rest
LONGEST_JITTER_S = DAY_S  # nobody lets a device wait for longer
GONE_ON = DAY_S  # seconds after which we stop counting
NOBODY = 0.5  # devices: fewer than this are none
NOTHING = 1e-6  # devices: less than this is the rounding of floats


@dataclass(frozen=True)
class Wait:
    """How a library waits between attempts: after the n-th refusal a random time in the n-th window, in seconds.

    The last window is kept for all that follow.
    """

    name: str
    windows: tuple[tuple[int, int], ...]


FIXED = Wait("fixed", ((5, 5),))  # what a sketch around PubSubClient does
# Doubling with full jitter, never under a second: AWS's Mobile SDKs go to 128 s, those of MQTT 5 to 120 s.
SDK = Wait("aws-sdk", tuple((1, most) for most in (1, 2, 4, 8, 16, 32, 64, 128)))
# `backoff.h` of the firmware template: the doubled wait, and up to half of it more.
FIRMWARE = Wait("firmware", tuple((least, least * 3 // 2) for least in (1, 2, 4, 8, 16, 32, 64, 120)))


@dataclass(frozen=True)
class Limits:
    """What an account allows. *concurrency* is what the function may use: the account's, or what it has reserved."""

    connects_per_s: int = CONNECTS_PER_S
    concurrency: int = CONCURRENCY


@dataclass(frozen=True)
class Storm:
    """One way in which *devices* come back.

    *wait* is how they wait between attempts. The peaks are a second's; *refused* counts attempts, *throttled* those
    that the function refused. *half_back_s* and *all_back_s* are None where that takes more than a day.
    *limit* names the door that refused: `connects`, `function`, None for neither.
    """

    devices: int
    jitter_s: int
    wait: Wait
    peak_attempts: float
    peak_calls: float
    peak_concurrency: int
    refused: float
    throttled: float
    half_back_s: int | None
    all_back_s: int | None
    limit: str | None


def storm(devices: int, limits: Limits, cold_s: float, *, jitter_s: int = 0, wait: Wait = FIXED) -> Storm:
    """Return how *devices* come back, their first attempts spread over *jitter_s* seconds."""
    crowd = _Crowd(devices, jitter_s, wait)
    function = _Function(limits.concurrency, cold_s)
    left, second = float(devices), 0
    peak_attempts = refused = throttled = most_in = 0.0
    half: int | None = None
    while left >= NOBODY and second < GONE_ON:
        attempts = min(crowd.attempts(second), left)
        called = min(attempts, float(limits.connects_per_s))
        let_in = min(called, function.room(second, called, crowd.lasts_s(second, called, attempts)))
        function.took(let_in)
        crowd.refuse(attempts - let_in)
        left -= let_in
        peak_attempts, most_in = max(peak_attempts, attempts), max(most_in, let_in)
        refused, throttled = refused + attempts - let_in, throttled + called - let_in
        second += 1
        half = second if half is None and left <= devices / 2 else half
    is_crowded = refused > NOTHING * devices
    return Storm(
        devices,
        jitter_s,
        wait,
        peak_attempts,
        float(min(devices, limits.connects_per_s)) if is_crowded else most_in,
        concurrency(devices, limits, cold_s, jitter_s, is_crowded=is_crowded),
        refused if is_crowded else 0.0,
        throttled if throttled > NOTHING * devices else 0.0,
        half,
        max(second, jitter_s) if left < NOBODY else None,
        limit_of(refused - throttled, throttled, devices),
    )


def concurrency(devices: int, limits: Limits, cold_s: float, jitter_s: int, *, is_crowded: bool) -> int:
    """Return how many calls run at the same time at most, if each finds no environment ready.

    Little's law gives the mean; four times its root more is what random arrivals need in their worst moment.
    """
    most = min(devices, limits.connects_per_s * math.ceil(cold_s), limits.concurrency)
    if is_crowded or jitter_s == 0:
        return most
    mean = devices / jitter_s * cold_s
    return min(most, math.ceil(mean + SPREAD * math.sqrt(mean)) + 1)


def limit_of(by_connects: float, by_function: float, devices: int) -> str | None:
    if max(by_connects, by_function) <= NOTHING * devices:
        return None
    return "connects" if by_connects >= by_function else "function"


def sustained_calls(limits: Limits, cold_s: float) -> float:
    """Return the connects that an account takes each second for as long as needed, spread within the second."""
    turns = 1 / cold_s if cold_s <= 1 else 1 / math.ceil(cold_s)
    environments = min(limits.concurrency, STARTED_AT_ONCE)
    return min(limits.connects_per_s, environments * min(CALLS_PER_CONCURRENCY, turns))


def suggested_jitter(devices: int, limits: Limits, cold_s: float) -> int:
    """Return the least jitter, in seconds, that keeps *devices* under four fifths of every limit; 0 is none."""
    at_once = min(limits.connects_per_s, limits.concurrency, STARTED_AT_ONCE)
    if devices <= COMFORT * at_once:
        return 0
    return math.ceil(devices / (COMFORT * sustained_calls(limits, cold_s)))


def check(limits: Limits, jitter_s: int | None) -> None:
    """Refuse limits that are none.

    Raises:
        InputError: a value is outside what makes sense.
    """
    within("--connects-per-second", limits.connects_per_s, 1, 1_000_000, "")
    within("--concurrency", limits.concurrency, 1, 1_000_000, "")
    if jitter_s is not None and jitter_s > LONGEST_JITTER_S:
        raise InputError(f"`--jitter {jitter_s}` is more than a day", hint="a few minutes are enough: `--jitter 2m`")


class _Function:
    """The function's environments, and how many of them calls of earlier seconds still keep busy."""

    def __init__(self, concurrency: int, cold_s: float) -> None:
        self._concurrency = concurrency
        self._cold_s = cold_s
        # Calls that outlast their second, counted by whole seconds: that errs on the safe side.
        self._taken: deque[float] = deque(maxlen=math.ceil(cold_s) - 1)

    def room(self, second: int, called: float, lasts_s: float) -> float:
        """Return how many calls it takes of those *called*, evenly during the first *lasts_s* of this *second*."""
        environments = float(min(self._concurrency, STARTED_AT_ONCE + STARTED_PER_S * second))
        if self._cold_s > 1:
            return max(environments - sum(self._taken), 0.0)
        if lasts_s == 0:
            return environments
        rate = called / lasts_s
        if rate * self._cold_s <= environments:
            return environments * CALLS_PER_CONCURRENCY
        # All environments are taken at once, and again each time that a cold call is over while calls still come.
        turns, rest_s = divmod(lasts_s, self._cold_s)
        taken = turns * environments + min(environments, rate * rest_s)
        return min(taken, environments * min(CALLS_PER_CONCURRENCY, 1 / self._cold_s))

    def took(self, calls: float) -> None:
        self._taken.append(calls)


class _Crowd:
    """The devices that are still outside, by the second of their next attempt."""

    def __init__(self, devices: int, jitter_s: int, wait: Wait) -> None:
        self._first = devices / max(jitter_s, 1)
        self._first_s = max(jitter_s, 1)
        self._came_together = jitter_s == 0
        self._stays_together = wait.windows[-1][0] == wait.windows[-1][1]
        self._queues = [_Queue(*window) for window in wait.windows]
        self._arrived: list[float] = []  # of this second: first attempts, then those of each queue

    def lasts_s(self, second: int, called: float, attempts: float) -> float:
        """Return in how much of this *second* the first *called* of its *attempts* come.

        Attempts that began in one instant stay together: always with a fixed wait, and for the first
        rounds with a backoff, whose first waits are the same for everybody.
        """
        if self._came_together and (second < TOGETHER_S or self._stays_together):
            return 0.0
        return called / attempts if attempts else 1.0

    def attempts(self, second: int) -> float:
        new = self._first if second < self._first_s else 0.0
        self._arrived = [new, *(queue.next() for queue in self._queues)]
        return sum(self._arrived)

    def refuse(self, refused: float) -> None:
        """Send *refused* of this second's attempts back: the same part of each group, to the next longer wait."""
        total = sum(self._arrived)
        share = refused / total if total else 0.0
        *before, longest, again = self._arrived
        for queue, arrived in zip(self._queues, (*before, longest + again), strict=True):
            queue.add(arrived * share)


class _Queue:
    """Devices that wait for a random time: those of one second come back evenly from *least_s* to *most_s* later."""

    def __init__(self, least_s: int, most_s: int) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._rate = 0.0
        self._changes = deque([0.0] * (most_s + 1))  # of the rate, in the seconds to come

    def next(self) -> float:
        """Return how many come in the second that begins."""
        self._rate += self._changes.popleft()
        self._changes.append(0.0)
        return max(self._rate, 0.0)

    def add(self, devices: float) -> None:
        """Let *devices* of this second wait."""
        rate = devices / (self._most_s - self._least_s + 1)
        self._changes[self._least_s - 1] += rate
        self._changes[self._most_s] -= rate
