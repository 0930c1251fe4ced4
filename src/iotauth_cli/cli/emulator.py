"""`iotauth emulator`."""

from __future__ import annotations

import contextlib
import shlex
import signal
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.cli.output import terminal_width

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.emulator import Choice

group = LazyGroup(
    "emulator",
    {
        "start": ("iotauth_cli.cli.emulator:start", "Start the emulator in the background."),
        "stop": ("iotauth_cli.cli.emulator:stop", "Stop it; what it remembers stays."),
        "status": ("iotauth_cli.cli.emulator:status", "Show whether and where it runs."),
        "env": ("iotauth_cli.cli.emulator:env", "Print the variables that point AWS's tools at it."),
        "behaviour": ("iotauth_cli.cli.emulator:behaviour", "Show what it decides where AWS is silent."),
        "deploy": ("iotauth_cli.cli.deploy:deploy", "Deploy a CloudFormation or SAM template to it."),
        "logs": ("iotauth_cli.cli.emulator:logs", "Show who tried to connect, and what was decided."),
        "clock": ("iotauth_cli.cli.emulator_clock:group", "Show its time, and let time pass."),
        "inject": ("iotauth_cli.cli.emulator_inject:group", "Let things go wrong, to test firmware."),
        "reset": ("iotauth_cli.cli.emulator:reset", "Remove all that it remembers."),
    },
    help="Run AWS IoT custom authentication on this machine.\n\nExample: iotauth emulator start",
)

StateDir = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="Where it remembers; else as the settings say.")
]
Port = Annotated[
    int | None, typer.Option("--port", metavar="N", min=0, max=65535, help="The devices' port, 8443; 0 for any.")
]
ControlPort = Annotated[
    int | None, typer.Option("--control-port", metavar="N", min=0, max=65535, help="The APIs' port, 4588; 0 for any.")
]
ProxyPort = Annotated[
    int | None,
    typer.Option(
        "--proxy-port",
        metavar="N",
        min=0,
        max=65535,
        help="Also a proxy for clients that insist on AWS's host name and port 443.",
    ),
]
MqttPort = Annotated[
    int | None,
    typer.Option(
        "--mqtt-port",
        metavar="N",
        min=0,
        max=65535,
        help="Also the port for client certificates, AWS's 8883, which resets devices without one.",
    ),
]
Flips = Annotated[
    list[str] | None,
    typer.Option(
        "--behaviour", metavar="KEY=VALUE", help="Decide otherwise where AWS is silent, from now on. May be repeated."
    ),
]
Foreground = Annotated[bool, typer.Option("--foreground", help="Stay until Ctrl-C.")]


def start(
    ctx: typer.Context,
    foreground: Foreground = False,
    port: Port = None,
    control_port: ControlPort = None,
    proxy_port: ProxyPort = None,
    mqtt_port: MqttPort = None,
    behaviour: Flips = None,
    state_dir: StateDir = None,
) -> None:
    """Start the emulator and return when it is ready. Loopback only.

    Example: iotauth emulator start --port 9443
    """
    from iotauth_cli.cli import render_emulator as render
    from iotauth_cli.operations import emulator

    context = ctx.obj.with_flags(state_dir=state_dir, port=port, control_port=control_port)
    wish = emulator.Ports(
        data=context.settings.port,
        control=context.settings.control_port,
        region=context.flags.get("region"),
        proxy=proxy_port,
        mqtt=mqtt_port,
    )
    flips = behaviour or []
    if foreground:
        for ready in emulator.foreground(context.settings.state_dir, wish, flips):
            context.output.facts(render.ready_document(ready), render.ready(ready, context.shown))
            context.output.say("the emulator is ready; Ctrl-C ends it")
        return
    running = emulator.start(context.settings.state_dir, wish, flips)
    context.output.say(render.started(running))
    context.output.facts(render.ready_document(running.ready), render.ready(running.ready, context.shown))
    # Commands that talk to AWS too have no `--state-dir`; the variable leads them to this emulator.
    there = f"IOTAUTH_STATE_DIR={shlex.quote(str(state_dir))} " if state_dir else ""
    context.output.say(f"next: `{there}iotauth authorizer create --emulator`")


def stop(ctx: typer.Context, state_dir: StateDir = None) -> None:
    """Stop the emulator. Its state stays, for the next start.

    Example: iotauth emulator stop
    """
    from iotauth_cli.operations import emulator

    context = ctx.obj.with_flags(state_dir=state_dir)
    directory = context.settings.state_dir
    stopped = emulator.stop(directory)
    said = f"stopped the emulator; its state stays in `{context.shown(directory)}`"
    document = {"stopped": stopped, "state_dir": str(directory)}
    context.output.result(document, said if stopped else "no emulator was running")


