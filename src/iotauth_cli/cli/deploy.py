"""`iotauth emulator deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iotauth_cli.cli.emulator import StateDir

FAILED = 1


def deploy(
    ctx: typer.Context,
    template: Annotated[Path, typer.Argument(metavar="TEMPLATE", help="A CloudFormation or SAM template.")],
    stack_name: Annotated[
        str | None, typer.Option("--stack-name", metavar="NAME", help="The stack; else named after the template.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", metavar="KEY=VALUE", help="A parameter; may be repeated.")
    ] = None,
    state_dir: StateDir = None,
) -> int:
    """Deploy a CloudFormation or SAM template to the emulator, with its functions' code.

    The folders that it names as CodeUri or Code are zipped as they are; libraries in a
    requirements.txt are not installed. Code in S3 is taken from the zip beside the template
    that its key's parameter names. The same again changes what differs. Exits with 1 if the
    stack fails; what was made is then taken back.

    Example: iotauth emulator deploy template.yaml --parameter Stage=test
    """
    from iotauth_cli.cli import render_deploy as render
    from iotauth_cli.operations import deploy as operation

    context = ctx.obj.with_flags(emulator=True, state_dir=state_dir)
    output = context.output
    wish = operation.Wish(
        template=template,
        stack=stack_name or operation.stack_name(template),
        state_dir=context.settings.state_dir,
        parameters=operation.parameters(parameter or ()),
    )
    events: list[operation.Event] = []
    for event in operation.deploy(context.session, wish):
        output.say(*render.lines(event, context.shown))
        events.append(event)
    ended = next(event for event in events if isinstance(event, operation.Deployed))
    output.facts(render.document(events, ended), render.outputs(ended))
    return 0 if ended.ok else FAILED
