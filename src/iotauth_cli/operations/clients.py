"""Clients: added, listed, shown and removed. A client is a row; its secret is stored as a hash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from iotauth_authorizer.credential import Slot, hash_secret, new_secret, profile_for
from iotauth_authorizer.grants import (
    ArnScope,
    Grants,
    PolicyTooLarge,
    compile_policies,
    validate_client_id,
    validate_topic_filter,
)
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import AlreadyExists, InputError, NotFound
from iotauth_cli.secret import Secret

__all__ = ["Added", "BrokenRow", "ClientRecord", "NewClient", "Removed", "Shown"]

MAX_PASSWORD_BYTES = 65535  # MQTT's own limit on the field
ANY_ACCOUNT = "0" * 12  # limits count characters, and every account has 12


@dataclass(frozen=True)
class NewClient:
    """What `client add` was asked for. Topics are MQTT topic filters.

    *topics* grants publish, subscribe and receive on each and below; *retain* and *will*
    extend to whatever may be published. Without *password* one is generated.
    """

    client_id: str
    authorizer: str
    topics: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    retain: bool = False
    will: bool = False
    password: Secret | None = None


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
    if store is not None:
        store.prepare()
    password = wish.password or Secret(new_secret())
    record = new_record(wish.client_id, password, grants, now)
    try:
        table.add(record)
    except AlreadyExists as problem:
        raise AlreadyExists(
            f"client `{wish.client_id}` exists already in table `{table.name}`",
            hint=f"see it with `iotauth client show {wish.client_id}`, "
            f"or start over: `iotauth client remove {wish.client_id}`",
        ) from problem
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
    return keep(store, Added(credential, record, policies, is_generated=wish.password is None))


def keep(store: Store | None, added: Added) -> Added:
    """Put the credential into *store*. It was written to the table, so a full disk is no failure:
    the password must still be shown."""
    if store is None:
        return added
    try:
        return replace(added, kept_at=store.save(added.credential))
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


def new_record(client_id: str, password: Secret, grants: Grants, now: int) -> ClientRecord:
    """Return the row of a new client. It has no user name of its own: the client id, or none, is right."""
    profile = profile_for(password.reveal())
    slot = Slot(hash_secret(password.reveal().encode(), client_id, profile), now)
    return ClientRecord(client_id, slots={"A": slot}, grants=grants, created_at=now, updated_at=now)


def show(table: ClientTable, store: Store, client_id: str, scope: ArnScope) -> Shown:
    """Return what the table has on *client_id*.

    Raises:
        NotFound: no such client.
        InputError: its row cannot be read.
    """
    row = table.find(client_id)
    if row is None:
        raise unknown(table, client_id)
    if isinstance(row, BrokenRow):
        raise InputError(
            f"the row of client `{client_id}` is unreadable: {row.reason}",
            hint=f"correct it in table `{table.name}`, or remove it: `iotauth client remove {client_id}`",
        )
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
        raise unknown(table, client_id)
    return removed


def unknown(table: ClientTable, client_id: str) -> NotFound:
    return NotFound(
        f"there is no client `{client_id}` in table `{table.name}`",
        hint="see which there are with `iotauth client list`",
    )
