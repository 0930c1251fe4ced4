"""`iotauth authorizer`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.lazy import MUTATES, LazyGroup
from iotauth_cli.cli.steps import carry_out
from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.authorizers import Wish

group = LazyGroup(
    "authorizer",
    {
        "create": ("iotauth_cli.cli.authorizer:create", "Create an authorizer and all that it needs.", MUTATES),
        "list": ("iotauth_cli.cli.authorizer:list_", "List the authorizers of the region."),
        "show": ("iotauth_cli.cli.authorizer:show", "Show an authorizer and what is wrong with it."),
        "test-invoke": (
            "iotauth_cli.cli.authorizer:invoke",
            "Ask an authorizer about a client, without a device.",
        ),
        "rotate-key": (
            "iotauth_cli.cli.authorizer_keys:rotate_key",
            "Change the key that signs tokens, step by step.",
            MUTATES,
        ),
        "migrate": (
            "iotauth_cli.cli.authorizer_migrate:migrate",
            "Move clients to a signed authorizer, or to an unsigned one.",
            MUTATES,
        ),
        "delete": ("iotauth_cli.cli.authorizer:delete", "Delete an authorizer and what was made for it.", MUTATES),
    },
    help="Create and inspect custom authorizers.\n\nExample: iotauth authorizer create",
)

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The authorizer; else the one of the settings.")]


def create(
    ctx: typer.Context,
    name: Name = None,
    table: Annotated[str | None, typer.Option(metavar="NAME", help="The client table.")] = None,
    function: Annotated[
        str | None, typer.Option(metavar="ARN", help="Use this function of yours and make none.")
    ] = None,
    signed: Annotated[
        bool | None, typer.Option("--signed/--unsigned", help="Want signed tokens; by default a new one wants none.")
    ] = None,
    token_key_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Devices send their token under this name; else `token`.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Verify with this key, and make none; yours signs.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
) -> None:
    """Create an authorizer with function, role, log group, table and permission.

    What exists stays, what differs is corrected, and an interrupted run is
    finished by the next. For a signed one a key is made and kept in `.iotauth/keys`.

    Example: iotauth authorizer create doors --dry-run
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizers

    context = ctx.obj.with_flags(authorizer=name, table=table)
    wish = with_signing(context, context.wish(function_arn=function), signed, token_key_name, public_key)
    plan = authorizers.plan(context.session, wish)
    lines = render.plan(plan, context.target.label)
    context.note(authorizer=plan.wish.authorizer)
    if dry_run:
        context.note_nothing()
        context.output.result(render.plan_document(plan, applied=False), lines)
        return
    heading = render.heading(context.target.label)
    carry_out(context.output, authorizers.apply(context.session, plan), plan.steps, heading)
    context.output.result(render.plan_document(plan, applied=True), render.ready(plan, context.target.label))
    add = context.command("client add thermo-1 --topic sensors/thermo-1")
    context.output.say(*render.unsettled(plan.wish, ctx.obj.settings), f"next: {add}")


def with_signing(
    context: Context, wish: Wish, signed: bool | None, token_key_name: str | None, public_key: Path | None
) -> Wish:
    """Return *wish* with what was typed about signing."""
    from iotauth_cli.operations import authorizers

    if not signed and (token_key_name or public_key):
        option = "--token-key-name" if token_key_name else "--public-key"
        raise InputError(f"`{option}` is for an authorizer that wants signed tokens", hint="add `--signed`")
    if signed is None:
        return wish
    if not signed:
        return authorizers.unsigned(wish, context.store)
    return authorizers.signed(
        wish, context.store, now=int(time.time()), token_key_name=token_key_name, public_key=public_key
    )


def list_(ctx: typer.Context) -> None:
    """List the authorizers of the region, ours or not.

    Example: iotauth authorizer list
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizers

    found = list(authorizers.every(ctx.obj.session))
    columns, rows = render.authorizers(found)
    document = [render.authorizer_document(each) for each in found]
    ctx.obj.output.table(document, columns, rows, empty="there are none; make one with `iotauth authorizer create`")


def show(ctx: typer.Context, name: Name = None) -> None:
    """Show an authorizer, where devices connect, and what `create` would change.

    Example: iotauth authorizer show doors
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizers

    context = ctx.obj.with_flags(authorizer=name)
    shown = authorizers.show(context.session, context.wish(), context.store)
    context.output.facts(render.installation_document(shown), render.installation(shown))
    if any(step.action != "keep" for step in shown.drift):
        create = ctx.obj.command(f"authorizer create {shown.authorizer.name}")
        context.output.say(f"next: {create} puts that right")


def invoke(
    ctx: typer.Context,
    name: Name = None,
    client: Annotated[
        str | None, typer.Option(metavar="ID", help="This client id, with its stored credential.")
    ] = None,
    username: Annotated[str | None, typer.Option(metavar="NAME", help="The user name, without parameters.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    token: Annotated[str | None, typer.Option(metavar="TOKEN", help="A token, for authorizers that want it.")] = None,
    signature: Annotated[str | None, typer.Option(metavar="BASE64", help="The token's signature.")] = None,
) -> int:
    """Ask AWS IoT to call the authorizer's function, without device or broker.

    Example: iotauth authorizer test-invoke --client thermo-1
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizers

    context = ctx.obj.with_flags(authorizer=name)
    password = context.output.read_password() if password_stdin else None
    attempt = authorizers.attempt(
        context.store,
        authorizer=context.settings.authorizer,
        client_id=client,
        username=username,
        password=password,
        token=Secret(token) if token else None,
        signature=signature,
    )
    answer = authorizers.test_invoke(context.session, context.settings.authorizer, attempt)
    facts = render.answer(context.settings.authorizer, attempt, answer)
    context.output.facts(render.answer_document(answer), facts)
    return 0 if answer.is_authenticated else 1


def delete(
    ctx: typer.Context,
    name: Name = None,
    table: Annotated[bool, typer.Option("--table", help="Delete the table and every client too.")] = False,
) -> int:
    """Delete an authorizer and what was made for it; the table only if you say so.

    Example: iotauth authorizer delete doors
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizers

    context = ctx.obj.with_flags(authorizer=name)
    plan = authorizers.plan_removal(context.session, context.wish(), with_table=table)
    context.note(authorizer=plan.wish.authorizer, with_table=table)
    context.output.say(*render.plan(plan, context.target.label))
    if not context.output.confirm(f"delete this from {context.target.label}?"):
        context.output.say("nothing was deleted")
        return 1
    carry_out(context.output, authorizers.apply_removal(context.session, plan), plan.steps)
    context.output.result(render.plan_document(plan, applied=True), f"deleted authorizer `{plan.wish.authorizer}`")
    return 0
