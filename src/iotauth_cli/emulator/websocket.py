"""WebSockets: the handshake, frames on the side of the socket, and inside them MQTT or what else is spoken.

wsproto keeps the rules of the frames, and `WebSocket` those of a connection; who inherits from it says what
messages mean. In MQTT's, `StreamWebSocket`, they mean nothing: binary frames carry MQTT in pieces of any
size, so one frame may hold several packets, and one packet may span several frames or several fragments of
one. What is in them goes to the protocol inside, which takes it for its socket.
Sources: RFC 6455; MQTT 3.1.1, chapter 6; AWS IoT developer guide, "Device communication protocols".
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import generate_accept_token

from iotauth_cli.emulator.model import HttpRequest

MQTT = "mqtt"  # the subprotocol's name; MQTT 3.1.1, MQTT-6.0.0-3
VERSION = "13"
KEY_BYTES = 16
CLOSE_TIMEOUT_S = 2.0  # for the client's half of the closing handshake


class NotAnUpgrade(ValueError):
    """The request does not ask for a WebSocket that is to be had here; *headers* are for its answer."""

    def __init__(self, sentence: str, status: int = 400, *headers: tuple[str, str]) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


def accept(request: HttpRequest, subprotocol: str = MQTT) -> tuple[tuple[str, str], ...]:
    """Return the headers of the 101 that takes an upgrade up.

    Raises:
        NotAnUpgrade: a part of the handshake is missing, or another version or subprotocol is wanted.
    """
    if "websocket" not in _tokens(request, "upgrade") or "upgrade" not in _tokens(request, "connection"):
        raise NotAnUpgrade("the request does not ask for an upgrade to a WebSocket", 426, ("upgrade", "websocket"))
    if request.header("sec-websocket-version") != VERSION:
        answer = ("sec-websocket-version", VERSION)
        raise NotAnUpgrade(f"Sec-WebSocket-Version must be {VERSION}", 426, ("upgrade", "websocket"), answer)
    key = request.header("sec-websocket-key") or ""
    if not _is_key(key):
        raise NotAnUpgrade(f"Sec-WebSocket-Key must be {KEY_BYTES} bytes in base64")
    if subprotocol not in _tokens(request, "sec-websocket-protocol"):
        raise NotAnUpgrade(f"Sec-WebSocket-Protocol must offer `{subprotocol}`")
    return (
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", generate_accept_token(key.encode("ascii")).decode("ascii")),
        ("sec-websocket-protocol", subprotocol),
    )


def _tokens(request: HttpRequest, name: str) -> set[str]:
    """Return the words of a header that lists them, however many lines it has."""
    lines = (value for key, value in request.headers if key == name)
    return {word.strip().lower() for line in lines for word in line.split(",")}


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


class WebSocket(asyncio.Protocol, ABC):
    """One WebSocket whose handshake is done. Who inherits is told when it is opened, of messages, and of its end.

    *kind* is that of its messages; one of the other kind ends it. *open_websockets* holds it while it is open.
    """

    kind: ClassVar[type[Message[Any]]]

    def __init__(self, open_websockets: set[WebSocket]) -> None:
        self._open_websockets = open_websockets
        self._frames = Connection(ConnectionType.SERVER)
        self._transport: asyncio.Transport | None = None
        self._impatience: asyncio.TimerHandle | None = None
        self._is_paused = False

    # From the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_websockets.add(self)
        self.opened(transport)

    def data_received(self, data: bytes) -> None:
        if self._frames.state in (ConnectionState.CLOSED, ConnectionState.REMOTE_CLOSING):
            return
        self._frames.receive_data(data)
        for event in self._frames.events():
            self._handle(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self.hang_up()  # Python 3.10's TLS transport wants it, also when the client has closed
        self._transport = None
        self._open_websockets.discard(self)
        if self._impatience is not None:
            self._impatience.cancel()
        self.lost(exc)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False

    def _handle(self, event: Event) -> None:
        if isinstance(event, CloseConnection):
            self._finish(event)
        elif self._frames.state is not ConnectionState.OPEN:
            pass  # the emulator has said goodbye, and only the client's goodbye still matters
        elif isinstance(event, self.kind):
            self.received(event)
        elif isinstance(event, Message):
            self.close(CloseReason.UNSUPPORTED_DATA)
        elif isinstance(event, Ping) and not self._is_paused:  # who does not read gets no pongs to pile up
            self._write(event.response())

    def _finish(self, event: CloseConnection) -> None:
        """Let the socket go: the client has answered our close, has sent its own, or broken the rules."""
        if self._frames.state is ConnectionState.REMOTE_CLOSING:
            self._write(event.response())
        elif self._frames.state is ConnectionState.OPEN:
            self._write(CloseConnection(event.code))
        self.hang_up()

    # To who inherits

    @abstractmethod
    def opened(self, transport: asyncio.Transport) -> None: ...

    @abstractmethod
    def received(self, message: Message[Any]) -> None:
        """Take a message, or the next piece of one: the last has *message_finished*."""

    @abstractmethod
    def lost(self, exc: Exception | None) -> None: ...

    # From who inherits

    def send(self, message: Message[Any]) -> None:
        if self._frames.state is ConnectionState.OPEN:
            self._write(message)

    def close(self, code: int = CloseReason.NORMAL_CLOSURE) -> None:
        """Say goodbye, and wait a moment for the client to say it too."""
        if self._frames.state is ConnectionState.OPEN and self._transport is not None:
            self._write(CloseConnection(code))
            self._transport.resume_reading()
            self._impatience = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.hang_up)

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def is_closing(self) -> bool:
        return self._transport is None or self._frames.state is not ConnectionState.OPEN

    def _write(self, event: Event) -> None:
        if self._transport is not None:
            self._transport.write(self._frames.send(event))


class StreamWebSocket(WebSocket):
    """A WebSocket that is a stream of bytes to *inside*, which speaks MQTT on it."""

    kind = BytesMessage  # MQTT-6.0.0-1: a frame of text ends the connection

    def __init__(self, inside: asyncio.Protocol, open_websockets: set[WebSocket]) -> None:
        super().__init__(open_websockets)
        self._inside = inside

    def opened(self, transport: asyncio.Transport) -> None:
        self._inside.connection_made(_Stream(self, transport))

    def received(self, message: Message[Any]) -> None:
        self._inside.data_received(bytes(message.data))

    def lost(self, exc: Exception | None) -> None:
        self._inside.connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._inside.pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._inside.resume_writing()


class _Stream(asyncio.Transport):
    """The WebSocket as the protocol inside sees it."""

    def __init__(self, websocket: WebSocket, transport: asyncio.Transport) -> None:
        super().__init__()
        self._websocket = websocket
        self._transport = transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            self._websocket.send(BytesMessage(bytes(data)))

    def is_closing(self) -> bool:
        return self._websocket.is_closing()

    def close(self) -> None:
        self._websocket.close()

    def abort(self) -> None:
        self._transport.abort()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()
