"""`iotauth client`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from iotauth_cli.cli.client_options import (
    ClientId,
    Expires,
    NoSave,
    Note,
    PasswordStdin,
    Publish,
    Subscribe,
    Tags,
    Texts,
    Ttl,
)
from iotauth_cli.cli.lazy import MUTATES, LazyGroup

group = LazyGroup(
    "client",
    {
        "add": ("iotauth_cli.cli.client:add", "Add a client and show its password, once.", MUTATES),
        "import": ("iotauth_cli.cli.client_import:import_", "Add the clients of a .csv or .jsonl file.", MUTATES),
        "export": ("iotauth_cli.cli.client_export:export", "Write the clients into a .csv or .jsonl file."),
        "migrate": ("iotauth_cli.cli.client_migrate:migrate", "Hash the plain passwords of older tools.", MUTATES),
        "list": ("iotauth_cli.cli.client_list:list_", "List the clients of the table."),
        "show": ("iotauth_cli.cli.client:show", "Show what a client may do, and its secrets' state."),
        "update": ("iotauth_cli.cli.client_update:update", "Change what a client may do, and how long.", MUTATES),
        "rotate": ("iotauth_cli.cli.client_rotation:rotate", "Hand out a new secret beside the old one.", MUTATES),
        "confirm": ("iotauth_cli.cli.client_rotation:confirm", "End the old secret of a rotated client.", MUTATES),
        "disable": ("iotauth_cli.cli.client_access:disable", "Let a client in no more, and end its session.", MUTATES),
        "enable": ("iotauth_cli.cli.client_access:enable", "Let a client in again.", MUTATES),
        "remove": ("iotauth_cli.cli.client_access:remove", "Remove a client, its credential and session.", MUTATES),
        "audit": ("iotauth_cli.cli.client_audit:audit", "Find clients that something is wrong with."),
    },
    help="Add, change, rotate and remove clients.\n\nExample: iotauth client add thermo-1 --topic sensors/thermo-1",
)


def add(
    ctx: typer.Context,
    client_id: ClientId,
    topic: Annotated[
        Texts, typer.Option(metavar="TOPIC", help="May publish, subscribe and receive here and below.")
    ] = None,
    publish: Publish = None,
    subscribe: Subscribe = None,
    retain: Annotated[bool, typer.Option("--retain", help="May publish retained messages there.")] = False,
    will: Annotated[bool, typer.Option("--will", help="May leave a last will there.")] = False,
    expires: Expires = None,
    ttl: Ttl = None,
    tag: Tags = None,
    note: Note = None,
    no_save: NoSave = False,
    password_stdin: PasswordStdin = False,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sign its token with this key, not with the one that is kept.")
    ] = None,
) -> None:
    """Add a client and show its password, once.

    The topics' options may be given several times.

    Example: iotauth client add thermo-1 --topic sensors/thermo-1
    """
    from iotauth_cli.cli import render_client as render
    from iotauth_cli.cli.keys import passphrase_file
    from iotauth_cli.operations import clients, keys, updating

    context, now = ctx.obj, int(time.time())
    wish = clients.NewClient(
        client_id=client_id,
        authorizer=context.settings.authorizer,
        topics=tuple(topic or ()),
        publish=tuple(publish or ()),
        subscribe=tuple(subscribe or ()),
        retain=retain,
        will=will,
        expires_at=updating.expiry(expires, ttl, now),
        tags=updating.parse_tags(tuple(tag or ())),
        note=note,
        password=context.output.read_password() if password_stdin else None,
        token=keys.for_clients(context.store, context.settings.authorizer, key, passphrase_file(context)),
    )
    store = None if no_save else context.store
    added = clients.add(context.clients, store, wish, partition=context.partition, now=now)
    context.note(slot="A")
    context.output.facts(render.added_document(added), render.added(added))
    kept_at = context.shown(added.kept_at) if added.kept_at else None
    context.output.say(*render.after_adding(added, kept_at, context.command(f"test-connect {client_id}")))


def show(ctx: typer.Context, client_id: ClientId) -> None:
    """Show what a client may do and the policies that say so, and where it stands in a rotation.

    Example: iotauth client show thermo-1
    """
    from iotauth_cli.cli import render_client as render
    from iotauth_cli.operations import clients

    context, now = ctx.obj, int(time.time())
    shown = clients.show(context.clients, context.store, client_id, context.scope)
    kept_at = context.shown(shown.credential_at) if shown.credential_at else None
    context.output.facts(render.shown_client_document(shown), render.shown_client(shown, kept_at, now))
    context.output.say(*render.after_showing(shown, context.command))
