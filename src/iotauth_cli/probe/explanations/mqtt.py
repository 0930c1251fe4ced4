"""What MQTT itself has codes for: CONNACK of 3.1.1, SUBACK, and the reason codes of MQTT 5 that AWS IoT uses."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CONNECT, OUTSIDE_ITS_POLICY, PERMITTED, TURNED_AWAY

FAMILIES = (
    Family("connack", "CONNACK of MQTT 3.1.1", also=("mqtt3",), before=("rc", "code", "connack", "returncode")),
    Family("suback", "SUBACK of MQTT 3.1.1", before=("suback", "qos", "granted"), in_hex=True),
    Family(
        "mqtt5",
        "MQTT 5 reason codes",
        also=("mqtt 5", "mqttv5", "reason code"),
        before=("reason", "reason_code", "reasoncode", "code", "rc", "disconnect_return_code"),
        in_hex=True,
    ),
)

connack = partial(Explanation, "connack", source="MQTT 3.1.1, section 3.2.2.3")
reason = partial(Explanation, "mqtt5", source='MQTT 5, section 2.4; AWS IoT developer guide, "MQTT"')

SUBSCRIBE = "`iotauth policy can CLIENT subscribe FILTER`"

ROWS = (
    connack(
        "CONNACK 1",
        "The broker does not take this version of MQTT. AWS IoT takes 3.1.1 and 5.",
        "set the client to 3.1.1",
        codes=(1,),
        texts=("unacceptable protocol version",),
    ),
    connack(
        "CONNACK 2",
        "The client id is not one that the broker takes. AWS IoT wants 1 to 128 bytes, and no `$` in front.",
        CONNECT,
        codes=(2,),
        texts=("identifier rejected",),
        causes=("no-client-id",),
    ),
    connack(
        "CONNACK 3",
        "The broker cannot serve it now.",
        "try again later, waiting longer each time",
        codes=(3,),
        texts=("broker unavailable",),
    ),
    connack(
        "CONNACK 4",
        "User name or password is malformed. AWS IoT hangs up instead, so is it the right broker?",
        CONNECT,
        codes=(4,),
        texts=("bad user name or password", "bad username or password"),
        causes=("wrong-endpoint", "wrong-password"),
    ),
    connack(
        "CONNACK 5",
        "It may not connect: the function refused it, or the policy does not let it connect. AWS IoT mostly hangs up "
        "instead of saying so.",
        CONNECT,
        codes=(5,),
        texts=("not authorised", "not authorized"),
        causes=TURNED_AWAY,
    ),
    Explanation(
        "suback",
        "SUBACK 0x80",
        "The broker did not take the filter. AWS IoT answers so when a client subscribes too fast or to too many; for "
        "a filter that the policy does not allow it closes the connection.",
        SUBSCRIBE,
        "MQTT 3.1.1, section 3.9.3; aws-iot-device-sdk-embedded-C issue 1108",
        codes=(0x80,),
        texts=("suback 128",),
        causes=("subscribe-not-granted",),
    ),
    reason("Unspecified error", "The broker does not say what is wrong.", CONNECT, codes=(0x80,)),
    reason(
        "Malformed packet", "A packet cannot be read.", "see whether the client library is up to date", codes=(0x81,)
    ),
    reason(
        "Protocol error",
        "A packet came out of turn, a second CONNECT for one.",
        "see whether the client library is up to date",
        codes=(0x82,),
    ),
    reason(
        "Client identifier not valid",
        "The client id is not one that AWS IoT takes: 1 to 128 bytes, no `$` in front.",
        CONNECT,
        codes=(0x85,),
        causes=("no-client-id",),
    ),
    reason(
        "Bad user name or password",
        "It may not connect with these credentials.",
        CONNECT,
        codes=(0x86,),
        causes=("wrong-password", "unknown-client", "wrong-username", "password-in-base64"),
    ),
    reason(
        "Not authorized",
        "In CONNACK it is turned away, as MQTT 3.1.1 is by a closed socket; in PUBACK, SUBACK or DISCONNECT the policy "
        "does not allow this topic.",
        CONNECT,
        codes=(0x87,),
        texts=("Client is not authorized to connect",),
        causes=(*TURNED_AWAY, *OUTSIDE_ITS_POLICY),
    ),
    reason(
        "Server shutting down", "AWS IoT ends the connection for reasons of its own.", "connect again", codes=(0x8B,)
    ),
    reason(
        "Keep alive timeout",
        "Nothing came from the client for one and a half times its keep-alive; under 30 s counts as 30.",
        "call the client's loop more often, or raise the keep-alive",
        codes=(0x8D,),
    ),
    reason(
        "Session taken over",
        "Another connection logged in with the same client id, and only the newest stays. Two that reconnect throw "
        "each other out for ever.",
        "give each device its own client id: `iotauth client add CLIENT --topic TOPIC`",
        codes=(0x8E,),
        causes=("session-taken-over",),
    ),
    reason(
        "Topic filter invalid",
        "The filter is none: `#` stands last and alone in its level, `+` alone; 8 levels and 256 bytes at most.",
        SUBSCRIBE,
        codes=(0x8F,),
    ),
    reason(
        "Topic name invalid",
        "The topic is none: no wildcards, 8 levels and 256 bytes at most, and `$…` is reserved.",
        PERMITTED,
        codes=(0x90,),
        causes=("topic-too-deep", "topic-too-long"),
    ),
    reason(
        "Packet identifier in use",
        "Two packets with one identifier are under way.",
        "update the client library",
        codes=(0x91,),
    ),
    reason(
        "Receive maximum exceeded",
        "Too many messages of QoS 1 are unacknowledged; AWS IoT takes 100.",
        "publish slower, or with QoS 0",
        codes=(0x93,),
    ),
    reason("Topic alias invalid", "AWS IoT takes topic aliases up to 8.", "use fewer", codes=(0x94,)),
    reason(
        "Quota exceeded",
        "A limit of AWS IoT is reached, of rate or of number.",
        "go slower; subscribe to less",
        codes=(0x97,),
    ),
    reason(
        "Administrative action",
        "Somebody ended the connection, as `iotauth client disable` does.",
        "`iotauth client show CLIENT`",
        codes=(0x98,),
        causes=("disabled",),
    ),
    reason(
        "QoS not supported",
        "AWS IoT takes QoS 0 and 1.",
        "publish, and leave a will, with QoS 0 or 1",
        codes=(0x9B,),
        causes=("qos-2",),
    ),
    reason(
        "Subscription identifiers not supported",
        "AWS IoT has no subscription identifiers.",
        "subscribe without one",
        codes=(0xA1,),
    ),
)
