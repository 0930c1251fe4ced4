"""`iotauth client list`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from iotauth_cli.cli.client_options import Shown


def list_(
    ctx: typer.Context,
    where: Shown = None,
    lagging: Annotated[bool, typer.Option("--lagging", help="Only clients that lag behind a rotation.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Print how many there are, and not which.")] = False,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after this many.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Begin behind this client, in the table's order.")
    ] = None,
) -> None:
    """List the clients of the table, with what is wrong with a row.

    TERM is `tag=NAME:VALUE`, `tag=NAME`, `prefix=TEXT`, `older=90d` (the newest secret), or one of `enabled`,
    `expired`, `lagging` and `broken` with `=yes` or `=no`.

    Up to 1,000 clients are sorted; more are printed as they are read, and so are the parts of a list
    that `--limit` and `--after` give. `--json` prints an array with a client on each line.

    Example: iotauth client list --where tag=site:berlin --lagging
    """
    from iotauth_cli.cli import render_fleet as render
    from iotauth_cli.errors import InputError
    from iotauth_cli.operations.fleet import listing, selection

    context, now = ctx.obj, int(time.time())
    wanted = selection.Where.parse((*(where or ()), *(["lagging=yes"] if lagging else [])))
    if count:
        if limit or after:
            raise InputError("`--count` counts them all", hint="leave `--limit` and `--after` out")
        total = listing.count(context.clients, wanted, now)
        context.output.result({"count": total}, str(total))
        return
    found = listing.every(context.clients, wanted, now, after=after, limit=limit)
    shown = found if limit or after else listing.in_order(found)
    printed = context.output.long_table(
        render.LISTED, ((render.listed_document(each), render.listed(each)) for each in shown)
    )
    context.output.say(*render.after_listing(printed, wanted, limit, after, context.command))
