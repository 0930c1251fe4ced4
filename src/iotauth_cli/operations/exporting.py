"""A table's clients as a file that `client import` reads: what they may do, and never a secret or a hash.

Hashes stay where they are on purpose. One that a person's password is behind can be guessed at
by whoever has the file, and a table moves between accounts, hashes and all, with DynamoDB's own export.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.errors import InputError
from iotauth_cli.files import PUBLIC_MODE, replacing
from iotauth_cli.operations.fleet.selection import Where

COLUMNS = (
    *("client_id", "username", "publish", "subscribe", "retain", "will"),
    *("tags", "note", "expires", "enabled", "read_topic", "write_topic"),
)
EARLIEST = 100_000_000  # epoch seconds in 1973; a shorter number could be a date without its dashes


def rows(table: ClientTable, where: Where, now: int) -> Iterator[ClientRecord | BrokenRow]:
    """Yield what is to be exported, in the table's order."""
    return (row for row in table.rows() if where.matches(row, now))


def members(record: ClientRecord) -> dict[str, Any]:
    """Return what `client import` needs to make the same client again; what is empty is left out."""
    grants = record.grants
    found = {
        "client_id": record.client_id,
        "username": record.username,
        "publish": list(grants.publish),
        "subscribe": list(grants.subscribe),
        "retain": extent(grants.retain, grants.publish),
        "will": extent(grants.will, grants.publish),
        "tags": dict(record.tags),
        "note": record.note,
        "expires": moment(record.expires_at),
        "enabled": None if record.enabled else False,
        "read_topic": grants.older_read,
        "write_topic": grants.older_write,
    }
    return {name: value for name, value in found.items() if value not in (None, [], {}, "")}


def extent(topics: tuple[str, ...], published: tuple[str, ...]) -> Any:
    return True if topics and topics == published else list(topics)


def moment(epoch_s: int | None) -> str | None:
    """Return a moment as import reads it: to the minute where that is exact."""
    if epoch_s is None:
        return None
    if epoch_s % 60 and epoch_s >= EARLIEST:
        return str(epoch_s)
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(epoch_s))


def json_line(record: ClientRecord) -> str:
    return json.dumps(members(record), ensure_ascii=False)


def csv_line(record: ClientRecord) -> str:
    found = members(record)
    return csv_text([cell(name, found.get(name)) for name in COLUMNS])


def cell(name: str, value: Any) -> str:
    """Return a value as a cell: lists with `;` between, tags as `site:berlin`; JSON where that would be misread."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        is_plain = all(";" not in topic and topic == topic.strip() for topic in value) and value[0][0] != "["
        # A lone topic such as `yes` would be read as a truth.
        is_topic = name in ("publish", "subscribe") or len(value) > 1 or "/" in value[0]
        return ";".join(value) if is_plain and is_topic else json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return tags_cell(value)
    return str(value)


def tags_cell(tags: Mapping[str, str]) -> str:
    pairs = [f"{name}:{value}" for name, value in tags.items()]
    is_plain = all(
        ";" not in pair and pair == pair.strip() and ":" not in name
        for name, pair in zip(tags, pairs, strict=True)
    )  # fmt: skip
    return ";".join(pairs) if is_plain and pairs[0][0] != "{" else json.dumps(tags, ensure_ascii=False)


def csv_text(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)  # whose line end, CRLF, is what it quotes in cells
    return line.getvalue()[:-2]


def header() -> str:
    return csv_text(COLUMNS)


def check_path(path: Path) -> None:
    """Refuse a file whose form nobody could tell by its name."""
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise InputError(f"`{path}` is neither a .csv nor a .jsonl file", hint=f"name it `{path.with_suffix('.csv')}`")


def readable(found: Iterable[ClientRecord | BrokenRow], broken: list[BrokenRow]) -> Iterator[ClientRecord]:
    """Yield the rows that can be read, and put the others into *broken*."""
    for row in found:
        if isinstance(row, BrokenRow):
            broken.append(row)
        else:
            yield row


def write(found: Iterable[ClientRecord], path: Path) -> Iterator[int]:
    """Write the file whole or not at all; yield 1 for each client.

    Raises:
        InputError: it cannot be written. What was there stays.
    """
    is_json = path.suffix.lower() == ".jsonl"
    with replacing(path, PUBLIC_MODE) as file:
        if not is_json:
            file.write(f"{header()}\n".encode())
        for record in found:
            file.write(f"{json_line(record) if is_json else csv_line(record)}\n".encode())
            yield 1
