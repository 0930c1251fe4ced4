"""How far long work has come: a bar where somebody watches, a line now and then where a log is kept.

Both go to stderr. The rate is the whole run's, so that it does not jump about; the estimate follows from it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

EVERY_S = 10.0  # between two plain lines


class Progress:
    """Work that is counted and says nothing. The other two show it."""

    def __init__(self, doing: str, unit: str, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.doing = doing
        self.unit = unit
        self.total = total
        self.done = 0
        self._clock = clock
        self._began = clock()

    def advance(self, count: int = 1) -> None:
        """Count *count* more as done."""
        self.done += count
        self.show()

    def show(self) -> None:
        """Show what is done so far, if it is time."""

    def close(self) -> None:
        """Leave the terminal as it was."""

    @property
    def rate(self) -> float:
        """How many were done in a second, over the whole run."""
        return self.done / max(self._clock() - self._began, 1e-9)

    @property
    def line(self) -> str:
        of = f" of {self.total:,}" if self.total is not None else ""
        left = ""
        if self.total is not None and self.done:
            left = f", about {span((self.total - self.done) / self.rate)} left"
        return f"{self.doing}: {self.done:,}{of} {self.unit}, {self.rate:,.0f} a second{left}"


class Lines(Progress):
    """A line every ten seconds; work that is over sooner says nothing. *write* gets each."""

    def __init__(self, *arguments: Any, write: Callable[[str], None]) -> None:
        super().__init__(*arguments)
        self._write = write
        self._next = self._began + EVERY_S

    def show(self) -> None:
        now = self._clock()
        if now >= self._next:
            self._next = now + EVERY_S
            self._write(self.line)


class Bar(Progress):
    """A bar with rate and estimate, redrawn in place and taken away at the end."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Drawn

        # The text is ours, not markup: it holds what the user typed.
        text = TextColumn("{task.description}", markup=False)
        columns = (text,) if self.total is None else (BarColumn(bar_width=20), text)
        self._drawn = Drawn(*columns, console=Console(stderr=True), transient=True, refresh_per_second=5)
        self._task = self._drawn.add_task(self.line, total=self.total)
        self._drawn.start()

    def show(self) -> None:
        self._drawn.update(self._task, completed=self.done, description=self.line)

    def close(self) -> None:
        self._drawn.stop()


def span(seconds: float) -> str:
    """Return a span of time as a person says it: `40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def progress(
    doing: str, unit: str, total: int | None, *, silent: bool, write: Callable[[str], None]
) -> Iterator[Progress]:
    """Show the progress of the block, in the way that fits who is watching."""
    shown: Progress
    if silent:
        shown = Progress(doing, unit, total)
    elif sys.stderr.isatty():
        shown = Bar(doing, unit, total)
    else:
        shown = Lines(doing, unit, total, write=write)
    try:
        yield shown
    finally:
        shown.close()
