"""The steps of a plan while they are carried out: changing in place at a terminal, a line each elsewhere.

Both go to stderr. A plan is an order: what is not done yet begins when the step before it ends, so that the work
itself need only say what is done. At a terminal the words say how far a step is, and a mark before them
says it again: `create`, `creating`, `created`, `failed`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iotauth_cli.cli.output import harmless
from iotauth_cli.errors import IotauthError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from iotauth_cli.cli.output import Output
    from iotauth_cli.operations.authorizers import Step

State = Literal["waiting", "doing", "done", "failed", "stopped", "kept"]

DOING = {
    "create": "creating",
    "update": "updating",
    "delete": "deleting",
    "deactivate": "deactivating",
    "disable": "disabling",
    "clear": "clearing",
}
DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "deactivate": "deactivated",
    "disable": "disabled",
    "clear": "cleared",
    "keep": "kept",
}
MARKS: dict[State, tuple[str, str]] = {  # and their colours
    "waiting": ("·", "dim"),
    "doing": ("⠋", "cyan"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "stopped": ("✗", "yellow"),
    "kept": ("=", "dim"),
}
TURNING = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
TURNS = 8  # in a second


@dataclass
class Line:
    """A step on the screen. *began* and *ended* are of the screen's clock, in seconds."""

    step: Step
    state: State
    began: float = 0.0
    ended: float | None = None


def carry_out(
    output: Output, steps: Iterator[Step], planned: Sequence[Step] = (), heading: str | None = None
) -> list[Step]:
    """Take what *steps* yields as done, tell each, and return them; if one fails, say what is done and how to go on.

    *planned* is what is going to be done, in order, and what is kept. With a *heading* it is shown first;
    without, it has been.
    """
    done: list[Step] = []
    try:
        with screen(output, planned, heading) as tell:
            for step in steps:
                done.append(step)
                tell(step)
    except (IotauthError, KeyboardInterrupt):
        output.say(unfinished(done))
        raise
    return done


def unfinished(done: Sequence[Step]) -> str:
    """Say how far an interrupted run came, and how to go on."""
    is_plain = len({step.action for step in done}) < 2
    names = [f"{step.resource} `{step.name}`" if is_plain else told(step) for step in done]
    so_far = ", ".join(names) or "nothing"
    return f"done so far: {so_far}; run the same command again and it finishes the rest"


def told(step: Step) -> str:
    """Return the line of a step that is done; of one that came to nothing, why."""
    line = f"{DONE[step.action]} {step.resource} `{step.name}`"
    return f"{line}: {step.reason}" if step.action == "keep" else line


def planned_line(step: Step) -> str:
    """Return the line of a step in a plan."""
    return f"{step.action} {step.resource} `{step.name}`: {step.reason}"


@contextmanager
def screen(output: Output, planned: Sequence[Step], heading: str | None) -> Iterator[Callable[[Step], None]]:
    """Yield what to call with each step that is done."""
    if not (planned and may_change_in_place(output)):
        if heading is not None:
            output.say(heading, *(f"  {planned_line(step)}" for step in planned))
        yield lambda step: output.say(told(step))
        return
    shown = Screen([step for step in planned if heading is not None or step.action != "keep"], heading)
    try:
        yield shown.done
    except KeyboardInterrupt:
        shown.end("stopped")
        raise
    except BaseException:
        shown.end("failed")
        raise
    else:
        shown.end("done")


def may_change_in_place(output: Output) -> bool:
    """Tell whether somebody watches who wants lines to change: a terminal that can, and no `--quiet` nor NO_COLOR."""
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return is_terminal and not (output.quiet or output.as_json or os.environ.get("NO_COLOR")) and can_write_marks()


def can_write_marks() -> bool:
    try:
        (TURNING + "·✓✗").encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class Screen:
    """A plan at a terminal. It stays as it was last, so that a run that broke can still be read."""

    def __init__(
        self, planned: Sequence[Step], heading: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self.heading = heading
        self.lines = [Line(step, "kept" if step.action == "keep" else "waiting") for step in planned]
        self._clock = clock
        self._begin_next()
        console = Console(stderr=True, highlight=False)
        self._live = Live(get_renderable=self.drawn, console=console, refresh_per_second=TURNS)
        self._live.start()

    def done(self, step: Step) -> None:
        """Take *step* as done; the next one begins. It may have come to something else than was planned."""
        open_ = [each for each in self.lines if each.state in ("doing", "waiting")]
        same = [each for each in open_ if (each.step.resource, each.step.name) == (step.resource, step.name)]
        if not same:  # it was not planned, and is told all the same
            same = [Line(step, "doing", self._clock())]
            self.lines += same
        same[0].step = step
        self._settle(same[0], "kept" if step.action == "keep" else "done")
        self._begin_next()
        self._live.refresh()

    def end(self, state: State) -> None:
        """Leave the screen as it is; what was being done is *state*."""
        for line in self.lines:
            if line.state == "doing":
                self._settle(line, state)
        self._live.stop()

    def _begin_next(self) -> None:
        line = next((each for each in self.lines if each.state == "waiting"), None)
        if line is not None and not any(each.state == "doing" for each in self.lines):
            line.state, line.began = "doing", self._clock()

    def _settle(self, line: Line, state: State) -> None:
        line.state, line.ended = state, self._clock()

    def drawn(self) -> RenderableType:
        """Return the screen as it is now, for rich: a mark, the words, the time it takes."""
        from rich.console import Group
        from rich.table import Table

        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(width=3, justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(justify="right", no_wrap=True)
        for line in self.lines:
            table.add_row(self._mark(line), emphasised(words(line), is_dim=is_dim(line)), self._time(line))
        return table if self.heading is None else Group(emphasised(self.heading), table)

    def _mark(self, line: Line) -> Text:
        from rich.text import Text

        mark, colour = MARKS[line.state]
        if line.state == "doing":
            mark = TURNING[int((self._clock() - line.began) * TURNS) % len(TURNING)]
        return Text(mark, style=colour)

    def _time(self, line: Line) -> Text:
        from rich.text import Text

        if line.state in ("waiting", "kept"):
            return Text()
        took = (line.ended if line.ended is not None else self._clock()) - line.began
        return Text(f"{took:.1f} s" if took < 10 else f"{took:.0f} s", style="dim")


def words(line: Line) -> str:
    """Return what a line says: the reason only while there is still something to decide or to expect."""
    step = line.step
    what = f"{step.resource} `{step.name}`"
    if line.state in ("waiting", "kept"):
        return told(step) if line.ended is not None else planned_line(step)
    if line.state == "doing":
        return f"{DOING[step.action]} {what}"
    return told(step) if line.state == "done" else f"{line.state}: {step.action} {what}"


def is_dim(line: Line) -> bool:
    return line.state in ("waiting", "kept")


def emphasised(text: str, *, is_dim: bool = False) -> Text:
    """Return *text* with what stands in backticks bold; it holds what the user typed, and is no markup."""
    from rich.text import Text

    parts = harmless(text).split("`")
    if len(parts) % 2 == 0:
        return Text(harmless(text))
    made = Text(style="dim" if is_dim else "")
    for index, part in enumerate(parts):
        made.append(part, style="bold" if index % 2 and not is_dim else None)
    return made
