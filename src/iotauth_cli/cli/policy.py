"""`iotauth policy`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iotauth_cli.operations.policies import Held, Linted

group = LazyGroup(
    "policy",
    {
        "can": ("iotauth_cli.cli.policy:can", "Say whether a client may do something, and why."),
        "show": ("iotauth_cli.cli.policy:show", "Show the policy that AWS IoT holds a client to."),
        "lint": ("iotauth_cli.cli.policy:lint", "Find what policies say but cannot mean."),
        "rules": ("iotauth_cli.cli.policy:rules", "List what lint looks for, and why."),
        "operator": ("iotauth_cli.cli.policy_documents:operator", "Print the IAM policy of whoever runs iotauth."),
        "readonly": ("iotauth_cli.cli.policy_documents:readonly", "Print the IAM policy of whoever only looks."),
        "function": ("iotauth_cli.cli.policy_documents:function", "Print the IAM policy of the function."),
    },
    help="Ask what policies allow; print IAM's.\n\nExample: iotauth policy can thermo-1 publish sensors/thermo-1/state",
)

From = Annotated[
    Literal["row", "answer"],
    typer.Option("--from", help="Ask the client's row, or the authorizer with the stored credential."),
]
File = Annotated[Path | None, typer.Option(metavar="FILE", help="Ask this JSON file: a policy, several, or an answer.")]
VERB_HELP = "connect, publish, retain, will, subscribe or receive."


def can(
    ctx: typer.Context,
    client: Annotated[str, typer.Argument(metavar="CLIENT", help="The client id.")],
    verb: Annotated[str, typer.Argument(metavar="ACTION", help=VERB_HELP)],
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", help="The topic, or the filter to subscribe to.")
    ] = None,
    source: From = "row",
    file: File = None,
) -> int:
    """Say whether a client may do something, which statement decides, and which grant was nearly right.

    `retain` publishes a retained message, `will` leaves a last will. Exits with 0 for yes and 1 for no.

    Example: iotauth policy can thermo-1 subscribe 'sensors/+/state'
    """
    from iotauth_cli.cli import render_policy as render
    from iotauth_cli.operations import policies

    if verb not in policies.VERBS:
        raise InputError(f"`{verb}` is nothing a policy decides", hint=f"ask about {VERB_HELP.rstrip('.')}")
    policies.check(client, verb, topic)
    ruling = policies.may(held(ctx.obj, client, source, file), verb, topic)
    ctx.obj.output.result(render.ruling_document(ruling), render.ruling(ruling))
    return 0 if ruling.allowed else 1


def show(
    ctx: typer.Context,
    client: Annotated[str, typer.Argument(metavar="CLIENT", help="The client id.")],
    source: From = "row",
) -> int:
    """Show the documents that AWS IoT gets for a client, with their size.

    Exits with 1 if the client is not let in at all.

    Example: iotauth policy show thermo-1 --from answer
    """
    from iotauth_cli.cli import render_policy as render

    found = held(ctx.obj, client, source, None)
    ctx.obj.output.result(render.held_document(found), render.held(found))
    return 0 if found.kept_out is None else 1


def lint(
    ctx: typer.Context,
    clients: Annotated[list[str] | None, typer.Argument(metavar="[CLIENT]...", help="Else every client.")] = None,
    source: From = "row",
    file: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="Look at this JSON file instead.")] = None,
) -> int:
    """Find what policies say but cannot mean: in rows, in an authorizer's answers, in files.

    Exits with 1 if anything is found. `iotauth policy rules` explains each rule.

    Example: iotauth policy lint --file policy.json
    """
    from iotauth_cli.cli import render_policy as render
    from iotauth_cli.operations import policies

    context = ctx.obj
    if file and clients:
        raise InputError("clients and `--file` exclude each other", hint="name one or the other")
    if source == "answer" and not clients:
        raise InputError("`--from answer` wants clients", hint="name those whose credential is kept here")
    examined: Iterable[Linted]
    if file:
        examined = (policies.examine(policies.of_file(path, ""), f"`{path}`") for path in file)
    elif clients:
        examined = (policies.examine(held(context, each, source, None), f"client `{each}`") for each in clients)
    else:
        examined = policies.examine_rows(context.clients.rows(), context.scope, int(time.time()))
    found = policies.survey(examined)
    context.output.result(render.survey_document(found), render.survey(found))
    return 0 if found.ok else 1


def rules(ctx: typer.Context) -> None:
    """List what lint looks for, and why.

    Example: iotauth policy rules
    """
    from iotauth_cli.cli import render_policy as render

    ctx.obj.output.result(render.rules_document(), render.rules())


def held(context: Any, client: str, source: str, file: Path | None) -> Held:
    """Return the policy that was asked about, from where it was asked."""
    from iotauth_cli.operations import policies

    if file is not None:
        return policies.of_file(file, client)
    if source == "answer":
        return policies.of_answer(context.session, context.store, context.settings.authorizer, client, context.scope)
    return policies.of_row(context.clients, client, context.scope, int(time.time()))
