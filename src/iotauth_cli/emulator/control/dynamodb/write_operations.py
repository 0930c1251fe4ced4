"""PutItem, UpdateItem, DeleteItem and BatchWriteItem.

The emulator answers one request after the other, in one thread, so reading an item and writing
it back needs no lock. Only what must be stored together, or quickly, is put in a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from iotauth_cli.emulator.control.dynamodb.capacity import Meter
from iotauth_cli.emulator.control.dynamodb.errors import invalid
from iotauth_cli.emulator.control.dynamodb.expressions.projection import project
from iotauth_cli.emulator.control.dynamodb.items import ItemStore
from iotauth_cli.emulator.control.dynamodb.table_store import TableStore
from iotauth_cli.emulator.control.dynamodb.values import SEVERAL_TYPES, Item
from iotauth_cli.emulator.control.dynamodb.writes import Write, read_batch_put, read_delete, read_put, read_update
from iotauth_cli.emulator.control.service import Context, Parameters, Result

MAX_BATCH = 25  # requests in one BatchWriteItem


class WriteOperations:
    def __init__(self, tables: TableStore, items: ItemStore) -> None:
        self.tables = tables
        self.items = items

    def put_item(self, parameters: Parameters, context: Context) -> Result:
        _check_return_values(parameters)
        return self._perform(read_put(parameters, self.tables, context.region), parameters)

    def delete_item(self, parameters: Parameters, context: Context) -> Result:
        _check_return_values(parameters)
        return self._perform(read_delete(parameters, self.tables, context.region), parameters)

    def update_item(self, parameters: Parameters, context: Context) -> Result:
        return self._perform(read_update(parameters, self.tables, context.region), parameters)

    def batch_write_item(self, parameters: Parameters, context: Context) -> Result:
        writes = list(self._read_batch(parameters["RequestItems"], context.region))
        if len({(write.table.number, write.place) for write in writes}) < len(writes):
            raise invalid("Provided list of item keys contains duplicates")
        meter = Meter(parameters)
        with self.items.transaction():
            for write in writes:
                old = self.items.get(write.table, write.place)
                new = write.change(old)
                meter.wrote(write.table.name, old, new)
                self.store(write, new)
        return {"UnprocessedItems": {}, **meter.totals()}

    def _read_batch(self, requests: dict[str, list[dict[str, Any]]], region: str) -> Iterator[Write]:
        if sum(map(len, requests.values())) > MAX_BATCH:
            raise invalid("Too many items requested for the BatchWriteItem call")
        for table_name, of_table in requests.items():
            for request in of_table:
                if len(request) != 1:
                    raise invalid(SEVERAL_TYPES)  # AWS says so of a request without or with two parts, too
                yield self._read_request(table_name, request, region)

    def _read_request(self, table_name: str, request: dict[str, Any], region: str) -> Write:
        ((kind, parameters),) = request.items()
        read = read_batch_put if kind == "PutRequest" else read_delete
        return read({"TableName": table_name, **parameters}, self.tables, region)

    def _perform(self, write: Write, parameters: Parameters) -> Result:
        old = self.items.get(write.table, write.place)
        new = write.decide(old)
        if new is not old:
            self.store(write, new)
        meter = Meter(parameters)
        meter.wrote(write.table.name, old, new)
        attributes = _returned(parameters.get("ReturnValues", "NONE"), write, old, new)
        return {**({"Attributes": attributes} if attributes else {}), **meter.total()}

    def store(self, write: Write, new: Item | None) -> None:
        if new is None:
            self.items.delete(write.table, write.place)
        else:
            self.items.put(write.table, write.place, new)


def _check_return_values(parameters: Parameters) -> None:
    if parameters.get("ReturnValues", "NONE") not in ("NONE", "ALL_OLD"):
        raise invalid("ReturnValues can only be ALL_OLD or NONE")


def _returned(mode: str, write: Write, old: Item | None, new: Item | None) -> Item | None:
    """Return the attributes that *mode* asks for, or None; AWS leaves out what would be empty."""
    item = new if mode.endswith("_NEW") else old
    if mode == "NONE" or item is None:
        return None
    if mode.startswith("ALL_"):
        return item
    changed = write.expressions.changed
    return None if changed is None else project(item, changed)
