"""An MQTT client inside a WebSocket, in memory: wsproto's client on one side, the data port's HTTP on the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from wsproto import WSConnection
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Pong,
    RejectConnection,
    RejectData,
    Request,
)

from iotauth_cli.emulator.http import HttpProtocol
from iotauth_cli.emulator.mqtt.codec import Decoder, encode
from iotauth_cli.emulator.mqtt.packets import LEVEL_3_1_1, Connect, Packet, Publish, Subscribe, Subscription
from support_data import Plane, settle

NAMED = "u?x-amz-customauthorizer-name=doors"


class Wire(asyncio.Transport):
    """A socket in memory; who speaks on it may change, as it does at an upgrade."""

    def __init__(self, device: WebSocketDevice) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self._device = device
        self.protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._device.take(bytes(data))

    def is_closing(self) -> bool:
        return self._device.is_closed

    def close(self) -> None:
        self._device.close()

    def abort(self) -> None:
        self._device.close()

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class WebSocketDevice:
    """*received* are MQTT packets; *pongs* and *close_code* what the frames said."""

    def __init__(self, plane: Plane) -> None:
        self.received: list[Packet] = []
        self.frames: list[bytes] = []
        self.pongs: list[bytes] = []
        self.close_code: int | None = None
        self.status: int | None = None
        self.refusal = b""
        self.subprotocol: str | None = None
        self.is_closed = False
        self._client = WSConnection(ConnectionType.CLIENT)
        self._level = LEVEL_3_1_1
        self._decoder = Decoder()
        self._wire = Wire(self)
        http = HttpProtocol(plane.data_http.handle, server_name="localhost")
        self._wire.set_protocol(http)
        http.connection_made(self._wire)

    @property
    def protocol(self) -> asyncio.Protocol:
        assert isinstance(self._wire.protocol, asyncio.Protocol)
        return self._wire.protocol

    async def upgrade(
        self,
        target: str = "/mqtt",
        headers: Iterable[tuple[str, str]] = (),
        *,
        subprotocols: Iterable[str] = ("mqtt",),
        ahead: bytes = b"",
    ) -> None:
        """Ask for the WebSocket, with *ahead* sent before the answer is there."""
        extra = [(name.encode(), value.encode()) for name, value in headers]
        asked = Request(host="localhost", target=target, subprotocols=list(subprotocols), extra_headers=extra)
        self.protocol.data_received(self._client.send(asked) + ahead)
        await settle()

    def take(self, data: bytes) -> None:
        self._client.receive_data(data)
        for event in self._client.events():
            self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, AcceptConnection):
            self.status, self.subprotocol = 101, event.subprotocol
        elif isinstance(event, RejectConnection):
            self.status = event.status_code
        elif isinstance(event, RejectData):
            self.refusal += event.data
        elif isinstance(event, BytesMessage):
            self.frames.append(bytes(event.data))
            self._decoder.feed(bytes(event.data))
            self.received += self._decoder.packets()
        elif isinstance(event, Pong):
            self.pongs.append(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            self.close_code = event.code

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    async def say(self, *events: Event) -> None:
        """Send frames in one piece, and wait until they are handled."""
        self.protocol.data_received(b"".join(self._client.send(event) for event in events))
        await settle()

    async def send(self, *packets: Packet) -> None:
        await self.say(*(BytesMessage(encode(packet, self._level)) for packet in packets))

    async def answer_close(self) -> None:
        """Do the client's half of the closing handshake."""
        assert self._client.state is ConnectionState.REMOTE_CLOSING
        assert self.close_code is not None
        await self.say(CloseConnection(self.close_code))

    async def connect(
        self, client_id: str = "thermo-1", *, username: str | None = NAMED, level: int = LEVEL_3_1_1
    ) -> None:
        self._level = self._decoder.level = level
        await self.send(Connect(client_id, True, 60, username, b"secret" if username else None, level=level))

    async def subscribe(self, topic_filter: str) -> None:
        await self.send(Subscribe(9, (Subscription(topic_filter, 1),)))

    @property
    def messages(self) -> list[tuple[str, bytes]]:
        return [(packet.topic, packet.payload) for packet in self.received if isinstance(packet, Publish)]

    @property
    def said(self) -> dict[str, Any]:
        """The JSON of a refused handshake."""
        body: dict[str, Any] = json.loads(self.refusal)
        return body
