"""What carries MQTT and HTTP: a TLS socket, and a WebSocket inside one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, RejectConnection, Request


class TlsPipe:
    def __init__(self, tls: ssl.SSLSocket) -> None:
        self.socket = tls

    def write(self, data: bytes) -> None:
        self.socket.settimeout(30)
        self.socket.sendall(data)

    def read(self, timeout_s: float) -> bytes:
        self.socket.settimeout(max(timeout_s, 0.001))
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            raise
        except (ConnectionError, ssl.SSLError):
            return b""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()


class WebSocketPipe:
    """*status* is the handshake's; 101 if it was accepted. *close_code* is that of the server's close frame."""

    def __init__(self, tls: TlsPipe, host: str, target: str, headers: Iterable[tuple[str, str]]) -> None:
        self._tls = tls
        self._client = WSConnection(ConnectionType.CLIENT)
        self.status = 0
        self.close_code: int | None = None
        self.subprotocol: str | None = None
        self._data: list[bytes] = []
        self._is_over = False
        extra = [(name.encode(), value.encode()) for name, value in headers]
        asked = Request(host=host, target=target, subprotocols=["mqtt"], extra_headers=extra)
        tls.write(self._client.send(asked))
        ends_at = time.monotonic() + 15
        while not self.status and not self._is_over:
            self._take(ends_at - time.monotonic())

    def write(self, data: bytes) -> None:
        self._tls.write(self._client.send(BytesMessage(data)))

    def read(self, timeout_s: float) -> bytes:
        ends_at = time.monotonic() + timeout_s
        while not self._data and not self._is_over:
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._take(left_s)
        return self._data.pop(0) if self._data else b""

    def close(self) -> None:
        self._tls.close()

    def _take(self, timeout_s: float) -> None:
        more = self._tls.read(timeout_s)
        if not more:
            self._is_over = True
            return
        self._client.receive_data(more)
        for event in self._client.events():
            if isinstance(event, AcceptConnection):
                self.status, self.subprotocol = 101, event.subprotocol
            elif isinstance(event, RejectConnection):
                self.status = event.status_code
            elif isinstance(event, BytesMessage):
                self._data.append(bytes(event.data))
            elif isinstance(event, CloseConnection):
                self.close_code, self._is_over = event.code, True


def connect_tls(
    address: tuple[str, int], context: ssl.SSLContext, server_name: str | None, wait_s: float = 15
) -> TlsPipe:
    """Connect and shake hands; *server_name* None sends none.

    Raises:
        OSError: either failed; TLS's own errors are OSErrors too.
    """
    plain = socket.create_connection(address, timeout=wait_s)
    # Devices are silent for minutes in some tests, and routers forget who is: TCP's own signs of life are none of MQTT.
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    try:
        return TlsPipe(context.wrap_socket(plain, server_hostname=server_name))
    except BaseException:
        plain.close()
        raise
