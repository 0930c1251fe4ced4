"""`iotauth client rotate` and `iotauth client confirm`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

ClientId = Annotated[str, typer.Argument(metavar="ID", help="The client id.")]


def rotate(
    ctx: typer.Context,
    client_id: ClientId,
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="How long the old secret works after the new one was first used.")
    ] = "7d",
    replace: Annotated[
        bool, typer.Option("--replace", help="Discard a secret that was handed out and never used.")
    ] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Take this password instead of a generated one.")
    ] = False,
    no_save: Annotated[bool, typer.Option("--no-save", help="Show the credential and keep none of it.")] = False,
) -> None:
    """Hand out a new secret for a client; the old one works on until the new one is in use.

    Both let the device in. From the first use of the new one on, the old one has TIME left (`7d`, `12h`);
    `iotauth client confirm` ends it sooner. A device that never gets its new secret keeps the old one.

    Example: iotauth client rotate thermo-1
    """
    from iotauth_cli.cli import render_rotation as render
    from iotauth_cli.operations import client_rotation
    from iotauth_cli.operations.durations import parse_duration

    context, now = ctx.obj, int(time.time())
    wish = client_rotation.RotationWish(
        client_id=client_id,
        authorizer=context.settings.authorizer,
        grace_s=parse_duration(grace, "--grace"),
        replace=replace,
        password=context.output.read_password() if password_stdin else None,
    )
    rotated = client_rotation.rotate(context.clients, context.store, wish, now=now, is_kept=not no_save)
    context.note(slot=rotated.slot)
    context.output.facts(render.rotated_document(rotated), render.rotated(rotated))
    context.output.say(*render.after_rotating(rotated, now, context.shown, context.command))


def confirm(
    ctx: typer.Context,
    client_id: ClientId,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the new secret was never used: the device may be locked out.")
    ] = False,
) -> None:
    """End the old secret of a client whose new one was seen in use.

    Example: iotauth client confirm thermo-1
    """
    from iotauth_cli.cli import render_rotation as render
    from iotauth_cli.operations import client_rotation

    context = ctx.obj
    confirmed = client_rotation.confirm(context.clients, context.store, client_id, force=force, now=int(time.time()))
    context.note(slot=confirmed.slot)
    context.output.result(render.confirmed_document(confirmed), render.confirmed(confirmed))
    context.output.say(*render.after_confirming(confirmed, context.shown, context.command))
