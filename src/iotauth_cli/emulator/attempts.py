"""The authorizer log: what was decided about each attempt, where, and why, in words.

AWS tells a refused device nothing and its owner little. Here every attempt to connect leaves
the steps it passed, the check that decided, whether the function was called, and a sentence;
and so does every later cut-off. What is written never holds a password, a token, a signature
or the part of a user name that carries them.

A client that tries the same thing again and again (AWS's own SDK reconnects and repeats a refused
publish for ever) is counted on the first line instead of flooding the log.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from iotauth_cli.emulator.state import State

KEPT = 10_000  # attempts; the oldest go first
PRUNE_EVERY = 256  # records, so that pruning costs nothing per attempt
REPEAT_WITHIN_S = 60.0  # the same outcome later than this is a new line

# What happened.
ADMITTED = "admitted"
REFRESHED = "refreshed"
PUBLISHED = "published"  # a message that came over HTTP
REFUSED = "refused"
CUT_OFF = "cut-off"  # a connection that was admitted, ended by the emulator
DENIED = "denied"  # a publish or subscribe that was answered so; the connection goes on (MQTT 5)
IGNORED = "ignored"  # AWS IoT gives no answer, and the client may wonder
INJECTED = "injected"  # something went wrong because `iotauth emulator inject` wanted it

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    last_at REAL NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    sentence TEXT NOT NULL,
    client_id TEXT,
    authorizer TEXT,
    peer TEXT NOT NULL,
    connection_id TEXT,
    function_called INTEGER NOT NULL,
    request_id TEXT,
    duration_ms REAL,
    steps TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_by_client ON attempts (client_id, number);
"""


@dataclass(frozen=True)
class Step:
    """One check that was made, and its result in words."""

    check: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Attempt:
    """One attempt as it ended. *decided_by* is the stable name of the check that decided.

    *request_id* is Lambda's, as it stands in the function's log; *connection_id* is the UUID
    that the function got. *repeats* counts the later attempts that ended in the same way, the
    last of them at *last_at*, and both ids are then that one's.
    """

    outcome: str
    decided_by: str
    sentence: str
    client_id: str | None = None
    authorizer: str | None = None
    peer: str = ""
    connection_id: str | None = None
    function_called: bool = False
    request_id: str | None = None
    duration_ms: float | None = None
    steps: tuple[Step, ...] = ()
    at: float = 0.0
    last_at: float = 0.0
    repeats: int = 0
    number: int = 0


class AttemptLog:
    """The attempts in the emulator's state; another process may read the same file."""

    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        state.create(_SCHEMA)
        self._db = state.db
        self._clock = clock
        self._latest: dict[tuple[object, ...], tuple[int, float]] = {}  # number, and when it was seen last

    def record(self, attempt: Attempt) -> None:
        """Write *attempt* down, or count it where the same one stands already.

        One that cannot be written, for want of room on the disk, changes nothing for the client.
        """
        try:
            self._keep(attempt)
        except sqlite3.Error as error:
            log.warning("an attempt of client %r could not be written down: %s", attempt.client_id, error)

    def _keep(self, attempt: Attempt) -> None:
        now, key = self._clock(), _sameness(attempt)
        number, last_at = self._latest.get(key, (0, float("-inf")))
        if now - last_at <= REPEAT_WITHIN_S:
            self._count(number, attempt, now)
        else:
            number = self._insert(attempt, now)
        if len(self._latest) >= KEPT:
            self._latest.clear()
        self._latest[key] = (number, now)

    def recent(self, limit: int = 100, *, since: float | None = None, client_id: str | None = None) -> list[Attempt]:
        """Return the last attempts, by the time they last happened, oldest first.

        *since* is the emulator's time in seconds.
        """
        rows = self._db.execute(
            "SELECT * FROM attempts WHERE last_at >= ? AND (? IS NULL OR client_id = ?) "
            "ORDER BY last_at DESC, number DESC LIMIT ?",
            (since or 0.0, client_id, client_id, limit),
        )
        return [_attempt(row) for row in rows][::-1]

    def _insert(self, attempt: Attempt, now: float) -> int:
        steps = json.dumps([[step.check, step.passed, step.sentence] for step in attempt.steps])
        number = self._db.execute(
            "INSERT INTO attempts (at, last_at, outcome, decided_by, sentence, client_id, authorizer, peer, "
            "connection_id, function_called, request_id, duration_ms, steps) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                now,
                now,
                attempt.outcome,
                attempt.decided_by,
                attempt.sentence,
                attempt.client_id,
                attempt.authorizer,
                attempt.peer,
                attempt.connection_id,
                attempt.function_called,
                attempt.request_id,
                attempt.duration_ms,
                steps,
            ),
        ).lastrowid
        assert number is not None
        if number % PRUNE_EVERY == 0:
            self._db.execute("DELETE FROM attempts WHERE number <= ?", (number - KEPT,))
        return number

    def _count(self, number: int, attempt: Attempt, now: float) -> None:
        """Count a repeat; the line points to the latest connection and call, which one can still look up."""
        self._db.execute(
            "UPDATE attempts SET repeats = repeats + 1, last_at = ?, connection_id = ?, request_id = ?, "
            "duration_ms = ? WHERE number = ?",
            (now, attempt.connection_id, attempt.request_id, attempt.duration_ms, number),
        )


def _sameness(attempt: Attempt) -> tuple[object, ...]:
    """What two attempts share when the second is a repeat of the first."""
    return (
        attempt.client_id,
        attempt.authorizer,
        attempt.outcome,
        attempt.decided_by,
        attempt.sentence,
    )


def _attempt(row: sqlite3.Row) -> Attempt:
    values = dict(row)
    values["function_called"] = bool(values["function_called"])
    values["steps"] = tuple(Step(check, passed, text) for check, passed, text in json.loads(values["steps"]))
    return Attempt(**values)
