"""The Lambda Runtime API of one child: it polls for an event, gets one, and posts one answer.

    GET  /2018-06-01/runtime/invocation/next             waits until there is an event
    POST /2018-06-01/runtime/invocation/{id}/response    what the handler returned
    POST /2018-06-01/runtime/invocation/{id}/error       what it raised
    POST /2018-06-01/runtime/init/error                  why there is no handler

Source: AWS Lambda developer guide, "Using the Lambda runtime API". Each child has a listener of its own, so
the address alone says who is speaking, and ``AWS_LAMBDA_RUNTIME_API`` is a plain ``host:port`` as in AWS.

An event holds a device's password and an answer lets it in, so no web page may speak here, also not one that
has its own name lead to loopback (DNS rebinding).

Requests are read here and not by `emulator.http`: the peer is a runtime client on loopback which sends whole
requests with a Content-Length, and h11 with a task for each of the two requests of a call would cost more
than everything else in a warm call together.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

PREFIX = "/2018-06-01/runtime/"
LOOPBACK = "127.0.0.1"
MAX_ANSWER = 6_291_556  # bytes; Lambda's limit for a synchronous response, as its own error states it
MAX_HEAD = 65_536  # bytes
HEAD_END = b"\r\n\r\n"
BROWSERS = ("origin", "sec-fetch-site")  # headers that a page's requests have and no page can leave out
REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    413: "Request Entity Too Large",
}


@dataclass(frozen=True)
class Event:
    """One invocation on its way to the child. *deadline_ms* is epoch milliseconds."""

    request_id: str
    function_arn: str
    deadline_ms: int
    payload: bytes


@dataclass(frozen=True)
class Answer:
    """What came back for an event. *is_error*: the body is Lambda's error JSON."""

    body: bytes
    is_error: bool


class InitFailed(Exception):
    """The handler could not be loaded. *body* is the error JSON that the runtime posted."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body

    @property
    def kind(self) -> str:
        """Lambda's word for what failed: ``Runtime.ImportModuleError``."""
        try:
            return str(json.loads(self.body)["errorType"])
        except (ValueError, TypeError, KeyError):  # a runtime of somebody else's may post anything
            return "Unhandled"


