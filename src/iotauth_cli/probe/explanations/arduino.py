"""Libraries of the Arduino world: PubSubClient's `state()`, arduino-mqtt's `lastError()`."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CONNECT, FROM_HERE, PERMITTED, SIZE, TURNED_AWAY, UNREACHED, UNTRUSTED

FAMILIES = (
    Family("pubsubclient", "PubSubClient", before=("state",)),
    Family("arduino-mqtt", "arduino-mqtt", also=("lwmqtt",), before=("lasterror",)),
)

state = partial(Explanation, "pubsubclient", source="PubSubClient.h")
error = partial(Explanation, "arduino-mqtt", source="lwmqtt.h of arduino-mqtt")

ROWS = (
    state(
        "MQTT_CONNECTION_TIMEOUT",
        "CONNECT went out and no CONNACK came within the socket timeout, 15 s. AWS IoT turns devices away by hanging "
        "up without a word, and this is how PubSubClient sees it.",
        CONNECT,
        codes=(-4,),
        causes=TURNED_AWAY,
    ),
    state(
        "MQTT_CONNECTION_LOST",
        "It was connected and the connection broke: the network did, or AWS IoT ended it because the device did what "
        "its policy does not allow, or because another device took its client id.",
        PERMITTED,
        codes=(-3,),
        causes=("publish-not-granted", "subscribe-not-granted", "session-taken-over"),
    ),
    state(
        "MQTT_CONNECT_FAILED",
        "The connection below MQTT was not made: the name, the port or the TLS handshake failed.",
        FROM_HERE,
        codes=(-2,),
        causes=(*UNREACHED, *UNTRUSTED),
    ),
    state(
        "MQTT_DISCONNECTED",
        "It is not connected. After a `connect()` that returns false it means that CONNECT does not fit into the "
        "buffer, 256 bytes unless `setBufferSize` was called: nothing was sent at all.",
        SIZE,
        codes=(-1,),
    ),
    state("MQTT_CONNECTED", "It is connected.", CONNECT, codes=(0,)),
    state(
        "MQTT_CONNECT_BAD_PROTOCOL",
        "CONNACK 1: the broker does not take this version of MQTT. AWS IoT takes 3.1.1 and 5.",
        "leave `MQTT_VERSION` at 3.1.1",
        codes=(1,),
    ),
    state(
        "MQTT_CONNECT_BAD_CLIENT_ID",
        "CONNACK 2: the client id is not one that the broker takes; 1 to 128 bytes, no `$` in front.",
        CONNECT,
        codes=(2,),
        causes=("no-client-id",),
    ),
    state(
        "MQTT_CONNECT_UNAVAILABLE",
        "CONNACK 3: the broker cannot serve it now.",
        "try again later, waiting longer each time",
        codes=(3,),
    ),
    state(
        "MQTT_CONNECT_BAD_CREDENTIALS",
        "CONNACK 4: user name or password is malformed. AWS IoT hangs up instead, so is it the right broker?",
        CONNECT,
        codes=(4,),
        causes=("wrong-endpoint", "wrong-password"),
    ),
    state(
        "MQTT_CONNECT_UNAUTHORIZED",
        "CONNACK 5: it may not connect.",
        CONNECT,
        codes=(5,),
        causes=TURNED_AWAY,
    ),
    error(
        "LWMQTT_BUFFER_TOO_SHORT",
        "The packet does not fit into the buffer: 128 bytes, unless `MQTTClient` was given another size.",
        SIZE,
        codes=(-1,),
    ),
    error(
        "LWMQTT_VARNUM_OVERFLOW",
        "A length in the packet is broken: what answers may not be an MQTT broker.",
        FROM_HERE,
        codes=(-2,),
        causes=("no-alpn", "wrong-endpoint"),
    ),
    error(
        "LWMQTT_NETWORK_FAILED_CONNECT",
        "The connection below MQTT was not made: the name, the port or the TLS handshake failed.",
        FROM_HERE,
        codes=(-3,),
        causes=(*UNREACHED, *UNTRUSTED),
    ),
    error(
        "LWMQTT_NETWORK_TIMEOUT",
        "Nothing came within the command timeout; also when AWS IoT hung up on CONNECT without a word.",
        CONNECT,
        codes=(-4,),
        causes=TURNED_AWAY,
    ),
    error(
        "LWMQTT_NETWORK_FAILED_READ",
        "The other side closed the connection. During CONNECT it was turned away, later it went beyond its policy.",
        CONNECT,
        codes=(-5,),
        causes=TURNED_AWAY,
    ),
    error(
        "LWMQTT_NETWORK_FAILED_WRITE",
        "The connection was closed when something was to be sent.",
        CONNECT,
        codes=(-6,),
        causes=TURNED_AWAY,
    ),
    error(
        "LWMQTT_REMAINING_LENGTH_OVERFLOW",
        "A packet that came in is longer than the buffer for reading.",
        "give `MQTTClient` a bigger buffer: `MQTTClient client(1024);`",
        codes=(-7,),
    ),
    error(
        "LWMQTT_REMAINING_LENGTH_MISMATCH",
        "A packet's length and content contradict each other.",
        FROM_HERE,
        codes=(-8,),
        causes=("wrong-endpoint",),
    ),
    error(
        "LWMQTT_MISSING_OR_WRONG_PACKET",
        "Instead of the answer something else came, or nothing: the broker closed the connection.",
        CONNECT,
        codes=(-9,),
        causes=TURNED_AWAY,
    ),
    error(
        "LWMQTT_CONNECTION_DENIED",
        "CONNACK with a refusal; `returnCode()` tells which, `iotauth explain connack CODE` what it means.",
        CONNECT,
        codes=(-10,),
        causes=TURNED_AWAY,
    ),
    error(
        "LWMQTT_FAILED_SUBSCRIPTION",
        "SUBACK 0x80: the broker did not take the filter. AWS IoT answers so when there are too many or too fast.",
        "`iotauth policy can CLIENT subscribe FILTER`",
        codes=(-11,),
        causes=("subscribe-not-granted",),
    ),
    error(
        "LWMQTT_PONG_TIMEOUT",
        "No answer to a ping came: the network is gone, or AWS IoT ended the connection.",
        CONNECT,
        codes=(-13,),
    ),
)
