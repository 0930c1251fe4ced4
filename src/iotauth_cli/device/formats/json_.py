"""One JSON document with everything in it, for programs that write a format of their own."""

from __future__ import annotations

import json
from typing import Any

from iotauth_cli.device import roots
from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem
from iotauth_cli.device.login import DeviceLogin


def render(login: DeviceLogin) -> Rendered:
    text = json.dumps(document(login), indent=2, ensure_ascii=False) + "\n"
    return Rendered((RenderedFile(f"{file_stem(login)}.json", text),), *measured(login))


def document(login: DeviceLogin) -> dict[str, Any]:
    connect_bytes, buffer_bytes = measured(login)
    return {
        "client_id": login.client_id,
        "username": login.username,
        "password": login.password.reveal(),
        "host": login.host,
        "port": login.port,
        "alpn": list(login.alpn),
        "authorizer": login.authorizer,
        "publish": list(login.publish),
        "subscribe": list(login.subscribe),
        "topic": login.topic,
        "retain": login.retain,
        "will": login.will,
        "wifi_ssid": login.wifi_ssid,
        "wifi_password": login.wifi_password.reveal() if login.wifi_password else None,
        "connect_bytes": connect_bytes,
        "buffer_bytes": buffer_bytes,
        "emulator": login.is_emulator,
        "ca": [
            {"name": root.name, "until": root.until, "sha256": root.sha256} for root in roots.described(login.ca_pem)
        ],
        "ca_pem": login.ca_pem,
    }
