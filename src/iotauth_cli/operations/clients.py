"""Clients: added, listed, shown and removed. A client is a row; its secret is stored as a hash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

from iotauth_authorizer.credential import Slot, new_secret
from iotauth_authorizer.grants import (
    ArnScope,
    Grants,
    PolicyTooLarge,
    compile_policies,
    validate_client_id,
    validate_topic_filter,
)
from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import AccessDenied, AlreadyExists, InputError, NotFound
from iotauth_cli.operations.rotation import hashed, slot_of
from iotauth_cli.operations.signing.issue import TokenWish
from iotauth_cli.secret import Secret

__all__ = ["Added", "BrokenRow", "ClientRecord", "NewClient", "Removed", "Shown", "Slot", "TokenNote"]

MAX_PASSWORD_BYTES = 65535  # MQTT's own limit on the field
ANY_ACCOUNT = "0" * 12  # limits count characters, and every account has 12


@dataclass(frozen=True)
class NewClient:
    """What `client add` was asked for. Topics are MQTT topic filters.

    *topics* grants publish, subscribe and receive on each and below; *retain* and *will*
    extend to whatever may be published. Without *password* one is generated. *expires_at* is in
    epoch seconds.
    """

    client_id: str
    authorizer: str
    topics: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    retain: bool = False
    will: bool = False
    password: Secret | None = None
    expires_at: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    note: str | None = None
    token: TokenWish | None = None


@dataclass(frozen=True)
class Added:
    """A client that was added. *kept_at* is where its credential lies, *why_not_kept* why it does not.

    A password that was not generated is known to whoever gave it, and need not be shown.
    """

    credential: Credential
    record: ClientRecord
    policies: tuple[str, ...]
    is_generated: bool
    kept_at: Path | None = None
    why_not_kept: str | None = None

    @property
    def device_username(self) -> str:
        """The user name as the device has to send it, with the authorizer's name and any signed token in it."""
        return self.credential.device_username

    @property
    def masked_username(self) -> str:
        """The same as it may be shown again: a signed token in it is masked."""
        from iotauth_cli.probe.stages import mask_parameters

        return mask_parameters(self.device_username)

    @property
    def lacks_token(self) -> bool:
        """Whether the device still needs a token that is signed elsewhere."""
        return self.record.token is not None and self.credential.token is None


@dataclass(frozen=True)
class Shown:
    """A client's row with the policies that its grants compile to, or why they do not."""

    record: ClientRecord
    policies: tuple[str, ...]
    problem: str | None
    credential_at: Path | None


@dataclass(frozen=True)
class Removed:
    """What there was to remove."""

    row: bool
    credential: bool


def add(table: ClientTable, store: Store | None, wish: NewClient, *, partition: str, now: int) -> Added:
    """Add a client whose row does not exist yet; keep its credential in *store*, if there is one.

    Everything that can be refused is refused before the row is written.

    Raises:
        InputError: client id, topics or password are wrong, or the policy would be over the limits.
        AlreadyExists: there is such a client; it is left as it is.
        NotFound: there is no table yet.
    """
    grants = check(wish)
    policies = compiled(grants, wish.client_id, ArnScope(partition, table.target.region, ANY_ACCOUNT))
    begun = begun_with(store, wish)
    password = begun or wish.password or Secret(new_secret())
    if store is not None:
        password = store.begin(wish.client_id, password)
    try:
        record = table.add(new_record(wish, password, grants, now))
    except AlreadyExists as problem:
        found = table.find(wish.client_id)
        # Unless an earlier run wrote it and was cut off before it could say so.
        if begun is None or not is_row_of(found, begun, grants):
            forget(store, wish, begun)
            raise exists_already(table, wish.client_id) from problem
        record = table.change(found, wish.token.renewed(found)) if wish.token is not None else found
    except (AccessDenied, NotFound):
        forget(store, wish, begun)
        raise
    credential = Credential(
        client_id=wish.client_id,
        username=wish.client_id,
        password=password,
        authorizer=wish.authorizer,
        table=table.name,
        publish=grants.publish,
        subscribe=grants.subscribe,
        created_at=now,
        retain=wish.retain,
        will=wish.will,
    )
    if wish.token is not None:
        credential = wish.token.complete(credential, record)
    return keep(store, Added(credential, record, policies, is_generated=wish.password is None))


def begun_with(store: Store | None, wish: NewClient) -> Secret | None:
    """Return the secret that an earlier run kept for this client before it was cut off, if it will do."""
    begun = store.begun(wish.client_id) if store is not None else None
    if store is None or wish.password in (None, begun):
        return begun
    store.end(wish.client_id)
    return None


def forget(store: Store | None, wish: NewClient, begun: Secret | None) -> None:
    """Forget the secret of a row that was surely not written; what an earlier run began with stays."""
    if store is not None and begun is None:
        store.end(wish.client_id)


def is_row_of(row: ClientRecord | BrokenRow | None, secret: Secret, grants: Grants) -> TypeGuard[ClientRecord]:
    return isinstance(row, ClientRecord) and row.grants == grants and slot_of(row, secret) is not None


