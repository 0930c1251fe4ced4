"""Where log events lie, and how they are written fast enough for a thousand connects a second.

Each call of a function prints a handful of lines. Written one by one they would cost as much
as the call; so lines gather for a moment and go to SQLite together. Every reader flushes
first, hence nobody can tell, except whoever kills the process in that moment.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Row

from iotauth_cli.emulator.iot_log import GROUP as IOT_GROUP
from iotauth_cli.emulator.model import LogLine
from iotauth_cli.emulator.state import State

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS logs_group (
    region TEXT NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL, retention_days INTEGER,
    tags TEXT NOT NULL DEFAULT '{}', settings TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (region, name)
);
CREATE TABLE IF NOT EXISTS logs_stream (
    region TEXT NOT NULL, group_name TEXT NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL,
    PRIMARY KEY (region, group_name, name)
);
CREATE TABLE IF NOT EXISTS logs_event (
    id INTEGER PRIMARY KEY, region TEXT NOT NULL, group_name TEXT NOT NULL, stream TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL, ingested_ms INTEGER NOT NULL, message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS logs_event_by_time ON logs_event (region, group_name, timestamp_ms, id);
CREATE INDEX IF NOT EXISTS logs_event_by_stream ON logs_event (region, group_name, stream, timestamp_ms);
"""

GATHER_S = 0.1  # seconds that a line may wait for others
GATHER_LINES = 1000
BOUNDED = {IOT_GROUP: 100_000}  # events kept, the newest: at level DEBUG a busy broker would fill the disk
PRUNE_EVERY = 10_000  # events of a bounded group
DAY_MS = 86_400_000


@dataclass(frozen=True, order=True)
class Position:
    """The place of an event in a group: its time, then the order of arrival."""

    timestamp_ms: int
    id: int

    @classmethod
    def of(cls, row: Row) -> Position:
        return cls(row["timestamp_ms"], row["id"])


BEFORE_ALL = Position(-1, 0)
AFTER_ALL = Position(1 << 62, 0)


@dataclass(frozen=True)
class Window:
    """Which events of a group are asked for. Positions are exclusive; no *streams* means all of them."""

    region: str
    group: str
    streams: Sequence[str] | None = None
    after: Position = BEFORE_ALL
    before: Position = AFTER_ALL


class LogStore:
    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock
        self._gathered: list[LogLine] = []
        self._timer: asyncio.TimerHandle | None = None
        self._unpruned: Counter[tuple[str, str]] = Counter()
        state.create(SCHEMA)
        self._forget_expired()

    def now_ms(self) -> int:
        return int(self._clock() * 1000)

    def write(self, line: LogLine) -> None:
        """Take *line*; its group and stream come into being with it."""
        self._gathered.append(line)
        if len(self._gathered) >= GATHER_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self.flush)

    def flush(self) -> None:
        """Write what has gathered; lines for which the disk has no room are lost, and no function fails for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._gathered:
            return
        lines, self._gathered = self._gathered, []
        try:
            self._store(lines)
        except sqlite3.Error as error:
            log.warning("%d lines of functions' logs could not be stored: %s", len(lines), error)

    def _store(self, lines: Sequence[LogLine]) -> None:
        now = self.now_ms()
        groups = {(line.region, line.group) for line in lines}
        streams = {(line.region, line.group, line.stream) for line in lines}
        with self._state.transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO logs_group (region, name, created_ms) VALUES (?, ?, ?)",
                [(*group, now) for group in groups],
            )
            db.executemany(
                "INSERT OR IGNORE INTO logs_stream VALUES (?, ?, ?, ?)", [(*stream, now) for stream in streams]
            )
            db.executemany(
                "INSERT INTO logs_event VALUES (NULL, ?, ?, ?, ?, ?, ?)",
                [(ln.region, ln.group, ln.stream, ln.timestamp_ms, now, ln.message) for ln in lines],
            )
            self._prune(db, lines)

    def _prune(self, db: sqlite3.Connection, lines: Sequence[LogLine]) -> None:
        """Drop the oldest events of bounded groups, now and then."""
        self._unpruned.update((line.region, line.group) for line in lines if line.group in BOUNDED)
        for (region, group), count in list(self._unpruned.items()):
            if count >= PRUNE_EVERY:
                del self._unpruned[region, group]
                db.execute(
                    "DELETE FROM logs_event WHERE region = ? AND group_name = ? AND (timestamp_ms, id) <= ("
                    "SELECT timestamp_ms, id FROM logs_event WHERE region = ? AND group_name = ?"
                    " ORDER BY timestamp_ms DESC, id DESC LIMIT 1 OFFSET ?)",
                    (region, group, region, group, BOUNDED[group]),
                )

    def read(self, window: Window, *, backwards: bool = False) -> Iterator[Row]:
        """Yield the events of *window* in the order of their positions, or against it."""
        self.flush()
        # The order is a fixed text of two; nothing a caller gave is put into the statement.
        order = "DESC" if backwards else "ASC"
        rows = self._state.db.execute(
            "SELECT * FROM logs_event WHERE region = ? AND group_name = ?"
            " AND (timestamp_ms, id) > (?, ?) AND (timestamp_ms, id) < (?, ?)"
            f" ORDER BY timestamp_ms {order}, id {order}",
            (
                window.region,
                window.group,
                window.after.timestamp_ms,
                window.after.id,
                window.before.timestamp_ms,
                window.before.id,
            ),
        )
        return (row for row in rows if window.streams is None or row["stream"] in window.streams)

    def _forget_expired(self) -> None:
        """Drop what is older than its group's retention; at start only, as AWS is in no hurry either."""
        self._state.db.execute(
            "DELETE FROM logs_event WHERE timestamp_ms < ? - ? * (SELECT retention_days FROM logs_group AS g"
            " WHERE g.region = logs_event.region AND g.name = logs_event.group_name)",
            (self.now_ms(), DAY_MS),
        )
