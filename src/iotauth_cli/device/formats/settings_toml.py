"""`settings.toml` for CircuitPython, which joins the network that it names by itself."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, comments, refuse_nul, without_alpn
from iotauth_cli.device.formats.quoting import escaped
from iotauth_cli.device.login import DeviceLogin

NAME = "settings.toml"


def render(login: DeviceLogin) -> Rendered:
    refuse_nul("a setting", login)
    lines = [*(f"# {line}" for line in comments(login)), *(f"{name} = {value}" for name, value in settings(login))]
    file = RenderedFile(NAME, "\n".join(lines) + "\n")
    notes = (*without_alpn("CircuitPython", login), "copy it to the top of the CIRCUITPY drive")
    return Rendered((file,), *measured(login), notes=notes)


def settings(login: DeviceLogin) -> list[tuple[str, str]]:
    """Return name and TOML literal of each; CircuitPython reads basic strings and whole numbers only."""
    wifi = [("CIRCUITPY_WIFI_SSID", login.wifi_ssid)] if login.wifi_ssid is not None else []
    wifi += [("CIRCUITPY_WIFI_PASSWORD", login.wifi_password.reveal())] if login.wifi_password else []
    texts = [
        *wifi,
        ("MQTT_HOST", login.host),
        ("MQTT_CLIENT_ID", login.client_id),
        ("MQTT_USERNAME", login.username),
        ("MQTT_PASSWORD", login.password.reveal()),
        ("MQTT_TOPIC", login.topic),
        ("MQTT_SUBSCRIBE", login.inbox),
        ("MQTT_ROOT_CA", login.ca_pem),
    ]
    numbers = [("MQTT_PORT", login.port), ("MQTT_RETAIN", int(login.retain)), ("MQTT_WILL", int(login.will))]
    numbers += [("IOTAUTH_EMULATOR", 1) for _ in login.marks]
    return [(name, escaped(text)) for name, text in texts] + [(name, str(number)) for name, number in numbers]
