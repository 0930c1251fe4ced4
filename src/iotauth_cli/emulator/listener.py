"""The TLS port: one for everything, as AWS IoT's 443, told apart by ALPN.

    ALPN offered              what it means on AWS IoT            here
    mqtt                      MQTT with custom authentication     `Connection`
    x-amzn-mqtt-ca            MQTT with a client certificate      closed: none is ever asked for
    http/1.1, none, others    HTTPS and WebSocket                 `HttpProtocol`

The port for client certificates, AWS IoT's 8883, is there on demand. No certificate is ever asked for, so
whoever comes there is reset after the handshake, as AWS IoT resets those who bring none.

A server name of a domain configuration that has a protocol of its own speaks that one, whatever ALPN says.
The server name (SNI) is looked at before that: a wrong one ends the handshake, and the function
is never called. Sources: AWS IoT developer guide, "Device communication protocols" and the
troubleshooting page of custom authentication.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
import sys
import time
import weakref
from asyncio import sslproto
from collections.abc import Callable, Collection
from typing import Any

from iotauth_cli.emulator import ports
from iotauth_cli.emulator.attempts import REFUSED, Attempt, AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.ca import ALPN_CERTIFICATE, ALPN_MQTT
from iotauth_cli.emulator.connection import Connection
from iotauth_cli.emulator.data_http import MAX_BODY_BYTES, MQTT_PATH, DataHttp, respond
from iotauth_cli.emulator.gateway import DOMAIN, SERVER_NAME, Arrival, Gateway
from iotauth_cli.emulator.http import Handler, HttpProtocol
from iotauth_cli.emulator.model import (
    DEFAULT_PROTOCOL,
    Domain,
    DomainDirectory,
    HttpRequest,
    HttpResponse,
    no_domains,
)

ALPN = "alpn"  # the check's name in the authorizer log
PORT = "port"
SECURE_MQTT, MQTT_WSS = "SECURE_MQTT", "MQTT_WSS"  # protocols of domain configurations; the third is HTTPS

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
HANDSHAKE_TIMEOUT_S = 10.0
SHUTDOWN_TIMEOUT_S = 2.0  # for the client's part of TLS's goodbye; asyncio would wait 30 s
TLS_BUFFER_BYTES = 16 * 1024  # one TLS record
BACKLOG = 1024  # a fleet that reconnects at once; asyncio would let 100 wait

log = logging.getLogger(__name__)

Chooser = Callable[[asyncio.Transport], asyncio.Protocol | None]


class Listener:
    """The data plane's port on both loopback addresses; there is no way to widen it.

    *context* is that of `ca.server_context`: certificate, TLS version, the ALPN names. *server_names*
    are the endpoint names that a client may ask for, beside those that *domain* knows. *api* answers requests
    signed with AWS credentials.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        gateway: Gateway,
        broker: Broker,
        attempts: AttemptLog,
        *,
        api: Handler | None = None,
        server_names: Collection[str] = LOCAL_NAMES,
        clock: Callable[[], float] = time.time,
        behaviour: Behaviour | None = None,
        domain: DomainDirectory = no_domains,
    ) -> None:
        self._gateway = gateway
        self._domain = domain
        self._broker = broker
        self._attempts = attempts
        self._server_names = frozenset(name.lower() for name in server_names)
        self._clock = clock
        self._behaviour = behaviour or Behaviour()
        self._data_http = DataHttp(
            gateway, broker, attempts, self._connection, api, clock=clock, behaviour=self._behaviour
        )
        self._names: weakref.WeakKeyDictionary[ssl.SSLObject, str] = weakref.WeakKeyDictionary()
        self._http: set[HttpProtocol] = set()
        self._servers: list[asyncio.Server] = []
        self._context = context
        context.sni_callback = self._check_server_name

    @property
    def port(self) -> int:
        return int(self._servers[0].sockets[0].getsockname()[1])

    async def start(self, port: int) -> None:
        """Listen on *port*, or on a free one if it is 0.

        Raises:
            OSError: the port is taken on one of the loopback addresses.
        """
        save_tls_memory()
        await self._listen(port, self._protocol_for)
        self._broker.start()

    async def start_mqtt(self, port: int) -> int:
        """Listen on *port* too, as AWS IoT does on 8883; return its number, which the system chose if it is 0.

        Raises:
            OSError: as `start`.
        """
        return await self._listen(port, self._mqtt_for)

    async def _listen(self, port: int, choose: Chooser) -> int:
        loop = asyncio.get_running_loop()
        sockets = ports.bind(port)
        for each in sockets:
            server = await loop.create_server(
                lambda: _Door(choose), sock=each, ssl=self._context, backlog=BACKLOG, **_timeouts()
            )
            self._servers.append(server)
        return int(sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every connection."""
        for server in self._servers:
            server.close()
        self._broker.stop()
        self._data_http.close()
        for protocol in list(self._http):
            protocol.close()
        self._servers.clear()

    def serves(self, name: str) -> bool:
        """Tell whether *name* is one of the endpoint's, or of a domain configuration."""
        return name.lower() in self._server_names or self._domain(name) is not None

    def _check_server_name(
        self, tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext
    ) -> int | None:
        """Return None to go on, or the TLS alert that ends the handshake."""
        if name is None and self._behaviour.requires_server_name:
            self._refuse(SERVER_NAME, "the client sent no server name (SNI), and AWS IoT wants one")
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if name is None:
            return None
        if not self.serves(name):
            self._refuse(SERVER_NAME, f"no endpoint is called `{name}` (SNI)")
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        assert isinstance(tls, ssl.SSLObject)
        self._names[tls] = name
        return None

    def _protocol_for(self, transport: asyncio.Transport) -> asyncio.Protocol | None:
        """Return who speaks with the client that came through the door; None turns it away."""
        tls = transport.get_extra_info("ssl_object")
        peer = _peer(transport)
        alpn, name = tls.selected_alpn_protocol(), self._names.get(tls)
        domain = self._domain(name)
        if domain is not None and domain.protocol != DEFAULT_PROTOCOL:
            return self._protocol_of(domain, Arrival(peer=peer, server_name=name))
        if alpn == ALPN_CERTIFICATE:
            sentence = f"ALPN `{ALPN_CERTIFICATE}` is for client certificates, and custom authentication has none"
            self._refuse(ALPN, sentence, peer)
            return None
        if alpn == ALPN_MQTT:
            return self._connection(Arrival(peer=peer, server_name=name))
        return self._http_protocol(self._data_http.handle, name, lambda: self._refuse_mqtt(alpn, peer))

    def _mqtt_for(self, transport: asyncio.Transport) -> asyncio.Protocol | None:
        """Return who speaks with the client on the port for client certificates: nobody, but for one kind of domain.

        UNCONFIRMED: whether AWS IoT serves a domain of custom authentication over MQTT there.
        """
        name, peer = self._names.get(transport.get_extra_info("ssl_object")), _peer(transport)
        domain = self._domain(name)
        if domain is not None and domain.protocol == SECURE_MQTT and self._behaviour.serves_domains_on_mqtt_port:
            return self._connection(Arrival(peer=peer, server_name=name))
        sentence = "this port is for client certificates, and the client brought none; custom authentication is on 443"
        self._refuse(PORT, sentence, peer)
        _reset(transport)
        return None

    def _protocol_of(self, domain: Domain, arrival: Arrival) -> asyncio.Protocol:
        """Return who speaks the one protocol of *domain*."""
        if domain.protocol == SECURE_MQTT:
            return self._connection(arrival)

        async def handle(request: HttpRequest) -> HttpResponse:
            is_websocket = request.target.partition("?")[0] == MQTT_PATH
            if is_websocket == (domain.protocol == MQTT_WSS):
                return await self._data_http.handle(request)
            what = "a WebSocket" if is_websocket else "an HTTPS request"
            refuse(what)
            return respond(403, "ForbiddenException", "Forbidden")

        def refuse(what: str) -> None:
            sentence = f"{what} on domain configuration `{domain.name}`, whose protocol is {domain.protocol}"
            self._refuse(DOMAIN, sentence, arrival.peer)

        return self._http_protocol(handle, arrival.server_name, lambda: refuse("MQTT"))

    def _http_protocol(
        self, handler: Handler, server_name: str | None, on_mqtt: Callable[[], None]
    ) -> asyncio.Protocol:
        return HttpProtocol(
            handler,
            body_limit=MAX_BODY_BYTES,
            open_connections=self._http,
            on_mqtt=on_mqtt,
            server_name=server_name,
        )

    def _connection(self, arrival: Arrival) -> Connection:
        return Connection(
            arrival,
            self._gateway,
            self._broker,
            self._attempts,
            clock=self._clock,
            behaviour=self._behaviour,
        )

    def _refuse_mqtt(self, alpn: str | None, peer: str) -> None:
        offered = f"ALPN `{alpn}`" if alpn else "no ALPN"
        self._refuse(ALPN, f"MQTT with {offered}; the client must offer ALPN `{ALPN_MQTT}`", peer)

    def _refuse(self, check: str, sentence: str, peer: str = "") -> None:
        self._attempts.record(Attempt(REFUSED, check, sentence, peer=peer))


class _Door(asyncio.Protocol):
    """Stands at a new connection until TLS is up, then hands it to whom it is for."""

    def __init__(self, choose: Chooser) -> None:
        self._choose = choose

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        protocol = self._choose(transport)
        if protocol is None:
            transport.abort()
            return
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


def _peer(transport: asyncio.Transport) -> str:
    """Return the client's address; empty when it is gone already."""
    address = transport.get_extra_info("peername")
    return str(address[0]) if address else ""


def _reset(transport: asyncio.Transport) -> None:
    """Let the close that follows be a reset: with nothing to linger for, TCP sends no orderly end."""
    plain: socket.socket = transport.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def save_tls_memory() -> None:
    """Let asyncio keep 16 KiB for each TLS connection it reads from, not 256 KiB.

    `SSLProtocol.max_size` sizes a buffer that every connection owns from its handshake on; a
    TLS record never needs more than 16 KiB of it, and throughput is the same. The name is not
    public (CPython 3.11 to 3.14), so it is changed only where it is what it was.
    """
    if isinstance(getattr(sslproto.SSLProtocol, "max_size", None), int):
        setattr(sslproto.SSLProtocol, "max_size", TLS_BUFFER_BYTES)  # noqa: B010 (unknown to type stubs)


def _timeouts() -> dict[str, Any]:
    timeouts = {"ssl_handshake_timeout": HANDSHAKE_TIMEOUT_S}
    if sys.version_info >= (3, 11):
        timeouts["ssl_shutdown_timeout"] = SHUTDOWN_TIMEOUT_S
    return timeouts
