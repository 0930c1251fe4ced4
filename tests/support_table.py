"""Something that answers where DynamoDB would: byte for byte what a test says, or moto.

The client under test is real and so is its socket; only the far end is ours.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

HANG_UP = b""  # an answer that is none: the connection ends instead


class Asked(NamedTuple):
    """A request as it came in. *connection* counts from 1."""

    connection: int
    line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


Answerer = Callable[[Asked], bytes]


def answer(body: object = None, status: int = 200, **headers: str) -> bytes:
    """Write an HTTP answer with *body* as JSON; `connection="close"` is announced, and done."""
    content = json.dumps({} if body is None else body).encode()
    named = {"content-length": str(len(content)), **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + content


def error(code: str, status: int = 400) -> bytes:
    """Write an error as DynamoDB does."""
    return answer({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}, status)


def in_turn(*answers: bytes) -> Answerer:
    """Give *answers* one after the other, then the last one for good."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


class Server:
    """A server on a free port of 127.0.0.1, at `url`. `asked` holds every request so far."""

    def __init__(self, answerer: Answerer, tls: ssl.SSLContext | None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self._answerer = answerer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def drop_connections(self) -> None:
        """Cut every open connection, as a server does with one that was idle for too long."""
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self.drop_connections()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                self._open.append(plain)
                self.connections += 1
                threading.Thread(target=self._serve, args=(plain, self.connections), daemon=True).start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        with suppress(OSError), plain, self._wrapped(plain) as wire, wire.makefile("rb") as stream:
            while line := stream.readline():
                headers = dict(_headers(stream))
                body = stream.read(int(headers.get("content-length", 0)))
                asked = Asked(number, line.decode().strip(), headers, body)
                self.asked.append(asked)
                reply = self._answerer(asked)
                wire.sendall(reply)
                if reply == HANG_UP or b"connection: close" in reply.partition(b"\r\n\r\n")[0]:
                    return

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(plain, server_side=True) if self._tls else plain


def tls_context(certificate_and_key: Path) -> ssl.SSLContext:
    """Return what a server needs to speak TLS, from one file with both."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_and_key)
    return context


@contextmanager
def serving(answerer: Answerer, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve *answerer* for as long as the block lasts."""
    server = Server(answerer, tls)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def moto_table(name: str = "clients") -> Iterator[Server]:
    """Serve moto's DynamoDB with an empty table, keyed `Client_ID`.

    moto's own server needs Flask; this puts its in-process form behind a socket. A typed
    JSON body is just what botocore takes as parameters, so nothing is translated but names.
    """
    import boto3
    from botocore.exceptions import ClientError
    from moto import mock_aws

    with mock_aws():
        table = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
        table.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )

        def asked_moto(asked: Asked) -> bytes:
            method = re.sub("(?<!^)(?=[A-Z])", "_", asked.operation).lower()
            try:
                found: dict[str, Any] = getattr(table, method)(**json.loads(asked.body))
            except ClientError as refused:
                return error(refused.response["Error"]["Code"])
            del found["ResponseMetadata"]
            return answer(found)

        with serving(asked_moto) as server:
            yield server


def _headers(stream: Any) -> Iterator[tuple[str, str]]:
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        yield name.lower(), value.strip()
