"""What the Python formats have in common: a script that can be started as it is."""

from __future__ import annotations

from iotauth_cli.device.formats import comments
from iotauth_cli.device.formats.quoting import python
from iotauth_cli.device.login import DeviceLogin


def opening(login: DeviceLogin, about: str) -> list[str]:
    """Return a script's first lines: what it does, then every value that is somebody's own."""
    values = [
        ("HOST", python(login.host)),
        ("PORT", str(login.port)),
        ("ALPN", "[" + ", ".join(map(python, login.alpn)) + "]"),
        ("CLIENT_ID", python(login.client_id)),
        ("USERNAME", python(login.username)),
        ("PASSWORD", python(login.password.reveal())),
        ("TOPIC", python(login.topic)),
        ("FILTERS", "[" + ", ".join(map(python, login.subscribe)) + "]"),
        ("CA", pem(login.ca_pem)),
    ]
    return [
        f'"""{about}"""',
        "",
        *(f"# {line}" for line in comments(login)),
        *(f"{name} = {text}" for name, text in values),
    ]


def pem(text: str) -> str:
    return '"""\\\n' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'
