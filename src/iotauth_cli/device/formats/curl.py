"""A configuration for `curl --config`: publishes over HTTPS, without the password on the command line.

There is no CONNECT over HTTPS, and AWS IoT asks the same authorizer. The client's name and password
go in the headers that the function looks for; they are the function's own, not AWS's.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from iotauth_authorizer.authorize import CLIENT_ID_HEADER, PASSWORD_HEADER, USERNAME_HEADER
from iotauth_authorizer.username import parse
from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, comments, file_stem
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError


def render(login: DeviceLogin) -> Rendered:
    """Return the configuration, and the CA that it names by its whole path.

    Raises:
        InputError: it may publish nothing, or a text does not fit into a header.
    """
    if not login.topic:
        raise InputError(f"client `{login.client_id}` may publish nothing, and nothing else is done over HTTPS")
    ca = RenderedFile(f"{file_stem(login)}.ca.pem", login.ca_pem, is_secret=False)
    headers(login)  # here, where it can still be refused
    file = RenderedFile(f"{file_stem(login)}.curl", for_folder=lambda folder: text(login, folder / ca.name))
    return Rendered((file, ca), *measured(login), command="curl --config {path} --data hello")


def text(login: DeviceLogin, ca_file: Path) -> str:
    options = [
        ("url", f"https://{login.host}:{login.port}/topics/{quote(login.topic, safe='/')}?qos=1"),
        ("cacert", str(ca_file)),
        *(("header", f"{name}: {value}") for name, value in headers(login)),
    ]
    lines = [*(f"# {line}" for line in comments(login)), *(f"{name} = {quoted(value)}" for name, value in options)]
    return "\n".join([*lines, "silent", "show-error", "fail-with-body"]) + "\n"


def headers(login: DeviceLogin) -> list[tuple[str, str]]:
    """Return what MQTT has in its user name and password, each as a header of its own."""
    found = parse(login.username)
    pairs = [
        *found.parameters,
        (CLIENT_ID_HEADER, login.client_id),
        (USERNAME_HEADER, found.user),
        (PASSWORD_HEADER, login.password.reveal()),
    ]
    for name, value in pairs:
        if any(not " " <= each <= "~" for each in value) or value != value.strip():
            raise InputError(
                f"the header `{name}` of client `{login.client_id}` cannot hold its value: "
                "over HTTP that is printable ASCII without blanks around it"
            )
    return [(name, value) for name, value in pairs if value]


def quoted(text: str) -> str:
    """Return *text* as curl's configuration reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
