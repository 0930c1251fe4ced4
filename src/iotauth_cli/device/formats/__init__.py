"""One credential, in the words of whatever has to carry it.

A format is a module with `render(login) -> Rendered` and is imported when it is asked for. What
its target cannot carry it refuses in one sentence, before anything is written: a device
that was given half a password says only "not authorized".
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from iotauth_cli.credentials import file_name
from iotauth_cli.device import roots
from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError, did_you_mean

WIFI_NONE, WIFI_TAKEN, WIFI_NEEDED = range(3)  # what a format does with the network that a device joins


class Format(NamedTuple):
    """*module* is below this package, *about* says what it makes."""

    module: str
    about: str
    wifi: int = WIFI_NEEDED


FORMATS = {
    "header": Format("header", "secrets.h for C and C++"),
    "env": Format("env", "variables for a shell", WIFI_TAKEN),
    "json": Format("json_", "everything, for programs of your own", WIFI_TAKEN),
    "mosquitto": Format("mosquitto", "options for mosquitto_pub and mosquitto_sub", WIFI_NONE),
    "paho": Format("paho", "a Python script for paho-mqtt", WIFI_NONE),
    "awsiotsdk": Format("awsiotsdk", "a Python script for AWS's device SDK", WIFI_NONE),
    "curl": Format("curl", "publishing over HTTPS", WIFI_NONE),
    "tasmota": Format("tasmota", "a Backlog for Tasmota's console", WIFI_TAKEN),
    "esphome": Format("esphome", "secrets.yaml and a device for ESPHome"),
    "esp-at": Format("esp_at", "commands for ESP-AT", WIFI_TAKEN),
    "nvs-csv": Format("nvs_csv", "a table for Espressif's NVS generator"),
    "nvs-bin": Format("nvs_bin", "an NVS partition for the firmware template"),
    "mfg": Format("mfg", "both tables for ESP-IDF's manufacturing utility"),
    "settings.toml": Format("settings_toml", "settings of CircuitPython"),
    "micropython": Format("micropython", "constants for MicroPython"),
    "arduino": Format("arduino", "the firmware as a sketch"),
    "label": Format("label", "a text to print", WIFI_TAKEN),
    "qr": Format("qr", "a QR code as SVG", WIFI_TAKEN),
}
NO_NETWORK = "it names no Wi-Fi network: render it again with `--wifi-ssid`"


@dataclass(frozen=True)
class RenderedFile:
    """*name* is a relative path with `/`. What is no secret is a CA or a sketch.

    *for_folder* makes the content of a file that names another by its whole path.
    """

    name: str
    content: str | bytes = ""
    is_secret: bool = True
    for_folder: Callable[[Path], str] | None = None

    def data(self, folder: Path) -> bytes:
        """Return the content for a file that lies in *folder*."""
        content = self.for_folder(folder) if self.for_folder else self.content
        return content.encode() if isinstance(content, str) else content


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


def render(name: str, login: DeviceLogin) -> Rendered:
    """Return *login* as format *name*.

    Raises:
        InputError: there is no such format, or its target cannot carry this login.
    """
    if name not in FORMATS:
        raise unknown(name)
    wifi = FORMATS[name].wifi
    if wifi == WIFI_NONE and login.wifi_ssid is not None:
        raise InputError(f"format `{name}` has no place for a Wi-Fi network", hint="leave `--wifi-ssid` out")
    module = importlib.import_module(f"{__name__}.{FORMATS[name].module}")
    rendered: Rendered = module.render(login)
    if wifi == WIFI_NEEDED and login.wifi_ssid is None:
        return replace(rendered, notes=(NO_NETWORK, *rendered.notes))
    return rendered


def unknown(name: str) -> InputError:
    hint = did_you_mean(name.lower(), FORMATS, f"the formats are {', '.join(FORMATS)}")
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
        ("topic filter", login.inbox),
        ("name of the network", login.wifi_ssid or ""),
        ("password of the network", login.wifi_password.reveal() if login.wifi_password else ""),
    )


def refuse_nul(where: str, login: DeviceLogin) -> None:
    for what, text in texts(login):
        if "\0" in text:
            raise InputError(f"the {what} of client `{login.client_id}` holds a NUL character, which ends {where}")


def comments(login: DeviceLogin) -> tuple[str, ...]:
    """Return the lines that a file with a credential begins with, for whoever opens it."""
    size = measured(login)
    return (
        "Written by `iotauth secrets render`. Holds a password: keep it out of git.",
        *(f"{mark[:1].upper()}{mark[1:]}." for mark in login.marks),
        f"CONNECT takes {size.connect_bytes} bytes, in a buffer of {size.buffer_bytes}.",
        *(f"Trusts {root.line}." for root in roots.described(login.ca_pem)),
    )


def without_alpn(name: str, login: DeviceLogin) -> tuple[str, ...]:
    """Return what to know about a target that has no ALPN, unless the endpoint wants none.

    AWS IoT takes MQTT with a custom authorizer on port 443, and there only what asks for ALPN `mqtt`.
    """
    if not login.alpn:
        return ()
    return (
        f"{name} cannot ask for ALPN `mqtt`: make a domain configuration for `SECURE_MQTT` with custom authentication "
        "in AWS IoT, and render with `--endpoint` of its domain and `--no-alpn`",
    )
