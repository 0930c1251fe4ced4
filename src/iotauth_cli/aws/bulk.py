"""Rows inserted by the thousand: 25 in a request, and none of them over a row that exists.

BatchWriteItem would overwrite, and PutItem takes a round trip a row; an `INSERT` in PartiQL is
batched *and* conditional: one whose key exists fails alone, with DuplicateItem. A request whose
answer got lost is sent again and then meets its own rows; those are known by being equal.

A row is encoded once, as the JSON text of its statement; rows that differ in their client id and
hash alone share a `Shape`, so that a million of them cost a million format operations.
Source: Amazon DynamoDB developer guide, "Running batch operations with PartiQL for DynamoDB".
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from iotauth_authorizer.record import KEY, Item, key
from iotauth_cli.aws.client_table import NO_TABLE, ClientTable
from iotauth_cli.aws.errors import from_code
from iotauth_cli.aws.workers import Line
from iotauth_cli.errors import Throttled

BATCH_ROWS = 25  # statements in one request; Amazon DynamoDB developer guide, "Quotas", PartiQL
MAX_TRIES = 12  # of a row that is put off again and again; with pauses of up to a second each
IS_DUPLICATE = "DuplicateItem"
PUT_OFF = {  # codes of a statement that may succeed a moment later
    "InternalServerError",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingError",
    "TransactionConflict",
}
CODES = {"ResourceNotFound": NO_TABLE, "AccessDenied": "AccessDeniedException"}  # of a statement, and of an operation

compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Row(NamedTuple):
    """A row that is ready to be sent: its key, and the JSON text of its statement."""

    client_id: str
    statement: str


class Shape(NamedTuple):
    """Rows that differ in their client id and in the hash of their secret alone."""

    format: str

    @classmethod
    def of(cls, table: str, item_of: Callable[[str, str], Item]) -> Shape:
        """Learn the shape from the item that *item_of* makes of a client id and a hash."""
        client_id, digest = os.urandom(8).hex(), os.urandom(8).hex()  # nothing else can be equal
        text = statement(table, item_of(client_id, digest)).replace("%", "%%")
        return cls(text.replace(client_id, "%(client_id)s").replace(digest, "%(hash)s"))

    def row(self, client_id: str, digest: str) -> Row:
        """Return a row. Neither text may need escaping in JSON."""
        return Row(client_id, self.format % {"client_id": client_id, "hash": digest})


def statement(table: str, item: Item) -> str:
    """Return the JSON text of the statement that inserts *item*."""
    names = ",".join(f"'{name}':?" for name in item)
    text = f'INSERT INTO "{table}" VALUE {{{names}}}'
    return compact({"Statement": text, "Parameters": list(item.values())})


def row(table: str, item: Item) -> Row:
    return Row(item[KEY]["S"], statement(table, item))


def insert(table: ClientTable, line: Line, rows: Sequence[Row]) -> list[Item | None]:
    """Insert up to 25 *rows*; return for each the item that stood in its way, or None when it is in the table.

    Raises:
        Throttled: DynamoDB kept putting rows off. Others of the batch may be in the table.
        IotauthError: any other failure, as `aws.errors` words it.
    """
    found: list[Item | None] = [None] * len(rows)
    left = list(range(len(rows)))
    for attempt in range(MAX_TRIES):
        if not left:
            return found
        if attempt:
            line.wait(attempt - 1)
        codes = send(table, line, [rows[place] for place in left])
        duplicates = [place for place, code in zip(left, codes, strict=True) if code == IS_DUPLICATE]
        existing = read(table, line, [rows[place].client_id for place in duplicates])
        again = {place for place, code in zip(left, codes, strict=True) if code in PUT_OFF}
        for place in duplicates:
            item = existing.get(rows[place].client_id)
            if item is None:  # removed in between
                again.add(place)
            elif not is_own(rows[place], item):
                found[place] = item
        left = sorted(again)
    if not left:
        return found
    raise Throttled(
        f"table `{table.name}` takes no more rows at the moment",
        hint="wait a little and run the same command again: it goes on where it ended",
    )


def send(table: ClientTable, line: Line, rows: Sequence[Row]) -> list[str | None]:
    """Send one request; return for each row the code that it failed with, or None."""
    payload = f'{{"Statements":[{",".join([row.statement for row in rows])}]}}'
    with table.translated("PartiQLInsert"):
        answer = line.call_payload("BatchExecuteStatement", payload.encode())
    codes = []
    for response in answer["Responses"]:
        error = response.get("Error")
        code = error["Code"] if error else None
        if code not in (None, IS_DUPLICATE) and code not in PUT_OFF:
            refuse(table, code, str(error.get("Message", "")))
        codes.append(code)
    return codes


def refuse(table: ClientTable, code: str, message: str) -> None:
    from iotauth_authorizer.dynamodb import DynamoDBError

    code = CODES.get(code, code)
    with table.translated("PartiQLInsert"):
        raise DynamoDBError(code, message, 400)


def read(table: ClientTable, line: Line, client_ids: Sequence[str]) -> dict[str, Item]:
    """Return the rows that there are of *client_ids*, as they are now; up to 100.

    Raises:
        Throttled: DynamoDB kept leaving keys out.
    """
    found: dict[str, Item] = {}
    keys = [key(client_id) for client_id in client_ids]
    for attempt in range(MAX_TRIES):
        if not keys:
            return found
        if attempt:
            line.wait(attempt - 1)
        with table.translated("BatchGetItem"):
            asked = {table.name: {"Keys": keys, "ConsistentRead": True}}
            answer = line.call("BatchGetItem", {"RequestItems": asked})
        items: list[Item] = answer.get("Responses", {}).get(table.name, [])
        found.update((item[KEY]["S"], item) for item in items)
        keys = answer.get("UnprocessedKeys", {}).get(table.name, {}).get("Keys", [])
    raise from_code("ThrottlingException", "keys were left out", "dynamodb:BatchGetItem", table.target)


def is_own(row: Row, item: Mapping[str, Any]) -> bool:
    """Tell whether *item* is what *row* would have put there: salt and all are the same."""
    sent = json.loads(row.statement)
    names = [part.split("'")[1] for part in sent["Statement"].partition("{")[2].split(",")]
    return bool(dict(zip(names, sent["Parameters"], strict=True)) == item)
