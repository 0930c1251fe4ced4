"""`iotauth client rotate` and `iotauth client confirm`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from iotauth_cli.cli import client_fleet
from iotauth_cli.cli.client_access import SESSION_LEFT, place_of
from iotauth_cli.cli.client_options import (
    Batch,
    Everyone,
    NoSave,
    OneClient,
    PasswordStdin,
    SecretsOut,
    Selected,
)
from iotauth_cli.errors import InputError


def rotate(
    ctx: typer.Context,
    client_id: OneClient = None,
    everyone: Everyone = False,
    where: Selected = None,
    grace: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long the old secret works after the first use of the new one; 7d."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Discard a secret that was handed out and never used.")
    ] = False,
    now_: Annotated[
        bool, typer.Option("--now", help="The old secret has leaked: end it at once, and the session.")
    ] = False,
    password_stdin: PasswordStdin = False,
    no_save: NoSave = False,
    secrets_out: SecretsOut = None,
    batch: Batch = None,
) -> int:
    """Hand out a new secret for a client; the old one works on until the new one is in use.

    Both let the device in. From the first use of the new one on, the old one has TIME left (`7d`, `12h`);
    `iotauth client confirm` ends it sooner. A device that never gets its new secret keeps the old one.
    With `--now` the device is out until it gets its new secret; exits with 1 if a session may still be open.

    Many clients are rotated with `--all` or `--where`. Their secrets are written to FILE, or into the project's
    private store, each before its row; a run that was ended is finished by the same command.

    Example: iotauth client rotate thermo-1
    """
    from iotauth_cli.cli import render_rotation as render
    from iotauth_cli.operations import access, client_rotation

    context, now = ctx.obj, int(time.time())
    for_one = {"--replace": replace, "--now": now_, "--password-stdin": password_stdin, "--no-save": no_save}
    for_many = {"--secrets-out": secrets_out, "--batch": batch}
    meant = client_fleet.selected("rotate", client_id, everyone, where, for_one=for_one, for_many=for_many)
    if not isinstance(meant, str):
        return client_fleet.rotate(
            context, meant, grace_s=grace_of(grace, at_once=False), path=secrets_out, batch=batch
        )
    client_id = meant
    wish = client_rotation.RotationWish(
        client_id=client_id,
        authorizer=context.settings.authorizer,
        grace_s=grace_of(grace, at_once=now_),
        replace=replace,
        at_once=now_,
        password=context.output.read_password() if password_stdin else None,
    )
    if now_ and not context.output.confirm(f"lock client `{client_id}` out until it gets a new secret?"):
        context.output.say("nothing was changed")
        return 1
    rotated = client_rotation.rotate(context.clients, context.store, wish, now=now, is_kept=not no_save)
    context.note(slot=rotated.slot)
    revocation = access.revoke(place_of(context), client_id, rotated.ended, now=now) if now_ else None
    context.output.facts(render.rotated_document(rotated, revocation), render.rotated(rotated, revocation))
    context.output.say(*render.after_rotating(rotated, now, context.shown, context.command))
    client_rotation.handed_out(context.store, rotated)
    return 0 if revocation is None or revocation.ok else SESSION_LEFT


def grace_of(text: str | None, *, at_once: bool) -> int:
    from iotauth_cli.operations.durations import parse_duration
    from iotauth_cli.operations.rotation import GRACE_S

    if text is None:
        return GRACE_S
    if at_once:
        raise InputError("`--now` leaves no time, and `--grace` asks for some", hint="give one of them")
    return parse_duration(text, "--grace")


def confirm(
    ctx: typer.Context,
    client_id: OneClient = None,
    everyone: Everyone = False,
    where: Selected = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the new secret was never used: the device may be locked out.")
    ] = False,
) -> int:
    """End the old secret of a client whose new one was seen in use.

    With `--all` or `--where` it names those that never showed the new one, leaves them as they are, and exits with 1.

    Example: iotauth client confirm thermo-1
    """
    from iotauth_cli.cli import render_rotation as render
    from iotauth_cli.operations import client_rotation

    context = ctx.obj
    meant = client_fleet.selected("confirm", client_id, everyone, where, for_one={}, for_many={})
    if not isinstance(meant, str):
        return client_fleet.confirm(context, meant, force=force)
    client_id = meant
    confirmed = client_rotation.confirm(context.clients, context.store, client_id, force=force, now=int(time.time()))
    context.note(slot=confirmed.slot)
    context.output.result(render.confirmed_document(confirmed), render.confirmed(confirmed))
    context.output.say(*render.after_confirming(confirmed, context.shown))
    return 0
