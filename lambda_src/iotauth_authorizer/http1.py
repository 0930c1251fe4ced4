"""HTTP/1.1 as far as this package needs it: one request at a time on one kept-alive connection.

Not `http.client`, because that imports the `email` package and reads every header with it: a
third of the function's cold start and half of a warm call. What is kept of it is the care:
`Connection: close`, chunked bodies, interim answers, and an answer that ends too early.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ssl import SSLContext

MAX_HEAD_BYTES = 65_536
MAX_PORT = 65_535
_RECEIVE_BYTES = 65_536
_BODILESS = (204, 304)
# Scheme, host with port, host, port, path with query. `urllib.parse` would cost a cold start 1 ms more.
_ADDRESS = re.compile(r"(https?)://((\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::(\d{1,5}))?)([/?][^\s#]*)?", re.ASCII)
_ROOTS = os.path.join(os.path.dirname(__file__), "roots.pem")


class Broken(Exception):
    """The connection is gone, or what came over it is not HTTP."""


class Unreachable(Broken):
    """Nobody answers at the address, or nobody whom we trust."""


class Response(NamedTuple):
    """A whole answer. Names in *headers* are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A connection to the server of *url* (http or https), opened at need and kept alive.

    `host` is the name with its port, `path` all that follows them. *ca_file* replaces the
    roots that are trusted: Amazon's, shipped beside this file for a fast handshake, and when
    those do not verify the server, the system's.
    """

    def __init__(self, url: str, *, ca_file: str | None = None) -> None:
        parts = _ADDRESS.fullmatch(url)
        if parts is None or int(parts[4] or 0) > MAX_PORT:
            raise ValueError(f"`{url}` is not an http or https address")
        scheme, self.host, self.hostname, port, self.path = parts.groups(default="")
        self.hostname = self.hostname.strip("[]")
        self.path = self.path if self.path.startswith("/") else f"/{self.path}"
        self.is_tls = scheme == "https"
        self._port = int(port or (443 if self.is_tls else 80))
        self._trusts = _trusts(ca_file) if self.is_tls else []
        self._context: SSLContext | None = None
        self._socket: socket.socket | None = None
        self._reader = Reader(self._receive)
        self._deadline = 0.0  # of the request that is under way, by the monotonic clock

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def open(self, timeout_s: float) -> None:
        """Connect and shake hands within *timeout_s*, unless that is done.

        Raises:
            Unreachable: nobody answers, or nobody whom we trust.
        """
        self._deadline = time.monotonic() + timeout_s
        if self._socket is None:
            self._reader = Reader(self._receive)
            try:
                self._socket = self._connected()
            except OSError as error:
                raise Unreachable(f"{self.host} cannot be reached: {error}") from error

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, timeout_s: float
    ) -> Response:
        """Send one request and read its whole answer within *timeout_s*, opening the connection included.

        `content-length` is added, and `host` where *headers* (lower case) have none. Whatever
        goes wrong closes the connection.

        Raises:
            Broken: no whole answer came.
        """
        self.open(timeout_s)
        whole = {"host": self.host, **headers, "content-length": len(body)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in whole.items())
        head = f"{method} {path} HTTP/1.1\r\n{lines}\r\n"
        try:
            assert self._socket is not None
            self._socket.settimeout(self._left_s())
            # One write: a head that waits for its body's packet would wait for the server's delayed ACK.
            self._socket.sendall(head.encode("latin-1") + body)
            response, stays_open = self._reader.response()
        except (OSError, ValueError) as error:
            self.close()
            raise Broken(f"{self.host} did not answer: {error}") from error
        if not stays_open:
            self.close()
        return response

    def _receive(self) -> bytes:
        assert self._socket is not None
        self._socket.settimeout(self._left_s())
        return self._socket.recv(_RECEIVE_BYTES)

    def _left_s(self) -> float:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return left_s

    def _connected(self) -> socket.socket:
        plain = socket.create_connection((self.hostname, self._port), self._left_s())
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._trusts:
            return plain
        # Imported here because a plain connection, such as the emulator's, needs none of it.
        from ssl import SSLCertVerificationError

        try:
            self._context = self._context or self._trusts[0]()
            plain.settimeout(self._left_s())
            return self._context.wrap_socket(plain, server_hostname=self.hostname)
        except OSError as error:
            plain.close()
            if not (isinstance(error, SSLCertVerificationError) and len(self._trusts) > 1):
                raise
        del self._trusts[0]  # for this connection and all later ones
        self._context = None
        return self._connected()


class Reader:
    """Takes answers out of a stream of bytes. *receive* gives the next piece, or none at the end."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._received = b""

    def response(self) -> tuple[Response, bool]:
        """Read one answer, and tell whether the connection may carry another.

        Raises:
            ValueError: what came is not HTTP, or ends too early.
        """
        version, status, headers = self._head()
        while 100 <= status < 200:  # interim: the answer itself follows
            version, status, headers = self._head()
        response = Response(status, headers, self._body(status, headers))
        connection = headers.get("connection", "").lower()
        stays_open = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
        has_end = status in _BODILESS or "content-length" in headers or "transfer-encoding" in headers
        # Bytes that nobody asked for cannot be the next answer.
        return response, stays_open and has_end and not self._received

    def _head(self) -> tuple[str, int, dict[str, str]]:
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError("it does not speak HTTP/1.1")
        pairs = (line.partition(":") for line in lines[1:])
        return version, int(rest[:3]), {name.lower(): value.strip() for name, _, value in pairs}

    def _body(self, status: int, headers: Mapping[str, str]) -> bytes:
        if status in _BODILESS:
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        if "content-length" in headers:
            return self._exactly(_size(headers["content-length"], 10))
        return self._to_the_end()

    def _chunks(self) -> bytes:
        chunks = []
        while size := _size(self._until(b"\r\n").partition(b";")[0].decode("latin-1"), 16):
            chunks.append(self._exactly(size))
            self._exactly(2)  # the line end after the chunk
        while self._until(b"\r\n"):  # trailers, up to the empty line
            pass
        return b"".join(chunks)

    def _until(self, end: bytes) -> bytes:
        """Return what comes before *end*, and take both away."""
        while (at := self._received.find(end)) < 0:
            if len(self._received) > MAX_HEAD_BYTES:
                raise ValueError("its head does not end")
            self._received += self._more()
        taken, self._received = self._received[:at], self._received[at + len(end) :]
        return taken

    def _exactly(self, size: int) -> bytes:
        parts = [self._received]
        missing = size - len(self._received)
        while missing > 0:
            parts.append(self._more())
            missing -= len(parts[-1])
        whole = b"".join(parts)
        self._received = whole[size:]
        return whole[:size]

    def _to_the_end(self) -> bytes:
        parts = [self._received]
        while part := self._receive():
            parts.append(part)
        self._received = b""
        return b"".join(parts)

    def _more(self) -> bytes:
        data = self._receive()
        if not data:
            raise ValueError("it hung up before its answer was whole")
        return data


def _trusts(ca_file: str | None) -> list[Callable[[], SSLContext]]:
    """Return what to trust, in turn: the file that was given; or Amazon's roots, then the system's."""
    from ssl import create_default_context

    if ca_file is not None:
        return [lambda: create_default_context(cafile=ca_file)]
    return [lambda: create_default_context(cadata=_shipped_roots()), create_default_context]


def _shipped_roots() -> str:
    # Through the loader, because the package may be running from inside its zip.
    assert __spec__ is not None
    data: bytes = __spec__.loader.get_data(_ROOTS)  # type: ignore[union-attr]
    return data.decode()


def _size(digits: str, base: int) -> int:
    size = int(digits, base)
    if size < 0:
        raise ValueError("a length is not negative")
    return size
