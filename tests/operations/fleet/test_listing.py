"""The list: what is wrong with a row, parts of it, and a million rows one page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from iotauth_authorizer.dynamodb import Client
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.operations.fleet import listing
from iotauth_cli.operations.fleet.lag import Lag
from iotauth_cli.operations.fleet.listing import SORTED_UP_TO, Listed
from iotauth_cli.operations.fleet.selection import Where
from support_aws import aws_target

NOW = 1763640000
EVERYONE = Where()


class Pages(Client):
    """A table of *rows*, three to a page; `asked` holds what was asked for."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.asked: list[dict[str, Any]] = []

    def call(self, operation: str, body: Any, *, budget_s: float | None = None) -> dict[str, Any]:
        self.asked.append(dict(body))
        names = [row["Client_ID"]["S"] for row in self.rows]
        start = names.index(body["ExclusiveStartKey"]["Client_ID"]["S"]) + 1 if "ExclusiveStartKey" in body else 0
        end = start + min(3, body.get("Limit", 3))
        page = self.rows[start:end]
        counted = {"Count": len(page)} | ({} if body.get("Select") == "COUNT" else {"Items": page})
        return counted | ({"LastEvaluatedKey": {"Client_ID": page[-1]["Client_ID"]}} if end < len(self.rows) else {})


def table_of(*rows: dict[str, Any]) -> ClientTable:
    return ClientTable("clients", aws_target(), Pages(list(rows)))


def row(client_id: str, **attributes: Any) -> dict[str, Any]:
    slot = {"M": {"Hash": {"S": "h"}, "Created": {"N": "1"}, "State": {"S": "active"}}}
    return {"Client_ID": {"S": client_id}, "allow_connect": {"BOOL": True}, "Secret_A": slot, **attributes}


def pending(created_at: int) -> dict[str, Any]:
    return {"M": {"Hash": {"S": "n"}, "Created": {"N": str(created_at)}, "State": {"S": "pending"}}}


def ids(found: Iterator[Listed]) -> list[str]:
    return [each.client_id for each in found]


def test_a_row_is_listed_with_what_is_wrong_with_it() -> None:
    """Older, broken, expired and lagging rows among the good ones."""
    table = table_of(
        row("good", publish_topics={"L": [{"S": "a"}]}, Tags={"M": {"site": {"S": "berlin"}}}),
        row("older", Password={"S": "canary"}),
        {"Client_ID": {"S": "bare"}, "allow_connect": {"S": "true"}},
        {"Client_ID": {"S": "bad"}, "Secret_A": {"S": "canary"}},
        row("expired", Expires={"N": str(NOW)}),
        row("unseen", Secret_B=pending(NOW - 60)),
    )
    assert list(listing.every(table, EVERYONE, NOW)) == [
        Listed("good", True, ("a",), tags={"site": "berlin"}),
        Listed("older", True, (), "plain password, migrate", tags={}),
        Listed("bare", True, (), "no secret", tags={}),
        Listed("bad", False, (), "unreadable: `Secret_A` is not of type M"),
        Listed("expired", True, (), expires_at=NOW, is_expired=True, tags={}),
        Listed("unseen", True, (), lag=Lag("unseen", NOW - 60), tags={}),
    ]


def test_a_short_list_is_sorted_and_a_long_one_passes() -> None:
    """Sorting a million rows would mean to hold them all."""
    short = (Listed(name, True) for name in "bca")
    assert ids(listing.in_order(short)) == ["a", "b", "c"]
    names = [str(number) for number in range(SORTED_UP_TO + 1)]
    endless = iter([*(Listed(name, True) for name in names)])
    assert ids(listing.in_order(endless)) == names


def test_a_long_list_is_read_as_it_is_shown() -> None:
    """No more pages are asked for than it takes to know that it is long."""
    table = table_of(*(row(f"c{number}") for number in range(2 * SORTED_UP_TO)))
    first = next(listing.in_order(listing.every(table, EVERYONE, NOW)))
    assert first.client_id == "c0"
    assert len(table.client.asked) == (SORTED_UP_TO + 1) // 3 + 1  # type: ignore[attr-defined]


def test_a_list_is_read_in_parts() -> None:
    """Each part begins where the last one ended, and costs no more than it shows."""
    table = table_of(*(row(name) for name in "edcba"))
    assert ids(listing.every(table, EVERYONE, NOW, limit=2)) == ["e", "d"]
    assert ids(listing.every(table, EVERYONE, NOW, after="d", limit=2)) == ["c", "b"]
    assert ids(listing.every(table, EVERYONE, NOW, after="b", limit=2)) == ["a"]
    assert [asked["Limit"] for asked in table.client.asked] == [2, 2, 2]  # type: ignore[attr-defined]


def test_a_part_of_a_selection_reads_whole_pages() -> None:
    """A page as small as the part would make a rare client cost a call for each that is passed over."""
    table = table_of(*(row(name) for name in ("a-1", "b-1", "b-2", "b-3", "b-4", "b-5", "a-2")))
    assert ids(listing.every(table, Where.parse(("prefix=a-",)), NOW, limit=2)) == ["a-1", "a-2"]
    assert len(table.client.asked) == 3  # type: ignore[attr-defined]


def test_everybody_is_counted_where_they_lie() -> None:
    """No row is sent for it; a selection has to be read."""
    table = table_of(*(row(name) for name in ("a-1", "a-2", "b-1", "b-2")))
    assert listing.count(table, EVERYONE, NOW) == 4
    assert all(asked["Select"] == "COUNT" for asked in table.client.asked)  # type: ignore[attr-defined]
    assert listing.count(table, Where.parse(("prefix=a-",)), NOW) == 2
