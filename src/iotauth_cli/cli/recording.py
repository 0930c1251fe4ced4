"""One line in the audit log for each mutating command, however it ends.

The command's own result comes first: if the line cannot be written, that is said on stderr and
changes nothing else. A process that is killed outright leaves no line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import typer
from typer import _click

from iotauth_cli.cli.context import Context
from iotauth_cli.errors import AwsError, IotauthError

INTERRUPTS = (KeyboardInterrupt, typer.Abort)


def recorded(ctx: _click.Context, call: Callable[[], Any]) -> Any:
    """Run the command and return what it returned; note how it ended."""
    try:
        answer = call()
    except BaseException as problem:
        outcome, code = ending(problem)
        record(ctx, outcome, code, may_ask=has_answered(problem))
        raise
    record(ctx, "no" if answer else "done", None, may_ask=True)
    return answer


def ending(problem: BaseException) -> tuple[str, str | None]:
    """Return outcome and code of a command that ended with an exception."""
    if isinstance(problem, INTERRUPTS):
        return "interrupted", None
    if isinstance(problem, typer.Exit):
        return ("no" if problem.exit_code else "done"), None
    return "failed", problem.code if isinstance(problem, IotauthError) else type(problem).__name__


def has_answered(problem: BaseException) -> bool:
    """Tell whether AWS answered; where it could not be reached, it cannot say either whose keys these are."""
    return isinstance(problem, AwsError) and problem.code != AwsError.code


def record(ctx: _click.Context, outcome: str, code: str | None, *, may_ask: bool) -> None:
    notes = ctx.obj.notes
    place = next((each for each in reversed(notes.places) if each.was_somewhere), None)
    if place is None or not notes.is_wanted:
        return
    try:
        append(place, ctx, outcome, code, may_ask)
    except Exception as problem:
        why = problem.message if isinstance(problem, IotauthError) else str(problem) or type(problem).__name__
        ctx.obj.output.warn(f"the audit log has no line about this command: {why}")


def append(place: Context, ctx: _click.Context, outcome: str, code: str | None, may_ask: bool) -> None:
    from iotauth_cli.operations import audit_log

    now = int(time.time())
    client_id = ctx.params.get("client_id")
    facts = {"table": place.settings.table, **({"client": client_id} if client_id else {}), **place.notes.facts}
    place.audit_log.append(
        audit_log.Event(
            at=now,
            who=audit_log.caller(place.audit_log, place.session, now=now, may_ask=may_ask),
            command=ctx.command_path.partition(" ")[2],
            outcome=outcome,
            code=code,
            facts=facts,
        )
    )
