"""Generated secrets in files: found wherever they stand, and never taken for something else.

The prefix is looked for as bytes, so that binary files count too: as it is, in UTF-16, and in base64 at
each of the three places where a longer text can put it. What follows must carry the right checksum;
a chance hit would need 2^32 occurrences of the prefix. What is inside compressed files is not seen.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from iotauth_authorizer.credential import PATTERN, PREFIX, is_intact
from iotauth_cli.errors import InputError, IotauthError

Encoding = Literal["plain", "utf-16", "base64"]

LENGTH = 38  # characters of a secret: prefix, 27 letters, 6 of checksum
SHOWN = 4  # of its last letters, enough to tell two apart
CHUNK_BYTES = 4 * 1024 * 1024
OVERLAP_BYTES = 256  # more than any encoding of a secret takes, line breaks within base64 included
PASSED_OVER = (".git", ".iotauth")  # git's own is compressed; the store is where secrets belong

PLAIN = PREFIX.encode()
UTF_16 = b"".join(bytes((byte, 0)) for byte in PLAIN)
BLANK = b"\r\n\t \\"  # what may break a line of base64, in YAML and in C too
BLANKS = 40  # of them at once, at most: a line's end and the next one's indentation
TO_STANDARD = bytes.maketrans(b"-_", b"+/")


class Needle(NamedTuple):
    """What the prefix looks like in base64 with *lead* bytes before it in its group of three."""

    text: bytes
    lead: int
    skipped: int  # characters of the group before *text*: they belong to other bytes too


def needles() -> Iterator[Needle]:
    for lead in range(3):
        encoded = base64.b64encode(bytes(lead) + PLAIN)
        first, end = -(-lead * 8 // 6), (lead + len(PLAIN)) * 8 // 6
        yield Needle(encoded[first:end], lead, first)


NEEDLES = tuple(needles())


class Match(NamedTuple):
    """A secret at byte *start* of some data. *line* and *column* count from 1, the column in bytes."""

    start: int
    secret: str
    encoding: Encoding
    line: int = 0
    column: int = 0

    def __repr__(self) -> str:
        return f"Match(start={self.start}, encoding={self.encoding!r}, …)"


class Seen(NamedTuple):
    """Where a secret was found. *shown* is its prefix and its end. *commit* and *blob* are git's."""

    path: str
    line: int
    column: int
    shown: str
    encoding: Encoding
    commit: str | None = None
    blob: str | None = None


@dataclass
class Scan:
    """What was read so far; *unreadable* are paths with the reason."""

    files: int = 0
    size: int = 0  # bytes
    found: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def files_below(self, paths: Iterable[Path]) -> Iterator[Seen]:
        """Yield what is found in the files of *paths* and below them.

        Raises:
            InputError: one of *paths* does not exist.
        """
        for path in paths:
            if not path.exists():
                raise InputError(
                    f"there is no file or folder `{path}`", hint="name what to look through, or nothing for all of it"
                )
            yield from self.listed(self._below(str(path)) if path.is_dir() else [str(path)])

    def _below(self, folder: str) -> Iterator[str]:
        """Yield the regular files below *folder* by their names; links are not followed."""
        within = [(folder, self._entries(folder))]  # folders may lie deeper than Python recurses
        while within:
            above, entries = within[-1]
            entry = next(entries, None)
            if entry is None:
                within.pop()
            elif entry.is_dir(follow_symlinks=False):
                if entry.name not in PASSED_OVER:
                    inner = joined(above, entry.name)
                    within.append((inner, self._entries(inner)))
            elif entry.is_file(follow_symlinks=False):
                yield joined(above, entry.name)

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return iter(sorted(entries, key=lambda entry: entry.name))
        except OSError as problem:
            self._cannot_read(folder, problem)
            return iter(())

    def _cannot_read(self, path: str, problem: OSError) -> None:
        self.unreadable.append((path, (problem.strerror or str(problem)).lower()))

    def listed(self, paths: Iterable[str]) -> Iterator[Seen]:
        """Yield what is found in the files *paths*. One that is gone by now is passed over."""
        for path in paths:
            try:
                with open(path, "rb", buffering=0) as file:
                    yield from self.data(path, () if is_empty(file.fileno()) else chunks(file))
            except (FileNotFoundError, IsADirectoryError):
                continue
            except OSError as problem:
                self._cannot_read(path, problem)

    def data(self, path: str, pieces: Iterable[bytes], **origin: Any) -> Iterator[Seen]:
        """Yield what is found in one file's *pieces*."""
        self.files += 1
        seeker = Seeker()
        for piece in pieces:
            self.size += len(piece)
            for match in seeker.feed(piece):
                self.found += 1
                yield Seen(path, match.line, match.column, shortened(match.secret), match.encoding, **origin)

    def check_readable(self) -> None:
        """Refuse to say that nothing was found where not everything was read.

        Raises:
            IotauthError: a file could not be read.
        """
        if self.unreadable:
            path, reason = self.unreadable[0]
            others = f", and {len(self.unreadable) - 1} more" if len(self.unreadable) > 1 else ""
            raise IotauthError(f"not everything was looked at: cannot read `{path}`: {reason}{others}")


