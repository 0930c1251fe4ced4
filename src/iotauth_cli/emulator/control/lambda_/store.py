"""Functions, versions and aliases in SQLite. A version is kept as the document that Lambda shows of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from sqlite3 import Row
from typing import Any

from iotauth_cli.emulator.control.lambda_.names import LATEST, FunctionName, function_not_found
from iotauth_cli.emulator.state import State

Configuration = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS lambda_function (
    region TEXT NOT NULL, name TEXT NOT NULL, tags TEXT NOT NULL, reserved_concurrency INTEGER,
    last_version INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (region, name)
);
CREATE TABLE IF NOT EXISTS lambda_version (
    region TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, configuration TEXT NOT NULL,
    PRIMARY KEY (region, name, version),
    FOREIGN KEY (region, name) REFERENCES lambda_function ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS lambda_alias (
    region TEXT NOT NULL, name TEXT NOT NULL, alias TEXT NOT NULL, version TEXT NOT NULL,
    description TEXT NOT NULL, revision TEXT NOT NULL,
    PRIMARY KEY (region, name, alias),
    FOREIGN KEY (region, name, version) REFERENCES lambda_version ON DELETE CASCADE
);
"""


@dataclass(frozen=True)
class FunctionRecord:
    """What belongs to a function as a whole, whatever its version."""

    tags: Mapping[str, str] = field(default_factory=dict)
    reserved_concurrency: int | None = None
    last_version: int = 0


class FunctionStore:
    def __init__(self, state: State) -> None:
        self._state = state
        state.create(SCHEMA)

    def add(self, function: FunctionName, configuration: Configuration, tags: Mapping[str, str]) -> None:
        with self._state.transaction() as db:
            db.execute(
                "INSERT INTO lambda_function (region, name, tags) VALUES (?, ?, ?)",
                (function.region, function.name, json.dumps(tags)),
            )
            self.save(function, configuration)

    def remove(self, function: FunctionName) -> None:
        key = (function.region, function.name)
        self._state.db.execute("DELETE FROM lambda_function WHERE region = ? AND name = ?", key)

    def record(self, function: FunctionName) -> FunctionRecord:
        row = self._state.db.execute(
            "SELECT * FROM lambda_function WHERE region = ? AND name = ?", (function.region, function.name)
        ).fetchone()
        if row is None:
            raise function_not_found(function)
        return FunctionRecord(json.loads(row["tags"]), row["reserved_concurrency"], row["last_version"])

    def save_record(self, function: FunctionName, record: FunctionRecord) -> None:
        self._state.db.execute(
            "UPDATE lambda_function SET tags = ?, reserved_concurrency = ?, last_version = ?"
            " WHERE region = ? AND name = ?",
            (
                json.dumps(dict(record.tags)),
                record.reserved_concurrency,
                record.last_version,
                function.region,
                function.name,
            ),
        )

    def save(self, function: FunctionName, configuration: Configuration) -> None:
        """Write one version, new or changed."""
        self._state.db.execute(
            "INSERT INTO lambda_version VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET configuration = excluded.configuration",
            (function.region, function.name, configuration["Version"], json.dumps(configuration)),
        )

    def publish(self, function: FunctionName, configuration: Configuration) -> None:
        """Write a new version and that its number is taken: both, or neither."""
        with self._state.transaction():
            self.save(function, configuration)
            record = self.record(function)
            self.save_record(function, replace(record, last_version=int(configuration["Version"])))

    def remove_version(self, function: FunctionName, version: str) -> None:
        key = (function.region, function.name, version)
        self._state.db.execute("DELETE FROM lambda_version WHERE region = ? AND name = ? AND version = ?", key)

    def find(self, function: FunctionName) -> Configuration | None:
        """Return the version that the qualifier names, an alias resolved; None if there is none."""
        alias = self.alias(function, function.qualifier) if function.qualifier else None
        version = alias["version"] if alias else function.qualifier or LATEST
        row = self._state.db.execute(
            "SELECT configuration FROM lambda_version WHERE region = ? AND name = ? AND version = ?",
            (function.region, function.name, version),
        ).fetchone()
        return json.loads(row["configuration"]) if row else None

    def existing(self, function: FunctionName) -> Configuration:
        """Return what `find` finds.

        Raises:
            ServiceError: ResourceNotFoundException.
        """
        configuration = self.find(function)
        if configuration is None:
            raise function_not_found(function)
        return configuration

    def versions(self, region: str, name: str | None = None) -> list[Configuration]:
        """Return every version of one function, or of all, the unpublished ones included."""
        rows = self._state.db.execute(
            "SELECT configuration FROM lambda_version WHERE region = ? AND coalesce(name = ?, 1)", (region, name)
        )
        return [json.loads(row["configuration"]) for row in rows]

    def reserved_concurrency(self, region: str) -> int:
        """Return how many calls at once are kept for functions of *region*, all together."""
        query = "SELECT coalesce(sum(reserved_concurrency), 0) FROM lambda_function WHERE region = ?"
        return int(self._state.db.execute(query, (region,)).fetchone()[0])

    def code_in_use(self) -> Iterator[str]:
        """Yield the CodeSha256 of every version in every region."""
        for row in self._state.db.execute("SELECT configuration FROM lambda_version"):
            yield json.loads(row["configuration"])["CodeSha256"]

    def alias(self, function: FunctionName, alias: str) -> Row | None:
        key = (function.region, function.name, alias)
        row: Row | None = self._state.db.execute(
            "SELECT * FROM lambda_alias WHERE region = ? AND name = ? AND alias = ?", key
        ).fetchone()
        return row

    def aliases(self, function: FunctionName) -> list[Row]:
        key = (function.region, function.name)
        return self._state.db.execute(
            "SELECT * FROM lambda_alias WHERE region = ? AND name = ? ORDER BY alias", key
        ).fetchall()

    def save_alias(self, function: FunctionName, alias: str, version: str, description: str, revision: str) -> None:
        self._state.db.execute(
            "INSERT INTO lambda_alias VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " version = excluded.version, description = excluded.description, revision = excluded.revision",
            (function.region, function.name, alias, version, description, revision),
        )

    def remove_alias(self, function: FunctionName, alias: str) -> None:
        key = (function.region, function.name, alias)
        self._state.db.execute("DELETE FROM lambda_alias WHERE region = ? AND name = ? AND alias = ?", key)
