"""Domain configurations in SQLite; each region has its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from sqlite3 import Row

from iotauth_cli.emulator.model import Domain, DomainDirectory
from iotauth_cli.emulator.state import State

SCHEMA = """
CREATE TABLE IF NOT EXISTS iot_domain_configuration (
    region TEXT NOT NULL, name TEXT NOT NULL, arn TEXT NOT NULL, domain_name TEXT NOT NULL UNIQUE,
    is_managed INTEGER NOT NULL, certificate_arns TEXT NOT NULL, default_authorizer TEXT,
    allows_override INTEGER NOT NULL, is_enabled INTEGER NOT NULL, status_changed REAL NOT NULL,
    security_policy TEXT, authentication_type TEXT NOT NULL, application_protocol TEXT NOT NULL,
    PRIMARY KEY (region, name)
);
"""


@dataclass(frozen=True)
class DomainRecord:
    """A domain configuration, by the table's columns. *status_changed* is epoch seconds.

    *is_managed*: its name was given by AWS, here the emulator, and its certificate with it.
    """

    name: str
    arn: str
    domain_name: str
    is_managed: bool
    certificate_arns: tuple[str, ...]
    default_authorizer: str | None
    allows_override: bool
    is_enabled: bool
    status_changed: float
    security_policy: str | None
    authentication_type: str
    application_protocol: str


COLUMNS = tuple(field.name for field in fields(DomainRecord))


class DomainStore:
    """*on_names* is called when a name comes, so that the server's certificate can be made to cover it."""

    def __init__(self, state: State) -> None:
        self._db = state.db
        self.on_names: Callable[[], None] = lambda: None
        state.create(SCHEMA)

    def find(self, region: str, name: str) -> DomainRecord | None:
        query = "SELECT * FROM iot_domain_configuration WHERE region = ? AND name = ?"
        row = self._db.execute(query, (region, name)).fetchone()
        return _record(row) if row else None

    def all(self, region: str) -> list[DomainRecord]:
        query = "SELECT * FROM iot_domain_configuration WHERE region = ? ORDER BY name"
        return [_record(row) for row in self._db.execute(query, (region,))]

    def of_domain(self, domain_name: str) -> DomainRecord | None:
        """Return the configuration of *domain_name* (lower case), whatever its region: names are the world's."""
        query = "SELECT * FROM iot_domain_configuration WHERE domain_name = ?"
        row = self._db.execute(query, (domain_name,)).fetchone()
        return _record(row) if row else None

    def names(self, region: str) -> list[str]:
        """Return the domain names that the data plane of *region* answers to."""
        return [record.domain_name for record in self.all(region)]

    def save(self, region: str, record: DomainRecord) -> None:
        values = {**asdict(record), "certificate_arns": json.dumps(record.certificate_arns)}
        marks = ", ".join("?" for _ in COLUMNS)
        self._db.execute(
            f"INSERT OR REPLACE INTO iot_domain_configuration (region, {', '.join(COLUMNS)}) VALUES (?, {marks})",
            (region, *(values[column] for column in COLUMNS)),
        )
        self.on_names()

    def remove(self, region: str, record: DomainRecord) -> None:
        self._db.execute("DELETE FROM iot_tag WHERE region = ? AND arn = ?", (region, record.arn))
        query = "DELETE FROM iot_domain_configuration WHERE region = ? AND name = ?"
        self._db.execute(query, (region, record.name))

    def in_region(self, region: str) -> DomainDirectory:
        """Return the look-up by server name for the data plane of *region*."""

        def look_up(server_name: str | None) -> Domain | None:
            query = "SELECT * FROM iot_domain_configuration WHERE region = ? AND domain_name = ?"
            row = self._db.execute(query, (region, (server_name or "").lower())).fetchone()
            return _domain(_record(row)) if row else None

        return look_up


def _record(row: Row) -> DomainRecord:
    values = {column: row[column] for column in COLUMNS}
    values["certificate_arns"] = tuple(json.loads(values["certificate_arns"]))
    for flag in ("is_managed", "allows_override", "is_enabled"):
        values[flag] = bool(values[flag])
    return DomainRecord(**values)


def _domain(record: DomainRecord) -> Domain:
    return Domain(
        name=record.name,
        is_enabled=record.is_enabled,
        default_authorizer=record.default_authorizer,
        allows_override=record.allows_override,
        protocol=record.application_protocol,
    )
