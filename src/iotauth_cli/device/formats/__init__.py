"""One credential, in the words of whatever has to carry it.

A format is a module with `render(login) -> Rendered` and is imported when it is asked for. What
its target cannot carry it refuses in one sentence, before anything is written: a device
that was given half a password says only "not authorized".
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from iotauth_cli.credentials import file_name
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError


class Format(NamedTuple):
    """*module* is below this package. *wants_folder*: a file names another by its whole path."""

    module: str
    about: str
    wants_folder: bool = False


FORMATS = {
    "header": Format("header", "secrets.h for C and C++"),
    "json": Format("json_", "everything, for programs of your own"),
}


@dataclass(frozen=True)
class RenderedFile:
    """*name* is a relative path with `/`. What is no secret is a CA, a sketch or a picture of neither."""

    name: str
    content: str | bytes
    is_secret: bool = True


@dataclass(frozen=True)
class Rendered:
    """The files of one login, the first being the one that was asked for.

    *connect_bytes* is the size of the CONNECT packet, *buffer_bytes* what a client library needs
    to send it. *notes* are for the person who asked. *command* uses the result; in it stand
    `{path}` for the first file and `{folder}` for where it lies.
    """

    files: tuple[RenderedFile, ...]
    connect_bytes: int
    buffer_bytes: int
    notes: tuple[str, ...] = ()
    command: str | None = None


def render(name: str, login: DeviceLogin, *, folder: Path = Path()) -> Rendered:
    """Return *login* as format *name*, for files that will lie in *folder*.

    Raises:
        InputError: there is no such format, or its target cannot carry this login.
    """
    if name not in FORMATS:
        raise unknown(name)
    found = FORMATS[name]
    module = importlib.import_module(f"{__name__}.{found.module}")
    rendered: Rendered = module.render(login, folder) if found.wants_folder else module.render(login)
    return rendered


def unknown(name: str) -> InputError:
    from difflib import get_close_matches

    near = get_close_matches(name, FORMATS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"the formats are {', '.join(FORMATS)}"
    return InputError(f"there is no format `{name}`", hint=hint)


def file_stem(login: DeviceLogin) -> str:
    """Return a name for files of this client that every file system takes."""
    return file_name(login.client_id).removesuffix(".json")


def texts(login: DeviceLogin) -> tuple[tuple[str, str], ...]:
    """Return every text of *login* that somebody chose, with the name that people know it by."""
    return (
        ("client id", login.client_id),
        ("user name", login.username),
        ("password", login.password.reveal()),
        ("topic", login.topic),
        ("name of the network", login.wifi_ssid or ""),
        ("password of the network", login.wifi_password.reveal() if login.wifi_password else ""),
    )


def refuse_nul(where: str, login: DeviceLogin) -> None:
    for what, text in texts(login):
        if "\0" in text:
            raise InputError(f"the {what} of client `{login.client_id}` holds a NUL character, which ends {where}")
