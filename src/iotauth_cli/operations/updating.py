"""Changing what a client may do, how long, and what its owner wrote about it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from iotauth_authorizer.grants import ArnScope, Grants
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Store
from iotauth_cli.errors import InputError
from iotauth_cli.operations import clients
from iotauth_cli.operations.clients import ANY_ACCOUNT, NewClient
from iotauth_cli.operations.durations import parse_date, parse_duration

MAX_TAG_BYTES = 256  # of a name or a value; a row has 400 kB for everything

__all__ = ["Update", "Updated", "expiry", "parse_tags", "update"]


@dataclass(frozen=True)
class Update:
    """What `client update` was asked for; what was not is left as it is.

    Topics, of whichever kind, replace all grants; with *adds_topics* they come beside them.
    *expires_at* 0 takes the expiry away, as an empty *note* does with the note.
    """

    client_id: str
    topics: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    retain: bool | None = None
    will: bool | None = None
    expires_at: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    untag: tuple[str, ...] = ()
    note: str | None = None
    adds_topics: bool = False

    @property
    def names_topics(self) -> bool:
        return bool(self.topics or self.publish or self.subscribe)

    @property
    def changes_grants(self) -> bool:
        return self.names_topics or self.retain is not None or self.will is not None


@dataclass(frozen=True)
class Updated:
    """A client before and after; the same twice where nothing differed."""

    before: ClientRecord
    after: ClientRecord

    @property
    def is_changed(self) -> bool:
        return self.before != self.after

    @property
    def has_new_grants(self) -> bool:
        return self.before.grants != self.after.grants


def update(table: ClientTable, store: Store, wish: Update, *, partition: str, now: int) -> Updated:
    """Change the row of a client, and what is kept of its grants.

    Raises:
        InputError: nothing was asked for, a topic is none, or the policy would be over the limits.
        NotFound: there is no such client.
        Conflict: somebody else changed it meanwhile.
    """
    if wish == Update(wish.client_id):
        raise InputError(
            f"nothing to change was given for client `{wish.client_id}`",
            hint=f"say what: `iotauth client update {wish.client_id} --tag site:berlin`, or `--note`, `--expires` …",
        )
    if wish.adds_topics and not wish.names_topics:
        raise InputError(
            "`--add` adds topics, and none was given", hint="name it with `--topic`, `--publish` or `--subscribe`"
        )
    before = clients.find(table, wish.client_id)
    after = before._replace(
        grants=grants_after(before, wish),
        expires_at=before.expires_at if wish.expires_at is None else wish.expires_at or None,
        tags=tags_after(before, wish),
        note=before.note if wish.note is None else wish.note or None,
    )
    if after == before:
        return Updated(before, before)
    clients.compiled(after.grants, wish.client_id, ArnScope(partition, table.target.region, ANY_ACCOUNT))
    written = table.change(before, after._replace(updated_at=now))
    note_grants(store, written)
    return Updated(before, written)


def grants_after(before: ClientRecord, wish: Update) -> Grants:
    """Return the grants: those of the topics that were given, or the client's own with another reach."""
    if not wish.changes_grants:
        return before.grants
    retain = bool(before.grants.retain) if wish.retain is None else wish.retain
    will = bool(before.grants.will) if wish.will is None else wish.will
    if wish.names_topics:
        asked = NewClient(wish.client_id, "", wish.topics, wish.publish, wish.subscribe)
        found = clients.check(asked)
        if wish.adds_topics:
            found = before.grants._replace(
                publish=clients.once(before.grants.publish, found.publish),
                subscribe=clients.once(before.grants.subscribe, found.subscribe),
            )
    else:
        found = before.grants
    if (wish.retain or wish.will) and not found.publish:
        raise InputError(
            f"client `{wish.client_id}` may publish nothing, so there is nothing to retain or to leave as a will",
            hint="grant it a topic with `--publish`",
        )
    return found._replace(retain=found.publish if retain else (), will=found.publish if will else ())


def tags_after(before: ClientRecord, wish: Update) -> Mapping[str, str]:
    missing = [name for name in wish.untag if name not in before.tags]
    if missing:
        raise InputError(
            f"client `{wish.client_id}` has no tag `{missing[0]}`",
            hint=f"see which it has with `iotauth client show {wish.client_id}`",
        )
    return {name: value for name, value in before.tags.items() if name not in wish.untag} | dict(wish.tags)


def note_grants(store: Store, record: ClientRecord) -> None:
    """Put the new grants into the credential that is kept: `test-connect` chooses its topics by them."""
    grants = record.grants
    with suppress(InputError):  # a full disk, a broken file: the row counts, and the topics can be typed
        kept = store.load(record.client_id)
        if kept is not None:
            topics = replace(kept, publish=grants.publish, subscribe=grants.subscribe)
            store.save(replace(topics, retain=bool(grants.retain), will=bool(grants.will)))


def expiry(expires: str | None, ttl: str | None, now: int) -> int | None:
    """Return the time that `--expires DATE` or `--ttl TIME` means, or None if neither was given.

    Raises:
        InputError: both were, one cannot be read, or it is over already.
    """
    if expires is not None and ttl is not None:
        raise InputError("`--expires` and `--ttl` exclude each other", hint="give one of them")
    if ttl is not None:
        seconds = parse_duration(ttl)
        if seconds == 0:
            raise InputError("`--ttl 0` is over at once", hint="`iotauth client disable` keeps a client out")
        return now + seconds
    if expires is None:
        return None
    at = parse_date(expires)
    if at <= now:
        raise InputError(f"`--expires {expires}` is over", hint="`iotauth client disable` keeps a client out")
    return at


def parse_tags(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Read `site:berlin`, each name once.

    Raises:
        InputError: one is no tag, or its name comes twice.
    """
    tags: dict[str, str] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not (name and colon and value) or max(len(name.encode()), len(value.encode())) > MAX_TAG_BYTES:
            raise InputError(
                f"`--tag {text}` is no tag",
                hint=f"write it as `--tag site:berlin`, {MAX_TAG_BYTES} bytes at most on either side",
            )
        if name in tags:
            raise InputError(f"tag `{name}` is given twice", hint="a client has one value for each tag")
        tags[name] = value
    return tuple(tags.items())
