"""Move the clients of an authorizer to a second one that differs in signing, which AWS IoT cannot switch in place.

    plan, apply   the second authorizer beside the first; they share function and table
    issue         every client gets a user name for the second; the first lets it in as before
    status        who has shown up at the second
    retire        the first is deleted, and rows want a signed token, or know nothing of any

To a signed one: a row that has arrived is one whose newest token was seen. To an unsigned one: the
row no longer requires a token before the device gets its new user name, and the function notes the
first login without. Each step does what is missing, so that a run which was cut off is finished by
the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_cli.aws import iot
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.aws.workers import Line, run
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import InputError, IotauthError, NotFound
from iotauth_cli.operations import authorizers, removal
from iotauth_cli.operations.authorizers import Plan, Step, Wish
from iotauth_cli.operations.changing import change
from iotauth_cli.operations.removal import Removal
from iotauth_cli.operations.signing.issue import Signer, issued_by, noted, signer_of, with_token, without_secret
from iotauth_cli.operations.signing.keyring import Keyring
from iotauth_cli.operations.signing.resign import Outcome, Resigned, check_out, newest, resigned
from iotauth_cli.operations.signing.rollover import lockout

__all__ = ["Kind", "Move", "Plan", "Resigned", "Status", "Step"]

Kind = Literal["signed", "unsigned"]


@dataclass(frozen=True)
class Move:
    """From which authorizer to which, and whether that one wants signed tokens."""

    source: str
    target: str
    to: Kind

    @property
    def has_usual_name(self) -> bool:
        """Whether the target is called as it would be without being told."""
        return self.target == target_name(self.source, self.to)


@dataclass(frozen=True)
class Status:
    """Who has arrived, by client id. *not_issued* have no user name for the target, *unseen* have not used theirs."""

    move: Move
    arrived: int
    not_issued: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.lagging

    @property
    def lagging(self) -> tuple[str, ...]:
        return (*self.not_issued, *self.unseen)


def target_name(source: str, to: Kind) -> str:
    """Return how the second authorizer is called unless a name is chosen: `doors-signed`, and back `doors`."""
    for kind in ("signed", "unsigned"):
        if kind != to and source.endswith(f"-{kind}"):
            return source.removesuffix(f"-{kind}")
    return f"{source}-{to}"


def plan(session: Session, store: Store, wish: Wish, move: Move, *, now: int) -> Plan:
    """Say what the second authorizer needs that is not there; the function and the table are the first's.

    Raises:
        NotFound: the first authorizer does not exist.
        InputError: it is already what is wanted, or both are one.
        Conflict: the second exists and signs otherwise.
    """
    source = authorizers.require(session, move.source)
    if move.source == move.target:
        raise InputError(
            f"authorizer `{move.source}` cannot be moved to itself", hint="choose another name with `--name NAME`"
        )
    if source.signing_disabled == (move.to == "unsigned"):
        is_, other = ("signed tokens", "unsigned") if move.to == "signed" else ("no signed tokens", "signed")
        raise InputError(f"authorizer `{move.source}` asks for {is_} already", hint=f"the other way is `--to {other}`")
    shared = authorizers.with_its_function(session, wish, source)
    shared = replace(shared, authorizer=move.target)
    if move.to == "signed":
        return authorizers.plan(session, authorizers.signed(shared, store, now=now))
    return authorizers.plan(session, authorizers.unsigned(shared, store))


# --- new user names -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Issue:
    """Gives every client of *move*'s source a user name for its target, kept in *store* or written to *out*."""

    table: ClientTable
    store: Store
    move: Move
    signer: Signer | None
    now: int
    out: Path | None = None

    @classmethod
    def prepare(cls, table: ClientTable, store: Store, move: Move, *, now: int, out: Path | None = None) -> Issue:
        """Load the key that signs, if tokens are wanted.

        Raises:
            InputError: the key is kept elsewhere, or *out* is a file of something else.
        """
        if out is not None:
            check_out(out)
        signer = signer_of(Keyring.of(store, move.target)) if move.to == "signed" else None
        return cls(table, store, move, signer, now, out)

    def events(self) -> Iterator[Resigned]:
        """Do it for each row of the table; yield what came of each, in no order. *out* is written whole at the end."""
        return resigned(self.table, concerned(self.table, self.move), self.issue, self.out)

    def issue(self, client: Line, row: ClientRecord) -> tuple[Outcome, str | None]:
        """Do it for one client. Called in threads, each with its own *client*."""
        table = replace(self.table, client=client)
        kept = self.store.load(row.client_id)
        if kept is None and self.out is None:
            return "left", None
        if kept is not None and kept.authorizer not in (self.move.source, self.move.target):
            return "left", None
        if self.signer is None:
            return self.without_token(table, row, kept)
        return self.with_token(table, row, kept, self.signer)

    def with_token(
        self, table: ClientTable, row: ClientRecord, kept: Credential | None, signer: Signer
    ) -> tuple[Outcome, str | None]:
        """Sign a token; what is kept has it before the row says so. The row does not require it yet."""
        note = row.token or TokenNote()
        is_ours = note.issued_at is not None and note.key == signer.fingerprint
        issued_at = self.issued_in(kept, signer)
        if issued_at is None or issued_at < (note.issued_at or 0):
            issued_at = note.issued_at if is_ours and note.issued_at else max(self.now, newest(note) + 1)
            credential = with_token(self.moved(row, kept), signer.issue(row.client_id, issued_at))
            if kept is not None:
                self.store.save(credential)
        else:
            assert kept is not None
            credential = kept
        if is_ours and note.issued_at == issued_at:
            was_kept = kept is None or kept.authorizer == self.move.target
            return ("as it was" if was_kept else "signed"), self.line(kept, credential)
        change(table, row, lambda found: noted(found, issued_at=issued_at, key=signer.fingerprint))
        return "signed", self.line(kept, credential)

    def without_token(
        self, table: ClientTable, row: ClientRecord, kept: Credential | None
    ) -> tuple[Outcome, str | None]:
        """Let the row require no token, before the device gets a user name that has none."""
        credential = self.moved(row, kept)
        is_done = row.token is not None and not row.token.is_required
        if not is_done:
            change(table, row, lambda found: noted(found, is_required=False, unsigned_at=None))
        if kept is not None and kept != credential:
            self.store.save(credential)
            is_done = False
        return ("as it was" if is_done else "signed"), self.line(kept, credential)

    def moved(self, row: ClientRecord, kept: Credential | None) -> Credential:
        """Return the credential for the target, without a token."""
        if kept is not None:
            return replace(kept, authorizer=self.move.target, token=None, signature=None, token_key_name=None)
        return without_secret(row.client_id, row.username, self.move.target)

    def issued_in(self, kept: Credential | None, signer: Signer) -> int | None:
        """Return when the stored token was issued, if it is one for the target; else None."""
        if kept is None or kept.authorizer != self.move.target:
            return None
        return issued_by(kept, signer.public_pem)

    def line(self, kept: Credential | None, credential: Credential) -> str | None:
        return credential.device_username if kept is None else None


