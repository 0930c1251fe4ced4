"""`iotauth client audit`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from iotauth_cli.cli.client_options import Shown

FOUND = 1


def audit(
    ctx: typer.Context,
    where: Shown = None,
    max_age: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Find secrets that are older, such as `365d`.")
    ] = None,
    must_expire: Annotated[bool, typer.Option("--must-expire", help="Find clients that never expire.")] = False,
    unseen_after: Annotated[
        str, typer.Option(metavar="DURATION", help="How long a new secret may wait for its first use.")
    ] = "7d",
    disabled_after: Annotated[str, typer.Option(metavar="DURATION", help="How long a row may stay disabled.")] = "90d",
    ignore: Annotated[list[str] | None, typer.Option(metavar="RULE", help="Leave this rule out.")] = None,
) -> int:
    """Find clients that something is wrong with, and say how to mend it.

    Exits with 1 when something was found. TERM is as in `client list`.

    Example: iotauth client audit --max-age 365d
    """
    from iotauth_cli.cli import render_audit as render
    from iotauth_cli.operations import audit as operation
    from iotauth_cli.operations.durations import parse_duration
    from iotauth_cli.operations.fleet.selection import Where as Selection

    context, now = ctx.obj, int(time.time())
    limits = operation.Limits(
        unseen_s=parse_duration(unseen_after, "--unseen-after"),
        disabled_s=parse_duration(disabled_after, "--disabled-after"),
        max_age_s=parse_duration(max_age, "--max-age") if max_age else None,
        must_expire=must_expire,
        region=context.target.region,
    )
    wanted, ignored = Selection.parse(tuple(where or ())), operation.check_ignored(tuple(ignore or ()))
    walk = operation.Audit(context.clients, wanted, limits, now, ignored)
    remedies = render.Remedies(context.command)
    printed = context.output.long_table(
        render.COLUMNS,
        (remedies.row(each) for each in operation.in_order(walk.findings())),
        within=("findings", lambda: render.rest(walk)),
    )
    context.output.say(*remedies.lines(), render.summary(walk))
    return FOUND if printed.rows else 0
