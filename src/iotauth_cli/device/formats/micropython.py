"""`secrets.py` for MicroPython: constants, and above them how to connect with them."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, comments, refuse_nul, without_alpn
from iotauth_cli.device.formats.python_client import pem
from iotauth_cli.device.formats.quoting import python
from iotauth_cli.device.login import DeviceLogin

NAME = "secrets.py"

HOW = '''"""Credentials for MicroPython. Connect with umqtt.simple:

    import secrets, ssl
    from umqtt.simple import MQTTClient

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(cadata=secrets.ROOT_CA)
    client = MQTTClient(secrets.CLIENT_ID, secrets.HOST, secrets.PORT, secrets.USERNAME, secrets.PASSWORD, 60, ssl=tls)
    client.connect()

The clock must be set before: `ntptime.settime()`.
"""
'''


def render(login: DeviceLogin) -> Rendered:
    refuse_nul("a text of MQTT", login)
    lines = [*(f"# {line}" for line in comments(login)), *(f"{name} = {value}" for name, value in constants(login))]
    file = RenderedFile(NAME, HOW + "\n".join(lines) + "\n")
    notes = without_alpn("MicroPython", login)
    return Rendered((file,), *measured(login), notes=notes, command="mpremote cp {path} :")


def constants(login: DeviceLogin) -> list[tuple[str, str]]:
    wifi_password = login.wifi_password.reveal() if login.wifi_password else ""
    return [
        ("WIFI_SSID", python(login.wifi_ssid or "")),
        ("WIFI_PASSWORD", python(wifi_password)),
        ("HOST", python(login.host)),
        ("PORT", str(login.port)),
        ("CLIENT_ID", python(login.client_id)),
        ("USERNAME", python(login.username)),
        ("PASSWORD", python(login.password.reveal())),
        ("TOPIC", python(login.topic)),
        ("SUBSCRIBE", python(login.inbox)),
        ("RETAIN", str(login.retain)),
        ("WILL", str(login.will)),
        *(("IOTAUTH_EMULATOR", "True") for _ in login.marks),
        ("ROOT_CA", pem(login.ca_pem)),
    ]
