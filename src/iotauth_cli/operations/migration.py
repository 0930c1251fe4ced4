"""Rows of older tools: their plain passwords hashed in place, one conditional change a row.

A device notices nothing. Before the change the function compares its password with the row's text,
after it with the hash, and a session that is open is not looked at. The row is changed only if it
still holds the password that was hashed, so an older tool that sets another one meanwhile wins, and the
row is looked at again. A run that was stopped is repeated: what was migrated has no plain password.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

from iotauth_authorizer.credential import Slot, hash_secret, profile_for
from iotauth_authorizer.record import SLOT_NAMES, ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.aws.workers import Line, run
from iotauth_cli.errors import IotauthError, NotFound
from iotauth_cli.operations.changing import change

SHOWN = 10


@dataclass
class Found:
    """What a table has to migrate. *crowded* have a plain password beside two secrets, and no room for a third."""

    plain: int = 0
    named: list[str] = field(default_factory=list)
    crowded: list[str] = field(default_factory=list)
    unreadable: int = 0


@dataclass
class Counts:
    """What became of the rows so far. *gone* were changed or removed by somebody else meanwhile."""

    migrated: int = 0
    gone: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.migrated + self.gone + len(self.failed)


def look(table: ClientTable, into: Found) -> Iterator[int]:
    """Read the table and fill *into*; yield 1 for each row. Nothing is changed."""
    for row in table.rows():
        if isinstance(row, BrokenRow):
            into.unreadable += 1
        elif row.plain_password is not None and free_slot(row) is None:
            into.crowded.append(row.client_id)
        elif row.plain_password is not None:
            into.plain += 1
            if len(into.named) < SHOWN:
                into.named.append(row.client_id)
        yield 1


def migrate(table: ClientTable, now: int) -> Iterator[Counts]:
    """Hash every plain password; yield the counts after each row."""
    counts = Counts()
    limit = 2 * (os.cpu_count() or 1)  # hashing is the work, in C and outside the interpreter's lock; 16 MB a thread

    def work(line: Line, record: ClientRecord) -> bool:
        _, was_written = change(replace(table, client=line), record, lambda row: hashed(row, now))
        return was_written

    with closing(run(table, to_migrate(table), work, limit=limit)) as results:
        for record, result in results:
            if isinstance(result, NotFound):
                counts.gone += 1
            elif isinstance(result, IotauthError):
                counts.failed.append((record.client_id, result.message))
            else:
                counts.migrated += result
                counts.gone += not result
            yield counts


def to_migrate(table: ClientTable) -> Iterable[ClientRecord]:
    for row in table.rows():
        if not isinstance(row, BrokenRow) and row.plain_password is not None and free_slot(row) is not None:
            yield row


def hashed(record: ClientRecord, now: int) -> ClientRecord:
    """Return the row with its plain password as the secret of a free slot; the row itself when it has none."""
    plain, name = record.plain_password, free_slot(record)
    if plain is None or name is None:
        return record
    slots = dict(record.slots)
    if plain:  # an empty one lets nobody in
        secret = plain.encode(errors="surrogatepass")
        slots[name] = Slot(hash_secret(secret, record.client_id, profile_for(plain)), now)
    return record._replace(plain_password=None, slots=slots, updated_at=now)


def free_slot(record: ClientRecord) -> str | None:
    return next((name for name in SLOT_NAMES if name not in record.slots), None)