class RuntimeApi:
    """One child's Runtime API: `call` on the emulator's side, HTTP on the child's."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        """*on_lost* is called when the last connection of the child is gone."""
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Transport] = set()
        self._poller: asyncio.Transport | None = None
        self._waiting_event: Event | None = None
        self._poll_awaited: asyncio.Future[None] | None = None
        self._current_id: str | None = None
        self._failure: Exception | None = None
        self._answer: asyncio.Future[Answer] = self._loop.create_future()
        self.initialised: asyncio.Future[None] = self._loop.create_future()

    async def listen(self) -> str:
        """Open a port on loopback and return its ``host:port``."""
        self._server = await self._loop.create_server(lambda: RuntimeProtocol(self), LOOPBACK, 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    @property
    def is_connected(self) -> bool:
        return any(not transport.is_closing() for transport in self._connections)

    def call(self, event: Event) -> asyncio.Future[Answer]:
        """Give *event* to the child at its next poll; the future gets its answer."""
        self._answer = self._loop.create_future()
        self._current_id = event.request_id
        if self._failure is not None:  # it went in the moment between being chosen and being called
            self._answer.set_exception(self._failure)
        elif self._poller is None:
            self._waiting_event = event
        else:
            poller, self._poller = self._poller, None
            poller.write(event_response(event))
        return self._answer

    def next_poll(self) -> asyncio.Future[None]:
        """Return what is done when the child asks for another event, or leaves."""
        self._poll_awaited = self._loop.create_future()
        if self._poller is not None or not self._connections:
            self._poll_awaited.set_result(None)
        return self._poll_awaited

    def fail(self, error: Exception) -> None:
        """Let whoever waits for the child, now or later, have *error*."""
        self._failure = error
        waited_for: asyncio.Future[None] | asyncio.Future[Answer]
        waited_for = self._answer if self.initialised.done() else self.initialised
        if not waited_for.done():
            waited_for.set_exception(error)
            waited_for.exception()  # seen, even if whoever waited has left meanwhile

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for transport in self._connections:
            transport.abort()

    def connected(self, transport: asyncio.Transport) -> None:
        self._connections.add(transport)

    def disconnected(self, transport: asyncio.Transport) -> None:
        self._connections.discard(transport)
        if self._poller is transport:
            self._poller = None
        if not self._connections:
            self._on_lost()
            self._note_poll()

    def handle(self, transport: asyncio.Transport, method: str, path: str, body: bytes) -> bytes | None:
        """Return the response to one request, or None when it is given later: a poll without an event."""
        match method, path.removeprefix(PREFIX).split("/"):
            case "GET", ["invocation", "next"]:
                return self._next(transport)
            case "POST", ["invocation", request_id, "response" | "error" as verdict]:
                return self._finish(request_id, body, is_error=verdict == "error")
            case "POST", ["init", "error"]:
                return self._init_failed(body)
        return refusal(404, "NotFound", f"the Runtime API has no {method} {path}")

    def too_large(self, length: int) -> bytes:
        """End the invocation in hand because its answer of *length* bytes would be over the limit."""
        if not self._answer.done():
            self._answer.set_result(Answer(oversize_error(length), is_error=True))
        return refusal(413, "RequestEntityTooLarge", f"an answer may have at most {MAX_ANSWER} bytes")

    def _next(self, transport: asyncio.Transport) -> bytes | None:
        if not self.initialised.done():
            self.initialised.set_result(None)
        self._note_poll()
        if self._waiting_event is None:
            self._poller = transport
            return None
        event, self._waiting_event = self._waiting_event, None
        return event_response(event)

    def _note_poll(self) -> None:
        if self._poll_awaited is not None and not self._poll_awaited.done():
            self._poll_awaited.set_result(None)

    def _finish(self, request_id: str, body: bytes, *, is_error: bool) -> bytes:
        if request_id != self._current_id or self._answer.done():
            return refusal(400, "InvalidRequestID", "Invalid request ID")
        self._answer.set_result(Answer(body, is_error))
        return ACCEPTED

    def _init_failed(self, body: bytes) -> bytes:
        if self.initialised.done():
            return refusal(403, "InvalidStateTransition", "State transition from Ready to InitError failed")
        self.initialised.set_exception(InitFailed(body))
        return ACCEPTED


class RuntimeProtocol(asyncio.Protocol):
    """Cuts what one connection of a child sends into requests."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._api.connected(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._transport is not None
        self._api.disconnected(self._transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        try:
            while not self._transport.is_closing() and self._take_request(self._transport):
                pass
        except ValueError as error:
            self._refuse(self._transport, refusal(400, "InvalidRequest", str(error)))

    def _take_request(self, transport: asyncio.Transport) -> bool:
        """Answer the first request in the buffer; False when it is not whole yet."""
        end = self._buffer.find(HEAD_END)
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise ValueError("the request's head is too long")
            return False
        method, path, length = parse_head(bytes(self._buffer[:end]))
        if length > MAX_ANSWER:  # refused before it is read: the emulator must not hold it
            self._refuse(transport, self._api.too_large(length))
            return False
        body_begin, body_end = end + len(HEAD_END), end + len(HEAD_END) + length
        if len(self._buffer) < body_end:
            return False
        body = bytes(self._buffer[body_begin:body_end])
        del self._buffer[:body_end]
        response = self._api.handle(transport, method, path, body)
        if response is not None:
            transport.write(response)
        return True

    def _refuse(self, transport: asyncio.Transport, response: bytes) -> None:
        transport.write(response)
        transport.close()


def parse_head(head: bytes) -> tuple[str, str, int]:
    """Return method, path and Content-Length (0 without one) of a request.

    Raises:
        ValueError: it is not HTTP, its body comes in chunks, or a web page sent it.
    """
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, path, version = request_line.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"{version} is not HTTP/1.1")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    # An HTTP client on a bare socket may leave Host out; a browser never does.
    if headers.get("host", LOOPBACK).partition(":")[0] != LOOPBACK or any(name in headers for name in BROWSERS):
        raise ValueError("the Runtime API is not for web pages")
    if "transfer-encoding" in headers:
        raise ValueError("send a Content-Length, not chunks")
    length = int(headers.get("content-length", "0"))
    if length < 0:
        raise ValueError("the Content-Length is negative")
    return method, path, length


def event_response(event: Event) -> bytes:
    return build_response(
        200,
        event.payload,
        f"Lambda-Runtime-Aws-Request-Id: {event.request_id}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {event.deadline_ms}\r\n"
        f"Lambda-Runtime-Invoked-Function-Arn: {event.function_arn}\r\n",
    )


def build_response(status: int, body: bytes, headers: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\n{headers}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def refusal(status: int, kind: str, message: str) -> bytes:
    return build_response(status, json.dumps({"errorMessage": message, "errorType": kind}).encode())


def oversize_error(length: int) -> bytes:
    message = f"Response payload size ({length} bytes) exceeded maximum allowed payload size ({MAX_ANSWER} bytes)."
    return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode()


ACCEPTED = build_response(202, b'{"status":"OK"}')
