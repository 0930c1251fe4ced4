"""Tables as values, and keys as places in a table.

A table's key is a partition key and perhaps a sort key (AWS also says hash and range). Its two
values become bytes whose order is DynamoDB's, so SQLite can search and sort them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from iotauth_cli.emulator.control.dynamodb import numbers
from iotauth_cli.emulator.control.dynamodb.errors import invalid, invalid_value
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import Steps
from iotauth_cli.emulator.control.dynamodb.values import Item, Value, kind_of

MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
SLOTS = 2**32  # partitions are spread over as many places; a segment of a scan is a range of them

MISMATCH = "The provided key element does not match the schema"


@dataclass(frozen=True)
class KeyAttribute:
    name: str
    kind: str  # S, N or B


@dataclass(frozen=True)
class Place:
    """Where an item lies in its table. Scans run in this order; *sort* is empty without a sort key."""

    slot: int
    partition: bytes
    sort: bytes = b""


@dataclass(frozen=True)
class KeySchema:
    partition: KeyAttribute
    sort: KeyAttribute | None = None

    @property
    def attributes(self) -> tuple[KeyAttribute, ...]:
        return (self.partition,) if self.sort is None else (self.partition, self.sort)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.attributes)

    def key_of(self, item: Item) -> Item:
        """Return the key attributes of *item*, those that it has."""
        return {name: item[name] for name in self.names if name in item}

    def place_of_item(self, item: Item) -> Place:
        """Return the place of a whole *item*.

        Raises:
            ServiceError: a key attribute is missing, of another type, empty or too long.
        """
        for attribute in self.attributes:
            value = item.get(attribute.name)
            if value is None:
                raise invalid_value(f"Missing the key {attribute.name} in the item")
            if kind_of(value) != attribute.kind:
                raise invalid_value(
                    f"Type mismatch for key {attribute.name} expected: {attribute.kind} actual: {kind_of(value)}"
                )
        return self._place(item)

    def place_of_key(self, key: Item) -> Place:
        """Return the place that *key* names: it holds the key attributes and nothing else.

        Raises:
            ServiceError: it does not, or a value is empty or too long.
        """
        if len(key) != len(self.attributes):
            raise invalid(MISMATCH)
        for attribute in self.attributes:
            if attribute.name not in key or kind_of(key[attribute.name]) != attribute.kind:
                raise invalid(MISMATCH)
        return self._place(key)

    def _place(self, item: Item) -> Place:
        partition = key_bytes(self.partition, item[self.partition.name])
        if len(partition) > MAX_PARTITION_KEY_BYTES:
            raise invalid_value("Size of hashkey has exceeded the maximum size limit of2048 bytes")  # AWS's spelling
        sort = b"" if self.sort is None else key_bytes(self.sort, item[self.sort.name])
        if len(sort) > MAX_SORT_KEY_BYTES:
            raise invalid_value("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
        return Place(slot_of(partition), partition, sort)

    def refuse_nested(self, paths: Iterable[Steps]) -> None:
        """Refuse paths into key attributes, which are never lists or maps."""
        for steps in paths:
            if len(steps) > 1 and steps[0] in self.names:
                raise invalid(
                    "Key attributes must be scalars; list random access '[]' and map lookup '.' "
                    f"are not allowed: Key: {steps[0]}"
                )


def key_bytes(attribute: KeyAttribute, value: Value) -> bytes:
    """Return *value*, of the attribute's type, as bytes that sort as DynamoDB sorts it.

    Raises:
        ServiceError: it is an empty text or blob, which a key cannot be.
    """
    content = value[attribute.kind]
    if attribute.kind == "N":
        return numbers.order_key(content)
    if not content:
        kind = "string" if attribute.kind == "S" else "binary"
        raise invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            f"cannot contain an empty {kind} value. Key: {attribute.name}"
        )
    return bytes(content) if attribute.kind == "B" else str(content).encode("utf-8", "surrogatepass")


def slot_of(partition: bytes) -> int:
    """Return where a partition falls among the `SLOTS`: scattered, so that a scan has no useful order, as on AWS."""
    return zlib.crc32(partition)


@dataclass(frozen=True)
class Table:
    """A table and its settings. *number* tells apart two tables that had the same name in turn."""

    number: int
    region: str
    name: str
    table_id: str
    keys: KeySchema
    created_at: float  # epoch seconds
    billing_mode: str = "PROVISIONED"
    billing_changed_at: float | None = None  # epoch seconds, since when it is on demand
    read_units: int = 0
    write_units: int = 0
    deletion_protection: bool = False
    table_class: str | None = None
    ttl_attribute: str | None = None
    recovery_days: int | None = None  # of point-in-time recovery; None while it is off
    recovery_since: float | None = None  # epoch seconds
    ttl_changed_at: float | None = None  # epoch seconds
    tags: Mapping[str, str] = field(default_factory=dict)
