"""Upgrade and request against servers that are right, and against what else may listen on such a port."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iotauth_cli.errors import InputError
from iotauth_cli.probe.stages import Endpoint, Errand, Login, Manner, Stage, Symptom
from iotauth_cli.probe.walk import walk
from iotauth_cli.secret import Secret
from support_broker import accepting, listening, server_context
from support_tls import Authority

PASSWORD, SIGNATURE = "iota_canary_in_the_mine", "c2lnbmF0dXJl+/=="
USERNAME = (
    "thermo-1?x-amz-customauthorizer-name=doors&token=t0k3n&x-amz-customauthorizer-signature=c2lnbmF0dXJl%2B%2F%3D%3D"
)
LOGIN = Login("thermo-1", USERNAME, Secret(PASSWORD))
SOCKET, HTTP, QUERY = Manner("websocket", "headers"), Manner("http", "headers"), Manner("http", "query")
Talk = Callable[[ssl.SSLSocket, bytes], None]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Path:
    return authority.leaf()


@contextlib.contextmanager
def server(leaf: Path, talk: Talk) -> Iterator[tuple[int, list[bytes]]]:
    """Run a TLS server that reads a request's head and lets *talk* answer; yield its port and the heads."""
    context, heads = server_context(leaf), list[bytes]()

    def serve(conn: ssl.SSLSocket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(conn, server_side=True) as tls:
            head = b""
            while b"\r\n\r\n" not in head and (more := tls.recv(4096)):
                head += more
            head, _, body = head.partition(b"\r\n\r\n")
            heads.append(head + b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            # Whoever closes with something unread resets the connection, and the answer may be lost with it.
            while length and len(body) < int(length[1]) and (more := tls.recv(4096)):
                body += more
            talk(tls, heads[-1])

    with listening() as listener, accepting(listener, serve):
        yield int(listener.getsockname()[1]), heads


def saying(answer: bytes) -> Talk:
    return lambda tls, _head: tls.sendall(answer)


def last_stage(authority: Authority, port: int, manner: Manner, timeout_s: float = 3) -> Stage:
    endpoint = Endpoint("localhost", port, authority.file, ())
    events = list(walk(endpoint, LOGIN, Errand("a/ b", retain=True), timeout_s=timeout_s, manner=manner))
    stage = events[-1]
    assert isinstance(stage, Stage)
    for secret in (PASSWORD, SIGNATURE, "t0k3n"):
        assert secret not in repr(events)
    return stage


ANSWERS: dict[str, tuple[bytes, Symptom, str]] = {
    "hang-up": (b"", Symptom.CLOSED, "closed before an answer"),
    "not-http": (b"\x20\x02\x00\x05 this is MQTT\r\n\r\n", Symptom.NOT_HTTP, "HTTP"),
    "forbidden": (
        b'HTTP/1.1 403 Forbidden\r\ncontent-length: 23\r\n\r\n{"message":"Forbidden"}',
        Symptom.REFUSED,
        "403",
    ),
    "unauthorized": (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", Symptom.REFUSED, "401"),
    "throttled": (b"HTTP/1.1 429 Slow down\r\ncontent-length: 0\r\n\r\n", Symptom.REJECTED, "429"),
    "a-proxy": (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\n<p>!", Symptom.REJECTED, "502"),
}


@pytest.mark.parametrize("manner", [SOCKET, HTTP, QUERY], ids=["websocket", "http", "query"])
@pytest.mark.parametrize(("answer", "symptom", "told"), ANSWERS.values(), ids=ANSWERS)
def test_each_answer_is_told_for_what_it_is(
    authority: Authority, leaf: Path, answer: bytes, symptom: Symptom, told: str, manner: Manner
) -> None:
    with server(leaf, saying(answer)) as (port, _):
        stage = last_stage(authority, port, manner)
    assert stage.name == ("upgrade" if manner is SOCKET else "request")
    assert stage.symptom is symptom
    assert told in stage.facts["reason"]


def test_what_a_server_says_back_is_masked(authority: Authority, leaf: Path) -> None:
    """A proxy that quotes the whole request shows nobody the password; `last_stage` looks for it."""

    def echo(tls: ssl.SSLSocket, head: bytes) -> None:
        text = f'{{"message":"{PASSWORD} and {SIGNATURE} and `t0k3n`"}}'.encode()
        tls.sendall(b"HTTP/1.1 400 " + PASSWORD.encode() + b"\r\ncontent-length: %d\r\n\r\n" % len(text) + text)

    with server(leaf, echo) as (port, _):
        for manner in (HTTP, SOCKET):
            assert "•" in last_stage(authority, port, manner).facts["reason"]


def test_the_credentials_travel_where_they_are_wanted(authority: Authority, leaf: Path) -> None:
    """As headers each stands as it is; in a query string it is percent-encoded once. The topic is one segment."""
    with server(leaf, saying(ANSWERS["forbidden"][0])) as (port, heads):
        last_stage(authority, port, HTTP)
        last_stage(authority, port, QUERY)
        last_stage(authority, port, SOCKET)
    in_headers, in_query, upgrade = heads
    assert in_headers.startswith(b"POST /topics/a%2F%20b?qos=1&retain=true HTTP/1.1\r\n")
    for line in (b"x-amz-customauthorizer-name: doors", b"token: t0k3n", b"x-iotauth-client-id: thermo-1"):
        assert line in in_headers
    assert b"x-amz-customauthorizer-signature: " + SIGNATURE.encode() in in_headers
    assert b"x-amz-customauthorizer-signature=c2lnbmF0dXJl%2B%2F%3D%3D" in in_query.splitlines()[0]
    assert b"token: " not in in_query
    assert upgrade.startswith(b"GET /mqtt HTTP/1.1\r\n")
    assert b"token: t0k3n" in upgrade
    assert PASSWORD.encode() not in upgrade, "that is CONNECT's"
    assert b"origin" not in upgrade.lower()


def test_a_websocket_without_mqtt_in_it_is_no_way_in(authority: Authority, leaf: Path) -> None:
    def accept(tls: ssl.SSLSocket, head: bytes) -> None:
        key = next(
            line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        lines = (b"HTTP/1.1 101 x", b"upgrade: websocket", b"connection: upgrade", b"sec-websocket-accept: " + proof)
        tls.sendall(b"\r\n".join((*lines, b"", b"")))

    with server(leaf, accept) as (port, _):
        stage = last_stage(authority, port, SOCKET)
    assert (stage.name, stage.symptom) == ("upgrade", Symptom.NOT_MQTT)


@pytest.mark.parametrize("manner", [SOCKET, HTTP], ids=["websocket", "http"])
def test_one_who_talks_too_slowly_is_cut_off_in_time(authority: Authority, leaf: Path, manner: Manner) -> None:
    """A byte now and then keeps a socket's own limit from ever passing; the step's limit holds all the same."""

    def drip(tls: ssl.SSLSocket, _head: bytes) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"." * 200:
            tls.sendall(bytes([byte]))
            time.sleep(0.02)

    with server(leaf, drip) as (port, _):
        assert last_stage(authority, port, manner, timeout_s=0.2).symptom is Symptom.TIMEOUT


def test_a_parameter_that_names_no_header_is_refused(authority: Authority) -> None:
    """A line break in a name would begin another header."""
    login = Login("c", "u?a%0D%0Ab=c", None)
    with pytest.raises(InputError, match="no name for a header"):
        next(walk(Endpoint("localhost", 1, authority.file), login, Errand("a"), timeout_s=1, manner=HTTP))
