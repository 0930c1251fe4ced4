"""`iotauth emulator clock`."""

from __future__ import annotations

from typing import Annotated

import typer

from iotauth_cli.cli.emulator import StateDir
from iotauth_cli.cli.lazy import LazyGroup

group = LazyGroup(
    "clock",
    {
        "show": ("iotauth_cli.cli.emulator_clock:show", "Show what time it is in the emulator."),
        "advance": ("iotauth_cli.cli.emulator_clock:advance", "Let time pass in the emulator."),
    },
    help="Test a day's behaviour in a second.\n\nExample: iotauth emulator clock advance 300 --pinging",
)


def show(ctx: typer.Context, state_dir: StateDir = None) -> None:
    """Show what time it is in the emulator, and how far that is ahead of this machine.

    Example: iotauth emulator clock show
    """
    from iotauth_cli.cli import render_emulator as render
    from iotauth_cli.operations import emulator

    found = emulator.clock(ctx.obj.with_flags(state_dir=state_dir).settings.state_dir)
    ctx.obj.output.facts(render.clock_document(found), render.clock(found))


def advance(
    ctx: typer.Context,
    seconds: Annotated[float, typer.Argument(metavar="SECONDS", help="How much time passes.", show_default=False)],
    pinging: Annotated[
        bool, typer.Option("--pinging", help="Devices ping meanwhile; else they count as silent.")
    ] = False,
    state_dir: StateDir = None,
) -> None:
    """Let time pass in the emulator: authorizers are asked again, connections and sessions end, items expire.

    The clock never goes back; `iotauth emulator reset` sets it right. Functions go by this machine's time.

    Example: iotauth emulator clock advance 86400 --pinging
    """
    from iotauth_cli.cli import render_emulator as render
    from iotauth_cli.operations import emulator

    found = emulator.advance_clock(ctx.obj.with_flags(state_dir=state_dir).settings.state_dir, seconds, pinging=pinging)
    ctx.obj.output.result(render.advanced_document(found), render.advanced(found))
