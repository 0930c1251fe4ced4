"""The emulator's own API, beside AWS's on the control port: what AWS has no operation for.

    GET  /_emulator/<noun>?name=value    shows something
    POST /_emulator/<verb>               does something; its members are a JSON object

Each noun and verb belongs to a room, which hands over a function from members to members. The answer is a JSON
object; a refusal has ``error``, ``message`` and ``hint``, as `iotauth --json` prints them.

Whoever calls must be on this machine and send ``x-iotauth-emulator: 1``. A web page of somebody else can make
a browser call loopback, but not with a header of its own: that needs our consent, and nobody gets it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import parse_qsl

from iotauth_cli.emulator.model import HttpRequest, HttpResponse
from iotauth_cli.errors import InputError, IotauthError

PATH = "/_emulator/"
HEADER = "x-iotauth-emulator"

Members = dict[str, Any]
Handler = Callable[[Members], Awaitable[Members]]


class Desk(Protocol):
    """What a room hands over: its nouns and verbs."""

    @property
    def nouns(self) -> Mapping[str, Handler]: ...

    @property
    def verbs(self) -> Mapping[str, Handler]: ...


class Admin:
    """Answer requests with the functions in *nouns* (GET) and *verbs* (POST), by name: ``clock/advance``.

    A noun gets its query as text, a verb its JSON members. What they raise as an `IotauthError` is the answer;
    ``InputError`` is the caller's fault and a 400, all others are a 409: not in this state of things.
    """

    def __init__(self, nouns: Mapping[str, Handler], verbs: Mapping[str, Handler]) -> None:
        self._handlers = {"GET": nouns, "POST": verbs}

    @classmethod
    def of(cls, *desks: Desk) -> Admin:
        """Return the API of all *desks* together."""
        return cls(
            nouns={name: handler for desk in desks for name, handler in desk.nouns.items()},
            verbs={name: handler for desk in desks for name, handler in desk.verbs.items()},
        )

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to *request*, whose path begins with `PATH`."""
        path, _, query = request.target.removeprefix(PATH).partition("?")
        if request.header(HEADER) != "1" or not _is_loopback(request.peer):
            return _refusal(HTTPStatus.FORBIDDEN, f"requests come from this machine and carry `{HEADER}: 1`")
        if not any(path in handlers for handlers in self._handlers.values()):
            return _refusal(HTTPStatus.NOT_FOUND, f"the emulator has no `{path}`")
        handler = self._handlers.get(request.method, {}).get(path)
        if handler is None:
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"`{path}` does not answer to {request.method}")
        try:
            members = _parse(request.body) if request.method == "POST" else dict(parse_qsl(query))
            return _response(HTTPStatus.OK, await handler(members))
        except IotauthError as error:
            status = HTTPStatus.BAD_REQUEST if isinstance(error, InputError) else HTTPStatus.CONFLICT
            return _response(status, {"error": error.code, "message": error.message, "hint": error.hint})


def text(members: Members, name: str) -> str:
    """Return the member *name*, which must be there and be text.

    Raises:
        InputError: it is not.
    """
    value = members.get(name)
    if not isinstance(value, str):
        raise InputError(f"`{name}` must be text")
    return value


def number(members: Members, name: str) -> float:
    """Return the member *name*, which must be there and be a number, of a size that a float can hold.

    Raises:
        InputError: it is not.
    """
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > sys.float_info.max:
        raise InputError(f"`{name}` must be a number")
    return float(value)


def flag(members: Members, name: str) -> bool:
    """Return the member *name*, which is true or false; one that is not there is false.

    Raises:
        InputError: it is something else.
    """
    value = members.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"`{name}` must be true or false")
    return value


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False


def _parse(body: bytes) -> Members:
    try:
        members = json.loads(body or b"{}")
    except ValueError as error:
        raise InputError(f"the request's body is not JSON: {error}") from error
    if not isinstance(members, dict):
        raise InputError("the request's body must be a JSON object")
    return members


def _refusal(status: HTTPStatus, message: str) -> HttpResponse:
    return _response(status, {"error": "refused", "message": message, "hint": None})


def _response(status: HTTPStatus, members: Members) -> HttpResponse:
    return HttpResponse(status.value, (("content-type", "application/json"),), json.dumps(members).encode())