def concerned(table: ClientTable, move: Move) -> Iterator[ClientRecord]:
    """Yield the rows that move: to an unsigned authorizer those with tokens, to a signed one those that need none.

    A row that requires a token is no client of an unsigned authorizer any more.
    """
    for row in table.rows():
        if isinstance(row, BrokenRow):
            continue
        if (row.token is None or not row.token.is_required) if move.to == "signed" else row.token is not None:
            yield row


# --- who has arrived ------------------------------------------------------------------------------


def status(table: ClientTable, move: Move) -> Status:
    """Say who has shown up at the target, and who has not."""
    arrived, not_issued, unseen = 0, [], []
    for row in concerned(table, move):
        if has_arrived(row, move):
            arrived += 1
        elif is_issued(row, move):
            unseen.append(row.client_id)
        else:
            not_issued.append(row.client_id)
    return Status(move, arrived, tuple(sorted(not_issued)), tuple(sorted(unseen)))


def has_arrived(row: ClientRecord, move: Move) -> bool:
    note = row.token
    if note is None:
        return False
    if move.to == "unsigned":
        return not note.is_required and note.unsigned_at is not None
    return note.seen_at is not None and note.seen_at >= (note.issued_at or 0)


def is_issued(row: ClientRecord, move: Move) -> bool:
    note = row.token
    return note is not None and (note.issued_at is not None if move.to == "signed" else not note.is_required)


def check_retirement(found: Status, *, force: bool) -> None:
    """Refuse to delete an authorizer that devices still use, unless *force*.

    Raises:
        Conflict: names who they are.
    """
    if found.ok or force:
        return
    raise lockout(found.lagging, f"shown up at authorizer `{found.move.target}`", "user names")


def plan_retirement(session: Session, wish: Wish, move: Move) -> Removal | None:
    """Say what deleting the first authorizer takes away; None if that has been done. The second must be there.

    If the first is the default, the second becomes it, and it gets the endpoints of the first.

    Raises:
        NotFound: the second is not.
    """
    authorizers.require(session, move.target)
    try:
        first = replace(wish, authorizer=move.source)
        found = removal.plan(session, first, with_table=False, heir=move.target)
    except NotFound:
        return None
    return found if iot.find(session, move.source) or found.changes else None


def settle(table: ClientTable, move: Move) -> Iterator[str]:
    """Let the rows say that the move is over: that a token is required, or nothing of tokens. Yield who was changed."""

    def settled(row: ClientRecord) -> ClientRecord:
        return row._replace(token=None) if move.to == "unsigned" else noted(row, is_required=True)

    def work(client: Line, row: ClientRecord) -> None:
        change(replace(table, client=client), row, settled)

    unsettled = (row for row in concerned(table, move) if not is_settled(row, move))
    for row, result in run(table, unsettled, work):
        if isinstance(result, IotauthError):
            raise result
        yield row.client_id


def is_settled(row: ClientRecord, move: Move) -> bool:
    """Tell a row that says so already. One without a token has not moved to a signed authorizer: it stays as it is."""
    return row.token is None or (move.to == "signed" and row.token.is_required)
