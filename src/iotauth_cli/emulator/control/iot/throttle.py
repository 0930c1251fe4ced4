"""The bucket that counts calls: what AWS IoT answers when they come too fast."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from iotauth_cli.emulator.control.iot.errors import throttled
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result


class Throttle:
    """A bucket for each operation and region: it holds a second's calls and fills at that rate.

    With *calls_per_second* 0 nothing is counted.
    """

    def __init__(self, calls_per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = float(calls_per_second)
        self._clock = clock
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}  # calls left, at which time

    def around(self, operation: str, handler: Handler) -> Handler:
        """Return *handler* with the bucket in front of it."""
        if not self._rate:
            return handler

        def counted(parameters: Parameters, context: Context) -> Result | Awaitable[Result]:
            self._take((operation, context.region))
            return handler(parameters, context)

        return counted

    def _take(self, bucket: tuple[str, str]) -> None:
        now = self._clock()
        left, then = self._buckets.get(bucket, (self._rate, now))
        left = min(self._rate, left + (now - then) * self._rate)
        if left < 1:
            raise throttled()
        self._buckets[bucket] = left - 1, now
