"""The file of `--secrets-out`: what devices are to be given, and the journal of the run that fills it.

A secret is durable here before its row is written (`put`, `flush`, then the table). A run that was
killed is repeated with the same file: what stands in it is used again, so no secret that may
already have left is ever replaced. One line is one client; a last line without its end was never
flushed, so its row was never written, and it is dropped.

`.csv` (RFC 4180, but lines end in LF: a CR would become part of the password in `cut -d, -f3`) or
`.jsonl`, by the file's suffix. Mode 0600 whatever it was before.
"""

from __future__ import annotations

import csv
import json
import os
import stat
from array import array
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

from iotauth_cli.errors import InputError
from iotauth_cli.files import FILE_MODE, cannot, lock, replacing, sync_directory
from iotauth_cli.secret import Secret

HEADER = ("client_id", "username", "password")
CHUNK_BYTES = 1 << 20
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Handed(NamedTuple):
    """One client's secret, as it stands in the file. *facts* are the other columns."""

    client_id: str
    password: Secret
    facts: Mapping[str, str] = _NOTHING

    @property
    def username(self) -> str:
        return self.facts.get("username", "")


class Handout:
    """A hand-out file that is being written. `open` makes one; two processes cannot have the same."""

    def __init__(self, path: Path, file: BinaryIO, header: tuple[str, ...], size: int) -> None:
        self.path = path
        self.header = header
        self._file = file
        self._size = size  # of what is whole and flushed
        self._lines: list[str] = []
        self._pending = 0  # bytes in them
        self._build = json_line if is_jsonl(path) else csv_line

    @classmethod
    def open(cls, path: Path, header: tuple[str, ...] = HEADER) -> Handout:
        """Open the file at *path* to add to it, or make one.

        Raises:
            InputError: it cannot be written, is something else than a hand-out with these
                columns, or another process is writing it.
        """
        check_suffix(path)
        file = locked(path)
        try:
            handout = cls(path, file, header, whole_size(file))
            if handout._size:
                check_header(path, header)
            elif not is_jsonl(path):
                handout._add(",".join(header) + "\n")
            handout._cut_back()
            handout.flush()
            sync_directory(path)
        except BaseException:
            file.close()
            raise
        return handout

    def put(self, client_id: str, password: Secret, **facts: str) -> int:
        """Add a client's secret and return where its line begins. It is not safe before `flush`."""
        return self._add(self._build(self.header, client_id, password.reveal(), facts))

    def _add(self, line: str) -> int:
        at = self._size + self._pending
        self._lines.append(line)
        self._pending += len(line) if line.isascii() else len(line.encode())
        return at

    def flush(self) -> None:
        """Make durable what was put; only then may rows be written.

        Raises:
            InputError: the disk is full or gone. The file then ends where the last flush left it.
        """
        if not self._lines:
            return
        data = "".join(self._lines).encode()
        self._lines.clear()
        self._pending = 0
        try:
            write_all(self._file, data)
            os.fsync(self._file.fileno())
        except OSError as problem:
            self._cut_back()
            raise cannot("write", self.path, problem) from problem
        self._size += len(data)

    def close(self, *, without: Iterable[int] = ()) -> None:
        """Close the file, without the lines that begin at the places *without*; see `without_lines`.

        Nobody else has it before it is whole. What was put and not flushed is dropped: no row has it.
        """
        dropped = array("q", without)
        if os.name == "nt":  # which puts nothing in the place of an open file
            self._file.close()
        try:
            if dropped:
                without_lines(self.path, dropped)
        finally:
            self._file.close()

    def _cut_back(self) -> None:
        with suppress(OSError):  # a torn line is dropped by whoever reads it next
            self._file.truncate(self._size)
            self._file.seek(self._size)


