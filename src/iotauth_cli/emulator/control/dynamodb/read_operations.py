"""GetItem, BatchGetItem, Query and Scan.

Every read sees every write before it, so ConsistentRead changes nothing but the capacity it costs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from iotauth_cli.emulator.control.dynamodb.capacity import Meter
from iotauth_cli.emulator.control.dynamodb.errors import invalid, unsupported
from iotauth_cli.emulator.control.dynamodb.expressions.projection import project
from iotauth_cli.emulator.control.dynamodb.expressions.request import Expressions, read_expressions
from iotauth_cli.emulator.control.dynamodb.items import ItemStore, Segment, SortRange
from iotauth_cli.emulator.control.dynamodb.key_condition import KeySearch, search
from iotauth_cli.emulator.control.dynamodb.pages import answer, check_select, read_page
from iotauth_cli.emulator.control.dynamodb.schema import KeySchema, Place, Table
from iotauth_cli.emulator.control.dynamodb.table_store import TableStore
from iotauth_cli.emulator.control.dynamodb.values import Item, item_size, normalise_item
from iotauth_cli.emulator.control.service import Context, Parameters, Result, ServiceError

MAX_BATCH = 100  # keys in one BatchGetItem
MAX_BATCH_BYTES = 16 * 1024 * 1024  # of items in its answer; the keys of others come back unprocessed

BAD_START = "The provided starting key is invalid"


@dataclass(frozen=True)
class Lookup:
    """Items of one table to get, and what to show of them."""

    table: Table
    places: tuple[Place, ...]
    expressions: Expressions
    consistent: bool


@dataclass(frozen=True)
class Fetched:
    """What a lookup gave: the items found, how many of its keys were looked up, the items' size in bytes."""

    items: list[Item]
    keys: int
    size: int


class ReadOperations:
    def __init__(self, tables: TableStore, items: ItemStore) -> None:
        self.tables = tables
        self.items = items

    def get_item(self, parameters: Parameters, context: Context) -> Result:
        lookup = self.read_lookup({**parameters, "Keys": [parameters["Key"]]}, context.region)
        meter = Meter(parameters)
        item = self.look_up(lookup, lookup.places[0], meter)
        return {**({} if item is None else {"Item": item}), **meter.total()}

    def batch_get_item(self, parameters: Parameters, context: Context) -> Result:
        requests: dict[str, dict[str, Any]] = parameters["RequestItems"]
        if sum(len(request["Keys"]) for request in requests.values()) > MAX_BATCH:
            raise invalid("Too many items requested for the BatchGetItem call")
        for request in requests.values():
            if "AttributesToGet" in request:
                raise unsupported("BatchGetItem", "AttributesToGet", "use ProjectionExpression")
        lookups = {
            name: self.read_lookup({**request, "TableName": name}, context.region) for name, request in requests.items()
        }
        if any(len(set(lookup.places)) < len(lookup.places) for lookup in lookups.values()):
            raise invalid("Provided list of item keys contains duplicates")
        meter = Meter(parameters)
        fetched = self._fetch_all(lookups, meter)
        left = {name: requests[name]["Keys"][batch.keys :] for name, batch in fetched.items()}
        return {
            "Responses": {name: batch.items for name, batch in fetched.items()},
            "UnprocessedKeys": {name: {**requests[name], "Keys": keys} for name, keys in left.items() if keys},
            **meter.totals(),
        }

    def _fetch_all(self, lookups: dict[str, Lookup], meter: Meter) -> dict[str, Fetched]:
        fetched, room = {}, MAX_BATCH_BYTES
        for name, lookup in lookups.items():
            fetched[name] = self._fetch(lookup, room, meter)
            room -= fetched[name].size
        return fetched

    def _fetch(self, lookup: Lookup, room: int, meter: Meter) -> Fetched:
        items: list[Item] = []
        size = 0
        for count, place in enumerate(lookup.places):
            if size >= room:
                return Fetched(items, count, size)
            item = self.look_up(lookup, place, meter)
            if item is not None:
                items.append(item)
                size += item_size(item)
        return Fetched(items, len(lookup.places), size)

    def read_lookup(self, parameters: Parameters, region: str) -> Lookup:
        keys = [normalise_item(key) for key in parameters["Keys"]]
        expressions = read_expressions(parameters)
        table = self.tables.find(parameters["TableName"], region)
        _refuse_nested_keys(expressions, table.keys)
        places = tuple(table.keys.place_of_key(key) for key in keys)
        return Lookup(table, places, expressions, parameters.get("ConsistentRead", False))

    def look_up(self, lookup: Lookup, place: Place, meter: Meter) -> Item | None:
        """Return what is shown of the item at *place*, or None if there is none."""
        item = self.items.get(lookup.table, place)
        meter.read(lookup.table.name, item, consistent=lookup.consistent)
        projection = lookup.expressions.projection
        return item if item is None or projection is None else project(item, projection)

    def query(self, parameters: Parameters, context: Context) -> Result:
        check_select(parameters)
        if "KeyConditionExpression" not in parameters:
            raise invalid(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
            )
        start = _read_start(parameters)
        expressions = read_expressions(parameters)
        table = self._find_without_index(parameters, context)
        assert expressions.key_condition is not None  # the parameter is there
        found = search(expressions.key_condition, expressions.scope, table.keys)
        _refuse_filtered_keys(expressions, table.keys)
        _refuse_nested_keys(expressions, table.keys)
        descending = not parameters.get("ScanIndexForward", True)
        wanted = found.sort if start is None else _resumed(found, start, table.keys, descending=descending)
        stored = self.items.query(table, found.partition, wanted, descending=descending)
        return answer(read_page(stored, parameters.get("Limit")), table, parameters, expressions)

    def scan(self, parameters: Parameters, context: Context) -> Result:
        check_select(parameters)
        segment = _read_segment(parameters)
        start = _read_start(parameters)
        expressions = read_expressions(parameters)
        table = self._find_without_index(parameters, context)
        _refuse_nested_keys(expressions, table.keys)
        after = None if start is None else _place_of_start(start, table.keys)
        if after is not None and not segment.holds(after):
            raise invalid(
                f"{BAD_START}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
                f"TotalSegments: {parameters['TotalSegments']} Segment: {parameters['Segment']}"
            )
        stored = self.items.scan(table, segment, after)
        return answer(read_page(stored, parameters.get("Limit")), table, parameters, expressions)

    def _find_without_index(self, parameters: Parameters, context: Context) -> Table:
        table = self.tables.find(parameters["TableName"], context.region)
        if "IndexName" in parameters:
            raise invalid(f"The table does not have the specified index: {parameters['IndexName']}")
        return table


