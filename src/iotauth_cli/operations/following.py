"""Follow the emulator's authorizer log: which of the attempts that it holds now are to be told.

The log is looked at again and again in its file, so it does not matter whether an emulator runs, ends, or
begins anew on an empty file meanwhile. A new attempt is told at once; one that is made over and over is counted
by the log, and its count is told now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from iotauth_cli.emulator.attempts import KEPT, Attempt

COUNTED_EVERY_S = 10.0  # between two lines about one attempt that is being repeated


@dataclass(frozen=True)
class _Told:
    """What was last said of an attempt, and when. *at* tells it from one of the same number in a newer file."""

    at: float
    repeats: int
    when: float


class Following:
    """Tell attempts once. *shown* were told before, and whatever is as old as they are is not told any more."""

    def __init__(self, shown: Sequence[Attempt] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[int, _Told] = {}
        self._shown_until: float | None = max((attempt.last_at for attempt in shown), default=None)
        for attempt in shown:
            self._note(attempt)

    def news(self, look: Sequence[Attempt]) -> Iterator[Attempt]:
        """Yield what is to be told of the attempts that a *look* at the log has brought."""
        shown_until, self._shown_until = self._shown_until, None
        for attempt in look:
            told = self._told.get(attempt.number)
            is_new = told is None or told.at != attempt.at
            if is_new and shown_until is not None and attempt.last_at <= shown_until:
                self._note(attempt)
            elif is_new or self._counts(attempt, told):
                self._note(attempt)
                yield attempt

    def _counts(self, attempt: Attempt, told: _Told | None) -> bool:
        """Whether an attempt that was told has been repeated, and long enough ago to say so."""
        return told is not None and attempt.repeats > told.repeats and self._clock() >= told.when + COUNTED_EVERY_S

    def _note(self, attempt: Attempt) -> None:
        self._told[attempt.number] = _Told(attempt.at, attempt.repeats, self._clock())
        if len(self._told) > KEPT:
            del self._told[next(iter(self._told))]