class Index:
    """Finds a client's line in a hand-out of any length: 16 bytes of memory a client, and no secret.

    An open hash table of offsets; whether it is the right client is read from the file itself.
    """

    def __init__(self, path: Path) -> None:
        self._is_jsonl = is_jsonl(path)
        self._header = header_of(path)
        self._file = path.open("rb")
        self.count = sum(1 for _ in lines_at(path))
        self._mask = (1 << max(4, (2 * self.count).bit_length())) - 1
        self._slots = array("q", bytes(8 * (self._mask + 1)))
        for offset, line in lines_at(path):
            self._insert(self._parsed(line).client_id, offset + 1)  # 0 is an empty slot

    def find(self, client_id: str) -> Handed | None:
        """Return what was handed out for *client_id*; the last, if there are several."""
        found = self.place(client_id)
        return found[1] if found else None

    def place(self, client_id: str) -> tuple[int, Handed] | None:
        """Return where the line of *client_id* begins, too."""
        if not self.count:
            return None
        found = None
        place = hash(client_id) & self._mask
        while at := self._slots[place]:
            self._file.seek(at - 1)
            handed = self._parsed(self._file.readline())
            found = (at - 1, handed) if handed.client_id == client_id else found
            place = (place + 1) & self._mask
        return found

    def close(self) -> None:
        self._file.close()

    def _insert(self, client_id: str, at: int) -> None:
        place = hash(client_id) & self._mask
        while self._slots[place]:
            place = (place + 1) & self._mask
        self._slots[place] = at

    def _parsed(self, line: bytes) -> Handed:
        return parse_line(line, self._header, self._is_jsonl)


def read(path: Path) -> Iterator[Handed]:
    """Yield what was handed out, in the file's order, one line in memory at a time. A torn last line is left out.

    Raises:
        InputError: it cannot be read, or a line is none of ours; its number is named, never its content.
    """
    check_suffix(path)
    header = header_of(path)
    for number, (_, line) in enumerate(lines_at(path), 1 if is_jsonl(path) else 2):
        try:
            handed = parse_line(line, header, is_jsonl(path))
        except ValueError:
            # `from None`: the cause quotes the line.
            raise InputError(f"`{path}`, line {number}, is no line of a hand-out file") from None
        yield handed


def places_of(path: Path, client_ids: Container[str]) -> Iterator[int]:
    """Yield where the lines of *client_ids* begin."""
    header, is_json = header_of(path), is_jsonl(path)
    return (at for at, line in lines_at(path) if parse_line(line, header, is_json).client_id in client_ids)


def without_lines(path: Path, places: Iterable[int]) -> None:
    """Rewrite the file without the lines that begin at *places*, whole or not at all.

    Raises:
        InputError: it cannot be written; it is then as it was.
    """
    left = iter(sorted(places))
    dropped = next(left, None)
    header = "" if is_jsonl(path) else ",".join(header_of(path)) + "\n"
    with replacing(path) as file:
        file.write(header.encode())
        for at, line in lines_at(path):
            if at == dropped:
                dropped = next(left, None)
            else:
                file.write(line)
    sync_directory(path)


def is_jsonl(path: Path) -> bool:
    return path.suffix.lower() == ".jsonl"


def check_suffix(path: Path) -> None:
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise InputError(f"`{path}` is neither a .csv nor a .jsonl file", hint=f"name it `{path.with_suffix('.csv')}`")


def csv_line(header: tuple[str, ...], client_id: str, password: str, facts: Mapping[str, str]) -> str:
    if header == HEADER:  # a million lines are written in this form
        cells = [client_id, facts.get("username", ""), password]
    else:
        named = {**facts, "client_id": client_id, "password": password}
        cells = [named.get(name, "") for name in header]
    line = ",".join(cells)
    if line.count(",") >= len(cells) or '"' in line:
        line = ",".join([quoted(cell) for cell in cells])
    if "\n" in line or "\r" in line:
        raise ValueError("a line of a hand-out cannot hold a line end")
    return line + "\n"


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell


def json_line(header: tuple[str, ...], client_id: str, password: str, facts: Mapping[str, str]) -> str:
    return json.dumps({"client_id": client_id, **facts, "password": password}, ensure_ascii=False) + "\n"


