"""Clients on computers: paho, the mosquitto tools, Python's ssl, and what the operating system says."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CONNECT, FROM_HERE, TURNED_AWAY, UNTRUSTED

FAMILIES = (
    Family("paho", "paho", also=("paho-mqtt",), before=("rc", "code", "error")),
    Family("mosquitto", "mosquitto_pub and mosquitto_sub", also=("mosquitto_pub", "mosquitto_sub")),
    Family("openssl", "TLS messages of OpenSSL and Python", also=("ssl", "sslerror")),
    Family("system", "errors of the operating system", also=("errno", "linux"), before=("errno",)),
)

paho = partial(Explanation, "paho", source="paho.mqtt.enums.MQTTErrorCode")
mosquitto = partial(Explanation, "mosquitto", source="messages of libmosquitto 2.0")
tls = partial(
    Explanation, "openssl", source="OpenSSL, X509_verify_cert_error_string and SSL alerts; Python, module ssl"
)
system = partial(Explanation, "system", source="errno(3), gai_strerror(3)")

ROOT = "give the root that signed it: `iotauth test-connect CLIENT --ca FILE`"

ROWS = (
    paho(
        "MQTT_ERR_NOMEM",
        "There is no memory left; in `on_disconnect` of old versions it stands for anything.",
        CONNECT,
        codes=(1,),
    ),
    paho(
        "MQTT_ERR_PROTOCOL",
        "What answers does not speak MQTT as it should.",
        FROM_HERE,
        codes=(2,),
        causes=("no-alpn", "wrong-endpoint"),
    ),
    paho(
        "MQTT_ERR_INVAL",
        "A function was called with arguments that cannot be.",
        "see the line that calls it",
        codes=(3,),
    ),
    paho(
        "MQTT_ERR_NO_CONN",
        "It is not connected; `publish` right after `connect` comes too early.",
        "publish in `on_connect`, or after `loop_start`",
        codes=(4,),
    ),
    paho(
        "MQTT_ERR_CONN_REFUSED",
        "CONNACK with a refusal, or the port is closed. In `on_connect` rc=5 is CONNACK 5: it may not connect.",
        CONNECT,
        codes=(5,),
        causes=TURNED_AWAY,
    ),
    paho(
        "MQTT_ERR_CONN_LOST",
        "The connection was closed. During CONNECT that is AWS IoT's no; later its no to a topic.",
        CONNECT,
        codes=(7,),
        causes=(*TURNED_AWAY, "publish-not-granted", "subscribe-not-granted"),
    ),
    paho("MQTT_ERR_TLS", "TLS failed.", FROM_HERE, codes=(8,), causes=UNTRUSTED),
    paho(
        "MQTT_ERR_PAYLOAD_SIZE",
        "The payload is too large for MQTT; AWS IoT takes 128 KB.",
        "send less at once",
        codes=(9,),
        causes=("payload-too-large",),
    ),
    paho("MQTT_ERR_AUTH", "It may not.", CONNECT, codes=(11,), causes=TURNED_AWAY),
    paho(
        "MQTT_ERR_ACL_DENIED",
        "It may not.",
        CONNECT,
        codes=(12,),
        causes=("publish-not-granted", "subscribe-not-granted"),
    ),
    paho(
        "MQTT_ERR_QUEUE_SIZE", "Too many messages wait to be sent.", "publish slower, or raise the limit", codes=(15,)
    ),
    paho(
        "MQTT_ERR_KEEPALIVE",
        "A ping was not answered in time: the network is gone, or the loop does not run.",
        "call `loop_start` or `loop_forever`",
        codes=(16,),
    ),
    mosquitto(
        "Connection Refused: not authorised.",
        "CONNACK 5: it may not connect.",
        CONNECT,
        texts=("Connection error: Connection Refused: not authorised.",),
        causes=TURNED_AWAY,
    ),
    mosquitto(
        "Error: The connection was lost.",
        "AWS IoT closed the connection, which is how it says no: to CONNECT without `--tls-alpn mqtt` too.",
        CONNECT,
        texts=("The connection was lost.",),
        causes=TURNED_AWAY,
    ),
    mosquitto(
        "Error: A TLS error occurred.",
        "The TLS handshake failed: `--cafile` is not the root that signed the certificate, or it is another port.",
        FROM_HERE,
        texts=("A TLS error occurred.",),
        causes=UNTRUSTED,
    ),
    mosquitto(
        "Error: A network protocol error occurred when communicating with the broker.",
        "What answers does not speak MQTT as it should.",
        FROM_HERE,
        texts=("A network protocol error occurred when communicating with the broker.",),
        causes=("no-alpn", "wrong-endpoint"),
    ),
    mosquitto(
        "Unable to connect (Lookup error.).",
        "The host's name has no address.",
        FROM_HERE,
        texts=("Lookup error.",),
        causes=("no-such-host", "resolver-failed"),
    ),
    mosquitto(
        "Error: host name verification failed.",
        "The certificate is made out to another name.",
        FROM_HERE,
        texts=("host name verification failed.",),
        causes=("wrong-host-name",),
    ),
    mosquitto(
        "All subscription requests were denied.",
        "SUBACK refused every filter.",
        "`iotauth policy can CLIENT subscribe FILTER`",
        texts=("All subscription requests were denied. Exiting.",),
        causes=("subscribe-not-granted",),
    ),
    mosquitto(
        "Error: Problem setting TLS options: File not found.",
        "The file behind `--cafile` is not there.",
        "check the path",
        texts=("Unable to load CA certificates",),
        causes=("foreign-ca",),
    ),
    tls(
        "CERTIFICATE_VERIFY_FAILED",
        "The server's certificate does not hold; what stands behind the colon tells why.",
        FROM_HERE,
        texts=("certificate verify failed",),
        causes=UNTRUSTED,
    ),
    tls(
        "unable to get local issuer certificate",
        "None of the roots given has signed the server's certificate.",
        ROOT,
        causes=("foreign-ca", "wrong-endpoint"),
    ),
    tls(
        "self-signed certificate in certificate chain",
        "A root that is not trusted here has signed the server's certificate: the emulator's, or that of a proxy "
        "which opens TLS on the way.",
        ROOT,
        texts=("self signed certificate in certificate chain", "self-signed certificate", "self signed certificate"),
        causes=("foreign-ca", "wrong-endpoint"),
    ),
    tls(
        "certificate has expired",
        "The server's certificate, or its root, is out of date, or this machine's clock is ahead.",
        "compare its end with the clock: `iotauth test-connect CLIENT` shows both",
        texts=("certificate expired",),
        causes=("expired-certificate", "expired-ca"),
    ),
    tls(
        "certificate is not yet valid",
        "This machine's clock is behind.",
        "set the clock; `date -u` shows it",
        causes=("clock-behind",),
    ),
    tls(
        "Hostname mismatch",
        "The certificate is made out to another name than the one that was connected to.",
        FROM_HERE,
        texts=("hostname mismatch, certificate is not valid for", "IP address mismatch"),
        causes=("wrong-host-name",),
    ),
    tls(
        "WRONG_VERSION_NUMBER",
        "What answers does not speak TLS.",
        FROM_HERE,
        texts=("wrong version number",),
        causes=("not-tls", "wrong-endpoint"),
    ),
    tls(
        "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
        "The server takes none of the ALPN protocols that were offered.",
        "offer `mqtt`: `context.set_alpn_protocols(['mqtt'])`",
        texts=("no application protocol", "tlsv1 alert no application protocol"),
        causes=("wrong-alpn",),
    ),
    tls(
        "UNEXPECTED_EOF_WHILE_READING",
        "The other side hung up in the middle of TLS: a proxy, a port that wants a certificate, or another service.",
        FROM_HERE,
        texts=("EOF occurred in violation of protocol", "unexpected eof while reading"),
        causes=("handshake-broken-off", "wrong-endpoint"),
    ),
    tls(
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "The server broke the handshake off: no cipher suite in common, or it wants a certificate.",
        FROM_HERE,
        texts=("sslv3 alert handshake failure",),
        causes=("wrong-endpoint", "handshake-broken-off"),
    ),
    system(
        "ECONNREFUSED",
        "Nothing listens on that port.",
        FROM_HERE,
        codes=(111,),
        texts=("Connection refused",),
        causes=("port-closed", "wrong-endpoint"),
    ),
    system(
        "ECONNRESET",
        "The other side reset the connection: a port that wants a certificate, a proxy, or AWS IoT's no to CONNECT.",
        CONNECT,
        codes=(104,),
        texts=("Connection reset by peer",),
        causes=("port-for-certificates", "wrong-endpoint", "handshake-broken-off", *TURNED_AWAY[:4]),
    ),
    system(
        "EPIPE",
        "The other side closed the connection before everything was sent.",
        CONNECT,
        codes=(32,),
        texts=("Broken pipe",),
        causes=TURNED_AWAY,
    ),
    system(
        "ETIMEDOUT",
        "Nobody answers at that address.",
        FROM_HERE,
        codes=(110,),
        texts=("Connection timed out",),
        causes=("unreachable", "wrong-endpoint"),
    ),
    system(
        "EHOSTUNREACH",
        "There is no way to that address.",
        FROM_HERE,
        codes=(113,),
        texts=("No route to host",),
        causes=("unreachable",),
    ),
    system(
        "ENETUNREACH",
        "This machine has no network that leads there.",
        FROM_HERE,
        codes=(101,),
        texts=("Network is unreachable",),
        causes=("unreachable",),
    ),
    system(
        "EAI_NONAME",
        "The host's name has no address.",
        FROM_HERE,
        texts=("Name or service not known", "nodename nor servname provided, or not known", "getaddrinfo ENOTFOUND"),
        causes=("no-such-host", "wrong-endpoint"),
    ),
    system(
        "EAI_AGAIN",
        "The name server does not answer.",
        FROM_HERE,
        texts=("Temporary failure in name resolution",),
        causes=("resolver-failed",),
    ),
)
