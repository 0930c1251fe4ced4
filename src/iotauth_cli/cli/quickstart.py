"""`iotauth quickstart`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.emulator import ControlPort, Port
from iotauth_cli.cli.output import Output, terminal_width

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.emulator import Ports
    from iotauth_cli.operations.quickstart import Ended, Event

OTHERWISE, UNKNOWN = 1, 3


def quickstart(
    ctx: typer.Context,
    port: Port = None,
    control_port: ControlPort = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the emulator at the end.")] = False,
) -> int:
    """Run the whole story on the emulator: a device that is let in, and three that are not.

    It adds the client `thermo-1`, anew if there is one, and leaves the emulator running.

    Example: iotauth quickstart
    """
    from iotauth_cli.cli import render_quickstart as render
    from iotauth_cli.operations import emulator

    context = ctx.obj.with_flags(emulator=True, port=port, control_port=control_port)
    output, state_dir = context.output, context.settings.state_dir
    was_running = emulator.status(state_dir).ready
    try:
        chapters = tell(
            output, events(context, emulator.Ports(context.settings.port, context.settings.control_port)), context.shown
        )
    except KeyboardInterrupt:
        if not was_running:
            emulator.stop(state_dir)
        output.say(*render.left_behind(was_running, context.shown(state_dir)))
        raise
    output.result(render.document(chapters), render.conclusion(chapters, stop, terminal_width()))
    if stop:
        emulator.stop(state_dir)
    return 0 if chapters[-1].ok else OTHERWISE if chapters[-1].was_answered else UNKNOWN


def events(context: Context, ports: Ports) -> Iterator[Event]:
    """Yield the story. Where the emulator is can be asked only when it runs."""
    from iotauth_cli.operations.quickstart import World, open_emulator, story

    yield from open_emulator(context.settings.state_dir, ports)
    yield from story(
        World(
            session=context.session,
            store=context.store,
            table=context.clients,
            settings=context.wish(),
            partition=context.partition,
            where=context.places,
            now=int(time.time()),
        )
    )


def tell(output: Output, events: Iterator[Event], shown: Callable[[Path], str]) -> list[Ended]:
    """Show each event as it comes; return how the chapters ended."""
    from iotauth_cli.cli.render_quickstart import Tale
    from iotauth_cli.operations.quickstart import Ended

    tale = Tale(terminal_width(), shown)
    chapters: list[Ended] = []
    try:
        for event in events:
            output.waiting()
            output.show(*tale.lines(event))
            output.waiting(tale.waiting(event))
            if isinstance(event, Ended):
                chapters.append(event)
    finally:
        output.waiting()
    return chapters
