"""`iotauth authorizer migrate`."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.authorizer import Name
from iotauth_cli.cli.authorizer_keys import LAGS, TokensOut, total
from iotauth_cli.cli.render import ignored
from iotauth_cli.cli.steps import carry_out
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.signing.migration import Move


class To(str, Enum):
    """What the second authorizer wants."""

    signed = "signed"
    unsigned = "unsigned"


def migrate(
    ctx: typer.Context,
    name: Name = None,
    to: Annotated[To | None, typer.Option(help="What the clients are to move to.", show_default=False)] = None,
    target: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="How the second authorizer is called; else NAME-signed."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say who has moved, and change nothing.")] = False,
    retire: Annotated[bool, typer.Option("--retire", help="Delete the first authorizer.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it even if clients are locked out.")] = False,
    tokens_out: TokensOut = None,
) -> int:
    """Move clients to a second authorizer that wants signed tokens, or none, step by step.

    AWS IoT cannot switch that on an authorizer. The second one shares function and table
    with the first, both let devices in, and every client gets a user name for the second. When
    `--status` shows that everybody has moved, `--retire` deletes the first.

    Example: iotauth authorizer migrate doors --to signed
    """
    from iotauth_cli.operations.signing.migration import Move, target_name

    if to is None:
        raise InputError("it is not said where to", hint="add `--to signed` or `--to unsigned`")
    if dry_run + status + retire > 1 or (force and not retire):
        raise InputError(
            "`--dry-run`, `--status` and `--retire` exclude each other, and `--force` is for `--retire`",
            hint="see `iotauth authorizer migrate --help`",
        )
    context = ctx.obj.with_flags(authorizer=name)
    source = context.settings.authorizer
    move = Move(source, target or target_name(source, to.value), to.value)
    if status:
        context.note_nothing()
        return show_status(context, move)
    if retire:
        return retire_first(context, move, force)
    return move_clients(context, move, dry_run, tokens_out)


def move_clients(context: Context, move: Move, dry_run: bool, out: Path | None) -> int:
    """Make the second authorizer, and give every client a user name for it."""
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.cli import render_signing
    from iotauth_cli.operations import authorizers
    from iotauth_cli.operations.signing import migration, resign

    now = int(time.time())
    if out is not None and not dry_run:
        context.output.say(*ignored(resign.check_out(out), "the user names, which are secrets"))
    plan = migration.plan(context.session, context.store, context.wish(), move, now=now)
    context.note(authorizer=move.source, target=move.target)
    if dry_run:
        context.note_nothing()
        context.output.result(render.plan_document(plan, applied=False), render.plan(plan, context.target.label))
        return 0
    heading = render.heading(context.target.label)
    carry_out(context.output, authorizers.apply(context.session, plan), plan.steps, heading)
    run = migration.Issue.prepare(context.clients, context.store, move, now=now, out=out)
    totals = total(context, "issuing", run.events())
    context.output.facts(render_signing.moved_document(move, totals), render_signing.moved(move, totals))
    context.output.say(*render_signing.after_moving(move, totals, context.command))
    return LAGS if totals.failed else 0


def show_status(context: Context, move: Move) -> int:
    from iotauth_cli.cli import render_signing as render
    from iotauth_cli.operations.signing import migration

    found = migration.status(context.clients, move)
    context.output.facts(render.arrivals_document(found), render.arrivals(found))
    if found.ok:
        context.output.say(f"next: {context.command(render.migrate_words(move) + ' --retire')}")
    return 0 if found.ok else LAGS


def retire_first(context: Context, move: Move, force: bool) -> int:
    """Delete the first authorizer, and settle the rows."""
    from iotauth_cli.cli import render_authorizer, render_signing
    from iotauth_cli.operations import removal
    from iotauth_cli.operations.signing import migration

    found = migration.status(context.clients, move)
    migration.check_retirement(found, force=force)
    plan = migration.plan_retirement(context.session, context.wish(), move)
    context.output.say(*render_signing.before_deleting(found))
    if plan is not None:
        context.output.say(*render_authorizer.plan(plan, context.target.label))
    if not context.output.confirm(f"delete authorizer `{move.source}`?"):
        context.output.say("nothing was deleted")
        return LAGS
    if plan is not None:
        carry_out(context.output, removal.apply(context.session, plan), plan.steps)
    settled = sum(1 for _ in migration.settle(context.clients, move))
    context.output.result(render_signing.gone_document(found, settled), render_signing.gone(move, settled))
    context.output.say(f"to use it in other commands, write `authorizer: {move.target}` into iotauth.yaml")
    return 0
