"""ESP-IDF: esp-mqtt's events, esp-tls's errors, mbedTLS's codes and certificate flags."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CLOCK_AND_ROOT, CONNECT, FROM_HERE, TURNED_AWAY, UNTRUSTED

FAMILIES = (
    Family("esp-mqtt", "esp-mqtt", also=("mqtt_client", "esp_mqtt"), before=("connect_return_code", "error_type")),
    Family(
        "esp-tls",
        "esp-tls",
        also=("esp_tls", "esp-tls-mbedtls"),
        before=("esp_tls_last_esp_err", "tls_last_err", "esp_err", "error", "code"),
        in_hex=True,
    ),
    Family(
        "mbedtls",
        "mbedTLS",
        also=("ssl_client.cpp", "wificlientsecure", "networkclientsecure"),
        before=("returned", "esp_tls_stack_err", "tls_stack_err", "start_ssl_client", "error", "code"),
        in_hex=True,
    ),
    Family(
        "certificate-flags",
        "mbedTLS certificate flags",
        also=("verify_flags",),
        before=("esp_tls_cert_verify_flags", "verify_flags", "flags"),
        in_hex=True,
    ),
)

mqtt = partial(Explanation, "esp-mqtt", source="mqtt_client.h and mqtt_client.c of esp-mqtt")
tls = partial(Explanation, "esp-tls", source="esp_tls_errors.h of ESP-IDF")
mbed = partial(Explanation, "mbedtls", source="mbedtls/ssl.h; mbedtls_strerror")
net = partial(Explanation, "mbedtls", source="mbedtls/net_sockets.h; mbedtls_strerror")
x509 = partial(Explanation, "mbedtls", source="mbedtls/x509.h; mbedtls_strerror")
flag = partial(Explanation, "certificate-flags", source="mbedtls/x509.h")

CONFIG = (
    "compare `esp_mqtt_client_config_t` with `iotauth secrets render CLIENT --format header`: host, port, ALPN, root"
)

ROWS = (
    mqtt(
        "MQTT_ERROR_TYPE_TCP_TRANSPORT",
        "The connection below MQTT failed or broke; `esp_tls_last_esp_err` and `esp_tls_stack_err` tell how.",
        "`iotauth explain 0x…` with those",
        codes=(1,),
        texts=("MQTT_ERROR_TYPE_ESP_TLS", "Error transport connect"),
        causes=("port-closed", "unreachable", *UNTRUSTED),
    ),
    mqtt(
        "MQTT_ERROR_TYPE_CONNECTION_REFUSED",
        "CONNACK with a refusal; `connect_return_code` tells which.",
        CONNECT,
        codes=(2,),
        texts=("MQTT connect failed",),
        causes=TURNED_AWAY,
    ),
    mqtt(
        "MQTT_ERROR_TYPE_SUBSCRIBE_FAILED",
        "SUBACK with a refusal.",
        "`iotauth policy can CLIENT subscribe FILTER`",
        codes=(3,),
        causes=("subscribe-not-granted",),
    ),
    mqtt(
        "MQTT_CONNECTION_REFUSE_NOT_AUTHORIZED",
        "CONNACK 5: it may not connect.",
        CONNECT,
        codes=(5,),
        texts=("Connection refused, not authorized",),
        causes=TURNED_AWAY,
    ),
    mqtt(
        "MQTT_CONNECTION_REFUSE_BAD_USERNAME",
        "CONNACK 4: user name or password is refused. AWS IoT hangs up instead, so is it the right broker?",
        CONNECT,
        codes=(4,),
        texts=("Connection refused, bad username or password",),
        causes=("wrong-endpoint", "wrong-password"),
    ),
    mqtt(
        "mqtt_message_receive() returned -1",
        "The other side closed the connection. Right after CONNECT it was turned away; later it did what its policy "
        "does not allow, or its client id connected a second time.",
        CONNECT,
        texts=("mqtt_message_receive() returned", "transport_read() error"),
        causes=TURNED_AWAY,
    ),
    mqtt(
        "message is too big, insufficient buffer size",
        "A packet that came in does not fit into the buffer.",
        "raise `buffer.size` in `esp_mqtt_client_config_t`",
    ),
    tls(
        "ESP_ERR_ESP_TLS_CANNOT_RESOLVE_HOSTNAME",
        "The host's name has no address.",
        CONFIG,
        codes=(0x8001,),
        causes=("no-such-host", "resolver-failed", "wrong-endpoint"),
    ),
    tls(
        "ESP_ERR_ESP_TLS_CANNOT_CREATE_SOCKET",
        "No socket is left.",
        "close connections that are not used",
        codes=(0x8002,),
    ),
    tls(
        "ESP_ERR_ESP_TLS_FAILED_CONNECT_TO_HOST",
        "The port does not answer, or refuses.",
        CONFIG,
        codes=(0x8004,),
        causes=("port-closed", "unreachable", "wrong-endpoint"),
    ),
    tls(
        "ESP_ERR_ESP_TLS_CONNECTION_TIMEOUT",
        "The connection was not made in time: a firewall, or a host that is not there.",
        FROM_HERE,
        codes=(0x8006,),
        causes=("unreachable", "handshake-unanswered", "wrong-endpoint"),
    ),
    tls(
        "ESP_ERR_ESP_TLS_TCP_CLOSED_FIN",
        "The other side closed the connection in good order. During CONNECT that is AWS IoT's no.",
        CONNECT,
        codes=(0x8008,),
        causes=TURNED_AWAY,
    ),
    tls(
        "ESP_ERR_MBEDTLS_CERT_PARTLY_OK",
        "Some of the roots could be read, not all: a line of the PEM text is broken.",
        CLOCK_AND_ROOT,
        codes=(0x8010,),
        causes=("foreign-ca",),
    ),
    tls(
        "ESP_ERR_MBEDTLS_SSL_CONF_ALPN_PROTOCOLS_FAILED",
        "The ALPN protocols could not be set: the list must end with NULL.",
        'write `static const char *alpn[] = {"mqtt", NULL};`',
        codes=(0x8014,),
        causes=("no-alpn",),
    ),
    tls(
        "ESP_ERR_MBEDTLS_X509_CRT_PARSE_FAILED",
        "The root cannot be read: a line is missing, or the text does not end with a zero byte.",
        CLOCK_AND_ROOT,
        codes=(0x8015,),
        causes=("foreign-ca",),
    ),
    tls(
        "ESP_ERR_MBEDTLS_SSL_SETUP_FAILED",
        "TLS could not be set up; mostly there is no memory left.",
        "free memory before connecting",
        codes=(0x8017,),
    ),
    tls(
        "ESP_ERR_MBEDTLS_SSL_WRITE_FAILED",
        "The connection was closed when something was to be sent.",
        CONNECT,
        codes=(0x8018,),
        causes=TURNED_AWAY,
    ),
    tls(
        "ESP_ERR_MBEDTLS_SSL_HANDSHAKE_FAILED",
        "The TLS handshake failed; mbedTLS's own code beside it tells why.",
        "`iotauth explain mbedtls CODE` with `esp_tls_stack_err`",
        codes=(0x801A,),
        causes=UNTRUSTED,
    ),
    x509(
        "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED",
        "The server's certificate does not hold: another root signed it, the name differs, or the device's clock is "
        "not set, which is the most frequent. The flags tell which.",
        CLOCK_AND_ROOT,
        codes=(-0x2700,),
        texts=("X509 - Certificate verification failed",),
        causes=UNTRUSTED,
    ),
    mbed(
        "MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE",
        "The server broke the TLS handshake off with an alert.",
        CONFIG,
        codes=(-0x7780,),
        texts=("SSL - A fatal alert message was received from our peer",),
        causes=("wrong-alpn", "wrong-endpoint", "handshake-broken-off"),
    ),
    mbed(
        "MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL",
        "Server and device have no ALPN protocol in common.",
        "offer ALPN `mqtt`",
        codes=(-0x7580,),
        texts=("SSL - No ALPN protocols supported that the client advertises",),
        causes=("wrong-alpn",),
    ),
    mbed(
        "MBEDTLS_ERR_SSL_CONN_EOF",
        "The connection ended without a word.",
        CONNECT,
        codes=(-0x7280,),
        texts=("SSL - The connection indicated an EOF",),
        causes=("handshake-broken-off", *TURNED_AWAY),
    ),
    mbed(
        "MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY",
        "The server closed the connection in good order. During CONNECT that is AWS IoT's no.",
        CONNECT,
        codes=(-0x7880,),
        texts=("SSL - The peer notified us that the connection is going to be closed",),
        causes=TURNED_AWAY,
    ),
    mbed(
        "MBEDTLS_ERR_SSL_INVALID_RECORD",
        "What answers does not speak TLS.",
        FROM_HERE,
        codes=(-0x7200,),
        texts=("SSL - An invalid SSL record was received",),
        causes=("not-tls", "wrong-endpoint"),
    ),
    mbed("MBEDTLS_ERR_SSL_INVALID_MAC", "A TLS record was changed on the way.", FROM_HERE, codes=(-0x7180,)),
    mbed(
        "MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED",
        "No root was given.",
        CLOCK_AND_ROOT,
        codes=(-0x7680,),
        texts=("SSL - No CA Chain is set, but required to operate",),
        causes=("foreign-ca",),
    ),
    mbed(
        "MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME",
        "The server serves no host of that name.",
        CONFIG,
        codes=(-0x7800,),
        texts=("SSL - No server could be identified matching the client's SNI",),
        causes=("wrong-endpoint", "no-server-name"),
    ),
    mbed(
        "MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION",
        "The two have no version of TLS in common; AWS IoT takes 1.2 and 1.3.",
        FROM_HERE,
        codes=(-0x6E80,),
        causes=("not-tls", "wrong-endpoint"),
    ),
    mbed(
        "MBEDTLS_ERR_SSL_TIMEOUT",
        "The other side took the connection and then said nothing.",
        FROM_HERE,
        codes=(-0x6800,),
        causes=("handshake-unanswered",),
    ),
    net(
        "MBEDTLS_ERR_NET_CONN_RESET",
        "The other side reset the connection: a port that wants a certificate, a proxy, or AWS IoT's no to CONNECT.",
        CONNECT,
        codes=(-0x0050,),
        texts=("UNKNOWN ERROR CODE (0050)",),
        causes=("port-for-certificates", "wrong-endpoint", "handshake-broken-off", *TURNED_AWAY[:4]),
    ),
    net(
        "MBEDTLS_ERR_NET_CONNECT_FAILED",
        "The port does not answer, or refuses.",
        FROM_HERE,
        codes=(-0x0044,),
        causes=("port-closed", "unreachable", "wrong-endpoint"),
    ),
    net(
        "MBEDTLS_ERR_NET_UNKNOWN_HOST",
        "The host's name has no address.",
        CONFIG,
        codes=(-0x0052,),
        causes=("no-such-host", "resolver-failed", "wrong-endpoint"),
    ),
    net(
        "MBEDTLS_ERR_NET_RECV_FAILED",
        "Reading from the socket failed.",
        FROM_HERE,
        codes=(-0x004C,),
        texts=("UNKNOWN ERROR CODE (004C)",),
    ),
    net("MBEDTLS_ERR_NET_SEND_FAILED", "Writing to the socket failed.", FROM_HERE, codes=(-0x004E,)),
    flag(
        "MBEDTLS_X509_BADCERT_EXPIRED",
        "The certificate has expired, or the device's clock is ahead.",
        CLOCK_AND_ROOT,
        codes=(0x01,),
        causes=("expired-certificate", "expired-ca"),
    ),
    flag(
        "MBEDTLS_X509_BADCERT_CN_MISMATCH",
        "The certificate is made out to another name.",
        CONFIG,
        codes=(0x04,),
        causes=("wrong-host-name",),
    ),
    flag(
        "MBEDTLS_X509_BADCERT_NOT_TRUSTED",
        "The certificate is not signed by a root that the device has.",
        CLOCK_AND_ROOT,
        codes=(0x08,),
        causes=("foreign-ca", "wrong-endpoint"),
    ),
    flag(
        "MBEDTLS_X509_BADCERT_FUTURE",
        "The certificate is not valid yet: the device's clock is not set.",
        "have the device set its clock (NTP) before TLS",
        codes=(0x0200,),
        causes=("clock-behind",),
    ),
)
