"""What an HTTP request carries for an authorizer: its name, a token, a signature; for iotauth's function the login too.

AWS IoT takes the three as headers or as parameters of the query string, by the same names.
Over plain HTTPS there is no CONNECT; iotauth's function then reads client id, user name and password
from headers of its own. Source: AWS IoT developer guide, "Custom authentication".
"""

from __future__ import annotations

import re
from urllib.parse import quote

from iotauth_authorizer import authorize, username
from iotauth_cli.errors import InputError
from iotauth_cli.probe.stages import Login, Manner
from iotauth_cli.secret import MASK

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
MAX_HEADER_BYTES = 8192  # AWS IoT: a header's value in the event


def parameters_of(login: Login) -> tuple[tuple[str, str], ...]:
    """Return the parameters of the user name, decoded.

    Raises:
        InputError: it has more than one `?`, so nobody knows where they begin.
    """
    try:
        return username.parse(login.username or "").parameters
    except username.MalformedUsername:
        raise InputError(
            "a user name with more than one `?` cannot be taken apart for HTTP",
            hint="give what stands before the `?` with `--username`, and the authorizer with `--authorizer`",
        ) from None


def headers_of(login: Login, manner: Manner) -> dict[str, str]:
    """Return the headers that carry *login*, as far as they do.

    Raises:
        InputError: a value cannot stand in a header.
    """
    headers = dict(parameters_of(login)) if manner.carrier == "headers" else {}
    if manner.transport == "http":
        headers[authorize.CLIENT_ID_HEADER] = login.client_id
        headers[authorize.USERNAME_HEADER] = username.user_part(login.username or "")
        headers[authorize.PASSWORD_HEADER] = login.password.reveal() if login.password else ""
    for name, value in headers.items():
        check_header(name, value)
    return {name: value for name, value in headers.items() if value}


def check_header(name: str, value: str) -> None:
    """Refuse what a header cannot carry, without repeating it: it may be a password."""
    if not HEADER_NAME.fullmatch(name):
        raise InputError("a parameter of the user name is no name for a header", hint="give `--credentials-in query`")
    if not (value.isascii() and (value.isprintable() or not value)):
        raise InputError(f"the value of header `{name}` is not printable ASCII", hint="connect over MQTT instead")
    if len(value) > MAX_HEADER_BYTES:
        raise InputError(f"the value of header `{name}` has {len(value)} bytes, and AWS IoT takes {MAX_HEADER_BYTES}")


def query_of(login: Login, manner: Manner) -> str:
    """Return the query string, each value percent-encoded once, without its `?`; empty where nothing travels there."""
    if manner.carrier != "query":
        return ""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters_of(login))


def sent_username(login: Login, manner: Manner) -> str | None:
    """Return CONNECT's user name: without the parameters where those travel in the upgrade."""
    return login.username if manner.carrier == "username" else username.user_part(login.username or "") or None


def masked(text: str, login: Login) -> str:
    """Return *text*, an answer of whoever is there, without anything of *login* that authenticates, to be quoted."""
    secrets = [login.password.reveal()] if login.password else []
    try:
        parameters = username.parse(login.username or "").parameters
    except username.MalformedUsername:
        parameters = ()
    secrets += [value for name, value in parameters if name != username.AUTHORIZER_NAME]
    for secret in filter(None, secrets):
        text = text.replace(secret, MASK)
    return text.replace("`", "'")  # it will stand in backticks
