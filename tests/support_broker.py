"""A broker that does what a test tells it: answers a packet, hangs up on it, or says nothing.

It speaks just enough MQTT 3.1.1 over TLS to be the other end of a probe. What a real broker
does is tested against the emulator; this one does what no real broker would.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14
Answer = bytes | Literal["close", "silence", "serve"]

ACCEPTED = bytes((0x20, 2, 0, 0))
NOT_AUTHORIZED = bytes((0x20, 2, 0, 5))


@dataclass
class Broker:
    """Where it listens, and what it was told; *script* says what to do on each kind of packet."""

    port: int
    script: Mapping[int, Answer]
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    alpn: list[str | None] = field(default_factory=list)

    def serve(self, conn: socket.socket) -> None:
        while packet := read_packet(conn):
            kind, body = packet
            self.packets.append(packet)
            answer = self.script.get(kind >> 4, "serve")
            if answer == "close" or kind >> 4 == DISCONNECT:
                return
            if isinstance(answer, bytes):
                conn.sendall(answer)
            elif answer == "serve":
                conn.sendall(serve_packet(kind, body))


def serve_packet(kind: int, body: bytes) -> bytes:
    """Answer as a broker with one client that may do everything."""
    if kind >> 4 == CONNECT:
        return ACCEPTED
    if kind >> 4 == SUBSCRIBE:
        return bytes((0x90, 3)) + body[:2] + b"\x01"
    if kind >> 4 == PUBLISH:
        topic_length = struct.unpack("!H", body[:2])[0]
        mid = body[2 + topic_length : 4 + topic_length]
        echo = body[: 2 + topic_length] + body[4 + topic_length :]
        return bytes((0x40, 2)) + mid + bytes((0x30, len(echo))) + echo
    return b""


def read_packet(conn: socket.socket) -> tuple[int, bytes] | None:
    try:
        head = conn.recv(1)
        length, shift = 0, 0
        while head:
            byte = conn.recv(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        body = b""
        while len(body) < length:
            body += conn.recv(length - len(body))
    except (OSError, IndexError):
        return None
    return (head[0], body) if head else None


def server_context(leaf: Path, alpn: tuple[str, ...] = ("mqtt", "x-amzn-mqtt-ca", "http/1.1")) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(leaf)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@contextlib.contextmanager
def broker(leaf: Path, script: Mapping[int, Answer] | None = None, **options: tuple[str, ...]) -> Iterator[Broker]:
    """Run a broker on 127.0.0.1 with the certificate in *leaf*."""
    context = server_context(leaf, **options)
    with listening() as listener:
        told = Broker(listener.getsockname()[1], script or {})

        def talk(conn: socket.socket) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(conn, server_side=True) as tls:
                told.alpn.append(tls.selected_alpn_protocol())
                told.serve(tls)

        with accepting(listener, talk):
            yield told


@contextlib.contextmanager
def plain_server(greeting: bytes | None = b"HTTP/1.1 400 Bad Request\r\n\r\n") -> Iterator[int]:
    """Run something that is no TLS server; *greeting* None hangs up at once. Yield its port."""

    def talk(conn: socket.socket) -> None:
        with conn, contextlib.suppress(OSError):
            if greeting is not None:
                conn.recv(65536)
                conn.sendall(greeting)

    with listening() as listener, accepting(listener, talk):
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@contextlib.contextmanager
def accepting(listener: socket.socket, talk: object) -> Iterator[None]:
    """Hand every connection to *talk* on a thread of its own; end them all at the end."""
    assert callable(talk)
    threads: list[threading.Thread] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = listener.accept()
                conn.settimeout(5)
                thread = threading.Thread(target=talk, args=(conn,), daemon=True)
                thread.start()
                threads.append(thread)

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(5)
        for thread in threads:
            thread.join(5)
