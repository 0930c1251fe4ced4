"""What a client presents to its authorizer: the authorizer's name, a token, and the token's signature.

    MQTT                parameters in the user name
    HTTPS publish       headers, or parameters of the query string
    MQTT in WebSocket   any of the three: the upgrade's headers, its query string, the user name

Each of the values is taken from the first of these places that has it. In a header it stands as
it is; in a query string and in the user name it is percent-decoded once, and `+` is a space, so
a signature must be encoded there. HTTP's names are compared without regard to case.
Source: AWS IoT developer guide, "Custom authentication".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from iotauth_authorizer import username as usernames
from iotauth_authorizer.username import MalformedUsername, Username, parse_query
from iotauth_cli.emulator.model import Authorizer
from iotauth_cli.emulator.mqtt.packets import Connect
from iotauth_cli.emulator.trail import Trail

USER_NAME = "user-name"  # these checks' names, as the log shows them
SIGNATURE = "signature"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Presented:
    """*http* are the headers, then the decoded parameters of the query string, names in lower case."""

    username: Username
    http: Pairs = field(default=(), repr=False)

    def get(self, name: str) -> str | None:
        wanted = name.lower()
        found = next((value for key, value in self.http if key == wanted), None)
        return self.username.get(name) if found is None else found

    @property
    def authorizer_name(self) -> str | None:
        return self.get(usernames.AUTHORIZER_NAME)

    @property
    def signature(self) -> str | None:
        return self.get(usernames.SIGNATURE)


def http_parameters(headers: Iterable[tuple[str, str]], query_string: str | None) -> Pairs:
    """Return what an HTTP request can present, in the order of preference."""
    pairs = (*headers, *parse_query(query_string or ""))
    return tuple((name.lower(), value) for name, value in pairs)


def presented_over_http(headers: Pairs, query_string: str | None) -> Presented:
    """Return what an HTTP request alone presents, be it a publish or an upgrade."""
    return Presented(Username(""), http_parameters(headers, query_string))


def presented_at_connect(trail: Trail, connect: Connect, headers: Pairs, query_string: str | None) -> Presented:
    """Return what a CONNECT presents, with the upgrade that it came after, if it came in a WebSocket.

    Raises:
        Refused: the user name has more than one `?`.
    """
    try:
        username = usernames.parse(connect.username or "")
    except MalformedUsername as error:
        trail.refuse(USER_NAME, str(error), error)
    trail.passed(USER_NAME, f"the user name has {len(username.parameters)} parameters")
    return Presented(username, http_parameters(headers, query_string))


def verified_token(trail: Trail, authorizer: Authorizer, presented: Presented) -> tuple[str | None, bool]:
    """Return the token, if one was presented, and whether its signature was verified.

    Raises:
        Refused: the authorizer wants a signed token, and there is none or its signature is not one of its keys'.
    """
    from iotauth_cli.token import verify

    token = presented.get(authorizer.token_key_name) if authorizer.token_key_name else None
    if authorizer.signing_disabled:
        trail.passed(SIGNATURE, f"authorizer `{authorizer.name}` wants no signed token")
        return token, False
    signature = presented.signature
    if not token or not signature:
        missing = "token" if not token else "signature"
        trail.refuse(SIGNATURE, f"authorizer `{authorizer.name}` wants a signed token and no {missing} was given")
    keys = authorizer.token_signing_public_keys
    verified_by = next((name for name, pem in keys.items() if verify(token, signature, pem)), None)
    if verified_by is None:
        trail.refuse(SIGNATURE, f"the signature is of none of the {len(keys)} keys of `{authorizer.name}`")
    trail.passed(SIGNATURE, f"the token is signed by key `{verified_by}`")
    return token, True
