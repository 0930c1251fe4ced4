"""The file that is imported: .csv, .jsonl or a Mosquitto password file, read twice and never held in memory.

A row's number is what an editor or a spreadsheet shows: a .csv's header is row 1. Semicolons and
tabs are taken for commas where the header has them, a byte-order mark is dropped, and CRLF is a
line end. What is read from a pipe is kept in a file of 0600 for the second reading.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
import tempfile
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from iotauth_cli.errors import InputError
from iotauth_cli.files import cannot

TOPICS = ("topic", "publish", "subscribe", "retain", "will")
COLUMNS = (
    *("client_id", "username", "password", "hash", *TOPICS),
    *("tags", "note", "expires", "enabled", "read_topic", "write_topic"),
)
ALIASES = {"topics": "topic", "tag": "tags", "notes": "note", "id": "client_id", "clientid": "client_id"}
HINT = f"the columns are {', '.join(f'`{name}`' for name in COLUMNS[:12])}"
STDIN = "-"
FIRST_BYTES = 65_536
UTF16 = (b"\xff\xfe", b"\xfe\xff")
DELIMITERS = ",;\t"

Cell = Hashable  # text; from JSON also a number, a truth, a tuple for a list, pairs for an object


class Twice(ValueError):
    """A JSON object has a member twice. Which of them counts is anybody's guess."""


class Raw(NamedTuple):
    """A row as the file has it: the cells in the order of `Source.columns`, or why it cannot be read."""

    number: int
    cells: tuple[Cell, ...]
    problem: str | None = None


@dataclass(frozen=True)
class Source:
    """A file to import. *name* is how the user called it; *columns* are ours, in the file's order."""

    path: Path
    name: str
    kind: str  # csv, jsonl, passwd
    columns: tuple[str, ...]
    delimiter: str = ","

    def rows(self) -> Iterator[Raw]:
        """Yield the rows, empty lines left out.

        Raises:
            InputError: the file is gone, or not UTF-8.
        """
        readers = {"csv": self._csv, "jsonl": self._jsonl, "passwd": self._passwd}
        try:
            with open_text(self.path) as file:
                yield from readers[self.kind](file)
        except UnicodeDecodeError:
            # `from None`: the cause holds a piece of the file.
            raise InputError(
                f"{self.name}, line {bad_line(self.path)}, is not UTF-8 text", hint="save the file as `CSV UTF-8`"
            ) from None
        except OSError as problem:
            raise cannot("read", self.path, problem) from problem

    def state(self) -> tuple[int, ...]:
        """Return what differs when the file was changed."""
        found = self.path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _csv(self, file: IO[str]) -> Iterator[Raw]:
        reader = csv.reader(file, delimiter=self.delimiter, strict=True)
        width = len(self.columns)
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as problem:
                yield Raw(number, (), f"is no CSV: {problem}")
                continue
            if number == 1 or not cells:
                continue
            if len(cells) != width:
                yield Raw(number, (), f"has {len(cells)} cells where the header has {width}")
            else:
                yield Raw(number, tuple(cells))

    def _jsonl(self, file: IO[str]) -> Iterator[Raw]:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line, object_pairs_hook=members)
            except Twice:
                yield Raw(number, (), "has a member twice")
                continue
            except (ValueError, RecursionError):
                yield Raw(number, (), "is no JSON")
                continue
            if not isinstance(found, dict):
                yield Raw(number, (), "is no JSON object")
                continue
            named = {column_name(name): frozen(value) for name, value in found.items()}
            unknown = named.keys() - set(COLUMNS)
            if len(named) < len(found):  # under another name: `topic` and `topics`
                yield Raw(number, (), "has two members that mean the same")
            elif unknown:
                yield Raw(number, (), f"has a member `{min(unknown)}` that means nothing here")
            else:
                yield Raw(number, tuple(named.get(name, "") for name in self.columns))

    def _passwd(self, file: IO[str]) -> Iterator[Raw]:
        for number, line in enumerate(file, 1):
            if line.strip() and not line.startswith("#"):
                name, colon, text = line.rstrip("\n").partition(":")
                yield Raw(number, (name, text), None if colon else "has no `:` between name and hash")


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Twice
    return found


