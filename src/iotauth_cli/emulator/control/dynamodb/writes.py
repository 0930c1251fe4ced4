"""What a write does to one item, worked out before anything is stored.

PutItem, UpdateItem, DeleteItem, the requests of a batch and the actions of a transaction are all
read into the same `Write`; a transaction decides all of them before it stores any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iotauth_cli.emulator.control.dynamodb.errors import condition_failed, invalid, invalid_value
from iotauth_cli.emulator.control.dynamodb.expressions import update as updates
from iotauth_cli.emulator.control.dynamodb.expressions.evaluate import holds
from iotauth_cli.emulator.control.dynamodb.expressions.request import NO_EXPRESSIONS, Expressions, read_expressions
from iotauth_cli.emulator.control.dynamodb.schema import KeySchema, Place, Table
from iotauth_cli.emulator.control.dynamodb.table_store import TableStore
from iotauth_cli.emulator.control.dynamodb.values import Item, item_size, normalise_item
from iotauth_cli.emulator.control.service import Parameters

MAX_ITEM_BYTES = 400 * 1024

Change = Callable[[Item | None], Item | None]  # from the item as it is to what becomes of it; None: there is none


@dataclass(frozen=True)
class Write:
    """One item's place and change, and the condition that it stands under."""

    table: Table
    place: Place
    change: Change
    expressions: Expressions = NO_EXPRESSIONS
    tells_item_on_failure: bool = False

    def decide(self, old: Item | None) -> Item | None:
        """Return what becomes of *old*.

        Raises:
            ServiceError: the condition does not hold, or the change cannot be made to this item.
        """
        condition = self.expressions.condition
        if condition is not None and not holds(condition, old or {}, self.expressions.scope):
            raise condition_failed(old if self.tells_item_on_failure else None)
        return self.change(old)


def read_put(parameters: Parameters, tables: TableStore, region: str) -> Write:
    """Read a PutItem, or what stands for one in a transaction.

    Raises:
        ServiceError: it is not valid, for this function and its siblings.
    """
    return _read_item(parameters, tables, region, KeySchema.place_of_item)


def read_batch_put(parameters: Parameters, tables: TableStore, region: str) -> Write:
    """Read a put of a batch, whose item is held to the table's key in the words for keys."""
    return _read_item(parameters, tables, region, lambda keys, item: keys.place_of_key(keys.key_of(item)))


def _read_item(
    parameters: Parameters, tables: TableStore, region: str, place_of: Callable[[KeySchema, Item], Place]
) -> Write:
    item = normalise_item(parameters["Item"])
    if item_size(item) > MAX_ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")
    expressions = read_expressions(parameters)
    table = tables.find(parameters["TableName"], region)
    return _write(parameters, table, place_of(table.keys, item), lambda old: item, expressions)


def read_delete(parameters: Parameters, tables: TableStore, region: str) -> Write:
    return _read_keyed(parameters, tables, region, lambda key, expressions: _remove)


def read_check(parameters: Parameters, tables: TableStore, region: str) -> Write:
    """Read a transaction's ConditionCheck: a write that leaves everything as it is."""
    return _read_keyed(parameters, tables, region, lambda key, expressions: _keep)


def read_update(parameters: Parameters, tables: TableStore, region: str) -> Write:
    write = _read_keyed(parameters, tables, region, _updating)
    _refuse_key_changes(write)
    return write


def _read_keyed(
    parameters: Parameters, tables: TableStore, region: str, change: Callable[[Item, Expressions], Change]
) -> Write:
    key = normalise_item(parameters["Key"])
    expressions = read_expressions(parameters)
    table = tables.find(parameters["TableName"], region)
    return _write(parameters, table, table.keys.place_of_key(key), change(key, expressions), expressions)


def _write(parameters: Parameters, table: Table, place: Place, change: Change, expressions: Expressions) -> Write:
    tells_item = parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    return Write(table, place, change, expressions, tells_item)


def _remove(old: Item | None) -> None:
    return None


def _keep(old: Item | None) -> Item | None:
    return old


def _updating(key: Item, expressions: Expressions) -> Change:
    """Return the change that an update makes; without an expression it only sees to it that the item exists."""
    update = expressions.update

    def change(old: Item | None) -> Item | None:
        if update is None:
            return old or key
        if old is None and not updates.creates_item(update):
            return None
        new = updates.apply(update, old or key, expressions.scope)
        if item_size(new) > MAX_ITEM_BYTES:
            raise invalid("Item size to update has exceeded the maximum allowed size")
        return new

    return change


def _refuse_key_changes(write: Write) -> None:
    changed = write.expressions.changed
    for name in write.table.keys.names:
        if changed is not None and name in changed.children:
            raise invalid_value(f"Cannot update attribute {name}. This attribute is part of the key")
