"""A device of ESPHome: its `secrets.yaml`, and a configuration with the `mqtt:` block that reads it."""

from __future__ import annotations

import re

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, comments, file_stem, refuse_nul, texts, without_alpn
from iotauth_cli.device.formats.quoting import escaped
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError

MAX_NAME = 31  # characters of a device's name; it becomes a host name

DEVICE = """\
esphome:
  name: {name}

esp32:
  board: esp32dev
  framework:
    type: esp-idf  # only there a certificate authority can be given

logger:

wifi:
  ssid: !secret wifi_ssid
  password: !secret wifi_password

mqtt:
  broker: !secret mqtt_broker
  port: !secret mqtt_port
  client_id: !secret mqtt_client_id
  username: !secret mqtt_username
  password: !secret mqtt_password
  certificate_authority: !secret mqtt_certificate_authority
  topic_prefix: !secret mqtt_topic
  # Retained messages and topics outside of the prefix are refused unless the policy grants them.
  discovery: false
  discover_ip: false
  log_topic: null
  birth_message:{birth}
  will_message:{will}
  shutdown_message:{will}
  keepalive: 60s  # the shortest that AWS IoT keeps is 30 s
"""


def render(login: DeviceLogin) -> Rendered:
    """Return both files, to lie beside each other.

    Raises:
        InputError: a text holds what ESPHome would replace, or there is no topic.
    """
    refuse_nul("a C string", login)
    for what, text in texts(login):
        if "$" in text:
            raise InputError(f"the {what} of client `{login.client_id}` holds a `$`, which ESPHome would replace")
    if not login.topic:
        raise InputError(f"client `{login.client_id}` may publish nothing, and ESPHome does nothing else")
    folder = f"{file_stem(login)}.esphome"
    files = (
        RenderedFile(f"{folder}/{device_name(login)}.yaml", device(login), is_secret=False),
        RenderedFile(f"{folder}/secrets.yaml", secrets(login)),
    )
    notes = (*without_alpn("ESPHome", login), "components publish retained by default: set `retain: false` on each")
    return Rendered(files, *measured(login), notes=notes, command="esphome run {path}")


def secrets(login: DeviceLogin) -> str:
    values = {
        "wifi_ssid": escaped(login.wifi_ssid or "fill-in"),
        "wifi_password": escaped(login.wifi_password.reveal() if login.wifi_password else ""),
        "mqtt_broker": escaped(login.host),
        "mqtt_port": str(login.port),
        "mqtt_client_id": escaped(login.client_id),
        "mqtt_username": escaped(login.username),
        "mqtt_password": escaped(login.password.reveal()),
        "mqtt_topic": escaped(login.topic),
        "mqtt_certificate_authority": "|\n" + "".join(f"  {line}\n" for line in login.ca_pem.splitlines()),
    }
    lines = [*(f"# {line}" for line in comments(login)), *(f"{name}: {value}" for name, value in values.items())]
    return "\n".join(lines)


def device(login: DeviceLogin) -> str:
    return DEVICE.format(
        name=device_name(login),
        birth=message(login, "online") if login.retain else "",
        will=message(login, "offline") if login.will else "",
    )


def message(login: DeviceLogin, payload: str) -> str:
    """Return a message of ESPHome's, retained only where that is granted."""
    lines = ["", "topic: !secret mqtt_topic", f"payload: {payload}", f"retain: {str(login.retain).lower()}"]
    return "\n    ".join(lines)


def device_name(login: DeviceLogin) -> str:
    """Return the client id as a host name: small letters, digits and hyphens."""
    name = re.sub(r"[^a-z0-9]+", "-", login.client_id.lower()).strip("-")
    return name[:MAX_NAME].rstrip("-") or "device"
