"""One page of a Query or Scan: as many items as Limit and 1 MB allow, then filtered.

Limit and size count what is read, not what the filter lets through, so a page may come back
empty with a LastEvaluatedKey all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iotauth_cli.emulator.control.dynamodb.capacity import Meter
from iotauth_cli.emulator.control.dynamodb.errors import invalid
from iotauth_cli.emulator.control.dynamodb.expressions.evaluate import holds
from iotauth_cli.emulator.control.dynamodb.expressions.projection import project
from iotauth_cli.emulator.control.dynamodb.expressions.request import Expressions
from iotauth_cli.emulator.control.dynamodb.items import Stored
from iotauth_cli.emulator.control.dynamodb.schema import Table
from iotauth_cli.emulator.control.dynamodb.values import Item
from iotauth_cli.emulator.control.service import Parameters, Result

MAX_PAGE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Page:
    """What was read, before any filter. *last* is the item after which more may follow."""

    items: list[Item]
    size: int  # bytes
    last: Item | None


def read_page(stored: Iterable[Stored], limit: int | None) -> Page:
    """Read from *stored* until *limit* items or 1 MB are reached; the item that reaches it belongs to the page."""
    items: list[Item] = []
    size = 0
    for each in stored:
        items.append(each.item)
        size += each.size
        if len(items) == limit or size >= MAX_PAGE_BYTES:
            return Page(items, size, each.item)
    return Page(items, size, None)


def answer(page: Page, table: Table, parameters: Parameters, expressions: Expressions) -> Result:
    """Return *page* as Query and Scan return it: filtered, projected or only counted."""
    found = [item for item in page.items if _passes(item, expressions)]
    meter = Meter(parameters)
    meter.read_bytes(table.name, page.size, consistent=parameters.get("ConsistentRead", False))
    return {
        "Count": len(found),
        "ScannedCount": len(page.items),
        **_shown(found, parameters, expressions),
        **({} if page.last is None else {"LastEvaluatedKey": table.keys.key_of(page.last)}),
        **meter.total(),
    }


def _passes(item: Item, expressions: Expressions) -> bool:
    return expressions.filter is None or holds(expressions.filter, item, expressions.scope)


def _shown(found: list[Item], parameters: Parameters, expressions: Expressions) -> dict[str, Any]:
    if parameters.get("Select") == "COUNT":
        return {}
    projection = expressions.projection
    return {"Items": found if projection is None else [project(item, projection) for item in found]}


def check_select(parameters: Parameters) -> None:
    """Refuse a Select that does not go with the rest of the request.

    Raises:
        ServiceError: it does not.
    """
    select, projects = parameters.get("Select"), "ProjectionExpression" in parameters
    if select == "SPECIFIC_ATTRIBUTES" and not projects:
        raise invalid(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )
    if select not in (None, "SPECIFIC_ATTRIBUTES") and projects:
        chosen = "only the Count" if select == "COUNT" else select
        raise invalid(f"Cannot specify the ProjectionExpression when choosing to get {chosen}")
    if select == "ALL_PROJECTED_ATTRIBUTES":
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
