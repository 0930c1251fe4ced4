"""Tasmota's console: `rc` of a failed connect, and TLS errors of its own."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CLOCK_AND_ROOT, CONNECT, PERMITTED, TURNED_AWAY, UNREACHED, UNTRUSTED

FAMILIES = (Family("tasmota", "Tasmota", also=("mqt",), before=("rc", "error", "code")),)

rc = partial(Explanation, "tasmota", source="Tasmota documentation, MQTT, return codes")
tls = partial(Explanation, "tasmota", source="Tasmota documentation, TLS troubleshooting")

COMMAND_LINE = "send the settings again: `iotauth secrets render CLIENT --format tasmota`"

ROWS = (
    rc(
        "Tasmota rc -4",
        "CONNECT went out and nothing came back: AWS IoT hung up, which is how it turns devices away. Builds without "
        "ALPN, and those for certificates, end here too.",
        CONNECT,
        codes=(-4,),
        causes=TURNED_AWAY,
    ),
    rc(
        "Tasmota rc -3",
        "It was connected and the connection broke: the network did, or AWS IoT ended it over a topic that the policy "
        "does not allow. Tasmota publishes to `tele/`, `stat/` and subscribes to `cmnd/`: FullTopic must fit the row.",
        PERMITTED,
        codes=(-3,),
        causes=("publish-not-granted", "subscribe-not-granted", "session-taken-over"),
    ),
    rc(
        "Tasmota rc -2",
        "The connection below MQTT was not made: name, port or TLS. The line before it says `TLS connection error`, "
        "with a number to explain.",
        "`iotauth explain tasmota NUMBER` with that number",
        codes=(-2,),
        causes=(*UNREACHED, *UNTRUSTED),
    ),
    rc("Tasmota rc -1", "It disconnected itself.", CONNECT, codes=(-1,)),
    rc("Tasmota rc 1", "CONNACK 1: the broker does not take this version of MQTT.", CONNECT, codes=(1,)),
    rc("Tasmota rc 2", "CONNACK 2: the client id is refused.", COMMAND_LINE, codes=(2,), causes=("no-client-id",)),
    rc("Tasmota rc 3", "CONNACK 3: the broker cannot serve it now.", CONNECT, codes=(3,)),
    rc(
        "Tasmota rc 4",
        "CONNACK 4: user name or password is refused. AWS IoT hangs up instead, so is it the right broker?",
        COMMAND_LINE,
        codes=(4,),
        causes=("wrong-endpoint", "wrong-password"),
    ),
    rc("Tasmota rc 5", "CONNACK 5: it may not connect.", CONNECT, codes=(5,), causes=TURNED_AWAY),
    tls(
        "Tasmota TLS error -1000",
        "It has no memory left for TLS.",
        "switch other features off, or use an ESP32",
        codes=(-1000,),
    ),
    tls(
        "Tasmota TLS error -1001",
        "The name of the host has no address: MqttHost is misspelt, or the name server does not answer.",
        COMMAND_LINE,
        codes=(-1001,),
        causes=("no-such-host", "resolver-failed", "wrong-endpoint"),
    ),
    tls(
        "Tasmota TLS error -1002",
        "The port cannot be reached. Right after the settings were sent it passes; if it stays, MqttPort is not 443.",
        COMMAND_LINE,
        codes=(-1002,),
        causes=("port-closed", "unreachable", "wrong-endpoint"),
    ),
    tls(
        "Tasmota TLS error -1003",
        "It wants a private key: the build is one for certificates, not for a user name and a password.",
        "build it with USE_MQTT_AWS_IOT_LIGHT",
        codes=(-1003,),
    ),
    tls(
        "Tasmota TLS error -1004",
        "It has no root to check the server by.",
        CLOCK_AND_ROOT,
        codes=(-1004,),
        causes=("foreign-ca",),
    ),
    tls(
        "Tasmota TLS error 1",
        "The server's key has another fingerprint than the one that is set.",
        "let it check the root instead: `SetOption132 0`",
        codes=(1,),
        causes=("foreign-ca", "wrong-endpoint"),
    ),
)
