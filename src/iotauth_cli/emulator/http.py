"""HTTP/1.1 for both of the emulator's ports: bytes in, one whole request to a handler, one answer out.

h11 keeps the rules of the protocol; this class moves bytes and keeps one request in hand
at a time. An answer that is an upgrade ends HTTP here: another protocol has the connection then.
A client may send the next ones early (pipelining): they wait in h11's buffer, and
reading from the socket pauses, so that a client cannot fill the memory while a handler runs.

Raw MQTT that arrives here came without ALPN. AWS IoT drops such a connection without a
word (conformance row 38), and an ``HTTP/1.1 400`` would only puzzle an MQTT client.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus

import h11

from iotauth_cli.emulator.model import HttpRequest, HttpResponse
from iotauth_cli.emulator.own_faults import way_to

Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]

BODY_LIMIT = 70_167_211  # bytes; Lambda's own limit for CreateFunction: a 50 MB zip in base64, and its JSON
HEAD_LIMIT = 65_536  # bytes of request line and headers
IDLE_LIMIT_S = 60.0  # for a connection on which nothing comes and nothing is being answered; clients open another
LINGER_S = 1.0  # how long a refused upload may go on, so that the client reads the answer and not a reset
MQTT_CONNECT = 0x10  # first byte of an MQTT CONNECT; no HTTP method begins with it

log = logging.getLogger(__name__)
_connection_numbers = itertools.count(1)


class HttpProtocol(asyncio.Protocol):
    """One connection.

    *open_connections*, when given, holds the protocol while it is open. *on_mqtt* is called
    when MQTT arrives instead, before the close. *server_name* is the one that TLS was asked for.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        body_limit: int = BODY_LIMIT,
        idle_limit_s: float = IDLE_LIMIT_S,
        open_connections: set[HttpProtocol] | None = None,
        on_mqtt: Callable[[], None] | None = None,
        server_name: str | None = None,
    ) -> None:
        self._handler = handler
        self._body_limit = body_limit
        self._idle_limit_s = idle_limit_s
        self._open_connections = open_connections
        self._on_mqtt = on_mqtt
        self._server_name = server_name
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._name = f"http-{next(_connection_numbers)}"
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._responding: asyncio.Task[None] | None = None
        self._busy_at = 0.0
        self._idle_check: asyncio.TimerHandle | None = None
        self._is_first = True
        self._is_refused = False
        self._is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        if self._open_connections is not None:
            self._open_connections.add(self)
        self._busy_at = asyncio.get_running_loop().time()
        self._end_if_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        # A handler that runs is left to finish: half of a control-plane operation helps nobody.
        self._close()  # Python 3.10's TLS transport wants it, also when the client has closed
        self._let_go()

    def _let_go(self) -> None:
        self._transport = None
        if self._idle_check is not None:
            self._idle_check.cancel()
        if self._open_connections is not None:
            self._open_connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._busy_at = asyncio.get_running_loop().time()
        if self._is_refused:
            return
        if self._is_first and data[0] == MQTT_CONNECT:
            self._turn_mqtt_away()
            return
        self._is_first = False
        self._h11.receive_data(data)
        if self._responding is None:
            self._advance()
        elif self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Keep the way back open while an answer is being made for a client that has finished talking."""
        if self._is_refused or self._is_first:
            return False
        self._h11.receive_data(b"")
        if self._responding is None:
            self._advance()
        return self._responding is not None

    def close(self) -> None:
        """Close as soon as the answer in hand, if any, is written."""
        self._is_closing = True
        if self._responding is None:
            self._close()

    def _end_if_idle(self) -> None:
        """Close a connection that has rested for too long, or look again when it may have."""
        loop = asyncio.get_running_loop()
        if self._responding is not None:
            self._busy_at = loop.time()
        ends_at = self._busy_at + self._idle_limit_s
        if loop.time() >= ends_at:
            self._close()
        else:  # one timer that looks back is cheaper than one that every request moves
            self._idle_check = loop.call_at(ends_at, self._end_if_idle)

    def _advance(self) -> None:
        """Take what h11 has understood until a request is whole or bytes are missing."""
        try:
            while self._responding is None and not self._is_refused:
                event = self._h11.next_event()
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._collect(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._responding = asyncio.ensure_future(self._respond(self._request()))
                elif event is h11.NEED_DATA:
                    self._ask_for_more()
                    return
                else:  # ConnectionClosed, or a protocol switch that nobody took up
                    self._close()
                    return
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint, str(error))

    def _begin(self, head: h11.Request) -> None:
        self._head, self._body = head, bytearray()
        announced = next((value for name, value in head.headers if name == b"content-length"), b"0")
        if int(announced) > self._body_limit:
            self._refuse_body()

    def _collect(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > self._body_limit:
            self._refuse_body()

    def _ask_for_more(self) -> None:
        if self._transport is None:
            return
        if self._h11.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self._write(self._h11.send(go_on))
        self._transport.resume_reading()

    def _request(self) -> HttpRequest:
        assert self._head is not None
        return HttpRequest(
            method=self._head.method.decode("ascii"),
            target=self._head.target.decode("latin-1"),
            headers=tuple((n.decode("ascii"), v.decode("latin-1")) for n, v in self._head.headers),
            body=bytes(self._body),
            connection=self._name,
            peer=self._peer,
            server_name=self._server_name,
        )

    async def _respond(self, request: HttpRequest) -> None:
        try:
            response = await self._handler(request)
            if response.upgrade is not None:
                self._hand_over(response, response.upgrade)
                return
            self._send(response)
        except Exception as error:
            path = request.target.partition("?")[0]
            log.error("the handler of %s %s failed: %s", request.method, path, way_to(error))
            self._refuse(500, "internal error; the emulator's log has the cause")
        self._responding = None
        self._next_cycle()

    def _next_cycle(self) -> None:
        is_reusable = self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE
        if self._is_closing or self._is_refused or not is_reusable:
            self._close()
            return
        self._h11.start_next_cycle()
        self._advance()

    def _hand_over(self, response: HttpResponse, protocol: asyncio.Protocol) -> None:
        """Let *protocol* have the connection, with what the client has sent ahead."""
        transport = self._transport
        if transport is None or self._is_closing:
            self._close()
            return
        head = h11.InformationalResponse(status_code=101, headers=_encoded(response), reason=_reason(101))
        self._write(self._h11.send(head))
        self._let_go()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
        ahead, _ = self._h11.trailing_data
        if ahead:
            asyncio.get_running_loop().call_soon(protocol.data_received, ahead)

    def _send(self, response: HttpResponse) -> None:
        """Write head and body in one piece, so that a small answer is one packet."""
        is_head = self._head is not None and self._head.method == b"HEAD"
        sent = self._h11.send(self._response_head(response)) or b""
        if response.body and not is_head and not _forbids_body(response.status):
            sent += self._h11.send(h11.Data(data=response.body)) or b""
        sent += self._h11.send(h11.EndOfMessage()) or b""
        self._write(sent)

    def _response_head(self, response: HttpResponse) -> h11.Response:
        headers = _encoded(response)
        headers.append((b"date", _date(int(time.time()))))
        if not _forbids_body(response.status):
            headers.append((b"content-length", b"%d" % len(response.body)))
        if self._is_closing or self._is_refused:
            headers.append((b"connection", b"close"))
        return h11.Response(status_code=response.status, headers=headers, reason=_reason(response.status))

    def _refuse_body(self) -> None:
        self._refuse(413, f"the body is larger than {self._body_limit} bytes", linger_s=LINGER_S)

    def _refuse(self, status: int, reason: str, *, linger_s: float = 0.0) -> None:
        """Answer *status* and close; bytes that still arrive for *linger_s* are thrown away."""
        self._is_refused = True
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # else an answer is already on its way
            self._send(HttpResponse(status, (("content-type", "text/plain"),), f"{reason}\n".encode()))
        if linger_s:
            asyncio.get_running_loop().call_later(linger_s, self._close)
        else:
            self._close()

    def _write(self, data: bytes | None) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _turn_mqtt_away(self) -> None:
        self._is_refused = True
        if self._on_mqtt is not None:
            self._on_mqtt()
        self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _encoded(response: HttpResponse) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.headers]


def _forbids_body(status: int) -> bool:
    return status < 200 or status in (204, 304)


@functools.cache
def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""


@functools.lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    # botocore corrects its clock by this header when a signature is refused.
    return formatdate(second, usegmt=True).encode("ascii")
