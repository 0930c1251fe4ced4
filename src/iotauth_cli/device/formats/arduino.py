"""The firmware as a sketch: a folder that the Arduino IDE and arduino-cli open as it is."""

from __future__ import annotations

import re

from iotauth_cli.bundle import firmware_template
from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, header
from iotauth_cli.device.login import DeviceLogin

MAX_NAME = 63  # characters of a sketch's name
SUFFIXES = (".cpp", ".h")
SKETCH = "// The program is in main.cpp; what is yours, in secrets.h.\n"
WRAP = "--build-property compiler.c.elf.extra_flags=-Wl,--wrap=br_ssl_client_reset"


def render(login: DeviceLogin) -> Rendered:
    name = sketch_name(login)
    secrets = header.render(login)
    files = (
        RenderedFile(f"{name}/{name}.ino", SKETCH, is_secret=False),
        RenderedFile(f"{name}/{header.NAME}", secrets.files[0].content),
        *(RenderedFile(f"{name}/{path}", text, is_secret=False) for path, text in sources()),
    )
    notes = (
        *secrets.notes,
        "install the library PubSubClient: `arduino-cli lib install PubSubClient`",
        f"an ESP8266 gets its ALPN from a flag of the linker: `arduino-cli compile {WRAP}`",
    )
    command = "arduino-cli compile --fqbn esp32:esp32:esp32 {folder}"
    return Rendered(files, *measured(login), notes=notes, command=command)


def sources() -> list[tuple[str, str]]:
    """Return the template's sources. In a sketch all lie in one folder."""
    template = firmware_template()
    found = [path for folder in ("src", "include") for path in sorted((template / folder).glob("*"))]
    return [
        (path.name, path.read_text(encoding="utf-8"))
        for path in found
        if path.suffix in SUFFIXES and path.name != header.NAME
    ]


def sketch_name(login: DeviceLogin) -> str:
    """Return the client id as a sketch may be called: letters, digits, `_`, and no digit problem in front."""
    return re.sub(r"[^A-Za-z0-9]+", "_", login.client_id).strip("_")[:MAX_NAME] or "device"
