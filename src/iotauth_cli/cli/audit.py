"""`iotauth audit`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.errors import InputError

group = LazyGroup(
    "audit",
    {"log": ("iotauth_cli.cli.audit:log", "Show which command changed what, when and by whom.")},
    help="See what was changed from this project.\n\nExample: iotauth audit log --since 7d",
)

BROKEN = 1


def log(
    ctx: typer.Context,
    since: Annotated[str | None, typer.Option(metavar="DURATION", help="Only the last `7d`, `12h`, `90m`.")] = None,
    client: Annotated[str | None, typer.Option(metavar="ID", help="Only what names this client.")] = None,
    command: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Only this command, or this group: `client add`, `client`.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check every line's checksum.")] = False,
) -> int:
    """Show which command changed what, when and by whom.

    The log is kept in this project and is about what was done from here. `--verify` exits
    with 1 when a line was altered, lost or torn.

    Example: iotauth audit log --client thermo-1 --since 7d
    """
    from iotauth_cli.cli import render_audit_log as render
    from iotauth_cli.cli.output import terminal_width
    from iotauth_cli.operations import audit_log
    from iotauth_cli.operations.durations import parse_duration

    context = ctx.obj
    if verify:
        if since or client or command:
            raise InputError("`--verify` checks every line", hint="leave the other options out")
        found = audit_log.verify(context.audit_log)
        path = context.shown(context.audit_log.path)
        context.output.result(render.verified_document(found, path), render.verified(found, path))
        return 0 if found.ok else BROKEN
    after = int(time.time()) - parse_duration(since, "--since") if since else None
    filters = audit_log.Wanted(after, client, " ".join(command.split()) if command else None)
    lines = list(audit_log.wanted(context.audit_log, filters))
    table = render.lines(lines, context.settings.table, terminal_width())
    path = context.audit_log.path
    empty = f"nothing of that is in `{context.shown(path)}`" if path.exists() else "nothing was changed from here yet"
    context.output.result([render.line_document(line) for line in lines], table)
    if not lines and not context.output.as_json:
        context.output.say(empty)
    if any(line.event is None for line in lines):
        context.output.say(f"next: {context.command('audit log --verify')} names the lines that cannot be read")
    return 0
