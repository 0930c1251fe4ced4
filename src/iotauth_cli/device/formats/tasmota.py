"""One `Backlog` for Tasmota's console."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError

MAX_LINE = 519  # bytes that the serial console reads (INPUT_BUFFER_SIZE); settings share 699 for all their texts
MEANINGS = ("0", "1", '"')  # as the value of a setting: empty, back to what was compiled, empty
REPLACED = ("MqttClient", "FullTopic")  # there `%06X` and `%topic%` stand for something else
BELOW = "/%prefix%/"  # Tasmota puts `cmnd`, `stat` or `tele` there

PASTE = "paste the line into the console on the device's own page; it restarts and connects"
BUILD = (
    "Tasmota needs a build with `USE_MQTT_TLS` and `USE_MQTT_AWS_IOT_LIGHT`; on an ESP8266 that is one of your own",
    "it trusts the Amazon roots that it was built with; `SetOption3` and `SetOption103` turn MQTT and TLS on",
)


def render(login: DeviceLogin) -> Rendered:
    """Return the line.

    Raises:
        InputError: a text would end a command, would be read as something else, or is too long.
    """
    check(login)
    line = "Backlog " + "; ".join(" ".join(command) for command in commands(login))
    if len(line.encode()) > MAX_LINE:
        raise InputError(
            f"the line for client `{login.client_id}` has {len(line.encode())} bytes, and Tasmota reads {MAX_LINE}",
            hint="a signed token is too long for Tasmota: use an authorizer without signing",
        )
    file = RenderedFile(f"{file_stem(login)}.tasmota.txt", line + "\n")
    return Rendered((file,), *measured(login), notes=(PASTE, *BUILD, *topic_notes(login)))


def commands(login: DeviceLogin) -> list[tuple[str, str]]:
    """Return every command with its value. `FullTopic` leads below the first topic that is granted."""
    wifi = [("SSId1", login.wifi_ssid)] if login.wifi_ssid else []
    wifi += [("Password1", login.wifi_password.reveal())] if login.wifi_password else []
    topic = [("FullTopic", login.topic + BELOW)] if login.topic else []
    return [
        *wifi,
        ("SetOption3", "1"),
        ("SetOption103", "1"),
        ("MqttHost", login.host),
        ("MqttPort", str(login.port)),
        ("MqttClient", login.client_id),
        ("MqttUser", login.username),
        ("MqttPassword", login.password.reveal()),
        *topic,
    ]


def check(login: DeviceLogin) -> None:
    for name, value in commands(login):
        if ";" in value or any(each.isspace() or ord(each) < 0x20 or ord(each) == 0x7F for each in value):
            raise InputError(
                f"the value of Tasmota's `{name}` for client `{login.client_id}` holds a `;` or white space, "
                "which ends a command",
                hint=remedy(name, login.client_id),
            )
        if value in MEANINGS and not name.startswith("SetOption"):
            raise InputError(
                f"Tasmota reads `{value}` as a command, not as the value of `{name}`",
                hint=remedy(name, login.client_id),
            )
        if name in REPLACED and "%" in value.removesuffix(BELOW):
            raise InputError(
                f"Tasmota puts something else where `%` stands in `{name}`", hint=remedy(name, login.client_id)
            )


def remedy(name: str, client_id: str) -> str:
    """Return what helps when the value of the command *name* cannot be typed into the console."""
    if name == "MqttPassword":
        return f"give the client another password: `iotauth client rotate {client_id}` makes one without"
    if name in ("SSId1", "Password1"):
        return "leave `--wifi-ssid` out, and type the network into the device's own page"
    if name == "FullTopic":
        return f"grant it another topic: `iotauth client update {client_id} --topic TOPIC`"
    return "Tasmota needs a client with a plainer name: `iotauth client add tasmota-1 --topic tasmota/1`"


def topic_notes(login: DeviceLogin) -> tuple[str, ...]:
    if f"{login.topic}/#" in login.publish and f"{login.topic}/#" in login.subscribe:
        return ()
    return (
        f"Tasmota publishes and subscribes below `{login.topic or '-'}`, which this client may not do everywhere: "
        f"grant it with `--topic {login.topic or 'TOPIC'}`",
    )
