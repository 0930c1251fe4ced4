"""BearSSL, the TLS of Tasmota and of the ESP8266: its errors, and 256 more than an alert that it received."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CLOCK_AND_ROOT, FROM_HERE

FAMILIES = (
    Family(
        "bearssl", "BearSSL", also=("tasmota", "mqt", "esp8266", "getlastsslerror"), before=("error", "code", "err")
    ),
)

HEADER = "bearssl_ssl.h; Tasmota documentation, TLS troubleshooting"
RECEIVED = 256  # BR_ERR_RECV_FATAL_ALERT, plus the alert's number
error = partial(Explanation, "bearssl", source=HEADER)


def alert(number: int, name: str, means: str, causes: tuple[str, ...] = ()) -> Explanation:
    """Return the row for an alert that the server sent. *number* as in RFC 8446, section 6."""
    return Explanation(
        "bearssl",
        f"alert {name}",
        f"The server broke the TLS handshake off with alert {number}: {means}",
        FROM_HERE,
        "bearssl_ssl.h, BR_ERR_RECV_FATAL_ALERT; RFC 8446, section 6",
        codes=(RECEIVED + number,),
        causes=causes,
    )


ROWS = (
    error(
        "BR_ERR_UNSUPPORTED_VERSION",
        "What answers speaks a version of TLS that is not known here, or no TLS at all.",
        FROM_HERE,
        codes=(3,),
        causes=("not-tls", "wrong-endpoint"),
    ),
    error(
        "BR_ERR_BAD_VERSION",
        "What answers does not speak TLS as it should.",
        FROM_HERE,
        codes=(4,),
        causes=("not-tls", "wrong-endpoint"),
    ),
    error("BR_ERR_BAD_LENGTH", "A TLS record has a wrong length.", FROM_HERE, codes=(5,), causes=("not-tls",)),
    error(
        "BR_ERR_TOO_LARGE",
        "A TLS record does not fit into the receive buffer.",
        "give the client bigger buffers, or let it negotiate the length (MFLN), which AWS IoT does",
        codes=(6,),
    ),
    error(
        "BR_ERR_BAD_MAC",
        "A TLS record was changed on the way.",
        FROM_HERE,
        codes=(7,),
        causes=("handshake-broken-off",),
    ),
    error("BR_ERR_NO_RANDOM", "There is no source of randomness yet.", "seed it before TLS begins", codes=(8,)),
    error("BR_ERR_UNKNOWN_TYPE", "What answers does not speak TLS.", FROM_HERE, codes=(9,), causes=("not-tls",)),
    error("BR_ERR_UNEXPECTED", "A TLS message came out of turn.", FROM_HERE, codes=(10,), causes=("not-tls",)),
    error(
        "BR_ERR_BAD_CIPHER_SUITE",
        "The server chose a cipher suite that this build does not have.",
        "build it with elliptic curves: USE_MQTT_TLS_FORCE_EC_CIPHER, or USE_MQTT_AWS_IOT_LIGHT",
        codes=(16,),
    ),
    error("BR_ERR_BAD_FRAGLEN", "The server does not keep to the negotiated length (MFLN).", FROM_HERE, codes=(18,)),
    error(
        "BR_ERR_BAD_SNI",
        "The server's answer to the server name is broken.",
        FROM_HERE,
        codes=(21,),
        causes=("no-server-name", "wrong-endpoint"),
    ),
    error(
        "BR_ERR_LIMIT_EXCEEDED",
        "The server's key is larger than this build takes.",
        "build it with USE_4K_RSA, or connect to the ATS endpoint of AWS IoT",
        codes=(23,),
        causes=("wrong-endpoint",),
    ),
    error("BR_ERR_BAD_SIGNATURE", "The server's signature in the handshake is wrong.", FROM_HERE, codes=(27,)),
    error(
        "BR_ERR_NO_CLIENT_AUTH",
        "The server asked for a certificate of the client; custom authentication needs none.",
        "connect to port 443 with ALPN `mqtt`",
        codes=(29,),
        causes=("no-alpn", "wrong-alpn"),
    ),
    error("BR_ERR_IO", "The connection below TLS broke.", FROM_HERE, codes=(31,), causes=("handshake-broken-off",)),
    error(
        "BR_ERR_X509_EXPIRED",
        "The certificate has expired or is not valid yet; nearly always the device's clock is not set.",
        "have the device set its clock (NTP) before TLS",
        codes=(54,),
        causes=("clock-behind", "expired-certificate"),
    ),
    error(
        "BR_ERR_X509_BAD_SERVER_NAME",
        "The certificate is made out to another name than the one that was connected to.",
        "`iotauth secrets render CLIENT --format header` has the right host",
        codes=(56,),
        causes=("wrong-host-name",),
    ),
    error(
        "BR_ERR_X509_NOT_TRUSTED",
        "The certificate is not signed by a root that the device has.",
        CLOCK_AND_ROOT,
        codes=(62,),
        causes=("foreign-ca", "wrong-endpoint"),
    ),
    alert(10, "unexpected_message", "a message came out of turn."),
    alert(20, "bad_record_mac", "what arrived had been changed on the way."),
    alert(
        40,
        "handshake_failure",
        "the two have no cipher suite in common, or the port wants a client's certificate.",
        ("wrong-endpoint", "no-alpn"),
    ),
    alert(42, "bad_certificate", "the client's certificate or key is bad; a password needs none.", ("wrong-alpn",)),
    alert(46, "certificate_unknown", "the client's certificate is not taken; a password needs none.", ("wrong-alpn",)),
    alert(47, "illegal_parameter", "a field of the handshake is out of range."),
    alert(
        48, "unknown_ca", "the client's certificate is signed by nobody known; a password needs none.", ("wrong-alpn",)
    ),
    alert(70, "protocol_version", "the device's version of TLS is too old; AWS IoT takes 1.2 and 1.3."),
    alert(80, "internal_error", "something failed on its side."),
    alert(112, "unrecognized_name", "it serves no host of that name.", ("wrong-endpoint", "no-server-name")),
    alert(120, "no_application_protocol", "it takes none of the ALPN protocols that were offered.", ("wrong-alpn",)),
)