def status(ctx: typer.Context, state_dir: StateDir = None) -> int:
    """Show whether the emulator runs, and where. Exits with 1 if it does not.

    Example: iotauth emulator status --json
    """
    from iotauth_cli.cli import render_emulator as render
    from iotauth_cli.operations import emulator

    context = ctx.obj.with_flags(state_dir=state_dir)
    found = emulator.status(context.settings.state_dir)
    context.output.facts(render.status_document(found), render.status(found, context.shown))
    if not found.ready:
        context.output.say(f"next: {context.command('emulator start')}")
    return 0 if found.ready else 1


def env(ctx: typer.Context, state_dir: StateDir = None) -> None:
    """Print the variables that point boto3, the AWS CLI and Terraform at the emulator.

    Example: eval "$(iotauth emulator env)"
    """
    from iotauth_cli.cli import render_emulator as render
    from iotauth_cli.operations import emulator

    variables = emulator.variables(ctx.obj.with_flags(state_dir=state_dir).settings.state_dir)
    ctx.obj.output.result(dict(variables), render.exports(variables))


def behaviour(
    ctx: typer.Context,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="FILE", help="Beside what a parity run has observed.")
    ] = None,
    state_dir: StateDir = None,
) -> int:
    """Show what the emulator decides where AWS's behaviour is not documented or sources disagree.

    Each choice comes with its value, what it means, how well it is known and where from.
    `iotauth emulator start --behaviour KEY=VALUE` decides otherwise; KEY=default goes back. With
    `--compare`, each beside what was observed on AWS; exits with 1 if something differs.

    Example: iotauth emulator behaviour --compare report.json
    """
    from iotauth_cli.cli import render_emulator as render
    from iotauth_cli.operations import emulator

    context = ctx.obj.with_flags(state_dir=state_dir)
    found = emulator.choices(context.settings.state_dir)
    if compare is not None:
        return compared(context, found, compare)
    columns, rows = render.choices(found)
    context.output.table(render.choices_document(found), columns, rows, empty="")
    return 0


def compared(context: Context, choices: Sequence[Choice], report_file: Path) -> int:
    from iotauth_cli.cli import render_parity as render
    from iotauth_cli.operations import parity_report

    report = parity_report.read(report_file)
    found = parity_report.compare(choices, report)
    columns, rows = render.compared(found)
    context.output.table(render.compared_document(found), columns, rows, empty="nothing was observed")
    context.output.say(render.summary(report, found))
    flags = parity_report.flags(found)
    if flags:
        words = " ".join(flags)
        context.output.say(f"next: {context.command(f'emulator start {words}')}")
    return 1 if any(each.verdict == parity_report.DIFFERENT for each in found) else 0


def logs(
    ctx: typer.Context,
    client: Annotated[str | None, typer.Option(metavar="ID", help="Only this client's attempts.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="At most the last N.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come, until Ctrl-C.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Show who tried to connect to the emulator, what was decided, and by which check.

    With `--follow` each is one line; with `--json` as well, one document on a line.

    Example: iotauth emulator logs --client thermo-1
    """
    from iotauth_cli.cli import render_emulator as render
    from iotauth_cli.operations import emulator

    output, directory = ctx.obj.output, ctx.obj.with_flags(state_dir=state_dir).settings.state_dir
    found = emulator.attempts(directory, limit=limit, client_id=client)
    if not follow:
        output.result([render.attempt_document(each) for each in found], render.attempts(found, terminal_width()))
        if not found:
            output.say("no attempt to connect was seen")
        return
    with ended_by_ctrl_c():
        for attempt in chain(found, emulator.follow(directory, found, client_id=client)):
            output.stream(render.attempt_document(attempt), render.attempt_line(attempt))


@contextlib.contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """End what has no end of its own with exit code 130, and not a word: nothing was interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None


def reset(ctx: typer.Context, state_dir: StateDir = None) -> None:
    """Remove all that the emulator remembers: tables, functions, authorizers, certificates, logs.

    Example: iotauth emulator reset --yes
    """
    from iotauth_cli.operations import emulator

    context = ctx.obj.with_flags(state_dir=state_dir)
    output, directory = context.output, context.settings.state_dir
    where = f"in `{context.shown(directory)}`"
    if not output.confirm(f"remove all that the emulator remembers {where}?"):
        output.result({"removed": []}, "nothing was removed")
        return
    removed = emulator.reset(directory)
    said = f"removed all that the emulator remembered {where}" if removed else "there was nothing to remove"
    output.result({"removed": [str(path) for path in removed]}, said)
