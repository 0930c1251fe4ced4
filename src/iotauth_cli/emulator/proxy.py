"""An HTTP proxy on loopback through which AWS's own endpoint name and port 443 lead to the emulator.

For clients that insist on 443, or on the real host name: given this proxy, they ask it to CONNECT to
``<prefix>-ats.iot.<region>.amazonaws.com:443`` and are connected with the data port. TLS runs through it
untouched, with the real name in SNI and in the certificate. No root, no hosts file.

It leads to the data port and nowhere else: whatever else it is asked for is answered 403.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping

from iotauth_cli.emulator import ports
from iotauth_cli.emulator.attempts import REFUSED, Attempt, AttemptLog

PROXY = "proxy"  # the check's name in the authorizer log
CONNECT = re.compile(rb"CONNECT (\S+):(\d{1,5}) HTTP/1\.[01]\r\n")
HEAD_LIMIT = 16 * 1024  # bytes of request line and headers
HEAD_TIMEOUT_S = 10.0
PIECE = 64 * 1024  # bytes
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """*serves* tells which host names are the data port's, *routes* which port leads to which of loopback."""

    def __init__(self, serves: Callable[[str], bool], routes: Mapping[int, int], attempts: AttemptLog) -> None:
        self._serves = serves
        self._routes = routes
        self._attempts = attempts
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        return int(self._servers[0].sockets[0].getsockname()[1])

    async def start(self, port: int) -> None:
        """Listen on *port* of both loopback addresses, or on a free one if it is 0.

        Raises:
            OSError: the port is taken.
        """
        for listening in ports.bind(port):
            self._servers.append(await asyncio.start_server(self._attend, sock=listening, limit=HEAD_LIMIT))

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._kept(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            port = await asyncio.wait_for(self._route(reader), HEAD_TIMEOUT_S)
            if port is None:
                writer.write(FORBIDDEN)
                await writer.drain()
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            with self._kept(far_writer):
                writer.write(ESTABLISHED)
                await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))

    async def _route(self, reader: asyncio.StreamReader) -> int | None:
        """Return the port of ours that the request asks for, or None."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            head = b""
        asked = CONNECT.match(head)
        name = asked[1].decode("latin-1").lower() if asked else ""
        port = self._routes.get(int(asked[2])) if asked else None
        if port is not None and self._serves(name):
            return port
        what = f"`{name}:{int(asked[2])}`" if asked else "anything but CONNECT"
        self._attempts.record(Attempt(REFUSED, PROXY, f"the proxy does not lead to {what}"))
        return None

    @contextlib.contextmanager
    def _kept(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, and then the end: an orderly one as such, a reset as a reset."""
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
