"""`iotauth authorizer delete`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.authorizer import Name
from iotauth_cli.cli.place import where
from iotauth_cli.cli.steps import carry_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iotauth_cli.operations.authorizers import Plan, Step


def delete(
    ctx: typer.Context,
    name: Name = None,
    table: Annotated[bool, typer.Option("--table", help="Delete the table and every client too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
) -> int:
    """Delete an authorizer and what was made for it; the table only if you say so.

    It is deactivated first, so that nobody new gets in. What others need stays, and what you made
    yourself. An interrupted run, or one of which AWS keeps a part for a week, is finished by the next.

    Example: iotauth authorizer delete doors --dry-run
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import removal
    from iotauth_cli.operations.signing.keyring import Keyring

    context = ctx.obj.with_flags(authorizer=name)
    keyring = Keyring.of(context.store, context.settings.authorizer)
    plan = removal.plan(context.session, context.wish(), with_table=table, keyring=keyring)
    context.note(authorizer=plan.wish.authorizer, with_table=table)
    lines = render.plan(plan, where(context))
    if dry_run:
        context.note_nothing()
        context.output.result(render.plan_document(plan, applied=False), lines)
        return 0
    context.output.say(*lines)
    if not context.output.confirm(f"delete this from {where(context)}?"):
        context.output.say("nothing was deleted")
        return 1
    done = came_of(plan, carry_out(context.output, removal.apply(context.session, plan), plan.steps))
    context.output.result(render.plan_document(done, applied=bool(done.changes)), deleted(done, left(plan, done)))
    if keyring.names() and is_whole(done):
        context.output.say(f"the keys in `{context.shown(keyring.folder)}` sign for nobody now; keep or delete them")
    return 0 if done.changes else 1


def came_of(plan: Plan, done: Sequence[Step]) -> Plan:
    """Return *plan* with what became of its steps."""
    outcome = iter(done)
    return replace(plan, steps=tuple(step if step.action == "keep" else next(outcome) for step in plan.steps))


def left(plan: Plan, done: Plan) -> str:
    """Return what was to go and stays for now, as the end of a sentence."""
    pairs = zip(plan.steps, done.steps, strict=True)
    names = [f"{after.resource} `{after.name}`" for before, after in pairs if after.action != before.action]
    return f"{', '.join(names)} stays for now" if names else ""


def is_whole(done: Plan) -> bool:
    return any((step.action, step.resource) == ("delete", "authorizer") for step in done.steps)


def deleted(done: Plan, stays: str) -> str:
    if not done.changes:
        return f"nothing was deleted: {stays}"
    what = "authorizer" if is_whole(done) else "what was left of authorizer"
    tables = [step.name for step in done.steps if (step.action, step.resource) == ("keep", "table")]
    kept = [f"table `{name}` stays, with its clients" for name in tables]
    return "; ".join([f"deleted {what} `{done.wish.authorizer}`", *([stays] if stays else []), *kept])
