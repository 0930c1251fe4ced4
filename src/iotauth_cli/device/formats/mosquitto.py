"""A command line for `mosquitto_pub` and `mosquitto_sub`, without the password on it.

Every user of a machine sees the arguments of every process. Both tools read options from a file
called after them in `$XDG_CONFIG_HOME`, all their versions; `-o FILE` came only with 2.1.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, comments, file_stem, refuse_nul
from iotauth_cli.device.formats.quoting import shell
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError

TOOLS = ("mosquitto_pub", "mosquitto_sub")
MAX_LINE = 1022  # bytes, without its end; what client_shared.c reads at once


def render(login: DeviceLogin) -> Rendered:
    refuse_nul("an option", login)
    name = f"{file_stem(login)}.mosquitto"
    ca = RenderedFile(f"{name}/ca.pem", login.ca_pem, is_secret=False)
    lines(login, Path())  # here, where it can still be refused
    files = (*(RenderedFile(f"{name}/{tool}", for_folder=partial(text, login)) for tool in TOOLS), ca)
    command = f"XDG_CONFIG_HOME={{folder}} mosquitto_pub -t {shell(login.topic)} -m hello" if login.topic else None
    return Rendered(files, *measured(login), command=command)


def text(login: DeviceLogin, folder: Path) -> str:
    return "\n".join([*(f"# {line}" for line in comments(login)), *lines(login, folder / "ca.pem")]) + "\n"


def lines(login: DeviceLogin, ca_file: Path) -> list[str]:
    """Return an option a line. Everything behind the first blank is its value, quotes and all.

    Raises:
        InputError: a value is empty or too long, or a line end is in it.
    """
    options = [
        ("-h", "host", login.host),
        ("-p", "port", str(login.port)),
        *(("--tls-alpn", "ALPN", name) for name in login.alpn),
        ("--cafile", "path of the CA", str(ca_file)),
        ("-i", "client id", login.client_id),
        ("-u", "user name", login.username),
        ("-P", "password", login.password.reveal()),
    ]
    for flag, what, value in options:
        if not value or "\n" in value or "\r" in value:
            problem = "has a line end in it" if value else "is empty"
            raise InputError(f"the {what} of client `{login.client_id}` {problem}, which mosquitto's file cannot hold")
        if len(f"{flag} {value}".encode()) > MAX_LINE:
            raise InputError(
                f"the {what} of client `{login.client_id}` is too long: mosquitto reads {MAX_LINE:,} bytes of a line"
            )
    return [f"{flag} {value}" for flag, _, value in options]