def exists_already(table: ClientTable, client_id: str) -> AlreadyExists:
    return AlreadyExists(
        f"client `{client_id}` exists already in table `{table.name}`",
        hint=f"see it with `iotauth client show {client_id}`, or give it a new secret: "
        f"`iotauth client rotate {client_id}`",
    )


def keep(store: Store | None, added: Added) -> Added:
    """Put the credential into *store*. It was written to the table, so a full disk is no failure:
    the password must still be shown."""
    if store is None:
        return added
    try:
        kept_at = store.save(added.credential)
        store.end(added.credential.client_id)
        return replace(added, kept_at=kept_at)
    except InputError as problem:
        return replace(added, why_not_kept=problem.message)


def check(wish: NewClient) -> Grants:
    """Return what *wish* grants, or refuse it with the names that were typed."""
    try:
        validate_client_id(wish.client_id)
    except ValueError as problem:
        raise InputError(
            str(problem), hint="use 1 to 128 bytes, none of them a space or one of `+ # * ? $ /`"
        ) from problem
    if wish.password is not None:
        check_password(wish.password)
    try:
        for topic in (*wish.topics, *wish.publish, *wish.subscribe):
            validate_topic_filter(topic)
    except ValueError as problem:
        raise InputError(
            str(problem), hint="write `sensors/+/state` or `sensors/#`; 256 bytes and 7 slashes at most"
        ) from problem
    grants = grants_of(wish)
    if not (grants.publish or grants.subscribe):
        raise InputError(
            f"client `{wish.client_id}` would be let in and could do nothing",
            hint=f"grant it a topic: `iotauth client add {wish.client_id} --topic sensors/{wish.client_id}`",
        )
    if (wish.retain or wish.will) and not grants.publish:
        raise InputError(
            f"client `{wish.client_id}` may publish nothing, so there is nothing to retain or to leave as a will",
            hint="grant it a topic with `--publish`",
        )
    return grants


def check_password(password: Secret) -> None:
    size = len(password.reveal().encode())
    if not 1 <= size <= MAX_PASSWORD_BYTES:
        problem = "is empty" if size == 0 else f"is longer than {MAX_PASSWORD_BYTES} bytes"
        raise InputError(f"the password {problem}", hint="leave `--password-stdin` out and iotauth makes a good one")


def grants_of(wish: NewClient) -> Grants:
    topics = [Grants.for_topic(topic) for topic in wish.topics]
    publish = once(*(grant.publish for grant in topics), wish.publish)
    return Grants(
        publish=publish,
        subscribe=once(*(grant.subscribe for grant in topics), wish.subscribe),
        retain=publish if wish.retain else (),
        will=publish if wish.will else (),
    )


def once(*groups: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(topic for group in groups for topic in group))


def compiled(grants: Grants, client_id: str, scope: ArnScope) -> tuple[str, ...]:
    try:
        return compile_policies(grants, client_id, scope)
    except PolicyTooLarge as problem:
        raise InputError(
            str(problem), hint="grant fewer and wider topics: `sensors/#` covers all of `sensors/1`, `sensors/2`, …"
        ) from problem
    except ValueError as problem:
        raise InputError(str(problem)) from problem


def new_record(wish: NewClient, password: Secret, grants: Grants, now: int) -> ClientRecord:
    """Return the row of a new client. It has no user name of its own: the client id, or none, is right."""
    return ClientRecord(
        wish.client_id,
        slots={"A": Slot(hashed(password, wish.client_id), now)},
        grants=grants,
        expires_at=wish.expires_at,
        tags=dict(wish.tags),
        note=wish.note,
        token=wish.token.note(now) if wish.token is not None else None,
        created_at=now,
        updated_at=now,
    )


def find(table: ClientTable, client_id: str) -> ClientRecord:
    """Return the row of *client_id*.

    Raises:
        NotFound: no such client.
        InputError: its row cannot be read.
    """
    row = table.find(client_id)
    if row is None:
        raise table.unknown(client_id)
    if isinstance(row, BrokenRow):
        raise InputError(
            f"the row of client `{client_id}` is unreadable: {row.reason}",
            hint=f"correct it in table `{table.name}`, or remove it: `iotauth client remove {client_id}`",
        )
    return row


def show(table: ClientTable, store: Store, client_id: str, scope: ArnScope) -> Shown:
    """Return what the table has on *client_id*.

    Raises:
        NotFound: no such client.
        InputError: its row cannot be read.
    """
    row = find(table, client_id)
    kept = store.path(client_id) if store.load(client_id) else None
    try:
        return Shown(row, compile_policies(row.grants, client_id, scope), None, kept)
    except ValueError as problem:
        return Shown(row, (), str(problem), kept)


def remove(table: ClientTable, store: Store, client_id: str) -> Removed:
    """Remove the row of *client_id* and the credential that was kept of it.

    Raises:
        NotFound: there was neither.
    """
    removed = Removed(row=table.remove(client_id), credential=store.remove(client_id))
    if not (removed.row or removed.credential):
        raise table.unknown(client_id)
    return removed
