"""One line in the audit log for each mutating command, however it ends.

The command's own result comes first: if the line cannot be written, that is said on stderr and
changes nothing else. A command that is told to stop, because a job was cancelled or a terminal went away,
ends as by Ctrl-C. A process that is killed outright leaves no line.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer import _click

from iotauth_cli.cli.context import Context
from iotauth_cli.errors import AwsError, IotauthError

INTERRUPTS = (KeyboardInterrupt, typer.Abort, SystemExit)  # the last: by a signal, in `device.child.terminable`


def recorded(ctx: _click.Context, call: Callable[[], Any]) -> Any:
    """Run the command and return what it returned; note how it ended."""
    try:
        with stopped_as_by_hand():
            answer = call()
    except BaseException as problem:
        outcome, code = ending(problem)
        record(ctx, outcome, code, may_ask=has_answered(problem))
        raise
    record(ctx, "no" if answer else "done", None, may_ask=True)
    return answer


@contextlib.contextmanager
def stopped_as_by_hand() -> Iterator[None]:
    """Make SIGTERM and SIGHUP what Ctrl-C is, unless somebody wanted them otherwise, as `nohup` does."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [number for number in (getattr(signal, name) for name in names) if is_changeable(number)]
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def is_changeable(number: int) -> bool:
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(number) is signal.SIG_DFL


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
