"""`iotauth authorizer`."""

from __future__ import annotations

from typing import Annotated

import typer

from iotauth_cli.cli.lazy import MUTATES, LazyGroup
from iotauth_cli.secret import Secret

group = LazyGroup(
    "authorizer",
    {
        "create": (
            "iotauth_cli.cli.authorizer_create:create",
            "Create an authorizer and all that it needs.",
            MUTATES,
        ),
        "list": ("iotauth_cli.cli.authorizer:list_", "List the authorizers of the region."),
        "show": ("iotauth_cli.cli.authorizer:show", "Show an authorizer and what is wrong with it."),
        "test-invoke": (
            "iotauth_cli.cli.authorizer:invoke",
            "Ask an authorizer about a client, without a device.",
        ),
        "rotate-key": (
            "iotauth_cli.cli.authorizer_keys:rotate_key",
            "Change the key that signs tokens, step by step.",
            MUTATES,
        ),
        "migrate": (
            "iotauth_cli.cli.authorizer_migrate:migrate",
            "Move clients to a signed authorizer, or to an unsigned one.",
            MUTATES,
        ),
        "update": ("iotauth_cli.cli.authorizer_state:update", "Change memory, timers, function or tags.", MUTATES),
        "enable": ("iotauth_cli.cli.authorizer_state:enable", "Let devices in again.", MUTATES),
        "disable": ("iotauth_cli.cli.authorizer_state:disable", "Let nobody new in.", MUTATES),
        "set-default": (
            "iotauth_cli.cli.authorizer_state:set_default",
            "Let one decide about devices that name none.",
            MUTATES,
        ),
        "delete": (
            "iotauth_cli.cli.authorizer_delete:delete",
            "Delete an authorizer and what was made for it.",
            MUTATES,
        ),
    },
    help="Create and inspect custom authorizers.\n\nExample: iotauth authorizer create",
)

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The authorizer; else the one of the settings.")]


def list_(ctx: typer.Context) -> None:
    """List the authorizers of the region, ours or not, and which is the default.

    Example: iotauth authorizer list
    """
    from iotauth_cli.cli import render_details as render
    from iotauth_cli.operations import authorizer_details

    found = list(authorizer_details.listed(ctx.obj.session))
    columns, rows = render.listed(found)
    document = [render.listed_document(each) for each in found]
    ctx.obj.output.table(document, columns, rows, empty="there are none; make one with `iotauth authorizer create`")


def show(ctx: typer.Context, name: Name = None) -> None:
    """Show an authorizer and how it is set, where devices connect, and what `create` would change.

    Example: iotauth authorizer show doors
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.cli import render_details
    from iotauth_cli.operations import authorizer_details, authorizers

    context = ctx.obj.with_flags(authorizer=name)
    shown = authorizers.show(context.session, context.wish(), context.store)
    details = authorizer_details.details(context.session, shown.authorizer)
    document = {**render.installation_document(shown), **render_details.details_document(details)}
    context.output.facts(document, render.installation(shown, render_details.details(details)))
    if shown.stack is None and any(step.action != "keep" for step in shown.drift):
        create = ctx.obj.command(f"authorizer create {shown.authorizer.name}")
        context.output.say(f"next: {create} puts that right")


def invoke(
    ctx: typer.Context,
    name: Name = None,
    client: Annotated[
        str | None, typer.Option(metavar="ID", help="This client id, with its stored credential.")
    ] = None,
    username: Annotated[str | None, typer.Option(metavar="NAME", help="The user name, without parameters.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    token: Annotated[str | None, typer.Option(metavar="TOKEN", help="A token, for authorizers that want it.")] = None,
    signature: Annotated[str | None, typer.Option(metavar="BASE64", help="The token's signature.")] = None,
) -> int:
    """Ask AWS IoT to call the authorizer's function, without device or broker.

    Example: iotauth authorizer test-invoke --client thermo-1
    """
    from iotauth_cli.cli import render_authorizer as render
    from iotauth_cli.operations import authorizers

    context = ctx.obj.with_flags(authorizer=name)
    password = context.output.read_password() if password_stdin else None
    attempt = authorizers.attempt(
        context.store,
        authorizer=context.settings.authorizer,
        client_id=client,
        username=username,
        password=password,
        token=Secret(token) if token else None,
        signature=signature,
    )
    answer = authorizers.test_invoke(context.session, context.settings.authorizer, attempt)
    facts = render.answer(context.settings.authorizer, attempt, answer)
    context.output.facts(render.answer_document(answer), facts)
    return 0 if answer.is_authenticated else 1
