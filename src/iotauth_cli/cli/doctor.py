"""`iotauth doctor`."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iotauth_cli.cli.output import terminal_width
from iotauth_cli.errors import IotauthError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.doctor import Check, Examination, Premises

FOUND = 1


def doctor(
    ctx: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend, then check again.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this check or group; may be repeated.")
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="S", min=0.1, max=600, help="Wait this long for a check.")] = 10.0,
) -> int:
    """Check the whole installation, and say what to mend.

    Exits with 1 when there are errors or warnings. What you may not see is said and not guessed.

    Example: iotauth doctor --fix
    """
    from iotauth_cli.operations.doctor import choose

    context, checks = ctx.obj, choose(tuple(only or ()))
    context.note_nothing()
    found, mended = look(context, checks, timeout, findings_only=context.output.quiet), None
    if fix and found.repairs:
        mended = mend(context, premises(context, timeout), found)
    if mended:
        found = look(context, checks, timeout, findings_only=True)
    conclude(context, found, mended, asked_to_mend=fix)
    return 0 if found.ok else FOUND


def look(context: Context, checks: Sequence[Check], timeout_s: float, *, findings_only: bool) -> Examination:
    """Carry out *checks*, and show each as it is known."""
    from iotauth_cli.cli import render_doctor as render
    from iotauth_cli.operations.doctor import Began, Examination, examine

    output, lines = context.output, render.Lines(context.command, context.shown, terminal_width(), findings_only)
    results = []
    try:
        for event in examine(premises(context, timeout_s), checks):
            output.waiting(render.waiting(event))
            if not isinstance(event, Began):
                results.append(event)
                output.show(*lines.of(event))
    finally:
        output.waiting()
    output.show(*lines.rest())
    return Examination(tuple(results))


def premises(context: Context, timeout_s: float) -> Premises:
    """Return what the settings say; where they lead nowhere, why."""
    from iotauth_cli.operations.doctor import Premises

    settings, store_name = context.settings, None
    door: Any
    with contextlib.suppress(IotauthError):
        store_name = settings.store_name
    try:
        door = context.session
    except IotauthError as problem:
        door = problem
    return Premises(
        wish=context.wish(),
        project_dir=settings.project_dir,
        state_dir=settings.state_dir,
        door=door,
        now=time.time(),
        timeout_s=timeout_s,
        account=settings.account,
        store_name=store_name,
    )


def mend(context: Context, place: Premises, found: Examination) -> list[str] | None:
    """Show what is safe to mend, ask, and do it; return the checks that found it, None where the answer is no."""
    from iotauth_cli.cli import render_doctor as render
    from iotauth_cli.operations.doctor import carry_out

    output, done = context.output, list[str]()
    output.say("", "safe to mend:", *(f"  {render.here(repair.what, context.shown)}" for repair in found.repairs))
    if not output.confirm("mend this?"):
        output.say("nothing was mended")
        return None
    context.notes.is_wanted = True
    for repair in carry_out(place, found.repairs):
        done += [result.check.id for result in found.results if result.repair == repair]
        context.note(mended=tuple(done))
        output.say(f"done: {render.here(repair.what, context.shown)}")
    return done


def conclude(context: Context, found: Examination, mended: list[str] | None, *, asked_to_mend: bool) -> None:
    from iotauth_cli.cli import render_doctor as render

    context.output.result(
        render.document(found, mended), render.summary(found, findings_only=bool(mended) or context.output.quiet)
    )
    if found.repairs and not asked_to_mend:
        context.output.say(f"next: {context.command('doctor --fix')}")
