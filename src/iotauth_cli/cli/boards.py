"""`iotauth boards`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Pio = Annotated[
    str | None, typer.Option("--pio", metavar="PATH", help="Use this PlatformIO, not the one that is found.")
]
Project = Annotated[
    Path | None, typer.Option("--project", metavar="DIR", help="A PlatformIO project of your own; else iotauth's.")
]


def boards(ctx: typer.Context, project: Project = None, pio: Pio = None) -> None:
    """List the boards that `flash` knows, and the serial ports of this machine.

    Example: iotauth boards
    """
    from iotauth_cli.cli import render_flash as render
    from iotauth_cli.cli.output import terminal_width
    from iotauth_cli.operations.boards import look

    context = ctx.obj
    found = look(project, pio)
    context.output.result(render.boards_document(found), render.boards(found, terminal_width()))
    context.output.say(*render.after_boards(found, context.command))
