"""The tables that exist, by region and name: in SQLite, and read from memory.

The emulator is the only writer of its state, so what is in memory is what is in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from sqlite3 import Row
from typing import Any

from iotauth_cli.emulator.control.dynamodb.errors import invalid, table_not_found
from iotauth_cli.emulator.control.dynamodb.schema import KeyAttribute, KeySchema, Table
from iotauth_cli.emulator.state import State

SCHEMA = """
CREATE TABLE IF NOT EXISTS dynamodb_table (
    number INTEGER PRIMARY KEY,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE (region, name)
);
"""

COLUMNS = ("number", "region", "name")  # the other fields of a `Table` are its settings

NAME = re.compile(r"[a-zA-Z0-9_.-]+")
ARN = re.compile(r"arn:[^:]+:dynamodb:(?P<region>[^:]+):\d*:table/(?P<name>[a-zA-Z0-9_.-]+)")
MAX_NAME = 255  # characters


class TableStore:
    def __init__(self, state: State) -> None:
        self.db = state.db
        state.create(SCHEMA)
        rows = self.db.execute("SELECT * FROM dynamodb_table")
        self._tables = {(row["region"], row["name"]): _from_row(row) for row in rows}

    def find(self, name: str, region: str, *, tell_name: bool = False) -> Table:
        """Return the table that *name*, or the name in an ARN, stands for in *region*.

        *tell_name* puts the name in the error, as AWS does for operations on tables but not on items.

        Raises:
            ServiceError: there is none, or *name* cannot be one.
        """
        table = self.get(name, region)
        if table is None:
            check_name(name)
            raise table_not_found(name if tell_name else None)
        return table

    def get(self, name: str, region: str) -> Table | None:
        if name.startswith("arn:"):
            match = ARN.fullmatch(name)
            return self._tables.get((match["region"], match["name"])) if match else None
        return self._tables.get((region, name))

    def names(self, region: str) -> Iterator[str]:
        """Yield the names of the tables in *region*, sorted."""
        return iter(sorted(name for where, name in self._tables if where == region))

    def add(self, table: Table) -> Table:
        """Keep *table*, whose number is yet to be given, and return it with its number."""
        insert = "INSERT INTO dynamodb_table (region, name, settings) VALUES (?, ?, ?)"
        number = self.db.execute(insert, (table.region, table.name, _settings(table))).lastrowid
        assert number is not None  # always set by an INSERT
        return self._remember(replace(table, number=number))

    def save(self, table: Table) -> Table:
        self.db.execute("UPDATE dynamodb_table SET settings = ? WHERE number = ?", (_settings(table), table.number))
        return self._remember(table)

    def remove(self, table: Table) -> None:
        """Forget *table* and all its items."""
        self.db.execute("DELETE FROM dynamodb_table WHERE number = ?", (table.number,))
        del self._tables[table.region, table.name]

    def _remember(self, table: Table) -> Table:
        self._tables[table.region, table.name] = table
        return table


def check_name(name: str) -> None:
    """Refuse a text that no table could be called.

    The model lets an ARN stand for a name, so its own constraints no longer hold names to their form.
    """
    if name.startswith("arn:"):
        return
    if len(name) > MAX_NAME:
        rule = f"Member must have length less than or equal to {MAX_NAME}"
    elif not NAME.fullmatch(name):
        rule = f"Member must satisfy regular expression pattern: {NAME.pattern}"
    else:
        return
    raise invalid(f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: {rule}")


def _settings(table: Table) -> str:
    return json.dumps({name: value for name, value in asdict(table).items() if name not in COLUMNS})


def _from_row(row: Row) -> Table:
    settings: dict[str, Any] = json.loads(row["settings"])
    keys = settings.pop("keys")
    sort = KeyAttribute(**keys["sort"]) if keys["sort"] else None
    return Table(
        number=row["number"],
        region=row["region"],
        name=row["name"],
        keys=KeySchema(KeyAttribute(**keys["partition"]), sort),
        **settings,
    )
