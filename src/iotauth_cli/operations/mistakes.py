"""Mistakes that devices make, made on purpose: so that one can see what one's own device does wrong.

Each changes one thing of what is right and goes over the wire as a device would send it. What it
leads to is found out as ever, from what the device meets and what the other side says.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from iotauth_authorizer.username import AUTHORIZER_NAME, SIGNATURE, compose, parse
from iotauth_cli.errors import InputError
from iotauth_cli.probe.stages import CUSTOM_AUTH_ALPN, Endpoint, Errand
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from iotauth_cli.operations.connect import Knock

WRONG_NAME = "wrong.example.com"
TOO_MANY_LEVELS = "/1/2/3/4/5/6/7/8"
TOO_LARGE_BYTES = 128 * 1024 + 1
OTHER_ALPN = "x-amzn-mqtt-ca"  # AWS IoT's for client certificates
CERTIFICATE_PORT = 8883


@dataclass(frozen=True)
class Mistake:
    """*make* returns the visit with the mistake in it; it raises InputError where it cannot be made."""

    words: str
    make: Callable[[Knock], Knock]


def at_endpoint(**changes: Any) -> Callable[[Knock], Knock]:
    def make(knock: Knock) -> Knock:
        if "server_name" in changes and knock.manner.client != "paho":
            raise InputError(f"`{knock.manner.client}` sends the right server name", hint="leave out `--client`")
        endpoint: Endpoint = replace(knock.endpoint, **changes)
        return replace(knock, endpoint=endpoint)

    return make


def over_mqtt(make: Callable[[Knock], Knock]) -> Callable[[Knock], Knock]:
    def checked(knock: Knock) -> Knock:
        if knock.manner.speaks_http:
            raise InputError("this is no mistake over HTTP", hint="leave out `--http` and `--websocket`")
        return make(knock)

    return checked


def mqtt_alpn(knock: Knock) -> Knock:
    if not knock.manner.speaks_http:
        raise InputError("ALPN `mqtt` is a mistake over HTTP alone", hint="add `--websocket` or `--http`")
    return at_endpoint(alpn=(CUSTOM_AUTH_ALPN,))(knock)


def port_for_certificates(knock: Knock) -> Knock:
    return replace(at_endpoint(port=CERTIFICATE_PORT)(knock), typed=knock.typed | {"port"})


def in_errand(**changes: Any) -> Callable[[Knock], Knock]:
    def make(knock: Knock) -> Knock:
        errand: Errand = replace(with_topic(knock), **changes)
        return replace(knock, errand=errand)

    return make


def with_topic(knock: Knock) -> Errand:
    if knock.errand.publish is None:
        raise InputError("this mistake is made in a message, and no topic is known", hint="name one with `--publish`")
    return knock.errand


def password_in_base64(knock: Knock) -> Knock:
    if knock.login.password is None:
        raise InputError("there is no password to encode", hint="give one with `--password-stdin`")
    encoded = base64.b64encode(knock.login.password.reveal().encode()).decode()
    return replace(knock, login=replace(knock.login, password=Secret(encoded)))


def another_question_mark(knock: Knock) -> Knock:
    if knock.manner.carrier != "username":
        raise InputError("a second `?` is a mistake in a user name", hint="leave out `--http` and `--credentials-in`")
    username = f"{knock.login.username or '?'}?SDK=example"
    return replace(knock, login=replace(knock.login, username=username))


def signed(knock: Knock) -> tuple[str, dict[str, str]]:
    """Return the user part and the parameters of a user name that carries a signed token."""
    user = parse(knock.login.username or "")
    if user.signature is None:
        raise InputError(
            "this mistake is made with a signed token, and the user name carries none",
            hint="use a client of an authorizer that wants signed tokens: `iotauth authorizer create NAME --signed`",
        )
    return user.user, dict(user.parameters)


def token_with_newline(knock: Knock) -> Knock:
    user, parameters = signed(knock)
    changed = {
        name: value if name in (AUTHORIZER_NAME, SIGNATURE) else value + "\n" for name, value in parameters.items()
    }
    return replace(knock, login=replace(knock.login, username=compose(user, changed.items())))


def signature_not_encoded(knock: Knock) -> Knock:
    if knock.manner.carrier != "username":
        raise InputError("this mistake is made in a user name", hint="leave out `--http` and `--credentials-in`")
    user, parameters = signed(knock)
    signature = parameters.pop(SIGNATURE)
    if "+" not in signature:
        raise InputError(
            "this signature has no `+`, so it does no harm that it is not encoded",
            hint="sign a new token: `iotauth keys sign --for-client CLIENT`",
        )
    username = f"{compose(user, parameters.items())}&{SIGNATURE}={signature}"
    return replace(knock, login=replace(knock.login, username=username))


def topic_too_deep(knock: Knock) -> Knock:
    topic = f"{with_topic(knock).publish}{TOO_MANY_LEVELS}"
    return replace(knock, errand=replace(knock.errand, publish=topic))


def qos_2(knock: Knock) -> Knock:
    if knock.manner.client != "paho":
        raise InputError(f"`{knock.manner.client}` knows no QoS 2", hint="leave out `--client`")
    return over_mqtt(in_errand(qos=2))(knock)


MISTAKES: Mapping[str, Mistake] = {
    "no-alpn": Mistake("offers no ALPN", over_mqtt(at_endpoint(alpn=()))),
    "wrong-alpn": Mistake(f"offers ALPN `{OTHER_ALPN}`", over_mqtt(at_endpoint(alpn=(OTHER_ALPN,)))),
    "mqtt-alpn": Mistake("offers ALPN `mqtt`, and speaks HTTP", mqtt_alpn),
    "no-sni": Mistake("sends no server name in TLS", at_endpoint(server_name="")),
    "wrong-sni": Mistake(f"sends server name `{WRONG_NAME}` in TLS", at_endpoint(server_name=WRONG_NAME)),
    "port-8883": Mistake("connects to the port for client certificates", port_for_certificates),
    "base64-password": Mistake("sends its password in base64", password_in_base64),
    "two-question-marks": Mistake("appends parameters with a second `?`", another_question_mark),
    "unencoded-signature": Mistake("sends its signature without percent-encoding", signature_not_encoded),
    "token-newline": Mistake("sends its token with a line end", token_with_newline),
    "qos-2": Mistake("publishes at QoS 2", qos_2),
    "large-payload": Mistake(f"publishes {TOO_LARGE_BYTES} bytes", in_errand(payload_bytes=TOO_LARGE_BYTES)),
    "deep-topic": Mistake("publishes to a topic with too many levels", topic_too_deep),
}
