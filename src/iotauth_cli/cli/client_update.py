"""`iotauth client update`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from iotauth_cli.cli.client_options import ClientId, Expires, Note, Publish, Subscribe, Tags, Texts, Ttl
from iotauth_cli.errors import InputError


def update(
    ctx: typer.Context,
    client_id: ClientId,
    topic: Annotated[Texts, typer.Option(metavar="TOPIC", help="May do everything here and below.")] = None,
    publish: Publish = None,
    subscribe: Subscribe = None,
    add: Annotated[bool, typer.Option("--add", help="Grant the topics beside those it has.")] = False,
    retain: Annotated[bool | None, typer.Option("--retain/--no-retain", help="May publish retained messages.")] = None,
    will: Annotated[bool | None, typer.Option("--will/--no-will", help="May leave a last will.")] = None,
    expires: Expires = None,
    ttl: Ttl = None,
    no_expiry: Annotated[bool, typer.Option("--no-expiry", help="Let it in for good.")] = False,
    tag: Tags = None,
    untag: Annotated[Texts, typer.Option(metavar="NAME", help="Take a tag away.")] = None,
    note: Note = None,
    no_note: Annotated[bool, typer.Option("--no-note", help="Take the note away.")] = False,
) -> None:
    """Change what a client may do, how long, and what is written about it.

    Topics, of whichever kind, replace all that it was granted, or are added with `--add`. What is not
    given stays as it is.

    Example: iotauth client update thermo-1 --ttl 30d --tag site:berlin
    """
    from iotauth_cli.cli import render_client as render
    from iotauth_cli.operations import updating

    context, now = ctx.obj, int(time.time())
    for one, other, names in ((no_expiry, expires or ttl, "--no-expiry"), (no_note, note, "--no-note")):
        if one and other:
            raise InputError(f"`{names}` takes away what is given beside it", hint="give one of them")
    wish = updating.Update(
        client_id=client_id,
        topics=tuple(topic or ()),
        publish=tuple(publish or ()),
        subscribe=tuple(subscribe or ()),
        retain=retain,
        will=will,
        expires_at=0 if no_expiry else updating.expiry(expires, ttl, now),
        tags=updating.parse_tags(tuple(tag or ())),
        untag=tuple(untag or ()),
        note="" if no_note else note,
        adds_topics=add,
    )
    updated = updating.update(context.clients, context.store, wish, partition=context.partition, now=now)
    context.output.result(render.updated_document(updated), render.updated(updated))
    context.output.say(*render.after_updating(updated, context.command))
