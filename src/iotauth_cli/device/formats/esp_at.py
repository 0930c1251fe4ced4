"""AT commands for a module with Espressif's ESP-AT firmware."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem, refuse_nul
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError

# ESP-AT, "MQTT AT Commands", AT+MQTTUSERCFG: bytes. The LONG commands wait for a prompt, which no list of lines can.
LIMITS = {"client id": 256, "user name": 64, "password": 64}
MAX_LINE = 256  # bytes of a whole command
VERIFIED_TLS = 3  # scheme: over TLS, and the server's certificate is checked

NOTES = (
    "ESP-AT trusts what lies in its partition `mqtt_ca`: write the roots there, or it cannot connect",
    "its ESP8266 builds have no MQTT over TLS",
)


def render(login: DeviceLogin) -> Rendered:
    """Return the commands, one a line.

    Raises:
        InputError: a text is longer than a module takes, or no line.
    """
    refuse_nul("an AT command", login)
    lines = commands(login)
    for line in lines:
        if "\n" in line or "\r" in line:
            raise InputError(f"a text of client `{login.client_id}` has a line end in it, which ends an AT command")
        if len(line.encode()) > MAX_LINE:
            raise InputError(f"an AT command for client `{login.client_id}` is longer than {MAX_LINE} bytes")
    file = RenderedFile(f"{file_stem(login)}.esp-at.txt", "\r\n".join(lines) + "\r\n")
    return Rendered((file,), *measured(login), notes=NOTES)


def commands(login: DeviceLogin) -> list[str]:
    check(login)
    wifi_password = login.wifi_password.reveal() if login.wifi_password else ""
    join = [f"AT+CWMODE=1\r\nAT+CWJAP={quoted(login.wifi_ssid)},{quoted(wifi_password)}"] if login.wifi_ssid else []
    user = ",".join(map(quoted, (login.client_id, login.username, login.password.reveal())))
    return [
        *(line for pair in join for line in pair.split("\r\n", 1)),
        f'AT+MQTTUSERCFG=0,{VERIFIED_TLS},{user},0,0,""',
        f"AT+MQTTSNI=0,{quoted(login.host)}",
        f"AT+MQTTALPN=0,{len(login.alpn)}" + "".join(f",{quoted(name)}" for name in login.alpn),
        f"AT+MQTTCONN=0,{quoted(login.host)},{login.port},1",
    ]


def check(login: DeviceLogin) -> None:
    values = {"client id": login.client_id, "user name": login.username, "password": login.password.reveal()}
    for what, limit in LIMITS.items():
        size = len(values[what].encode())
        if size > limit:
            raise InputError(f"the {what} of client `{login.client_id}` has {size} bytes, and ESP-AT takes {limit}")


def quoted(text: str) -> str:
    """Return *text* as a parameter: backslashes before what would end it."""
    for special in ("\\", '"', ","):
        text = text.replace(special, "\\" + special)
    return f'"{text}"'
