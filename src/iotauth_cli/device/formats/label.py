"""A label for the box: what somebody needs who types a login in by hand."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError


def render(login: DeviceLogin) -> Rendered:
    return Rendered((RenderedFile(f"{file_stem(login)}.label.txt", text(login)),), *measured(login))


def text(login: DeviceLogin) -> str:
    """Return a line for each fact.

    Raises:
        InputError: something in it cannot be printed, and so not be typed.
    """
    facts = [
        ("client id", login.client_id),
        ("user name", login.username),
        ("password", login.password.reveal()),
        ("server", f"{login.host}:{login.port}"),
        ("network", login.wifi_ssid or ""),
        ("its key", login.wifi_password.reveal() if login.wifi_password else ""),
        *(("note", mark) for mark in login.marks),
    ]
    for name, value in facts:
        if not value.isprintable() or value != value.strip():
            raise InputError(f"the {name} of client `{login.client_id}` cannot be read off a label")
    return "".join(f"{name:<9}  {value}\n" for name, value in facts if value)
