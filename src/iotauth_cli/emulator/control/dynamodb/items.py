"""Items in SQLite: one row each, found by key bytes and read in key order.

Size and expiry stand beside an item's JSON, so that nobody reads JSON to measure a table or to
find what has expired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from iotauth_cli.emulator.control.dynamodb.schema import SLOTS, Place, Table
from iotauth_cli.emulator.control.dynamodb.values import Item, dump, item_size, load
from iotauth_cli.emulator.state import State

SCHEMA = """
CREATE TABLE IF NOT EXISTS dynamodb_item (
    table_number INTEGER NOT NULL REFERENCES dynamodb_table (number) ON DELETE CASCADE,
    slot INTEGER NOT NULL,
    partition_key BLOB NOT NULL,
    sort_key BLOB NOT NULL,
    item TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (table_number, slot, partition_key, sort_key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dynamodb_item_expiry ON dynamodb_item (expires_at) WHERE expires_at IS NOT NULL;
"""

AT_PLACE = "WHERE table_number = ? AND slot = ? AND partition_key = ? AND sort_key = ?"
GET = f"SELECT item FROM dynamodb_item {AT_PLACE}"
PUT = "INSERT OR REPLACE INTO dynamodb_item VALUES (?, ?, ?, ?, ?, ?, ?)"
DELETE = f"DELETE FROM dynamodb_item {AT_PLACE}"
SCAN = """
SELECT item, bytes FROM dynamodb_item
WHERE table_number = ? AND (slot, partition_key, sort_key) > (?, ?, ?) AND slot < ?
ORDER BY slot, partition_key, sort_key
"""
QUERY = "SELECT item, bytes FROM dynamodb_item WHERE table_number = ? AND slot = ? AND partition_key = ?"
EXPIRE = "DELETE FROM dynamodb_item WHERE expires_at BETWEEN ? AND ?"

MAX_SQLITE_INTEGER = 2**63 - 1


@dataclass(frozen=True)
class Stored:
    item: Item
    size: int  # bytes, as AWS counts


@dataclass(frozen=True)
class SortRange:
    """Which sort keys of a partition a query wants; None leaves an end open."""

    low: bytes | None = None
    high: bytes | None = None
    includes_low: bool = True
    includes_high: bool = True

    def holds(self, sort: bytes) -> bool:
        above = self.low is None or self.low < sort or (self.includes_low and self.low == sort)
        below = self.high is None or sort < self.high or (self.includes_high and self.high == sort)
        return above and below


@dataclass(frozen=True)
class Segment:
    """A part of a table: the slots from *first* up to *end*, not included."""

    first: int = 0
    end: int = SLOTS

    @classmethod
    def of(cls, number: int, total: int) -> Segment:
        """Return segment *number*, from 0, of *total* segments."""
        return cls(-(-SLOTS * number // total), -(-SLOTS * (number + 1) // total))

    def holds(self, place: Place) -> bool:
        return self.first <= place.slot < self.end

    @property
    def start(self) -> Place:
        """A place just before the first that an item can have: no partition key is empty."""
        return Place(self.first, b"")


class ItemStore:
    def __init__(self, state: State) -> None:
        self.db = state.db
        self.transaction = state.transaction
        state.create(SCHEMA)

    def get(self, table: Table, place: Place) -> Item | None:
        row = self.db.execute(GET, (table.number, place.slot, place.partition, place.sort)).fetchone()
        return None if row is None else load(row[0])

    def put(self, table: Table, place: Place, item: Item) -> None:
        expiry = expiry_of(item, table.ttl_attribute)
        row = (table.number, place.slot, place.partition, place.sort, dump(item), item_size(item), expiry)
        self.db.execute(PUT, row)

    def delete(self, table: Table, place: Place) -> None:
        self.db.execute(DELETE, (table.number, place.slot, place.partition, place.sort))

    def scan(self, table: Table, segment: Segment, after: Place | None = None) -> Iterator[Stored]:
        """Yield the items of *segment* in order of place, those behind *after* if it is given."""
        start = after or segment.start
        return self._read(SCAN, table.number, start.slot, start.partition, start.sort, segment.end)

    def query(self, table: Table, partition: Place, wanted: SortRange, *, descending: bool = False) -> Iterator[Stored]:
        """Yield the items of one partition whose sort keys are *wanted*, in their order or against it."""
        statement = QUERY
        arguments: list[int | bytes] = [table.number, partition.slot, partition.partition]
        if wanted.low is not None:
            statement += f" AND sort_key {'>=' if wanted.includes_low else '>'} ?"
            arguments.append(wanted.low)
        if wanted.high is not None:
            statement += f" AND sort_key {'<=' if wanted.includes_high else '<'} ?"
            arguments.append(wanted.high)
        return self._read(f"{statement} ORDER BY sort_key {'DESC' if descending else 'ASC'}", *arguments)

    def _read(self, statement: str, *arguments: int | bytes) -> Iterator[Stored]:
        for row in self.db.execute(statement, arguments):
            yield Stored(load(row[0]), row[1])

    def totals(self, table: Table) -> tuple[int, int]:
        """Return how many items *table* has, and their size in bytes."""
        counted = "SELECT count(*), coalesce(sum(bytes), 0) FROM dynamodb_item WHERE table_number = ?"
        count, size = self.db.execute(counted, (table.number,)).fetchone()
        return count, size

    def set_expiry(self, table: Table) -> None:
        """Work out anew when the items of *table* expire, after its time-to-live setting has changed."""
        expiries = [
            (expiry_of(stored.item, table.ttl_attribute), table.keys.place_of_item(stored.item))
            for stored in self.scan(table, Segment())
        ]
        with self.transaction() as db:
            db.executemany(
                f"UPDATE dynamodb_item SET expires_at = ? {AT_PLACE}",
                [(expiry, table.number, place.slot, place.partition, place.sort) for expiry, place in expiries],
            )

    def expire(self, since: int, until: int) -> None:
        """Delete the items of all tables that expired from *since* to *until*, epoch seconds."""
        self.db.execute(EXPIRE, (since, until))


def expiry_of(item: Item, attribute: str | None) -> int | None:
    """Return the epoch second at which *item* expires, or None if it does not.

    As on AWS, anything but a number in the time-to-live attribute means never.
    """
    text = item.get(attribute, {}).get("N") if attribute else None
    if text is None:
        return None
    second = int(Decimal(text))
    return second if 0 < second <= MAX_SQLITE_INTEGER else None
