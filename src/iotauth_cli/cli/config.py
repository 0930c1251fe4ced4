"""`iotauth config`."""

from __future__ import annotations

import typer

from iotauth_cli.cli.lazy import LazyGroup

group = LazyGroup(
    "config",
    {"show": ("iotauth_cli.cli.config:show", "Show every setting with its source.")},
    help="Show settings and where they come from.\n\nExample: iotauth config show",
)


def show(ctx: typer.Context) -> None:
    """Show every setting, its value, and where that comes from.

    Example: iotauth config show --json
    """
    from iotauth_cli.cli import render

    settings = ctx.obj.settings
    columns, rows = render.settings(settings, ctx.obj.shown(settings.state_dir))
    ctx.obj.output.table(render.settings_document(settings), columns, rows, empty="there are no settings")
