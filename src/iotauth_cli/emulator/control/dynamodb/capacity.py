"""The capacity a request consumes, for those who ask: write units of 1 KB, read units of 4 KB.

Source: Amazon DynamoDB developer guide, "DynamoDB read and write operations".
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from iotauth_cli.emulator.control.dynamodb.values import Item, item_size
from iotauth_cli.emulator.control.service import Parameters

WRITE_UNIT = 1024  # bytes
READ_UNIT = 4096  # bytes, read consistently; an eventually consistent read costs half
TRANSACTION_FACTOR = 2  # a transaction reads or writes everything twice, and costs as much


class Meter:
    """Adds up what one request consumes, by table. Measuring items takes time, so it is done only if asked for."""

    def __init__(self, parameters: Parameters, factor: int = 1) -> None:
        self.wanted = parameters.get("ReturnConsumedCapacity", "NONE")
        self.factor = factor
        self.used: dict[str, float] = defaultdict(float)

    def wrote(self, table: str, *items: Item | None) -> None:
        """Count a write that found and left *items*: the larger counts, and at least one unit."""
        if self.wanted != "NONE":
            self._add(table, float(_units(max(map(_size, items)), WRITE_UNIT)))

    def read(self, table: str, item: Item | None, *, consistent: bool) -> None:
        """Count one item read; finding nothing costs as much as the smallest."""
        if self.wanted != "NONE":
            self.read_bytes(table, _size(item), consistent=consistent)

    def read_bytes(self, table: str, size: int, *, consistent: bool) -> None:
        self._add(table, _units(size, READ_UNIT) * (1.0 if consistent else 0.5))

    def _add(self, table: str, units: float) -> None:
        self.used[table] += units * self.factor

    def total(self) -> dict[str, Any]:
        """Return the ConsumedCapacity member for a request on one table, if it is wanted."""
        totals = self.totals()
        return {"ConsumedCapacity": totals["ConsumedCapacity"][0]} if totals else {}

    def totals(self) -> dict[str, Any]:
        """Return the ConsumedCapacity member for a request on several tables, if it is wanted."""
        if self.wanted == "NONE":
            return {}
        return {"ConsumedCapacity": [self._describe(table, units) for table, units in self.used.items()]}

    def _describe(self, table: str, units: float) -> dict[str, Any]:
        total = {"TableName": table, "CapacityUnits": units}
        return {**total, "Table": {"CapacityUnits": units}} if self.wanted == "INDEXES" else total


def _size(item: Item | None) -> int:
    return 0 if item is None else item_size(item)


def _units(size: int, unit: int) -> int:
    return max(1, -(-size // unit))
