"""The AWS SDKs' common runtime: errors by name and number, as the SDKs for Python, Node.js, Java and C++ show them."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CONNECT, FROM_HERE, TURNED_AWAY, UNTRUSTED

FAMILIES = (Family("awscrt", "AWS common runtime", also=("crt", "awsiotsdk", "aws crt"), before=("code", "error")),)

error = partial(Explanation, "awscrt", source="awscrt.exceptions.from_code")

ROWS = (
    error(
        "AWS_ERROR_MQTT_UNEXPECTED_HANGUP",
        "AWS IoT closed the connection without a word, which is how it says no: to CONNECT, or later to a topic that "
        "the policy does not allow.",
        CONNECT,
        codes=(5134,),
        causes=(*TURNED_AWAY, "subscribe-not-granted", "publish-not-granted"),
    ),
    error(
        "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE",
        "The TLS handshake failed: the root does not fit, the name does not, or no ALPN protocol did.",
        FROM_HERE,
        codes=(1029,),
        causes=(*UNTRUSTED, "wrong-alpn", "wrong-endpoint"),
    ),
    error(
        "AWS_IO_TLS_ERROR_ALERT_RECEIVED",
        "The server broke the TLS handshake off with an alert.",
        FROM_HERE,
        codes=(1032,),
        causes=("wrong-alpn", "wrong-endpoint"),
    ),
    error(
        "AWS_IO_TLS_CTX_ERROR",
        "TLS could not be set up: the file with the root is missing or is none.",
        "check the path that is given as the root",
        codes=(1033,),
        causes=("foreign-ca",),
    ),
    error(
        "AWS_IO_TLS_NEGOTIATION_TIMEOUT",
        "The other side took the connection and then said nothing.",
        FROM_HERE,
        codes=(1067,),
        causes=("handshake-unanswered", "wrong-endpoint"),
    ),
    error(
        "AWS_IO_SOCKET_CONNECTION_REFUSED",
        "Nothing listens on that port.",
        FROM_HERE,
        codes=(1047,),
        causes=("port-closed", "wrong-endpoint"),
    ),
    error(
        "AWS_IO_SOCKET_TIMEOUT",
        "Nobody answers at that address: a firewall, or a host that is not there.",
        FROM_HERE,
        codes=(1048,),
        causes=("unreachable", "wrong-endpoint"),
    ),
    error(
        "AWS_IO_SOCKET_NO_ROUTE_TO_HOST",
        "There is no way to that address.",
        FROM_HERE,
        codes=(1049,),
        causes=("unreachable",),
    ),
    error(
        "AWS_IO_SOCKET_CLOSED",
        "The connection was closed: by the other side, or by a proxy in between.",
        CONNECT,
        codes=(1051,),
        causes=("handshake-broken-off", *TURNED_AWAY),
    ),
    error(
        "AWS_IO_DNS_QUERY_FAILED",
        "The name server did not answer.",
        FROM_HERE,
        codes=(1058,),
        causes=("resolver-failed", "no-such-host"),
    ),
    error(
        "AWS_IO_DNS_INVALID_NAME",
        "The host's name is none, or does not exist.",
        FROM_HERE,
        codes=(1059,),
        causes=("no-such-host", "wrong-endpoint"),
    ),
    error(
        "AWS_ERROR_MQTT_TIMEOUT",
        "No answer came in time. AWS IoT answers neither PUBLISH nor SUBSCRIBE with QoS 2.",
        CONNECT,
        codes=(5129,),
        causes=("qos-2", "connect-unanswered"),
    ),
    error(
        "AWS_ERROR_MQTT_PROTOCOL_ERROR",
        "What answers does not speak MQTT as it should.",
        FROM_HERE,
        codes=(5130,),
        causes=("no-alpn", "wrong-endpoint"),
    ),
    error(
        "AWS_ERROR_MQTT_NOT_CONNECTED", "It is not connected, or no longer.", CONNECT, codes=(5131,), causes=TURNED_AWAY
    ),
    error(
        "AWS_ERROR_MQTT_INVALID_CREDENTIALS",
        "There is a password and no user name, so the authorizer could not be named either.",
        "give the user name that `iotauth client show CLIENT` prints",
        codes=(5125,),
        causes=("no-authorizer-named",),
    ),
    error(
        "AWS_ERROR_MQTT_INVALID_TOPIC",
        "The topic or filter is none; AWS IoT takes 8 levels and 256 bytes.",
        "`iotauth policy can CLIENT subscribe FILTER`",
        codes=(5128,),
    ),
    error(
        "AWS_ERROR_MQTT_CANCELLED_FOR_CLEAN_SESSION",
        "What was waiting was dropped when a new session began.",
        "connect with clean_session false, or send again",
        codes=(5138,),
    ),
    error(
        "AWS_ERROR_MQTT5_CONNACK_CONNECTION_REFUSED",
        "CONNACK with a refusal; its reason code tells more: 0x87 where MQTT 3.1.1 sees a closed socket.",
        CONNECT,
        codes=(5150,),
        causes=TURNED_AWAY,
    ),
    error(
        "AWS_ERROR_MQTT5_CONNACK_TIMEOUT",
        "CONNECT was not answered.",
        CONNECT,
        codes=(5151,),
        causes=("connect-unanswered", "function-timeout"),
    ),
    error(
        "AWS_ERROR_MQTT5_DISCONNECT_RECEIVED",
        "AWS IoT ended the connection and said why: the reason code stands in its DISCONNECT.",
        "`iotauth explain mqtt5 CODE` with that code",
        codes=(5154,),
        causes=("publish-not-granted", "subscribe-not-granted"),
    ),
    error(
        "AWS_ERROR_MQTT5_PING_RESPONSE_TIMEOUT", "A ping was not answered: the network is gone.", CONNECT, codes=(5152,)
    ),
    error(
        "AWS_ERROR_MQTT_CONNECTION_SUBSCRIBE_FAILURE",
        "SUBACK with a refusal.",
        "`iotauth policy can CLIENT subscribe FILTER`",
        codes=(5164,),
        causes=("subscribe-not-granted",),
    ),
    error(
        "AWS_ERROR_MQTT_ACK_REASON_CODE_FAILURE",
        "PUBACK, SUBACK or UNSUBACK with a refusal; 0x87 is one by the policy.",
        "`iotauth policy can CLIENT publish TOPIC`",
        codes=(5165,),
        causes=("publish-not-granted", "subscribe-not-granted"),
    ),
    error(
        "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE",
        "The upgrade to a WebSocket was refused, so the port, the path `/mqtt` or the credentials in it are wrong.",
        CONNECT,
        codes=(2065,),
        causes=("signature-wrong", "authorizer-missing", "wrong-endpoint"),
    ),
    error(
        "AWS_ERROR_HTTP_PROXY_CONNECT_FAILED",
        "A proxy did not let the connection through.",
        "allow the endpoint, port 443, in the proxy",
        codes=(2071,),
        causes=("unreachable",),
    ),
)
