"""`iotauth init`."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer


def init(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Write a commented iotauth.yaml for this project, or the file that `--config` names.

    Example: iotauth init --emulator
    """
    from iotauth_cli.config import FILE_NAME
    from iotauth_cli.operations import project

    flags = ctx.obj.flags
    named = flags.get("config")
    path = project.init(
        ctx.obj.cwd / (named or FILE_NAME),
        emulator=bool(flags.get("emulator")),
        region=flags.get("region"),
        profile=flags.get("profile"),
        force=force,
    )
    ctx.obj.output.result({"file": str(path)}, f"wrote `{ctx.obj.shown(path)}`")
    words = "emulator start" if flags.get("emulator") else "authorizer create"
    there = f" --config {shlex.quote(named)}" if named else ""
    ctx.obj.output.say(f"next: `iotauth {words}{there}`")
