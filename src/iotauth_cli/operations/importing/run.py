"""The import itself: check every row, then write them, and know one's own rows when a run is repeated.

A secret is in the hand-out before its row is sent, so whatever kills the process, the same command
again finds each secret that it handed out, sends the rows that are missing, and recognises those
that are there: they hold a hash of that secret. Rows of others are left alone unless updating was
asked for; and an update never replaces a secret that the file does not give.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, NamedTuple

from iotauth_authorizer.credential import Slot, hash_secret, new_secret, profile_for, verify
from iotauth_authorizer.record import ClientRecord, Item
from iotauth_cli.aws import bulk
from iotauth_cli.aws.client_table import BrokenRow, ClientTable, read
from iotauth_cli.aws.workers import LIMIT, Line, run
from iotauth_cli.errors import IotauthError
from iotauth_cli.operations.changing import change
from iotauth_cli.operations.importing.outlet import Outlet
from iotauth_cli.operations.importing.rows import Parser, Wanted
from iotauth_cli.operations.importing.source import Source
from iotauth_cli.secret import Secret

Existing = Literal["fail", "skip", "update"]
Became = Literal["added", "resumed", "updated", "existing"]

CHUNK_ROWS = 2500  # whose secrets are made durable together; a sync of the disk costs as much as a hundred rows
SHOWN = 10  # problems that are named one by one
BUCKETS = 1024
TICK = 1000  # rows between two signs of life while checking


class Problem(NamedTuple):
    row: int
    sentence: str


@dataclass
class Checked:
    """What the file asks for. *problems* are the first few of *bad*; nothing may be written while there are any."""

    rows: int = 0
    generated: int = 0
    chosen: int = 0
    hashed: int = 0
    bad: int = 0
    problems: list[Problem] = field(default_factory=list)
    state: tuple[int, ...] = ()

    def complain(self, row: int, sentence: str) -> None:
        self.bad += 1
        if len(self.problems) < SHOWN:
            self.problems.append(Problem(row, sentence))


@dataclass
class Counts:
    """What became of the rows so far. *named* are the first few that existed already."""

    added: int = 0
    resumed: int = 0
    updated: int = 0
    existing: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.added + self.resumed + self.updated + self.existing


class Prepared(NamedTuple):
    """A row about to be sent. *secret* is in the hand-out, at *place*; without *row* a password is yet to be hashed."""

    wanted: Wanted
    secret: Secret | None
    row: bulk.Row | None
    place: int = 0


def check(source: Source, parser: Parser, into: Checked) -> Iterator[int]:
    """Read the whole file and fill *into*; yield now and then how many more rows were read.

    Eight bytes a row are kept, to find client ids that are there twice: a part of Python's hash
    of each, which is different in every process, so that no two ids can be chosen to collide.
    """
    into.state = source.state()
    seen = [array("q") for _ in range(BUCKETS)]
    for raw in source.rows():
        try:
            if raw.problem:
                raise ValueError(raw.problem)
            wanted = parser.parse(raw.cells)
        except ValueError as problem:
            into.complain(raw.number, str(problem))
            continue
        count(wanted, into)
        digest = hash(wanted.client_id)
        seen[digest % BUCKETS].append(digest)
        if into.rows % TICK == 0:
            yield TICK
    twice = {digest for bucket in seen if len(set(bucket)) < len(bucket) for digest in repeated(bucket)}
    if twice:
        name_repeated(source, parser, twice, into)
    into.problems.sort()
    yield into.rows % TICK


def count(wanted: Wanted, into: Checked) -> None:
    into.rows += 1
    if wanted.password is not None:
        into.chosen += 1
    elif wanted.digest is not None:
        into.hashed += 1
    else:
        into.generated += 1


def repeated(digests: Iterable[int]) -> set[int]:
    return {digest for digest, times in Counter(digests).items() if times > 1}


def name_repeated(source: Source, parser: Parser, twice: set[int], into: Checked) -> None:
    """Read the file once more, for the rows of client ids that are there twice."""
    first: dict[str, int] = {}
    at = parser.columns.index("client_id")
    for raw in source.rows():
        client_id = raw.cells[at] if raw.cells else None
        if isinstance(client_id, str) and hash(client_id) in twice:
            if client_id in first:
                into.complain(raw.number, f"names client `{client_id}`, as row {first[client_id]} does")
            else:
                first[client_id] = raw.number


class Importer:
    """Writes the rows of a file that was checked."""

    def __init__(self, table: ClientTable, parser: Parser, outlet: Outlet, existing: Existing) -> None:
        self.table = table
        self.parser = parser
        self.outlet = outlet
        self.existing = existing

    def write(self, source: Source, *, has_passwords: bool) -> Iterator[Counts]:
        """Write every row of a file that was checked; yield the counts after each request."""
        counts = Counts()
        limit = min(LIMIT, 2 * (os.cpu_count() or 1)) if has_passwords else LIMIT  # scrypt takes 16 MB a thread
        with closing(run(self.table, self._batches(source), self._insert, limit=limit)) as results:
            for batch, became in results:
                if isinstance(became, IotauthError):
                    raise became
                self._settle(batch, became, counts)
                yield counts

    def _batches(self, source: Source) -> Iterator[Sequence[Prepared]]:
        """Yield batches whose secrets are in the hand-out, durable."""
        wanted = (self.parser.parse(raw.cells) for raw in source.rows())
        size = bulk.BATCH_ROWS  # the first requests need not wait for thousands of secrets
        while chunk := list(islice(wanted, size)):
            prepared = [self._prepare(each) for each in chunk]
            self.outlet.flush()
            for start in range(0, len(prepared), bulk.BATCH_ROWS):
                yield prepared[start : start + bulk.BATCH_ROWS]
            size = CHUNK_ROWS

    def _prepare(self, wanted: Wanted) -> Prepared:
        if wanted.digest is not None:
            return Prepared(wanted, None, self.parser.row(wanted, wanted.digest))
        if wanted.password is not None:
            return Prepared(wanted, None, None)
        found = self.outlet.find(wanted.client_id)
        if found is not None:
            secret, place = found
        else:
            secret = Secret(new_secret())
            place = self.outlet.put(wanted, secret)
        digest = hash_secret(secret.reveal().encode(), wanted.client_id)
        return Prepared(wanted, secret, self.parser.row(wanted, digest), place)

    def _insert(self, line: Line, batch: Sequence[Prepared]) -> list[Became]:
        """Write a batch; runs in a thread."""
        slow = [each.wanted.client_id for each in batch if each.row is None]
        there = bulk.read(self.table, line, slow)  # no password is hashed for a row that will not be written
        fresh = [each for each in batch if each.wanted.client_id not in there]
        rows = [each.row or self._hashed(each.wanted) for each in fresh]
        for each, item in zip(fresh, bulk.insert(self.table, line, rows), strict=True):
            if item is not None:
                there[each.wanted.client_id] = item
        return [
            self._resolve(line, each, there[each.wanted.client_id]) if each.wanted.client_id in there else "added"
            for each in batch
        ]

    def _hashed(self, wanted: Wanted) -> bulk.Row:
        return self.parser.row(wanted, digest_of(wanted))

    def _resolve(self, line: Line, prepared: Prepared, item: Item) -> Became:
        """Say what became of a row that was there already; update it if that was asked for."""
        found = read(item)
        if isinstance(found, BrokenRow):
            return "existing"
        is_ours = holds(found, prepared)
        if self.existing == "update":
            table = replace(self.table, client=line)
            _, was_written = change(table, found, lambda row: self._updated(row, prepared))
            if was_written:
                return "resumed" if prepared.secret and is_ours else "updated"
        return "resumed" if is_ours else "existing"

    def _updated(self, found: ClientRecord, prepared: Prepared) -> ClientRecord:
        """Return *found* with what the file says; columns that it lacks, and the secret, stay."""
        wanted, now = prepared.wanted, self.parser.now
        asked = self.parser.record(wanted.client_id, wanted.cells)
        changes: dict[str, Any] = {"grants": asked.grants}
        for column, attribute in UPDATED.items():
            if column in wanted.cells:
                changes[attribute] = getattr(asked, attribute)
        if not wanted.is_generated and not holds(found, prepared):
            changes |= {"slots": {"A": Slot(wanted.digest or digest_of(wanted), now)}, "plain_password": None}
        after = found._replace(**changes)
        return found if after == found else after._replace(updated_at=now)

    def _settle(self, batch: Sequence[Prepared], became: Sequence[Became], counts: Counts) -> None:
        for prepared, outcome in zip(batch, became, strict=True):
            setattr(counts, outcome, getattr(counts, outcome) + 1)
            if outcome == "existing" and len(counts.named) < SHOWN:
                counts.named.append(prepared.wanted.client_id)
            if prepared.secret is not None and outcome in ("existing", "updated"):
                self.outlet.drop(prepared.wanted.client_id, prepared.place)


UPDATED = {"username": "username", "enabled": "enabled", "expires": "expires_at", "tags": "tags", "note": "note"}


def holds(found: ClientRecord, prepared: Prepared) -> bool:
    """Tell whether a row has the secret that the file, or an earlier run, gives its client."""
    wanted = prepared.wanted
    hashes = [slot.hash for slot in found.slots.values()]
    if wanted.digest is not None:
        return wanted.digest in hashes
    secret = prepared.secret or wanted.password
    assert secret is not None, "a row has a hash, a password or a secret of ours"
    with suppress(UnicodeEncodeError):
        return any(verify(each, wanted.client_id, secret.reveal().encode()) for each in hashes)
    return False


def digest_of(wanted: Wanted) -> str:
    """Return the hash of a password that the file gives: slow for one that a person chose."""
    assert wanted.password is not None
    text = wanted.password.reveal()
    return hash_secret(text.encode(), wanted.client_id, profile_for(text))
