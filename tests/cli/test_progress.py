"""How far long work has come: shown where it helps, silent where it was asked for."""

from __future__ import annotations

import io
import sys

import pytest

from iotauth_cli.cli.output import Output
from iotauth_cli.cli.progress import EVERY_S, Bar, Lines, span


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watched(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal that keeps what it is sent. Not a fixture: pytest puts its own in between."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    return shown


class Clock:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    """With the rate of the whole run and what is left at that rate; work that is over sooner says nothing."""
    clock, said = Clock(), list[str]()
    shown = Lines("importing", "clients", 1_000_000, clock, write=said.append)
    for _ in range(21):
        shown.advance(4_000)
        clock.now += 1
    assert said == [
        "importing: 44,000 of 1,000,000 clients, 4,400 a second, about 4 min left",
        "importing: 84,000 of 1,000,000 clients, 4,200 a second, about 4 min left",
    ]
    assert EVERY_S == 10


def test_without_a_total_there_is_no_estimate() -> None:
    """A stream whose end nobody knows has a count and a rate."""
    clock, said = Clock(), list[str]()
    shown = Lines("reading", "rows", None, clock, write=said.append)
    clock.now += 10
    shown.advance(500)
    assert said == ["reading: 500 rows, 50 a second"]


@pytest.mark.parametrize("flags", [{"quiet": True}, {"as_json": True}], ids=str)
def test_quiet_and_json_show_none(flags: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Even at a terminal: whoever parses or silenced the output wants no bar."""
    terminal = watched(monkeypatch)
    with Output(**flags).progress("importing", unit="clients", total=2) as progress:
        progress.advance(2)
    assert progress.done == 2
    assert terminal.getvalue() == ""


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is redrawn in place, takes what it was given as plain text, and leaves nothing behind."""
    terminal = watched(monkeypatch)
    with Output().progress("importing [bold]", unit="clients", total=50) as progress:
        assert isinstance(progress, Bar)
        progress.advance(25)
    drawn = terminal.getvalue()
    assert "importing [bold]: 25 of 50 clients" in drawn
    assert drawn.rstrip("\n").endswith("\x1b[2K")


def test_a_failure_puts_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor that the bar hid is shown again, whatever ended the work."""
    terminal = watched(monkeypatch)
    with pytest.raises(KeyboardInterrupt), Output().progress("importing", unit="clients", total=50):
        raise KeyboardInterrupt
    assert "\x1b[?25h" in terminal.getvalue()


@pytest.mark.parametrize(("seconds", "said"), [(0, "0 s"), (99, "99 s"), (200, "3 min"), (7500, "2 h 5 min")])
def test_spans_are_told_as_a_person_would(seconds: float, said: str) -> None:
    """Seconds while they matter, then minutes, then hours."""
    assert span(seconds) == said
