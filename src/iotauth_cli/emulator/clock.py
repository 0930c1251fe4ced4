"""The emulator's clock: the machine's, and as far ahead of it as `iotauth emulator clock advance` has moved it.

Everything in the emulator that keeps time asks the one `Clock`: timers of connections, sessions, the time to
live of DynamoDB items, every date, every line of the authorizer log. How far it is ahead is part of the state,
because the state is full of its dates: after a restart they lie in the past still, and nothing happens a second
time. `emulator reset` is what sets the clock back.

Not moved is what others check against clocks of their own: certificates, and the time that functions see and
CloudWatch Logs, where they write. Whoever looks there for "the last minute" means the machine's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from iotauth_cli.emulator.state import State
from iotauth_cli.errors import InputError

MOST_AHEAD_S = 100 * 365.25 * 86_400  # years have four digits in every format that AWS writes
SCHEMA = "CREATE TABLE IF NOT EXISTS clock (ahead_s REAL NOT NULL);"


class Clock:
    """Call it for the emulator's time in epoch seconds. *machine* gives the machine's."""

    def __init__(self, state: State, machine: Callable[[], float] = time.time) -> None:
        state.create(SCHEMA)
        self._state = state
        self._machine = machine
        row = state.db.execute("SELECT ahead_s FROM clock").fetchone()
        self.ahead_s: float = row["ahead_s"] if row else 0.0

    def __call__(self) -> float:
        return self._machine() + self.ahead_s

    def advance(self, seconds: float) -> None:
        """Move the clock on. It never goes back: what has happened would happen again.

        Raises:
            InputError: as `check`.
        """
        self.check(seconds)
        self.ahead_s += seconds
        with self._state.transaction() as db:
            db.execute("DELETE FROM clock")
            db.execute("INSERT INTO clock VALUES (?)", (self.ahead_s,))

    def check(self, seconds: float) -> None:
        """Make sure that the clock can be moved by *seconds*.

        Raises:
            InputError: that is not a positive number, or leads more than 100 years ahead.
        """
        if not 0 < seconds < math.inf:
            raise InputError(
                f"the clock only goes forward, and not by {seconds:g} s",
                hint="give a number of seconds: `iotauth emulator clock advance 300`",
            )
        if self.ahead_s + seconds > MOST_AHEAD_S:
            raise InputError(
                f"the clock goes at most 100 years ahead of the machine's, and is {self.ahead_s:.0f} s ahead now",
                hint="`iotauth emulator reset` sets it back, with everything else",
            )
