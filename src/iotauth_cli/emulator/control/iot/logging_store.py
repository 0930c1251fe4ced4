"""AWS IoT's logging options in SQLite; each region has its own."""

from __future__ import annotations

import json
from collections.abc import Callable

from iotauth_cli.emulator.log_levels import LogLevels
from iotauth_cli.emulator.state import State

SCHEMA = "CREATE TABLE IF NOT EXISTS iot_logging (region TEXT PRIMARY KEY, options TEXT NOT NULL);"

OnChange = Callable[[LogLevels], None]


class LoggingStore:
    def __init__(self, state: State) -> None:
        self._db = state.db
        self._followers: list[tuple[str, OnChange]] = []
        state.create(SCHEMA)

    def find(self, region: str) -> LogLevels:
        """Return the options of *region*; empty ones where they were never set."""
        row = self._db.execute("SELECT options FROM iot_logging WHERE region = ?", (region,)).fetchone()
        return _levels(row["options"]) if row else LogLevels()

    def save(self, region: str, levels: LogLevels) -> None:
        self._db.execute("INSERT OR REPLACE INTO iot_logging VALUES (?, ?)", (region, _text(levels)))
        for followed, on_change in self._followers:
            if followed == region:
                on_change(levels)

    def follow(self, region: str, on_change: OnChange) -> None:
        """Call *on_change* with the options of *region* now, and whenever they change."""
        self._followers.append((region, on_change))
        on_change(self.find(region))


def _text(levels: LogLevels) -> str:
    return json.dumps(
        {
            "role_arn": levels.role_arn,
            "default": levels.default,
            "is_disabled": levels.is_disabled,
            "targets": [[kind, name, level] for (kind, name), level in levels.targets.items()],
            "events": dict(levels.events),
        }
    )


def _levels(text: str) -> LogLevels:
    members = json.loads(text)
    targets = {(kind, name): level for kind, name, level in members.pop("targets")}
    return LogLevels(**members, targets=targets)
