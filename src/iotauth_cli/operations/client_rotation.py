"""Rotating one client: the secret into the private store, its hash into the row, then handed out.

In this order, whatever ends the program at any moment: a secret that the row has is still in the
store, and the same command run again goes on with it instead of making another.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from iotauth_authorizer.credential import Slot, new_secret
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import InputError
from iotauth_cli.operations import clients
from iotauth_cli.operations.rotation import GRACE_S, begin, cut_over, finish, holds, pending_name, slot_of
from iotauth_cli.operations.signing.issue import TokenWish, known_tokens
from iotauth_cli.secret import Secret

__all__ = ["GRACE_S", "Confirmed", "Credential", "Rotated", "RotationWish", "Slot", "confirm", "handed_out", "rotate"]


@dataclass(frozen=True)
class RotationWish:
    """What `client rotate` was asked for. *authorizer* is for a client of which nothing is kept here.

    *at_once* ends the old secret with the write. Without *password* one is generated.
    """

    client_id: str
    authorizer: str
    grace_s: int = GRACE_S
    replace: bool = False
    at_once: bool = False
    password: Secret | None = None


@dataclass(frozen=True)
class Rotated:
    """A secret that was handed out, in *slot*; *old* is the one beside it, None if that is over.

    *was_begun*: an earlier run wrote the row and did not come to its end. *kept_at* is where the
    credential lies, *why_not_kept* why it does not; *outdated_at* where one lies that was left as it is.
    *ended* is a credential that worked until now and no longer does.
    """

    credential: Credential
    record: ClientRecord
    slot: str
    old: Slot | None
    is_generated: bool
    was_begun: bool
    kept_at: Path | None = None
    why_not_kept: str | None = None
    outdated_at: Path | None = None
    ended: Credential | None = None

    @property
    def is_pending(self) -> bool:
        return self.record.slots[self.slot].state == "pending"


@dataclass(frozen=True)
class Confirmed:
    """A rotation that is over. *was_seen* is false where that was forced.

    *outdated_at* is where a credential is kept that lets nobody in any more.
    """

    record: ClientRecord
    slot: str
    was_seen: bool
    outdated_at: Path | None


def rotate(table: ClientTable, store: Store, wish: RotationWish, *, now: int, is_kept: bool = True) -> Rotated:
    """Hand out a new secret for a client; the old one goes on counting unless *wish* ends it at once.

    Everything that can be refused is refused before anything is written. Until `handed_out` is called,
    a second run gives the same secret again. Without *is_kept* nothing is written to *store*, and an
    interrupted run loses the secret, which then nobody has.

    Raises:
        NotFound: there is no such client.
        InputError: its row cannot be read, nothing can be kept in the store, or the password is no new one.
        Conflict: the last secret was not seen yet, or somebody else changed the row meanwhile.
    """
    if wish.password is not None:
        clients.check_password(wish.password)
    record = clients.find(table, wish.client_id)
    kept = store.load(wish.client_id)
    begun = store.begun(wish.client_id) if is_kept else None
    if begun is not None and wish.password not in (None, begun):
        store.end(wish.client_id)
        begun = None
    if begun is None and wish.password is not None:
        check_new(record, wish.password, at_once=wish.at_once)
    secret = begun or wish.password or Secret(new_secret())
    was_begun = begun is not None and slot_of(record, begun) is not None
    after = next_row(record, secret, wish, now, was_begun=was_begun)
    if is_kept and (first := store.begin(wish.client_id, secret)) != secret:
        # Another run of this command began in this moment: both hand out the same secret.
        secret, after = first, next_row(record, first, wish, now, was_begun=False)
    token = known_tokens(store, wish.authorizer) if record.token and kept is None else None
    written = table.change(record, token.renewed(after) if token is not None else after)
    rotated = Rotated(
        credential=credential_of(
            *(kept, written, secret, wish.authorizer, table.name, now),
            token,
        ),
        record=written,
        slot=slot_of(written, secret) or "",
        old=next((slot for slot in written.slots.values() if slot.state == "retiring"), None),
        is_generated=wish.password is None,
        was_begun=was_begun,
        ended=kept if kept and not holds(written, kept.password) else None,
    )
    if is_kept:
        return keep(store, rotated)
    return replace(rotated, outdated_at=store.path(wish.client_id) if kept else None)


def check_new(record: ClientRecord, password: Secret, *, at_once: bool) -> None:
    """Refuse a password that the client has: nobody could see the new one in use, and a leaked one would go on.

    One that was handed out last may be brought forward, *at_once*.
    """
    name = slot_of(record, password)
    is_brought_forward = at_once and name is not None and record.slots[name].state == "pending"
    if holds(record, password) and not is_brought_forward:
        raise InputError(
            f"client `{record.client_id}` has this password already", hint="give another one, or let one be generated"
        )


def next_row(record: ClientRecord, secret: Secret, wish: RotationWish, now: int, *, was_begun: bool) -> ClientRecord:
    if wish.at_once:
        after = cut_over(record, secret, now=now)
        return record if after.slots == record.slots and record.plain_password is None else after
    return record if was_begun else begin(record, secret, now=now, grace_s=wish.grace_s, replace=wish.replace)


def keep(store: Store, rotated: Rotated) -> Rotated:
    """Keep the credential as the client's. It lies in the store already, so a full disk costs nothing but order."""
    try:
        path = store.save(rotated.credential)
    except InputError as problem:
        return replace(rotated, why_not_kept=problem.message)
    return replace(rotated, kept_at=path)


