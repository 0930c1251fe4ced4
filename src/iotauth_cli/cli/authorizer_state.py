"""`iotauth authorizer update`, `enable`, `disable` and `set-default`: what is there is made otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iotauth_cli.cli.authorizer import Name
from iotauth_cli.cli.authorizer_options import (
    Architecture,
    Caching,
    Disconnect,
    Memory,
    Refresh,
    Retention,
    Tag,
    settings_of,
    tags_of,
)
from iotauth_cli.cli.place import where
from iotauth_cli.cli.steps import carry_out
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.authorizer_changes import Update
    from iotauth_cli.operations.authorizer_status import Default

NONE = "none"


def update(
    ctx: typer.Context,
    name: Name = None,
    memory: Memory = None,
    arch: Architecture = None,
    refresh_after: Refresh = None,
    disconnect_after: Disconnect = None,
    reserved_concurrency: Annotated[
        str | None, typer.Option(metavar="N", help="Keep N calls at once for the function; `none` takes that back.")
    ] = None,
    retention: Retention = None,
    caching: Caching = None,
    tag: Tag = None,
    untag: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Take a tag away; may be given several times.")
    ] = None,
    function: Annotated[
        str | None, typer.Option(metavar="ARN", help="Call this function of yours from now on.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
) -> int:
    """Change an authorizer that is there: what you say, and nothing else.

    Another function is permitted first and called then; the old one stays, for the way back.

    Example: iotauth authorizer update doors --memory 512 --refresh-after 15m
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizer_changes as changing

    context = ctx.obj.with_flags(authorizer=name)
    is_none = reserved_concurrency == NONE
    kept = None if is_none or reserved_concurrency is None else whole(reserved_concurrency)
    wanted = changing.Changes(
        settings=settings_of(memory, arch, kept, retention, refresh_after, disconnect_after),
        unreserve=is_none,
        caching_for_http=caching,
        tags=tags_of(tag),
        untag=tuple(untag or ()),
        function_arn=function,
    )
    context.note(authorizer=context.settings.authorizer, **said(ctx.params))
    plan = changing.plan(context.session, context.wish(), wanted)
    if dry_run or not plan.changes:
        context.note_nothing()
    if dry_run:
        context.output.result(render.plan_document(plan, applied=False), render.plan(plan, where(context)))
        return 0
    return apply(context, plan, is_closing=kept == 0)