def _refuse_nested_keys(expressions: Expressions, keys: KeySchema) -> None:
    keys.refuse_nested(expressions.paths_of(expressions.filter))
    if expressions.projection is not None:
        keys.refuse_nested(branch.first for branch in expressions.projection.children.values())


def _refuse_filtered_keys(expressions: Expressions, keys: KeySchema) -> None:
    """Refuse a filter on what the key condition should say; a scan, which has none, may filter keys."""
    for steps in expressions.paths_of(expressions.filter):
        if steps[0] in keys.names:
            raise invalid(
                f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {steps[0]}"
            )


def _read_start(parameters: Parameters) -> Item | None:
    return normalise_item(parameters["ExclusiveStartKey"]) if "ExclusiveStartKey" in parameters else None


def _place_of_start(start: Item, keys: KeySchema) -> Place:
    try:
        return keys.place_of_key(start)
    except ServiceError as error:
        raise invalid(f"{BAD_START}: {error.message}") from error


def _resumed(found: KeySearch, start: Item, keys: KeySchema, *, descending: bool) -> SortRange:
    """Return what is left of a query's range behind *start*.

    Raises:
        ServiceError: *start* is no key of this table, or lies outside the query.
    """
    if start.keys() != set(keys.names):
        raise invalid(BAD_START)
    place = _place_of_start(start, keys)
    if not found.sort.holds(place.sort):
        raise invalid("The provided starting key does not match the range key predicate")
    if place.partition != found.partition.partition:
        raise invalid("The provided starting key is outside query boundaries based on provided conditions")
    if descending:
        return replace(found.sort, high=place.sort, includes_high=False)
    return replace(found.sort, low=place.sort, includes_low=False)


def _read_segment(parameters: Parameters) -> Segment:
    number, total = parameters.get("Segment"), parameters.get("TotalSegments")
    if number is None and total is None:
        return Segment()
    if total is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present"
        )
    if number is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present"
        )
    if number >= total:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {number} is not less than TotalSegments: {total}"
        )
    return Segment.of(number, total)
