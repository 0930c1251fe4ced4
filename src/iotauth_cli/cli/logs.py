"""`iotauth logs`: a command that reads, and a group of those that turn AWS IoT's log on and off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import _click

from iotauth_cli.cli.lazy import MUTATES, Commands, LazyGroup
from iotauth_cli.cli.output import terminal_width
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.logs import Sources, Wanted

SINCE = "10m"
LIMIT = 50
EXAMPLE = "iotauth logs --client thermo-1 --since 1h"


class Logs(LazyGroup):
    """Without a command it shows the logs."""

    def __init__(self) -> None:
        table: Commands = {
            "enable": ("iotauth_cli.cli.logs:enable", "Have AWS IoT write its own log.", MUTATES),
            "disable": ("iotauth_cli.cli.logs:disable", "Stop AWS IoT's own log.", MUTATES),
            "status": ("iotauth_cli.cli.logs:status", "Show whether AWS IoT writes its own log, and where."),
        }
        super().__init__("logs", table, help=show.__doc__ or "", invoke_without_command=True)
        self.no_args_is_help = False
        self.shown = self.build("logs", show, mutates=False)
        self.params = self.shown.params
        self.subcommand_metavar = "[COMMAND]"

    def invoke(self, ctx: _click.Context) -> Any:
        from iotauth_cli.cli.options import collect

        if not (ctx._protected_args or ctx.args):
            return self.shown.invoke(ctx)
        own = {name: value for name, value in ctx.params.items() if name in OWN_OPTIONS and value}
        if own:
            option = next(iter(own))
            raise InputError(
                f"`--{option}` is for reading the logs, not for `{(*ctx._protected_args, *ctx.args)[0]}`",
                hint=f"`{EXAMPLE}`",
            )
        for name in OWN_OPTIONS:
            ctx.params.pop(name, None)
        collect(ctx)
        return super().invoke(ctx)


OWN_OPTIONS = ("follow", "client", "since", "failures", "limit")


def show(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come, until Ctrl-C.")] = False,
    client: Annotated[str | None, typer.Option(metavar="ID", help="Only this client's attempts.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"How far back: {SINCE}, 2h, 1d.")] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Only what went wrong.")] = False,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=50_000, help=f"At most the last N, {LIMIT}.")
    ] = None,
) -> None:
    """Show who tried to connect, what was decided and why, and what happened next.

    From the log of the authorizer's function and, where it is on, AWS IoT's own, on AWS and on the emulator
    alike. Passwords and tokens in what a function prints are masked. `iotauth emulator logs` shows what the
    emulator itself decided, check by check, which AWS tells nobody.

    Example: iotauth logs --client thermo-1 --since 1h
    """
    from iotauth_cli.operations import logs
    from iotauth_cli.operations.durations import parse_duration

    context = ctx.obj
    if follow and limit is not None:
        raise InputError("`--follow` has no end to count from", hint="leave out `--limit`, or choose `--since 1m`")
    seconds = parse_duration(since or SINCE, "--since")
    since_ms = max(0, int((time.time() - seconds) * 1000))
    wanted = logs.Wanted(since_ms, client, failures, limit or LIMIT)
    places = logs.sources(context.session, context.settings.authorizer, context.settings.function)
    (watch if follow else look_back)(context, places, wanted, since or SINCE)


def look_back(context: Context, places: Sources, wanted: Wanted, since: str) -> None:
    from iotauth_cli.cli import render_logs as render
    from iotauth_cli.operations import logs

    output = context.output
    found = logs.read(context.session, places, wanted)
    output.result(render.found_document(found), render.story_lines(found, terminal_width()))
    if not found.stories:
        output.say(f"nothing was logged in the last {since}{' that fits' if is_narrow(wanted) else ''}")
    if found.left_out:
        ones, them = ("one is", "it") if found.left_out == 1 else ("ones are", "them")
        asked = found.left_out + len(found.stories)
        output.say(f"{found.left_out} earlier {ones} left out; `--limit {asked}` shows {them}")
    if found.is_cut:
        output.say("there was more than can be held at once; ask for less with `--since`")
    if not found.sources.has_group:
        output.say(f"function `{found.sources.function}` has no log: it does not exist here, or was never called")
    say_unseen(context, found.sources)


def is_narrow(wanted: Wanted) -> bool:
    return wanted.client_id is not None or wanted.only_trouble


def watch(context: Context, places: Sources, wanted: Wanted, since: str) -> None:
    from iotauth_cli.cli import render_logs as render
    from iotauth_cli.cli.emulator import ended_by_ctrl_c
    from iotauth_cli.operations import logs

    output = context.output
    with ended_by_ctrl_c():
        output.say(f"following from {since} ago; Ctrl-C ends it")
        for event in logs.follow(context.session, places, wanted):
            if isinstance(event, logs.Waiting):
                output.say(f"AWS slows this account down; the next look is in {event.seconds:.0f} s")
            elif isinstance(event, logs.Sources):
                say_unseen(context, event)
            else:
                output.stream(render.told_document(event), "\n".join(render.line(event)))


def say_unseen(context: Context, places: Sources) -> None:
    """Say what is not in the logs that are shown: what is off, and what this user may not read."""
    from iotauth_cli.cli import render_logs as render

    for unseen in places.unseen:
        context.output.say(f"not seen: {unseen}")
    if places.iot == "off":
        context.output.say(f"{render.OFF}; {context.command('logs enable')} turns it on", render.COST)
    elif places.level == "ERROR":
        context.output.say(
            f"AWS IoT logs failures only; {context.command('logs enable --level info')} has it tell of the rest"
        )


def enable(
    ctx: typer.Context,
    level: Annotated[str, typer.Option(metavar="LEVEL", help="error, warn, info or debug.")] = "info",
) -> int:
    """Have AWS IoT write its own log: who connected, what was refused, why connections ended.

    It counts for every device of the account and region, and costs by the GB: for a fleet choose
    `--level error`. The role that AWS IoT writes under is made if there is none.

    Example: iotauth logs enable --level error
    """
    from iotauth_cli.cli import render_logs as render
    from iotauth_cli.operations import iot_logging

    context, level = ctx.obj, level.lower()
    if level not in iot_logging.LEVELS:
        raise InputError(f"`--level {level}` is no level", hint=f"choose one of {', '.join(iot_logging.LEVELS)}")
    region, output = context.target.region, context.output
    output.say(f"AWS IoT will log every device in {region} at level {level}", render.COST)
    if level in ("info", "debug"):
        output.say("a fleet logs a lot at this level; `--level error` tells of failures only")
    if not output.confirm(f"turn on AWS IoT's log in {region}?"):
        context.note_nothing()
        output.result({"changed": False}, "nothing was changed")
        return 1
    found = iot_logging.enable(context.session, level)
    context.note(level=level, role=found.role_arn)
    output.result(render.enabled_document(found), render.enabled(found))
    output.say(f"next: {context.command('logs --follow')}")
    return 0


def disable(ctx: typer.Context) -> int:
    """Stop AWS IoT's own log. What was logged stays, and so does the role.

    Asks first where somebody else has turned it on, under a role of their own.

    Example: iotauth logs disable
    """
    from iotauth_cli.operations import iot_logging

    context = ctx.obj
    theirs = iot_logging.role_of_others(context.session)
    if theirs and not context.output.confirm(f"somebody turned AWS IoT's log on, under role `{theirs}`; turn it off?"):
        context.note_nothing()
        context.output.result({"changed": False}, "nothing was changed")
        return 1
    was_on = iot_logging.disable(context.session)
    said = "turned off AWS IoT's log; what it has written stays in `AWSIotLogsV2`"
    context.output.result({"changed": was_on}, said if was_on else "AWS IoT's log was off already")
    return 0


def status(ctx: typer.Context) -> int:
    """Show whether AWS IoT writes its own log, at which level and where. Exits with 1 if it does not.

    Example: iotauth logs status
    """
    from iotauth_cli.cli import render_logs as render
    from iotauth_cli.operations import iot_logging

    context = ctx.obj
    found = iot_logging.status(context.session)
    context.output.facts(render.status_document(found), render.status_facts(found))
    for unseen in found.unseen:
        context.output.say(f"not seen: {unseen}")
    if not found.is_on:
        context.output.say(f"next: {context.command('logs enable')}", render.COST)
    elif found.has_group and found.retention_days is None:
        context.output.say("entries are kept forever, and paid for; set a retention in the CloudWatch console")
    return 0 if found.is_on else 1


group = Logs()
