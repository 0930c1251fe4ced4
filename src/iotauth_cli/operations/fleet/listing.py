"""The list of a table's clients, for ten of them and for a million: read page by page and never held whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.operations.fleet.lag import Lag, lag
from iotauth_cli.operations.fleet.selection import Where, is_expired

__all__ = ["Listed", "count", "every", "in_order"]

SORTED_UP_TO = 1000  # lines; a longer list is shown as it is read
_NOTHING: Mapping[str, str] = MappingProxyType({})

Value = TypeVar("Value")


class Listed(NamedTuple):
    """A row in the list. *problem* says what has to be mended by hand; *expires_at* and *lag* what time does."""

    client_id: str
    enabled: bool
    topics: tuple[str, ...] = ()
    problem: str | None = None
    tags: Mapping[str, str] = _NOTHING
    expires_at: int | None = None
    is_expired: bool = False
    lag: Lag | None = None


def every(
    table: ClientTable, where: Where, now: int, *, after: str | None = None, limit: int | None = None
) -> Iterator[Listed]:
    """Yield what *where* selects in the table's order, from behind *after*, *limit* clients at most.

    Unreadable rows are among them: one bad row does not hide the others.
    """
    # What is filtered here may take many pages; what is not, takes a page of just that size.
    rows = table.rows(after, None if where.terms else limit)
    return islice((listed(row, now) for row in rows if where.matches(row, now)), limit)


def in_order(found: Iterator[Listed]) -> Iterator[Listed]:
    """Sort a short list by client id; let a long one pass as it comes."""
    return sorted_if_short(found, lambda each: each.client_id)


def sorted_if_short(found: Iterator[Value], order: Callable[[Value], Any]) -> Iterator[Value]:
    """Sort up to a thousand values by *order*; more pass as they come, since they are never held whole."""
    head = list(islice(found, SORTED_UP_TO + 1))
    return chain(head, found) if len(head) > SORTED_UP_TO else iter(sorted(head, key=order))


def count(table: ClientTable, where: Where, now: int) -> int:
    """Return how many clients *where* selects."""
    if not where.terms:
        return table.count()
    return sum(where.matches(row, now) for row in table.rows())


def listed(row: ClientRecord | BrokenRow, now: int) -> Listed:
    if isinstance(row, BrokenRow):
        return Listed(row.client_id, False, problem=f"unreadable: {row.reason}")
    return Listed(
        row.client_id,
        row.enabled,
        topics(row),
        problem(row),
        row.tags,
        row.expires_at,
        is_expired(row, now),
        lag(row, now),
    )


def topics(row: ClientRecord) -> tuple[str, ...]:
    """Return every topic that *row* grants anything on, each once."""
    grants = row.grants
    older = tuple(topic for topic in (grants.older_write, grants.older_read) if topic)
    return tuple(dict.fromkeys((*grants.publish, *grants.subscribe, *grants.retain, *grants.will, *older)))


def problem(row: ClientRecord) -> str | None:
    if row.plain_password is not None:
        return "plain password, migrate"
    return None if row.slots else "no secret"
