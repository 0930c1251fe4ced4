"""`iotauth secrets`."""

from __future__ import annotations

from typing import Annotated

import typer

from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.errors import InputError

group = LazyGroup(
    "secrets",
    {"render": ("iotauth_cli.cli.secrets:render", "Write a credential in the words of a device or a tool.")},
    help="Write credentials for devices and tools.\n\nExample: iotauth secrets render thermo-1 --format header",
)

STDOUT = "-"


def render(
    ctx: typer.Context,
    format: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help="How to write it.")],
    client: Annotated[str | None, typer.Argument(metavar="CLIENT", help="Else the only one with a credential.")] = None,
    out: Annotated[str | None, typer.Option(metavar="PATH", help="Write there; `-` is stdout.")] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="HOST", help="Connect there; else ask AWS IoT.")] = None,
    wifi_ssid: Annotated[str | None, typer.Option(metavar="NAME", help="The network that the device joins.")] = None,
    wifi_password_stdin: Annotated[
        bool, typer.Option("--wifi-password-stdin", help="Read the network's password from stdin.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over what lies there.")] = False,
) -> None:
    """Write a credential in the words of a device or a tool.

    The formats are header and json.

    Example: iotauth secrets render thermo-1 --format header
    """
    from iotauth_cli.cli import render_secrets as shown
    from iotauth_cli.operations import device_secrets, secret_files

    context = ctx.obj
    if out == STDOUT and context.output.as_json:
        raise InputError("`--json` and `--out -` both want stdout", hint="leave one of them out")
    wifi_password = context.output.read_password() if wifi_password_stdin else None
    login = device_secrets.login_for(
        context.session,
        context.store,
        client,
        endpoint=endpoint,
        wifi_ssid=wifi_ssid,
        wifi_password=wifi_password,
    )
    rendered = device_secrets.rendered(format, login, secret_files.folder_for(out, context.cwd))
    if out == STDOUT:
        context.output.raw(secret_files.only_file(rendered, format).content)
        context.output.say(*shown.remarks(login, rendered))
        return
    written = secret_files.write(rendered, out, cwd=context.cwd, force=force)
    paths, trusted = [context.shown(path) for path in written.paths], device_secrets.trusted(login)
    context.output.facts(shown.document(login, rendered, trusted, written), shown.facts(rendered, trusted, paths))
    context.output.say(*shown.after(login, rendered, written, paths, context.shown(written.ignore_file)))
