"""`iotauth emulator inject`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from iotauth_cli.cli.emulator import StateDir
from iotauth_cli.cli.lazy import LazyGroup

group = LazyGroup(
    "inject",
    {
        "function-throttled": ("iotauth_cli.cli.emulator_inject:fault", "Lambda turns the authorizer's call away."),
        "function-slow": ("iotauth_cli.cli.emulator_inject:delay", "The function answers late, or too late."),
        "function-crash": ("iotauth_cli.cli.emulator_inject:fault", "The function's process dies in the call."),
        "function-wrong-answer": (
            "iotauth_cli.cli.emulator_inject:fault",
            "The function answers nonsense.",
        ),
        "connection-cut": ("iotauth_cli.cli.emulator_inject:fault", "A live connection breaks without a word."),
        "connack-delay": ("iotauth_cli.cli.emulator_inject:delay", "CONNACK comes late."),
        "certificate-expired": ("iotauth_cli.cli.emulator_inject:common_fault", "TLS shows an expired certificate."),
        "dynamodb-throttled": ("iotauth_cli.cli.emulator_inject:common_fault", "DynamoDB turns calls for items away."),
        "duplicate-client-id": ("iotauth_cli.cli.emulator_inject:fault", "Another client takes a live client id over."),
        "list": ("iotauth_cli.cli.emulator_inject:show", "Show what may still go wrong."),
        "clear": ("iotauth_cli.cli.emulator_inject:clear", "Let nothing more go wrong."),
    },
    help="Let things go wrong in the running emulator, to test firmware on bad days.\n\n"
    "Example: iotauth emulator inject connection-cut --client thermo-1",
)

Count = Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="How often; else once.")]
For = Annotated[float | None, typer.Option("--for", metavar="SECONDS", help="How long, on the emulator's clock.")]
Client = Annotated[str | None, typer.Option("--client", metavar="ID", help="Only to this client.")]
Delay = Annotated[
    float | None, typer.Option("--delay", metavar="SECONDS", help="How late; else a function 6 s, CONNACK 10.")
]


def fault(
    ctx: typer.Context, count: Count = None, seconds: For = None, client: Client = None, state_dir: StateDir = None
) -> None:
    """Let this go wrong: once, a number of times or for a time; for every client or one.

    A live connection that is to break does so now; if there is none, the next one does after a second.
    What went wrong by order is `injected` in `iotauth emulator logs`.

    Example: iotauth emulator inject function-crash --count 3 --client thermo-1
    """
    inject(ctx, state_dir, client_id=client, count=count, seconds=seconds)


def delay(
    ctx: typer.Context,
    seconds_late: Delay = None,
    count: Count = None,
    seconds: For = None,
    client: Client = None,
    state_dir: StateDir = None,
) -> None:
    """Let this come late: once, a number of times or for a time; for every client or one.

    AWS IoT waits 5 seconds for a function, and so does the emulator.

    Example: iotauth emulator inject connack-delay --delay 20 --client thermo-1
    """
    inject(ctx, state_dir, client_id=client, count=count, seconds=seconds, delay_s=seconds_late)


def common_fault(ctx: typer.Context, count: Count = None, seconds: For = None, state_dir: StateDir = None) -> None:
    """Let this go wrong for everybody: once, a number of times or for a time. Who is concerned is not known there.

    Example: iotauth emulator inject certificate-expired --for 60
    """
    inject(ctx, state_dir, count=count, seconds=seconds)


def inject(ctx: typer.Context, state_dir: Any, **limits: Any) -> None:
    """Inject the kind that the command is called by."""
    from iotauth_cli.cli import render_injection as render
    from iotauth_cli.operations import injection

    directory = ctx.obj.with_flags(state_dir=state_dir).settings.state_dir
    injected = injection.inject(directory, injection.Wish(str(ctx.info_name), **limits))
    ctx.obj.output.result(render.document(injected), render.injected(injected))


def show(ctx: typer.Context, state_dir: StateDir = None) -> None:
    """Show what may still go wrong by order.

    Example: iotauth emulator inject list
    """
    from iotauth_cli.cli import render_injection as render
    from iotauth_cli.operations import injection

    found = injection.injections(ctx.obj.with_flags(state_dir=state_dir).settings.state_dir)
    rows = [render.row(each) for each in found]
    documents = [render.document(each) for each in found]
    ctx.obj.output.table(documents, render.COLUMNS, rows, empty="nothing is going to go wrong by order")


def clear(ctx: typer.Context, state_dir: StateDir = None) -> None:
    """Let nothing more go wrong by order.

    Example: iotauth emulator inject clear
    """
    from iotauth_cli.cli import render_injection as render
    from iotauth_cli.operations import injection

    cleared = injection.clear(ctx.obj.with_flags(state_dir=state_dir).settings.state_dir)
    ctx.obj.output.result({"cleared": cleared}, render.cleared(cleared))
