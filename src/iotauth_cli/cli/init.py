"""`iotauth init`."""

from __future__ import annotations

from typing import Annotated

import typer


def init(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Write a commented iotauth.yaml for this project.

    Example: iotauth init --emulator
    """
    from iotauth_cli.config import FILE_NAME
    from iotauth_cli.operations import project

    flags = ctx.obj.flags
    path = project.init(
        ctx.obj.cwd / FILE_NAME,
        emulator=bool(flags.get("emulator")),
        region=flags.get("region"),
        profile=flags.get("profile"),
        force=force,
    )
    ctx.obj.output.result({"file": str(path)}, f"wrote `{path.name}`")
    ctx.obj.output.say(
        f"next: {'`iotauth emulator start`' if flags.get('emulator') else '`iotauth authorizer create`'}"
    )
