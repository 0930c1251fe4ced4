"""The table that Espressif's partition generator turns into an NVS image; the firmware's keys.

Its reader drops every line that begins with `#` and turns CR LF into LF, inside of quotes too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem, refuse_nul
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError

NAMESPACE = "iotauth"
MAX_KEY = 15  # characters (NVS_KEY_NAME_MAX_SIZE - 1)
MAX_STRING = 3999  # bytes without the NUL that ends it, which is the 4000th


def render(login: DeviceLogin) -> Rendered:
    return Rendered((RenderedFile(f"{file_stem(login)}.nvs.csv", text(login)),), *measured(login))


def text(login: DeviceLogin) -> str:
    """Return the table.

    Raises:
        InputError: a text is too long for NVS or would not survive the generator.
    """
    rows = [(key, "data", encoding, value) for key, encoding, value in entries(login)]
    return table([("key", "type", "encoding", "value"), (NAMESPACE, "namespace", "", ""), *rows])


def table(rows: Sequence[tuple[str, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def entries(login: DeviceLogin) -> list[tuple[str, str, str]]:
    """Return key, encoding and value of everything the firmware reads, checked."""
    wifi = [("wifi_ssid", "string", login.wifi_ssid)] if login.wifi_ssid is not None else []
    wifi += [("wifi_pass", "string", login.wifi_password.reveal())] if login.wifi_password else []
    found = [
        *wifi,
        ("host", "string", login.host),
        ("port", "u16", str(login.port)),
        ("alpn", "string", ",".join(login.alpn)),
        ("client_id", "string", login.client_id),
        ("username", "string", login.username),
        ("password", "string", login.password.reveal()),
        ("topic", "string", login.topic),
        ("subscribe", "string", login.inbox),
        ("retain", "u8", str(int(login.retain))),
        ("will", "u8", str(int(login.will))),
        ("emulator", "u8", str(int(login.is_emulator))),
        ("root_ca", "string", login.ca_pem),
    ]
    refuse_nul("a string of NVS", login)
    for key, _, value in found:
        check(login, key, value)
    return found


def check(login: DeviceLogin, key: str, value: str) -> None:
    size = len(value.encode())
    if size > MAX_STRING:
        raise InputError(f"`{key}` of client `{login.client_id}` has {size} bytes, and NVS takes {MAX_STRING}")
    if key != "root_ca" and ("\n" in value or "\r" in value):
        raise InputError(
            f"`{key}` of client `{login.client_id}` has a line end in it, which the partition generator would change"
        )