class Seeker:
    """Finds secrets in data that comes piece by piece, across the seams too."""

    def __init__(self) -> None:
        self._data = b""
        self._base = 0  # of the first byte of *_data*
        self._lines = 0  # line ends before it
        self._line_start = 0
        self._reported: set[int] = set()

    def feed(self, piece: bytes) -> list[Match]:
        """Return what is found by now and was not before, in the order of its places."""
        self._move_on()
        self._data = self._data + piece if self._data else piece
        new = [match for match in sorted(matches(self._data)) if self._base + match.start not in self._reported]
        self._reported.update(self._base + match.start for match in new)
        return [self._placed(match) for match in new]

    def _move_on(self) -> None:
        dropped = self._data[:-OVERLAP_BYTES]
        if dropped:
            self._lines += dropped.count(b"\n")
            last = dropped.rfind(b"\n")
            self._line_start = self._line_start if last < 0 else self._base + last + 1
            self._base += len(dropped)
            self._data = self._data[-OVERLAP_BYTES:]
            self._reported = {start for start in self._reported if start >= self._base}

    def _placed(self, match: Match) -> Match:
        start = match.start
        last = self._data.rfind(b"\n", 0, start)
        line_start = self._line_start if last < 0 else self._base + last + 1
        line = self._lines + self._data.count(b"\n", 0, start) + 1
        return match._replace(start=self._base + start, line=line, column=self._base + start - line_start + 1)


def matches(data: bytes) -> Iterator[Match]:
    """Yield every secret in *data*, whatever stands around it."""
    for at in places(data, PLAIN):
        yield from match(at, data[at : at + LENGTH], "plain")
    for at in places(data, UTF_16):
        wide = data[at : at + 2 * LENGTH]
        if not any(wide[1 : 2 * LENGTH - 1 : 2]):  # the last letter's other byte is the next one's in big endian
            yield from match(at, wide[::2], "utf-16")
    for needle in NEEDLES:
        for at in places(data, needle.text):
            yield from match(
                at, decoded(data[max(0, at - BLANKS) : at], data[at : at + OVERLAP_BYTES - BLANKS], needle), "base64"
            )


def places(data: bytes, text: bytes) -> Iterator[int]:
    at = data.find(text)
    while at >= 0:
        yield at
        at = data.find(text, at + 1)


def match(at: int, candidate: bytes, encoding: Encoding) -> Iterator[Match]:
    secret = candidate.decode("ascii", errors="replace")
    if len(secret) == LENGTH and is_intact(secret):
        yield Match(at, secret, encoding)


def decoded(before: bytes, text: bytes, needle: Needle) -> bytes:
    """Return what may be a secret in *text*, which begins with *needle*; *before* is what stands before it."""
    letters = text.translate(TO_STANDARD, BLANK)[: -(-(needle.lead + LENGTH) * 8 // 6) - needle.skipped]
    # Of the letters that were skipped, the last one holds the first bits of the prefix.
    last = before.translate(TO_STANDARD, BLANK)[-1:] or b"A"
    group = (b"A" * needle.skipped)[:-1] + (last if needle.skipped else b"") + letters
    try:
        return base64.b64decode(group + b"A" * (-len(group) % 4), validate=True)[needle.lead : needle.lead + LENGTH]
    except binascii.Error:
        return b""


def shortened(secret: str) -> str:
    return f"{PREFIX}…{secret[-SHOWN:]}"


def masked(text: str) -> str:
    """Return *text* with each generated secret in it shortened, wherever it begins."""
    return re.sub(PATTERN.replace(r"\b", ""), lambda found: shortened(found[0]), text)


def joined(folder: str, name: str) -> str:
    """Return the path as it would be typed. A `Path` for each file would take as long as reading it."""
    return name if folder == "." else f"{folder}{os.sep}{name}"


def is_empty(descriptor: int) -> bool:
    """Tell a file that holds nothing; so do those of /proc, some of which one would wait on for ever."""
    status = os.fstat(descriptor)
    return status.st_size == 0 and stat.S_ISREG(status.st_mode)


def chunks(file: Any) -> Iterator[bytes]:
    while piece := file.read(CHUNK_BYTES):
        yield piece
