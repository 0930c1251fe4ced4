"""Parameters that ride in the MQTT user name, or in a query string.

AWS IoT reads the authorizer's name, the token and its signature from the user name::

    user?x-amz-customauthorizer-name=doors&token=abc&x-amz-customauthorizer-signature=…

It hands the function the *whole* text, suffix included, so whoever compares a user name
compares its `user_part`. Source: AWS IoT developer guide, "Custom authentication".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

AUTHORIZER_NAME = "x-amz-customauthorizer-name"
SIGNATURE = "x-amz-customauthorizer-signature"
MAX_DIGITS = 15  # of a point in time: more is none


class MalformedUsername(ValueError):
    """The user name has more than one `?`; AWS IoT refuses it without calling the function."""


class Username(NamedTuple):
    """A user name taken apart. *parameters* are decoded, in the order in which they were sent."""

    user: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """Return the first value given for *name*; names are compared with regard to case."""
        return next((value for key, value in self.parameters if key == name), None)

    @property
    def authorizer_name(self) -> str | None:
        return self.get(AUTHORIZER_NAME)

    @property
    def signature(self) -> str | None:
        return self.get(SIGNATURE)


def parse(text: str) -> Username:
    """Take a user name apart; unknown parameters (the SDKs send `SDK` and `Version`) are kept.

    Raises:
        MalformedUsername: *text* has a second `?`.
    """
    user, _, query = text.partition("?")
    if "?" in query:
        raise MalformedUsername("a user name has one `?` at most, and this one has more")
    return Username(user, parse_query(query))


def compose(user: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Put a user name together, each name and value percent-encoded exactly once.

    Without parameters the user stands alone, with no `?`.

    Raises:
        MalformedUsername: *user* contains `?` and could not be told from the parameters.
    """
    if "?" in user:
        # Only what is before it is repeated: behind it stand a token and its signature.
        raise MalformedUsername(f"the user name has a `?` after `{user_part(user)}`, which begins the parameters")
    from urllib.parse import quote

    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
    return f"{user}?{query}" if query else user


def parse_query(query: str) -> tuple[tuple[str, str], ...]:
    """Decode a query string, with or without its leading `?`: `%XX` once, and `+` as a space.

    Only `&` separates; a piece without `=` has the empty value. Bytes that are not
    UTF-8 decode to U+FFFD, as a parameter is never worth an exception here.
    """
    # Imported here because the function reads the user part only, and 1 ms is much in a cold start.
    from urllib.parse import unquote_plus

    pieces = query.removeprefix("?").split("&")
    pairs = (piece.partition("=") for piece in pieces if piece)
    return tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)


def build_token(client_id: str, issued_at: int) -> str:
    """Return the text that is signed for a client: who it is for, and when it was issued, in epoch seconds."""
    return f"{client_id}.{issued_at}"


def parse_token(text: str) -> tuple[str, int] | None:
    """Return the client id of a token and when it was issued; None where `build_token` did not write it."""
    client_id, _, digits = text.rpartition(".")
    if not client_id or not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS):
        return None
    return client_id, int(digits)


def user_part(text: str) -> str:
    """Return what stands before the first `?`: the only part of a user name that names somebody."""
    return text.partition("?")[0]