def parse_line(line: bytes, header: tuple[str, ...], is_json: bool) -> Handed:
    """Read one line. ValueError when it is none of ours; the message must not be shown, it may quote a password."""
    members = json_members(line) if is_json else csv_members(line, header)
    client_id, password = members.pop("client_id"), members.pop("password")
    if not client_id or not password:
        raise ValueError("a client or its password is missing")
    return Handed(client_id, Secret(password), members)


def json_members(line: bytes) -> dict[str, str]:
    found: Any = json.loads(line)
    if not isinstance(found, dict) or not {"client_id", "password"} <= found.keys():
        raise ValueError("no hand-out")
    return {str(name): str(value) for name, value in found.items()}


def csv_members(line: bytes, header: tuple[str, ...]) -> dict[str, str]:
    cells = next(csv.reader([line.decode()], strict=True))
    return dict(zip(header, cells, strict=True))


def header_of(path: Path) -> tuple[str, ...]:
    """Return the columns of a .csv, as its first line names them; of a .jsonl, ours."""
    if is_jsonl(path):
        return HEADER
    try:
        with path.open("rb") as file:
            first = file.readline(4096)
    except OSError as problem:
        raise cannot("read", path, problem) from problem
    names = tuple(first.decode(errors="replace").rstrip("\r\n").split(","))
    if not {"client_id", "password"} <= set(names):
        raise not_ours(path)
    return names


def check_header(path: Path, header: tuple[str, ...]) -> None:
    """Refuse a file that is something else, such as the fleet file itself, rather than adding to it."""
    if is_jsonl(path):
        next(read(path), None)
    elif header_of(path) != header:
        raise not_ours(path)


def not_ours(path: Path) -> InputError:
    return InputError(f"`{path}` exists and is no hand-out file of iotauth", hint="name a file that does not exist yet")


def lines_at(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield where each whole line of clients begins, and the line."""
    try:
        with path.open("rb") as file:
            offset = 0 if is_jsonl(path) else len(file.readline())
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield offset, line
                offset += len(line)
    except OSError as problem:
        raise cannot("read", path, problem) from problem


def locked(path: Path) -> BinaryIO:
    """Open the file at *path*, or make one, and keep other processes out for as long as it is open."""
    while True:
        file = open_private(path)
        try:
            keep_others_out(file, path)
            if is_at(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # whoever had it put another in its place just now: nobody would find what is written here


def is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def open_private(path: Path) -> BinaryIO:
    flags = os.O_RDWR | getattr(os, "O_NONBLOCK", 0)
    try:
        try:
            descriptor, is_new = os.open(path, flags | os.O_CREAT | os.O_EXCL, FILE_MODE), True
        except FileExistsError:
            # A link may lead to a file that does not exist yet.
            descriptor, is_new = os.open(path, flags | os.O_CREAT, FILE_MODE), False
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            check_private(path, os.fstat(descriptor), is_new=is_new)
            os.chmod(path, FILE_MODE)
        except BaseException:
            file.close()
            raise
    except OSError as problem:
        raise cannot("write", path, problem) from problem
    return file


def check_private(path: Path, status: os.stat_result, *, is_new: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"`{path}` is no file", hint="secrets are written to a file, which is also the journal")
    if not is_new and hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise InputError(
            f"`{path}` belongs to another user, who could read the secrets",
            hint="name a file that does not exist yet",
        )


def keep_others_out(file: BinaryIO, path: Path) -> None:
    try:
        is_ours = lock(file.fileno())
    except OSError as problem:
        raise cannot("lock", path, problem) from problem
    if not is_ours:
        raise InputError(
            f"another process is writing `{path}`", hint="wait for it; the same command then goes on where it ended"
        )


def whole_size(file: BinaryIO) -> int:
    """Return the file's size without a last line that has no end."""
    at = file.seek(0, os.SEEK_END)
    while at > 0:
        start = max(0, at - CHUNK_BYTES)
        file.seek(start)
        end = file.read(at - start).rfind(b"\n")
        if end >= 0:
            return start + end + 1
        at = start
    return 0


def write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]  # a nearly full disk takes a part
