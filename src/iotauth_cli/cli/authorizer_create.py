"""`iotauth authorizer create`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.authorizer import Name
from iotauth_cli.cli.authorizer_options import (
    Architecture,
    Caching,
    Disconnect,
    Memory,
    Refresh,
    Reserved,
    Retention,
    Tag,
    settings_of,
    tags_of,
)
from iotauth_cli.cli.place import agrees, elsewhere, tell_elsewhere, where
from iotauth_cli.cli.steps import carry_out
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.authorizers import Plan, Wish


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
    memory: Memory = None,
    arch: Architecture = None,
    reserved_concurrency: Reserved = None,
    retention: Retention = None,
    refresh_after: Refresh = None,
    disconnect_after: Disconnect = None,
    tag: Tag = None,
    caching: Caching = None,
    default: Annotated[
        bool, typer.Option("--default", help="Let it decide about devices that name no authorizer.")
    ] = False,
    alpn_free: Annotated[
        bool, typer.Option("--alpn-free", help="Add an endpoint for clients that cannot offer ALPN.")
    ] = False,
    alpn_free_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The same, under this name; else `…-alpn-free`.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
) -> int:
    """Create an authorizer with function, role, log group, table and permission.

    What exists stays, what differs is corrected, and an interrupted run is
    finished by the next. What you do not choose stays as it is found. For a
    signed one a key is made and kept in `.iotauth/keys`.

    Example: iotauth authorizer create doors --dry-run
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizers

    context = ctx.obj.with_flags(authorizer=name, table=table)
    settings = settings_of(memory, arch, reserved_concurrency, retention, refresh_after, disconnect_after)
    wish = replace(
        with_signing(context, context.wish(function_arn=function), signed, token_key_name, public_key),
        settings=settings,
        tags=tags_of(tag),
        caching_for_http=caching,
        is_default=default or None,
    )
    if alpn_free or alpn_free_name:
        wish = authorizers.with_alpn_free(wish, alpn_free_name)
    plan = authorizers.plan(context.session, wish)
    context.note(authorizer=plan.wish.authorizer)
    if dry_run:
        context.note_nothing()
        context.output.result(render.plan_document(plan, applied=False), render.plan(plan, where(context)))
        tell_elsewhere(context, plan.steps)
        context.output.say(*(f"would be asked: {step.asks}" for step in plan.steps if step.asks))
        return 0
    heading: str | None = render.heading(where(context))
    if elsewhere(context, plan.steps) or questions(context, plan):
        context.output.say(*render.plan(plan, where(context)))
        heading = None
        if not is_agreed(context, plan):
            context.note_nothing()
            context.output.say("nothing was changed")
            return 1
    carry_out(context.output, authorizers.apply(context.session, plan), plan.steps, heading)
    tell(context, plan, ctx.obj)
    return 0


def is_agreed(context: Context, plan: Plan) -> bool:
    """Ask what has to be asked: before a second place, before what somebody else set, before what is there changes.

    Raises:
        InputError: nobody can be asked, and `--yes` was not given.
    """
    if not agrees(context, plan.steps):
        return False
    asked = questions(context, plan)
    if not (context.output.assume_yes or context.output.may_wait):
        context.output.warn("\n".join(asked))  # nobody will be asked them
    return all(context.output.confirm(question) for question in asked)


def questions(context: Context, plan: Plan) -> list[str]:
    """Return what to ask about *plan*: of what somebody else set always; of what else is there where somebody sits.

    A script that brings an installation up to date goes on as it always did.
    """
    asked = [step.asks for step in plan.steps if step.asks]
    changes = any(step.action == "update" for step in plan.steps)
    if not asked and changes and context.output.may_wait and not context.output.assume_yes:
        return [f"change this in {where(context)}?"]
    return asked


def tell(context: Context, plan: Plan, before: Context) -> None:
    """Tell that the authorizer is ready, and what to type for it where *before*, the settings alone, do not say it."""
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizers

    endpoint = authorizers.alpn_free_endpoint(context.session, plan.wish)
    document = render.plan_document(plan, applied=True)
    if endpoint:
        document["alpn_free_endpoint"] = endpoint
    ready = [render.ready(plan, context.target.label), *render.alpn_free(endpoint)]
    context.output.result(document, ready)
    add = context.command("client add thermo-1 --topic sensors/thermo-1")
    context.output.say(*render.unsettled(plan.wish, before.settings), f"next: {add}")


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
