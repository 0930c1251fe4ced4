"""AWS IoT's quotas on authorizers, and the bucket that counts calls.

Sources: the AWS IoT limits page of 2019 for both figures; today's are not public.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from iotauth_cli.emulator.control.iot.errors import throttled
from iotauth_cli.emulator.control.service import Context, Handler, Parameters


@dataclass(frozen=True)
class Limits:
    """*calls_per_second*: AWS allows 10 of each operation.

    The emulator does not slow anybody down unless asked: a test suite is not an account.
    """

    authorizers: int = 10  # per region
    calls_per_second: int | None = None


class Throttle:
    """A bucket for each operation and region: it holds a second's calls and fills at that rate."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = limits.calls_per_second
        self._clock = clock
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}  # calls left, at which time

    def around(self, operation: str, handler: Handler) -> Handler:
        """Return *handler* with the throttle in front of it."""

        def throttled_handler(parameters: Parameters, context: Context) -> object:
            self._take(operation, context.region)
            return handler(parameters, context)

        return throttled_handler if self._rate is not None else handler  # type: ignore[return-value]

    def _take(self, operation: str, region: str) -> None:
        if self._rate is None:
            return
        now = self._clock()
        left, then = self._buckets.get((operation, region), (float(self._rate), now))
        left = min(float(self._rate), left + (now - then) * self._rate)
        if left < 1:
            raise throttled()
        self._buckets[operation, region] = left - 1, now
