"""The emulator's clock by itself: forward only, and ahead of the machine's for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotauth_cli.emulator.clock import MOST_AHEAD_S, Clock
from iotauth_cli.emulator.state import State
from iotauth_cli.errors import InputError
from support_data import state_in_memory

NOW = 1_800_000_000.0


def test_the_clock_is_the_machines_until_it_is_moved() -> None:
    """It goes on by itself, from wherever it was moved to."""
    moments = iter((NOW, NOW + 1, NOW + 2))
    clock = Clock(state_in_memory(), lambda: next(moments))
    assert clock() == NOW
    clock.advance(300)
    assert (clock(), clock()) == (NOW + 301, NOW + 302)


def test_advances_add_up_and_survive_a_restart(tmp_path: Path) -> None:
    """The state is full of the clock's dates, so that a restart must not lead back behind them."""
    state = State.open(tmp_path)
    clock = Clock(state, lambda: NOW)
    clock.advance(300)
    clock.advance(0.5)
    state.close()
    state = State.open(tmp_path)
    assert Clock(state, lambda: NOW)() == NOW + 300.5
    state.close()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), MOST_AHEAD_S + 1])
def test_the_clock_goes_forward_by_a_span_that_can_be_meant(seconds: float) -> None:
    """Backwards, for ever, or into years of five digits: refused, and nothing has moved."""
    clock = Clock(state_in_memory(), lambda: NOW)
    with pytest.raises(InputError, match="the clock"):
        clock.advance(seconds)
    assert clock() == NOW
