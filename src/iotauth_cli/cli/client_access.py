"""`iotauth client disable`, `enable` and `remove`: who gets in from now on, and who is still inside."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli import client_fleet
from iotauth_cli.cli.client_options import ClientId, Everyone, OneClient, Selected

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.access import Place

NoDisconnect = Annotated[
    bool, typer.Option("--no-disconnect", help="Leave an open session alone, until AWS IoT asks again.")
]
SESSION_LEFT = 1


def place_of(context: Context) -> Place:
    from iotauth_cli.operations.access import Place

    return Place(context.session, context.clients, context.store, context.settings.function)


def disable(
    ctx: typer.Context,
    client_id: OneClient = None,
    everyone: Everyone = False,
    where: Selected = None,
    no_disconnect: NoDisconnect = False,
) -> int:
    """Let a client in no more, end its session, and show that both is so.

    Exits with 1 if a session may still be open. `iotauth client enable` takes it back. With `--all` or
    `--where` the sessions are ended too, and it is not looked at each of them.

    Example: iotauth client disable thermo-1
    """
    from iotauth_cli.cli import render_access as render
    from iotauth_cli.operations import access

    context = ctx.obj
    meant = client_fleet.selected("disable", client_id, everyone, where, for_one={}, for_many={})
    if not isinstance(meant, str):
        return client_fleet.switch(context, "disable", meant, disconnect=not no_disconnect)
    client_id = meant
    context.output.waiting(f"disabling `{client_id}`")
    changed = access.disable(place_of(context), client_id, now=int(time.time()), disconnect=not no_disconnect)
    context.output.waiting()
    context.output.facts(render.changed_document(changed), render.disabled(changed))
    return 0 if no_disconnect or (changed.revocation and changed.revocation.ok) else SESSION_LEFT


def enable(ctx: typer.Context, client_id: OneClient = None, everyone: Everyone = False, where: Selected = None) -> int:
    """Let a client in again.

    Example: iotauth client enable thermo-1
    """
    from iotauth_cli.cli import render_access as render
    from iotauth_cli.operations import access

    context, now = ctx.obj, int(time.time())
    meant = client_fleet.selected("enable", client_id, everyone, where, for_one={}, for_many={})
    if not isinstance(meant, str):
        return client_fleet.switch(context, "enable", meant, disconnect=False)
    changed = access.enable(place_of(context), meant, now=now)
    context.output.result(render.changed_document(changed), render.enabled(changed, now))
    return 0


def remove(ctx: typer.Context, client_id: ClientId, no_disconnect: NoDisconnect = False) -> int:
    """Remove a client from the table and its credential from the store, and end its session.

    Exits with 1 if a session may still be open.

    Example: iotauth client remove thermo-1
    """
    from iotauth_cli.cli import render_access as render
    from iotauth_cli.operations import access

    context = ctx.obj
    if not context.output.confirm(f"remove client `{client_id}` from table `{context.settings.table}`?"):
        context.output.say("nothing was removed")
        return 1
    context.output.waiting(f"removing `{client_id}`")
    removed = access.remove(place_of(context), client_id, now=int(time.time()), disconnect=not no_disconnect)
    context.output.waiting()
    context.output.result(render.removed_document(client_id, removed), render.removed(client_id, removed))
    return 0 if no_disconnect or (removed.revocation and removed.revocation.ok) else SESSION_LEFT
