"""The emulator's own API, beside AWS's on the control port: what AWS has no operation for.

    GET  /_emulator/<noun>?name=value    shows something
    POST /_emulator/<verb>               does something; its members are a JSON object
    GET  /_emulator/<socket>             an upgrade to a WebSocket

Each noun and verb belongs to a room, which hands over a function from members to members. The answer is a JSON
object; a refusal has ``error``, ``message`` and ``hint``, as `iotauth --json` prints them.

Whoever calls must be on this machine and send ``x-iotauth-emulator: 1``. A web page of somebody else can make
a browser call loopback, but not with a header of its own: that needs our consent, and nobody gets it.

A WebSocket needs no consent, and its handshake no page can give a header. There the browser says in ``Origin``
whose page it is: it must be the emulator's, that is, from the host that the request names. That this host is
one of this machine's names has been seen before a request comes here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import parse_qsl

from iotauth_cli.emulator.model import HttpRequest, HttpResponse
from iotauth_cli.emulator.websocket import NotAnUpgrade, accept
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


@dataclass(frozen=True)
class Socket:
    """What an upgrade leads to: *open* makes it, and it speaks *subprotocol*, a name in lower case."""

    subprotocol: str
    open: Callable[[], asyncio.Protocol]


NO_SOCKETS: Mapping[str, Socket] = {}


class Admin:
    """Answer requests with the functions in *nouns* (GET) and *verbs* (POST), by name: ``clock/advance``.

    A noun gets its query as text, a verb its JSON members. What they raise as an `IotauthError` is the answer;
    ``InputError`` is the caller's fault and a 400, all others are a 409: not in this state of things.
    *sockets* are for the emulator's page.
    """

    def __init__(
        self, nouns: Mapping[str, Handler], verbs: Mapping[str, Handler], sockets: Mapping[str, Socket] = NO_SOCKETS
    ) -> None:
        self._handlers = {"GET": nouns, "POST": verbs}
        self._sockets = sockets

    @classmethod
    def of(cls, *desks: Desk, sockets: Mapping[str, Socket] = NO_SOCKETS) -> Admin:
        """Return the API of all *desks* together, with *sockets*."""
        return cls(
            nouns={name: handler for desk in desks for name, handler in desk.nouns.items()},
            verbs={name: handler for desk in desks for name, handler in desk.verbs.items()},
            sockets=sockets,
        )

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to *request*, whose path begins with `PATH`."""
        path, _, query = request.target.removeprefix(PATH).partition("?")
        if path in self._sockets:
            return _upgrade(request, self._sockets[path])
        if request.header(HEADER) != "1" or not _is_loopback(request.peer):
            return _refusal(HTTPStatus.FORBIDDEN, f"requests come from this machine and carry `{HEADER}: 1`")
        if not any(path in handlers for handlers in self._handlers.values()):
            return _refusal(HTTPStatus.NOT_FOUND, f"the emulator has no `{path}`")
        handler = self._handlers.get(request.method, {}).get(path)
        if handler is None:
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"`{path}` does not answer to {request.method}")
        try:
            members = parse(request.body) if request.method == "POST" else dict(parse_qsl(query))
            return _response(HTTPStatus.OK, await handler(members))
        except IotauthError as error:
            status = HTTPStatus.BAD_REQUEST if isinstance(error, InputError) else HTTPStatus.CONFLICT
            return _response(status, explain(error))


def explain(error: IotauthError) -> Members:
    """Return *error* as the members of an answer."""
    return {"error": error.code, "message": error.message, "hint": error.hint}


def parse(body: str | bytes) -> Members:
    """Return the members that a request brings; an empty one brings none.

    Raises:
        InputError: it is not a JSON object.
    """
    try:
        members = json.loads(body or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"the request is not JSON: {error}") from error
    if not isinstance(members, dict):
        raise InputError("the request must be a JSON object")
    return members


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


def _upgrade(request: HttpRequest, socket: Socket) -> HttpResponse:
    if not _is_loopback(request.peer) or not _is_from_our_page(request):
        return _refusal(HTTPStatus.FORBIDDEN, "a WebSocket is for the emulator's own page, on this machine")
    if request.method != "GET":
        return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"a WebSocket does not answer to {request.method}")
    try:
        headers = accept(request, socket.subprotocol)
    except NotAnUpgrade as error:
        return _refusal(HTTPStatus(error.status), str(error), *error.headers)
    return HttpResponse(101, headers, upgrade=socket.open())


def _is_from_our_page(request: HttpRequest) -> bool:
    host = request.header("host")
    return bool(host) and request.header("origin") == f"http://{host}"


def _refusal(status: HTTPStatus, message: str, *headers: tuple[str, str]) -> HttpResponse:
    return _response(status, {"error": "refused", "message": message, "hint": None}, *headers)


def _response(status: HTTPStatus, members: Members, *headers: tuple[str, str]) -> HttpResponse:
    kind = ("content-type", "application/json")
    return HttpResponse(status.value, (kind, *headers), json.dumps(members).encode())
