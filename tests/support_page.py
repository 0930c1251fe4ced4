"""The page's WebSocket on a real socket: the emulator's HTTP on one side, wsproto's client on the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, CloseConnection, Event, RejectConnection, Request, TextMessage

from iotauth_cli.emulator.admin import Admin
from iotauth_cli.emulator.http import HttpProtocol
from iotauth_cli.emulator.page.message_socket import SUBPROTOCOL, MessageSockets
from support_data import Plane, settle

PATH = "/_emulator/messages"
LIMIT_S = 10.0  # for an answer that does not come
SMALL = 4096  # bytes of the client's receive buffer, so that it is soon full


class Page:
    """A page that reads only when it is asked to. *received* are the JSON frames, *close_code* how it ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status: int | None = None
        self.close_code: int | None = None
        self.received: list[dict[str, Any]] = []
        self._reader = reader
        self._writer = writer
        self._client = WSConnection(ConnectionType.CLIENT)
        self._piece = ""

    async def upgrade(self, request: Request) -> None:
        await self.say(request)
        while self.status is None:
            await self._read()

    async def say(self, *events: Event) -> None:
        self._writer.write(b"".join(self._client.send(event) for event in events))
        await self._writer.drain()

    async def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request, and return the next frame that comes."""
        return await self.ask_text(json.dumps(request))

    async def ask_text(self, request: str) -> dict[str, Any]:
        await self.say(TextMessage(request))
        return await self.next()

    async def next(self) -> dict[str, Any]:
        while not self.received:
            await self._read()
        return self.received.pop(0)

    async def closed(self) -> int:
        """Wait for a close frame, and return its code."""
        while self.close_code is None:
            await self._read()
        return self.close_code

    def leave(self) -> None:
        self._writer.close()

    async def _read(self) -> None:
        data = await asyncio.wait_for(self._reader.read(65_536), LIMIT_S)
        assert data, "the emulator hung up"
        self._client.receive_data(data)
        for event in self._client.events():
            self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, AcceptConnection):
            self.status = 101
        elif isinstance(event, RejectConnection):
            self.status = event.status_code
        elif isinstance(event, TextMessage):
            self._piece += event.data
            if event.message_finished:
                self.received.append(json.loads(self._piece))
                self._piece = ""
        elif isinstance(event, CloseConnection):
            self.close_code = event.code


class Site:
    """The emulator's own API on a port of loopback, with the page's WebSocket."""

    def __init__(self, plane: Plane, host: str, port: int) -> None:
        self.plane = plane
        self.host = f"{host}:{port}"
        self._address = (host, port)
        self._pages: list[Page] = []

    @property
    def origin(self) -> str:
        """The origin of the emulator's own page."""
        return f"http://{self.host}"

    async def knock(self, origin: str | None, subprotocol: str = SUBPROTOCOL) -> Page:
        """Return a page after its handshake, whatever came of it."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, self._address)
        page = Page(*await asyncio.open_connection(sock=connection, limit=SMALL))
        self._pages.append(page)
        headers = [] if origin is None else [(b"origin", origin.encode())]
        await page.upgrade(Request(self.host, PATH, subprotocols=[subprotocol], extra_headers=headers))
        return page

    async def open(self, *filters: str) -> Page:
        """Return a page that has subscribed to *filters*."""
        page = await self.knock(self.origin)
        assert page.status == 101
        for each in filters:
            assert await page.ask(subscribe=each) == {"answer": {"topic_filter": each}}
        return page

    def leave(self) -> None:
        for page in self._pages:
            page.leave()


@contextlib.asynccontextmanager
async def site(plane: Plane) -> AsyncIterator[Site]:
    sockets = MessageSockets(plane.broker, plane.behaviour)
    admin = Admin.of(sockets=sockets.sockets)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpProtocol(admin.handle), "127.0.0.1", 0)
    opened = Site(plane, *server.sockets[0].getsockname()[:2])
    try:
        yield opened
    finally:
        opened.leave()
        sockets.close()
        server.close()
        await settle()
