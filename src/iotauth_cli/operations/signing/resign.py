"""Give every client of a signed authorizer a token of its new key.

A signature has no randomness, so a token is made again rather than remembered: a run that is cut
off and repeated hands out the very same ones. A credential that is kept here gets its token before
the row says that it was issued.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.aws.workers import Line, run
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import InputError, IotauthError
from iotauth_cli.files import write_private
from iotauth_cli.operations import git
from iotauth_cli.operations.changing import change
from iotauth_cli.operations.signing.issue import Signer, issued_by, noted, signer_of, with_token, without_secret
from iotauth_cli.operations.signing.keyring import Keyring, RollOver
from iotauth_cli.operations.signing.rollover import has_new, require_roll_over

COLUMNS = ("client_id", "username")

Outcome = Literal["signed", "as it was", "left", "failed"]
Sign = Callable[[Line, ClientRecord], tuple[Outcome, "str | None"]]  # the user name, if it is to be written to a file


@dataclass(frozen=True)
class Resigned:
    """What came of one client. *problem* says why it failed."""

    client_id: str
    outcome: Outcome
    problem: str | None = None


@dataclass
class Totals:
    """What came of all clients so far. *left* get their token elsewhere."""

    signed: int = 0
    as_it_was: int = 0
    left: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def count(self, each: Resigned) -> None:
        if each.outcome == "signed":
            self.signed += 1
        elif each.outcome == "as it was":
            self.as_it_was += 1
        elif each.outcome == "left":
            self.left.append(each.client_id)
        else:
            self.failed.append((each.client_id, each.problem or ""))

    @property
    def done(self) -> int:
        return self.signed + self.as_it_was + len(self.left) + len(self.failed)


def prepare(
    table: ClientTable,
    store: Store,
    keyring: Keyring,
    *,
    now: int,
    out: Path | None = None,
    signer: Signer | None = None,
) -> Run | None:
    """Return the run that signs for every client; None if the new key is kept elsewhere, and no *signer* is given.

    Raises:
        InputError: no roll-over is under way, the key cannot be read, or *out* is a file of something else.
    """
    roll_over = require_roll_over(keyring.signing, keyring)
    if out is not None:
        check_out(out)
    signer = signer or (signer_of(keyring) if roll_over.is_kept else None)
    if signer is None:
        return None
    return Run(table, store, keyring.authorizer, signer, roll_over, now, out)


@dataclass(frozen=True)
class Run:
    """Who signs for which authorizer, from when on, and where the tokens go.

    *out* gets those of clients whose credentials are not kept here; without it they are left alone.
    """

    table: ClientTable
    store: Store
    authorizer: str
    signer: Signer
    roll_over: RollOver
    now: int
    out: Path | None = None

    def events(self) -> Iterator[Resigned]:
        """Sign for every client that has tokens; yield what came of each, in no order.

        Raises:
            InputError: *out* cannot be written. It is written whole at the end, and the same again.
        """
        yield from resigned(self.table, self.rows(), self.sign, self.out)

    def rows(self) -> Iterator[ClientRecord]:
        for row in self.table.rows():
            if not isinstance(row, BrokenRow) and row.token is not None:
                yield row

    def sign(self, client: Line, row: ClientRecord) -> tuple[Outcome, str | None]:
        """Give one client its token. Called in threads, each with its own *client*."""
        table = replace(self.table, client=client)
        kept = self.store.load(row.client_id)
        if kept is not None and kept.authorizer != self.authorizer:
            return "left", None
        if kept is None:
            return self.hand_out(table, row)
        assert row.token is not None
        issued_at = self.issued_in(kept, row.token)
        if issued_at is None:
            issued_at = self.next_issue(row.token)
            self.store.save(with_token(kept, self.signer.issue(row.client_id, issued_at)))
        elif (row.token.issued_at, row.token.key) == (issued_at, self.signer.fingerprint):
            return "as it was", None
        self.note(table, row, issued_at)
        return "signed", None

    def hand_out(self, table: ClientTable, row: ClientRecord) -> tuple[Outcome, str | None]:
        """Sign for a client whose credential is kept elsewhere, as far as there is a file to put it in."""
        if self.out is None:
            return "left", None
        assert row.token is not None
        if has_new(row.token, self.roll_over, self.signer.fingerprint) and row.token.issued_at is not None:
            return "as it was", self.username(row, row.token.issued_at)
        issued_at = self.next_issue(row.token)
        self.note(table, row, issued_at)
        return "signed", self.username(row, issued_at)

    def note(self, table: ClientTable, row: ClientRecord, issued_at: int) -> None:
        change(table, row, lambda found: noted(found, issued_at=issued_at, key=self.signer.fingerprint))

    def username(self, row: ClientRecord, issued_at: int) -> str:
        without = without_secret(row.client_id, row.username, self.authorizer)
        return with_token(without, self.signer.issue(row.client_id, issued_at)).device_username

    def issued_in(self, kept: Credential, note: TokenNote) -> int | None:
        """Return when the stored token was issued if the new key has signed it and *note* knows no newer; else None."""
        issued_at = issued_by(kept, self.signer.public_pem)
        if issued_at is None or issued_at <= self.roll_over.since or issued_at < newest(note):
            return None
        is_others = issued_at == note.issued_at and note.key not in (None, self.signer.fingerprint)
        return None if is_others else issued_at

    def next_issue(self, note: TokenNote) -> int:
        """Return a time later than the roll-over's and than any token of the client: times tell tokens apart."""
        return max(self.now, self.roll_over.since + 1, newest(note) + 1)


def newest(note: TokenNote) -> int:
    """Return when the newest token that is known of was issued; 0 if none is."""
    return max(note.issued_at or 0, note.seen_at or 0)


def resigned(table: ClientTable, rows: Iterable[ClientRecord], sign: Sign, out: Path | None) -> Iterator[Resigned]:
    """Let *sign* do it for each of *rows*; yield what came of each. *out* is written whole at the end."""
    lines: list[tuple[str, str]] = []
    with closing(run(table, rows, sign)) as results:
        for row, result in results:
            if isinstance(result, IotauthError):
                yield Resigned(row.client_id, "failed", result.message)
                continue
            outcome, username = result
            if username is not None:
                lines.append((row.client_id, username))
            yield Resigned(row.client_id, outcome)
    if out is not None:
        write_private(out, as_csv(sorted(lines)))


def check_out(path: Path) -> str | None:
    """Refuse to write over a file that is something else, and have git pass it over; return the line that does it.

    Raises:
        InputError: it has another first line, its directory is not there, or git tracks it.
    """
    if not path.parent.is_dir():
        raise InputError(f"there is no directory `{path.parent}`", hint=f"make it: `mkdir -p {path.parent}`")
    if path.exists() and not path.read_bytes().startswith(as_csv([]).encode()):
        raise InputError(f"`{path}` exists and is no file of user names", hint="name a file that does not exist yet")
    return git.keep_out(path, "choose a place outside of the repository with `--tokens-out`")


def as_csv(lines: list[tuple[str, str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *lines])
    return text.getvalue()
