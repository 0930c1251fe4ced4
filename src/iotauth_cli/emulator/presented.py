"""What a client presents to its authorizer: the authorizer's name, a token, the token's signature.

    MQTT              parameters in the user name
    HTTPS publish     headers, or parameters of the query string
    MQTT in WebSocket any of the three: the upgrade's headers, its query string, the user name

Each of the values is taken from the first of these places that has it. In a header it stands as
it is; in a query string and in the user name it is percent-decoded once, and `+` is a space, so
a signature must be encoded there. HTTP's names are compared without regard to case.
Source: AWS IoT developer guide, "Custom authentication".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from iotauth_authorizer.username import AUTHORIZER_NAME, SIGNATURE, Username, parse_query

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
        return self.get(AUTHORIZER_NAME)

    @property
    def signature(self) -> str | None:
        return self.get(SIGNATURE)


def http_parameters(headers: Iterable[tuple[str, str]], query_string: str | None) -> Pairs:
    """Return what an HTTP request can present, in the order of preference."""
    pairs = (*headers, *parse_query(query_string or ""))
    return tuple((name.lower(), value) for name, value in pairs)
