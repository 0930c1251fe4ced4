"""`iotauth init`."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from iotauth_cli.errors import InputError


def init(
    ctx: typer.Context,
    authorizer: Annotated[
        str | None, typer.Argument(metavar="AUTHORIZER", help="For `--adopt` and `--rollback`: which one.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file that is there; switch although devices would notice.")
    ] = False,
    from_stack: Annotated[
        str | None, typer.Option("--from-stack", metavar="NAME", help="For this CloudFormation stack, by its outputs.")
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Let an authorizer made by hand call our function, on its own table.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Let an adopted authorizer call its old function again.")
    ] = False,
    table: Annotated[str | None, typer.Option(metavar="NAME", help="With `--adopt`: the clients' table.")] = None,
    function: Annotated[
        str | None, typer.Option(metavar="NAME", help="With `--adopt`: how our function is to be called.")
    ] = None,
    compare: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Ask both functions about N clients; 200, in a dry run 0.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="With `--rollback`: leave our function and role where they are.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With `--adopt` or `--rollback`: show the plan and change nothing.")
    ] = False,
) -> int:
    """Write a commented iotauth.yaml for this project, or the file that `--config` names.

    With `--adopt`, an authorizer that somebody made by hand is found with its function and its table of plain
    passwords, both functions are compared, and ours takes over; `--rollback` goes back.

    Example: iotauth init --emulator
    """
    if adopt or rollback:
        from iotauth_cli.cli import init_adopt

        if from_stack is not None or (adopt and rollback):
            one, other = ("--adopt" if adopt else "--rollback"), ("--from-stack" if from_stack else "--rollback")
            raise InputError(f"`{one}` and `{other}` exclude each other", hint="give one of them")
        refuse_without("--adopt", adopt, function=function)
        refuse_without("--rollback", rollback, keep=keep)
        said = init_adopt.Said(authorizer, table, function, compare, keep, force, dry_run)
        return init_adopt.adopt(ctx.obj, said) if adopt else init_adopt.rollback(ctx.obj, said)
    refuse_without("--adopt", AUTHORIZER=authorizer, table=table, function=function, compare=compare, dry_run=dry_run)
    refuse_without("--rollback", keep=keep)
    ctx.obj.note_nothing()
    write(ctx, force, from_stack)
    return 0


def refuse_without(needed: str, is_given: bool = False, **options: object) -> None:
    """Refuse options that mean nothing without *needed*."""
    for name, value in options.items():
        if value not in (None, False) and not is_given:
            shown = name if name.isupper() else f"--{name.replace('_', '-')}"
            raise InputError(f"`{shown}` is for `{needed}`", hint=f"add `{needed}`, or leave it out")


def write(ctx: typer.Context, force: bool, from_stack: str | None) -> None:
    """Write the settings file of a new project."""
    from iotauth_cli.config import FILE_NAME
    from iotauth_cli.operations import project

    flags = ctx.obj.flags
    named = flags.get("config")
    if from_stack is not None:
        from iotauth_cli.cli import init_stack

        init_stack.from_stack(ctx.obj, ctx.obj.cwd / (named or FILE_NAME), from_stack, force=force)
        return
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