@contextlib.contextmanager
def opened(name: str, *, hashed: bool = False) -> Iterator[Source]:
    """Yield what *name* is: a path, or `-` for stdin, which is spooled to a private file that goes with the block.

    Raises:
        InputError: it cannot be read, is no text, or its header is none of ours.
    """
    if name != STDIN:
        yield examined(Path(name), name, hashed)
        return
    with tempfile.NamedTemporaryFile(prefix="iotauth-") as spool:  # 0600, and gone with the block
        while chunk := sys.stdin.buffer.read(1 << 20):
            spool.write(chunk)
        spool.flush()
        yield examined(Path(spool.name), "stdin", hashed)


def examined(path: Path, name: str, hashed: bool) -> Source:
    first = first_bytes(path, name)
    suffix = Path(name).suffix.lower()
    if suffix == ".jsonl" or (suffix != ".csv" and first.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{")):
        return Source(path, name, "jsonl", COLUMNS)
    line = first.decode("utf-8-sig", errors="replace").partition("\n")[0].rstrip("\r")
    if hashed and suffix != ".csv" and "client" not in line.lower():
        return Source(path, name, "passwd", ("client_id", "hash"))
    if suffix not in (".csv", ""):
        raise InputError(f"{name} is neither a .csv nor a .jsonl file", hint="give it the suffix of what it is")
    delimiter = max(DELIMITERS, key=line.count)
    return Source(path, name, "csv", columns_of(line, delimiter, name), delimiter)


def first_bytes(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():
            if not path.exists():
                raise FileNotFoundError(2, os.strerror(2))
            raise InputError(f"{name} is no file", hint="pipe it in: `iotauth client import - < …`")
        with path.open("rb") as file:
            first = file.read(FIRST_BYTES)
    except OSError as problem:
        raise cannot("read", path, problem) from problem
    if first[:2] in UTF16:
        raise InputError(f"{name} is UTF-16 text", hint="save the file as `CSV UTF-8`")
    if b"\0" in first:
        raise InputError(f"{name} is no text", hint="export the table as .csv or .jsonl first")
    if not first.strip(b"\xef\xbb\xbf \r\n\t"):
        raise InputError(f"{name} is empty", hint=HINT)
    return first


def columns_of(line: str, delimiter: str, name: str) -> tuple[str, ...]:
    names = next(csv.reader([line], delimiter=delimiter), [])
    columns = tuple(map(column_name, names))
    if "client_id" not in columns:
        # The line is not repeated: without a header it is a client's, perhaps with its password.
        raise InputError(f"{name}: row 1 must name the columns, and none of them is `client_id`", hint=HINT)
    for column, typed in zip(columns, names, strict=True):
        if column not in COLUMNS:
            raise InputError(f"{name} has a column `{typed}` that means nothing here", hint=f"take it out; {HINT}")
        if columns.count(column) > 1:
            raise InputError(f"{name} has the column `{column}` twice", hint="take one of them out")
    return columns


def column_name(text: str) -> str:
    name = text.strip().lower().replace(" ", "_").replace("-", "_")
    return ALIASES.get(name, name)


def frozen(value: Any) -> Cell:
    """Return a JSON value as a cell: hashable, None as an empty one."""
    if isinstance(value, list):
        return tuple(frozen(each) for each in value)
    if isinstance(value, dict):
        return frozenset((str(name), frozen(each)) for name, each in value.items())
    return "" if value is None else value


def open_text(path: Path) -> IO[str]:
    return path.open(encoding="utf-8-sig", newline="")


def bad_line(path: Path) -> int:
    """Return the number of the first line that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0
