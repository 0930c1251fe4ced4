"""`.env`: variables for sh, and for the many programs that read a file of that name."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, comments, file_stem, refuse_nul
from iotauth_cli.device.formats.quoting import shell
from iotauth_cli.device.login import DeviceLogin


def render(login: DeviceLogin) -> Rendered:
    refuse_nul("a shell's variable", login)
    lines = [*(f"# {line}" for line in comments(login)), *(f"{name}={shell(text)}" for name, text in variables(login))]
    file = RenderedFile(f"{file_stem(login)}.env", "\n".join(lines) + "\n")
    return Rendered((file,), *measured(login), command="set -a; . ./{path}; set +a")


def variables(login: DeviceLogin) -> list[tuple[str, str]]:
    """Return the names that secrets.h has too. The CA is the text itself: one file to hand on.

    Only the emulator's mark is called otherwise: `IOTAUTH_EMULATOR` would steer every `iotauth` in that shell.
    """
    return [
        ("MQTT_HOST", login.host),
        ("MQTT_PORT", str(login.port)),
        ("MQTT_ALPN", ",".join(login.alpn)),
        ("MQTT_CLIENT_ID", login.client_id),
        ("MQTT_USERNAME", login.username),
        ("MQTT_PASSWORD", login.password.reveal()),
        ("MQTT_TOPIC", login.topic),
        ("MQTT_SUBSCRIBE", login.inbox),
        ("MQTT_RETAIN", str(int(login.retain))),
        ("MQTT_WILL", str(int(login.will))),
        *(("WIFI_SSID", text) for text in [login.wifi_ssid] if text is not None),
        *(("WIFI_PASSWORD", secret.reveal()) for secret in [login.wifi_password] if secret is not None),
        *(("MQTT_EMULATOR", "1") for _ in login.marks),
        ("MQTT_ROOT_CA", login.ca_pem),
    ]
