"""`secrets.h`: macros and the CA, for C and C++ of any standard since C++11."""

from __future__ import annotations

from iotauth_cli.device.c_string import c_lines, c_string
from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, comments, refuse_nul
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError

NAME = "secrets.h"
MAX_BUFFER = 65_535  # bytes; PubSubClient's size is a uint16_t


def render(login: DeviceLogin) -> Rendered:
    refuse_nul("a C string", login)
    size = measured(login)
    if size.buffer_bytes > MAX_BUFFER:
        raise InputError(
            f"client `{login.client_id}` needs a buffer of {size.buffer_bytes:,} bytes to connect, "
            f"and PubSubClient has {MAX_BUFFER:,} at most"
        )
    return Rendered((RenderedFile(NAME, text(login)),), *size)


def text(login: DeviceLogin) -> str:
    """Return the file. Every text is a literal of its own: nothing in it can end a line or open a comment."""
    blocks = [opening(login), "\n".join(macros(login)), certificates(login.ca_pem)]
    return "\n\n".join(blocks) + "\n"


def opening(login: DeviceLogin) -> str:
    lines = [
        *(f"// {line}" for line in comments(login)),
        "#ifndef IOTAUTH_SECRETS_H",
        "#define IOTAUTH_SECRETS_H",
        "",
        "#ifdef ARDUINO",
        "#include <Arduino.h>",
        "#endif",
        "#ifndef PROGMEM",
        "#define PROGMEM",
        "#endif",
    ]
    return "\n".join(lines)


def macros(login: DeviceLogin) -> list[str]:
    wifi_password = login.wifi_password.reveal() if login.wifi_password else ""
    texts = [
        ("WIFI_SSID", login.wifi_ssid or ""),
        ("WIFI_PASSWORD", wifi_password),
        ("MQTT_HOST", login.host),
        ("MQTT_ALPN", ",".join(login.alpn)),
        ("MQTT_CLIENT_ID", login.client_id),
        ("MQTT_USERNAME", login.username),
        ("MQTT_PASSWORD", login.password.reveal()),
        ("MQTT_TOPIC", login.topic),
        ("MQTT_SUBSCRIBE", login.inbox),
    ]
    numbers = [
        ("MQTT_PORT", login.port),
        ("MQTT_RETAIN", int(login.retain)),
        ("MQTT_WILL", int(login.will)),
        ("IOTAUTH_CONNECT_BYTES", measured(login)[0]),
        *(("IOTAUTH_EMULATOR", 1) for _ in login.marks),
    ]
    written = [f"#define {name} {c_string(value)}" for name, value in texts]
    return written + [f"#define {name} {value}" for name, value in numbers]


def certificates(ca_pem: str) -> str:
    return "\n".join(["static const char MQTT_ROOT_CA[] PROGMEM =", c_lines(ca_pem) + ";", "", "#endif"])
