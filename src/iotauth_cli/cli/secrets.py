"""`iotauth secrets`."""

from __future__ import annotations

from typing import Annotated

import typer

from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.errors import InputError

group = LazyGroup(
    "secrets",
    {
        "render": ("iotauth_cli.cli.secrets:render", "Write a credential in the words of a device or a tool."),
        "scan": ("iotauth_cli.cli.secrets_scan:scan", "Find secrets in files and in git's history."),
    },
    help="Write credentials for devices, and find those that leaked.\n\n"
    "Example: iotauth secrets render thermo-1 --format header",
)

STDOUT = "-"


def render(
    ctx: typer.Context,
    format: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help="One of those above.")],
    client: Annotated[str | None, typer.Argument(metavar="CLIENT", help="Else the only one with a credential.")] = None,
    out: Annotated[str | None, typer.Option(metavar="PATH", help="Write there; `-` is stdout.")] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="HOST", help="Connect there; else ask AWS IoT.")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", min=1, max=65535, help="Connect to this port.")] = None,
    no_alpn: Annotated[bool, typer.Option("--no-alpn", help="The endpoint wants no ALPN.")] = False,
    wifi_ssid: Annotated[str | None, typer.Option(metavar="NAME", help="The network that the device joins.")] = None,
    wifi_password_stdin: Annotated[
        bool, typer.Option("--wifi-password-stdin", help="Read the network's password from stdin.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over what lies there.")] = False,
) -> None:
    """Write a credential in the words of a device or a tool.

    \b
    header         secrets.h for C and C++
    env            variables for a shell
    json           everything, for programs of your own
    mosquitto      options for mosquitto_pub and mosquitto_sub
    paho           a Python script for paho-mqtt
    awsiotsdk      a Python script for AWS's device SDK
    curl           publishing over HTTPS
    tasmota        a Backlog for Tasmota's console
    esphome        secrets.yaml and a device for ESPHome
    esp-at         commands for ESP-AT
    nvs-csv        a table for Espressif's NVS generator
    nvs-bin        an NVS partition for the firmware template
    mfg            both tables for ESP-IDF's manufacturing utility
    settings.toml  settings of CircuitPython
    micropython    constants for MicroPython
    arduino        the firmware as a sketch
    label          a text to print
    qr             a QR code as SVG

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
        port=port,
        alpn=() if no_alpn else device_secrets.ALPN,
        wifi_ssid=wifi_ssid,
        wifi_password=wifi_password,
    )
    rendered = device_secrets.rendered(format, login)
    if out == STDOUT:
        context.output.raw(secret_files.only_file(rendered, format))
        context.output.say(*shown.remarks(login, rendered))
        return
    written = secret_files.write(rendered, out, cwd=context.cwd, force=force)
    paths, trusted = [context.shown(path) for path in written.paths], device_secrets.trusted(login)
    context.output.facts(shown.document(login, rendered, trusted, written), shown.facts(rendered, trusted, paths))
    context.output.say(*shown.after(login, rendered, written, paths, context.shown(written.ignore_file)))
