"""Authorizers, the default among them, and tags, in SQLite; each region has its own."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Row

from iotauth_cli.emulator.model import Authorizer
from iotauth_cli.emulator.state import State

SCHEMA = """
CREATE TABLE IF NOT EXISTS iot_authorizer (
    region TEXT NOT NULL, name TEXT NOT NULL, arn TEXT NOT NULL, function_arn TEXT NOT NULL,
    is_active INTEGER NOT NULL, signing_disabled INTEGER NOT NULL, token_key_name TEXT,
    token_signing_public_keys TEXT NOT NULL, enable_caching_for_http INTEGER NOT NULL,
    created REAL NOT NULL, modified REAL NOT NULL,
    PRIMARY KEY (region, name)
);
CREATE TABLE IF NOT EXISTS iot_default_authorizer (region TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS iot_tag (
    region TEXT NOT NULL, arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (region, arn, key)
);
CREATE TABLE IF NOT EXISTS iot_endpoint (prefix TEXT NOT NULL);
"""

PREFIX_LENGTH = 14  # characters before the `-ats` of an endpoint, as AWS's are
LABEL_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class AuthorizerRecord:
    """An authorizer and when it came and changed, in epoch seconds."""

    authorizer: Authorizer
    created: float
    modified: float


class AuthorizerStore:
    """Everything that AWS IoT's control plane remembers."""

    def __init__(self, state: State) -> None:
        self._db = state.db
        self._transaction = state.transaction
        state.create(SCHEMA)
        self.endpoint_prefix = self._endpoint_prefix()

    def in_region(self, region: str) -> RegionalAuthorizers:
        """Return the directory in which the data plane of *region* looks authorizers up."""
        return RegionalAuthorizers(self, region)

    def find(self, region: str, name: str) -> AuthorizerRecord | None:
        query = "SELECT * FROM iot_authorizer WHERE region = ? AND name = ?"
        row = self._db.execute(query, (region, name)).fetchone()
        return _record(row) if row else None

    def all(self, region: str) -> list[AuthorizerRecord]:
        rows = self._db.execute("SELECT * FROM iot_authorizer WHERE region = ? ORDER BY name", (region,))
        return [_record(row) for row in rows]

    def save(self, region: str, record: AuthorizerRecord) -> None:
        authorizer = record.authorizer
        self._db.execute(
            "INSERT OR REPLACE INTO iot_authorizer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                region,
                authorizer.name,
                authorizer.arn,
                authorizer.function_arn,
                authorizer.is_active,
                authorizer.signing_disabled,
                authorizer.token_key_name,
                json.dumps(dict(authorizer.token_signing_public_keys)),
                authorizer.enable_caching_for_http,
                record.created,
                record.modified,
            ),
        )

    def remove(self, region: str, record: AuthorizerRecord) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM iot_tag WHERE region = ? AND arn = ?", (region, record.authorizer.arn))
            db.execute("DELETE FROM iot_authorizer WHERE region = ? AND name = ?", (region, record.authorizer.name))

    def default_name(self, region: str) -> str | None:
        row = self._db.execute("SELECT name FROM iot_default_authorizer WHERE region = ?", (region,)).fetchone()
        return row["name"] if row else None

    def set_default(self, region: str, name: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO iot_default_authorizer VALUES (?, ?)", (region, name))

    def clear_default(self, region: str) -> None:
        self._db.execute("DELETE FROM iot_default_authorizer WHERE region = ?", (region,))

    def tags(self, region: str, arn: str) -> dict[str, str]:
        query = "SELECT key, value FROM iot_tag WHERE region = ? AND arn = ? ORDER BY key"
        return {row["key"]: row["value"] for row in self._db.execute(query, (region, arn))}

    def add_tags(self, region: str, arn: str, tags: Mapping[str, str]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO iot_tag VALUES (?, ?, ?, ?)",
            [(region, arn, key, value) for key, value in tags.items()],
        )

    def remove_tags(self, region: str, arn: str, keys: list[str]) -> None:
        self._db.executemany(
            "DELETE FROM iot_tag WHERE region = ? AND arn = ? AND key = ?", [(region, arn, key) for key in keys]
        )

    def _endpoint_prefix(self) -> str:
        row = self._db.execute("SELECT prefix FROM iot_endpoint").fetchone()
        if row is not None:
            return str(row["prefix"])
        prefix = random_label(PREFIX_LENGTH)
        self._db.execute("INSERT INTO iot_endpoint VALUES (?)", (prefix,))
        return prefix


class RegionalAuthorizers:
    """The authorizers of one region: the `AuthorizerDirectory` of the data plane."""

    def __init__(self, store: AuthorizerStore, region: str) -> None:
        self._store = store
        self._region = region

    def find(self, name: str) -> Authorizer | None:
        record = self._store.find(self._region, name)
        return record.authorizer if record else None

    def default(self) -> Authorizer | None:
        name = self._store.default_name(self._region)
        return self.find(name) if name else None


def random_label(length: int) -> str:
    """Return characters that may stand in a host name."""
    return "".join(secrets.choice(LABEL_ALPHABET) for _ in range(length))


def _record(row: Row) -> AuthorizerRecord:
    authorizer = Authorizer(
        name=row["name"],
        arn=row["arn"],
        function_arn=row["function_arn"],
        is_active=bool(row["is_active"]),
        signing_disabled=bool(row["signing_disabled"]),
        token_key_name=row["token_key_name"],
        token_signing_public_keys=json.loads(row["token_signing_public_keys"]),
        enable_caching_for_http=bool(row["enable_caching_for_http"]),
    )
    return AuthorizerRecord(authorizer, row["created"], row["modified"])