def handed_out(store: Store, rotated: Rotated) -> None:
    """Close a rotation whose secret was shown, or is known: from here on, another run makes another secret."""
    if rotated.kept_at is not None:
        store.end(rotated.credential.client_id)


def credential_of(
    kept: Credential | None,
    record: ClientRecord,
    secret: Secret,
    authorizer: str,
    table: str,
    now: int,
    token: TokenWish | None = None,
) -> Credential:
    """Return the credential with *secret*, and with the old one for as long as the row knows it.

    The signed token is the one that the client has: kept here, or made again by *token*.
    """
    older = (kept.password, kept.previous) if kept else ()
    previous = next((each for each in older if each and each != secret and holds(record, each)), None)
    grants = record.grants
    fresh = Credential(
        client_id=record.client_id,
        username=record.username or record.client_id,
        password=secret,
        authorizer=kept.authorizer if kept else authorizer,
        table=table,
        publish=grants.publish,
        subscribe=grants.subscribe,
        created_at=now,
        retain=bool(grants.retain),
        will=bool(grants.will),
        previous=previous,
    )
    if kept is None:
        return token.complete(fresh, record) if token is not None else fresh
    return replace(fresh, token=kept.token, signature=kept.signature, token_key_name=kept.token_key_name)


def confirm(table: ClientTable, store: Store, client_id: str, *, force: bool, now: int) -> Confirmed:
    """End the old secret of a client whose new one was seen in use.

    Raises:
        NotFound: there is no such client.
        InputError: no rotation is under way, or the row cannot be read.
        Conflict: the new secret was never seen and *force* is not set, or somebody else changed the row.
    """
    record = clients.find(table, client_id)
    slot = pending_name(record)
    after = finish(record, force=force, now=now)
    assert slot is not None  # else `finish` has refused
    written = table.change(record, after)
    return Confirmed(written, slot, after.slots[slot].first_used_at is not None, tidy(store, written))


def tidy(store: Store, record: ClientRecord) -> Path | None:
    """Forget the old password of a client; return where its credential lies if that lets nobody in any more."""
    with contextlib.suppress(
        InputError
    ):  # a full disk, a broken file: the old password counts no more, wherever it lies
        kept = store.load(record.client_id)
        if kept is not None and not holds(record, kept.password):
            return store.path(record.client_id)
        if kept is not None and kept.previous is not None:
            store.save(replace(kept, previous=None))
    return None