def said(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, as the audit log tells it."""
    given = {name: value for name, value in options.items() if name not in ("name", "dry_run")}
    return {name: value for name, value in given.items() if value not in (None, [], ())}


def apply(context: Context, plan: Update, *, is_closing: bool) -> int:
    """Carry *plan* out: asked first where somebody sits, or if it keeps every device out."""
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizer_changes as changing

    output, heading = context.output, render.heading(where(context))
    if plan.changes and (is_closing or (output.may_wait and not output.assume_yes)):
        output.say(*render.plan(plan, where(context)))
        if is_closing:
            output.say("with no calls at once, the function is never called, and no device gets in")
        if not output.confirm(f"change this in {where(context)}?"):
            context.note_nothing()
            output.say("nothing was changed")
            return 1
        carry_out(output, changing.apply(plan), plan.steps)
    else:
        carry_out(output, changing.apply(plan), plan.steps, heading)
    name = f"authorizer `{plan.wish.authorizer}`"
    told = f"updated {name}" if plan.changes else f"{name} is so already; nothing was changed"
    output.result(render.plan_document(plan, applied=True), told)
    if plan.left and plan.changes:
        back = context.command(f"authorizer update {quote(plan.wish.authorizer)} --function {quote(plan.left)}")
        output.say(f"the way back: {back}")
    return 0


def whole(text: str) -> int:
    """Return the number of `--reserved-concurrency`.

    Raises:
        InputError: it is neither a whole number nor `none`.
    """
    if not (text.isascii() and text.isdecimal()):
        raise InputError(
            f"`--reserved-concurrency {text}` is no number of calls", hint="give a whole number, or `none`"
        )
    return int(text)


def enable(ctx: typer.Context, name: Name = None) -> int:
    """Make an authorizer active: from now on it lets devices in.

    Example: iotauth authorizer enable doors
    """
    return switch(ctx.obj.with_flags(authorizer=name), is_active=True)


def disable(ctx: typer.Context, name: Name = None) -> int:
    """Make an authorizer inactive: nobody new gets in, until it is enabled again.

    Devices that are connected stay until AWS IoT asks about them again, or they disconnect.

    Example: iotauth authorizer disable doors
    """
    from iotauth_cli.operations import authorizer_status

    context = ctx.obj.with_flags(authorizer=name)
    authorizer = context.settings.authorizer
    before = authorizer_status.look(context.session, authorizer)
    if before.is_active:
        ways = [f"nobody new gets in by authorizer `{authorizer}` then, until it is enabled again"]
        ways += ["it is the default: devices that name none are refused too"] if before.is_default else []
        stay = "devices that are connected stay until AWS IoT asks about them again, or they disconnect"
        context.output.say(*ways, stay)
        if not context.output.confirm(f"disable authorizer `{authorizer}` in {where(context)}?"):
            context.note_nothing()
            context.output.say("nothing was changed")
            return 1
    return switch(context, is_active=False)


def switch(context: Context, *, is_active: bool) -> int:
    from iotauth_cli.operations import authorizer_status

    name = context.settings.authorizer
    context.note(authorizer=name)
    is_changed = authorizer_status.set_active(context.session, name, is_active=is_active)
    if not is_changed:
        context.note_nothing()
    status = "active" if is_active else "inactive"
    done = f"{'enabled' if is_active else 'disabled'} authorizer `{name}`"
    document = {"authorizer": name, "status": status, "changed": is_changed}
    told = done if is_changed else f"authorizer `{name}` is {status} already; nothing was changed"
    context.output.result(document, told)
    if is_changed and not is_active:
        context.output.say(f"next: {context.command(f'authorizer enable {name}')} lets devices in again")
    return 0


def set_default(
    ctx: typer.Context,
    name: Name = None,
    clear: Annotated[bool, typer.Option("--clear", help="Have no default: devices must name one.")] = False,
) -> int:
    """Let an authorizer decide about devices that name none.

    There is one default for each account and region; another one is replaced only after a yes.

    Example: iotauth authorizer set-default doors
    """
    from iotauth_cli.operations import authorizer_status

    context = ctx.obj.with_flags(authorizer=name)
    planned = authorizer_status.plan_default(context.session, None if clear else context.settings.authorizer)
    if clear and name not in (None, planned.before):
        raise InputError(f"authorizer `{name}` is not the default", hint="see which is: `iotauth authorizer list`")
    context.note(default=planned.wanted or NONE, before=planned.before or NONE)
    if not planned.is_change:
        context.note_nothing()
    elif planned.before is not None and not agrees(context, planned):
        context.note_nothing()
        context.output.say("nothing was changed")
        return 1
    authorizer_status.apply_default(context.session, planned)
    document = {"default": planned.wanted, "before": planned.before, "changed": planned.is_change}
    context.output.result(document, sentence(planned))
    return 0


def agrees(context: Context, planned: Default) -> bool:
    """Show which default there is, and ask before it is replaced or cleared."""
    context.output.say(f"devices that name no authorizer are let in by `{planned.before}` now")
    then = f"let `{planned.wanted}` decide about them" if planned.wanted else "refuse them from now on"
    return context.output.confirm(f"{then}, in {where(context)}?")


def sentence(planned: Default) -> str:
    if planned.wanted is None:
        return "cleared the default authorizer" if planned.is_change else "there is no default authorizer"
    if not planned.is_change:
        return f"authorizer `{planned.wanted}` is the default already; nothing was changed"
    return f"made authorizer `{planned.wanted}` the default" + (
        f" in the place of `{planned.before}`" if planned.before else ""
    )
