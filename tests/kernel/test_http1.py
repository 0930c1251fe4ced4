"""HTTP/1.1 on one kept-alive connection, against a server that does exactly what it is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.http1 import Broken, Connection, Reader, Response
from support_table import HANG_UP, answer, in_turn, serving, tls_context
from support_tls import Authority

OK = b"HTTP/1.1 200 OK\r\n"


Connect = Callable[..., Connection]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make connections that are closed when the test is over."""
    with ExitStack() as made:
        yield lambda url, **options: made.enter_context(closing(Connection(url, **options)))


def ask(connection: Connection, body: bytes = b"") -> Response:
    return connection.request("POST", "/", {"a": "b"}, body, timeout_s=0.5)


def test_requests_share_one_connection(connect: Connect) -> None:
    """The second request costs no handshake, and each finds its own answer."""
    with serving(in_turn(answer({"n": 1}), answer({"n": 2}, 400))) as server:
        connection = connect(server.url)
        assert ask(connection, b"one") == Response(200, {"content-length": "8"}, b'{"n": 1}')
        assert ask(connection, b"two").status == 400
    assert server.connections == 1
    assert [asked.body for asked in server.asked] == [b"one", b"two"]
    assert server.asked[0].headers == {"host": server.url[7:], "a": "b", "content-length": "3"}


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer({}, connection="close"), id="says so"),
        pytest.param(answer({}, connection="Close"), id="says so in capitals"),
        pytest.param(answer({}).replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(answer({}) + b"HTTP/1.1 200 OK\r\n\r\n", id="sends more than was asked for"),
    ],
)
def test_a_connection_that_will_not_last_is_replaced(connect: Connect, reply: bytes) -> None:
    """The next request opens another, and does not wait on the old one."""
    with serving(in_turn(reply)) as server:
        connection = connect(server.url)
        assert ask(connection).body == b"{}"
        assert not connection.is_open
        assert ask(connection).body == b"{}"
    assert server.connections == 2


def test_http_1_0_may_keep_alive(connect: Connect) -> None:
    """Where it says so."""
    with serving(in_turn(answer({}, connection="keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"))) as server:
        connection = connect(server.url)
        ask(connection)
        assert connection.is_open


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        pytest.param(OK + b"content-length: 0\r\n\r\n", b"", id="empty"),
        pytest.param(OK + b"CONTENT-LENGTH:2\r\n\r\nab", b"ab", id="capitals, no space"),
        pytest.param(OK + b"connection: close\r\n\r\nab", b"ab", id="up to the end"),
        pytest.param(b"HTTP/1.1 204 No\r\n\r\n", b"", id="no content"),
        pytest.param(b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nab", b"ab", id="no reason phrase"),
        pytest.param(OK + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", b"abc", id="chunks"),
        pytest.param(
            OK + b"transfer-encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nt: v\r\n\r\n",
            b"0123456789",
            id="chunks with a trailer",
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 2\r\n\r\nab", b"ab", id="after an interim answer"
        ),
    ],
)
def test_a_body_is_read_to_its_end_and_no_further(connect: Connect, reply: bytes, body: bytes) -> None:
    """Whichever way its length is told; and the connection is good for the next request."""
    with serving(in_turn(reply, answer({"next": True}))) as server:
        connection = connect(server.url)
        assert ask(connection).body == body
        assert ask(connection).body == b'{"next": true}'


@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=6), chunked=st.booleans())
def test_where_packets_end_does_not_matter(body: bytes, cuts: list[int], chunked: bool) -> None:
    """An answer cut anywhere is the same answer."""
    if chunked:
        reply = OK + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body) or 1, body or b"x")
        expected = body or b"x"
    else:
        reply, expected = OK + b"content-length: %d\r\n\r\n" % len(body) + body, body
    edges = sorted({0, len(reply), *(cut for cut in cuts if cut < len(reply))})
    pieces = [reply[start:end] for start, end in pairwise(edges)]
    response, stays_open = Reader(lambda: pieces.pop(0) if pieces else b"").response()
    assert (response.status, response.body, stays_open) == (200, expected, True)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_a_value_error(data: bytes) -> None:
    """A reader raises nothing else, and always comes to an end."""
    pieces = [OK + data]
    with suppress(ValueError):
        assert Reader(lambda: pieces.pop(0) if pieces else b"").response()[0].status == 200


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(HANG_UP, id="hangs up"),
        pytest.param(OK + b"connection: close\r\ncontent-length: 5\r\n\r\nab", id="stops half-way"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\nconnection: close", id="another protocol"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", id="no status"),
        pytest.param(OK + b"content-length: -1\r\n\r\n", id="negative length"),
        pytest.param(OK + b"content-length: two\r\n\r\n", id="length in words"),
        pytest.param(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n", id="chunk length in words"),
        pytest.param(OK + b"x: y\r\n" * 20_000, id="head without an end"),
    ],
)
def test_what_is_not_a_whole_answer_breaks_the_connection(connect: Connect, reply: bytes) -> None:
    """It is reported once, and the next request starts afresh."""
    with serving(in_turn(reply, answer({}))) as server:
        connection = connect(server.url)
        with pytest.raises(Broken):
            ask(connection)
        assert not connection.is_open
        assert ask(connection).status == 200


def test_silence_ends_with_the_timeout(connect: Connect) -> None:
    """A server that accepts and says nothing does not hold us."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Broken, match="timed out"):
            connection.request("GET", "/", {}, timeout_s=0.05)


def test_a_trickle_ends_with_the_timeout_too(connect: Connect) -> None:
    """The timeout is for the whole answer: a byte now and then does not buy more time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=trickle, args=(listener,), daemon=True).start()
        started = time.monotonic()
        with pytest.raises(Broken, match="timed out"):
            connection.request("GET", "/", {}, timeout_s=0.1)
    assert time.monotonic() - started < 1


def trickle(listener: socket.socket) -> None:
    """Answer one connection with a byte every 10 ms, for 2 s at most."""
    wire, _ = listener.accept()
    with suppress(OSError), wire:
        for _ in range(200):
            wire.sendall(b"H")
            time.sleep(0.01)


def test_nobody_listening_is_broken() -> None:
    """A refused connection is no other kind of error."""
    with pytest.raises(Broken, match="cannot be reached"):
        ask(Connection("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("url", "host", "hostname", "path"),
    [
        ("https://example.com", "example.com", "example.com", "/"),
        ("http://localhost:4588/", "localhost:4588", "localhost", "/"),
        ("http://[::1]:4588/creds?id=1", "[::1]:4588", "::1", "/creds?id=1"),
        ("http://127.0.0.1?id=1", "127.0.0.1", "127.0.0.1", "/?id=1"),
    ],
)
def test_an_address_is_taken_apart(url: str, host: str, hostname: str, path: str) -> None:
    """The host with its port is what is signed; the path keeps its query."""
    connection = Connection(url)
    assert (connection.host, connection.hostname, connection.path) == (host, hostname, path)


@pytest.mark.parametrize(
    "url",
    ["", "ftp://example.com", "example.com", "https://", "http://x:port", "http://x:65536", "http://a b", "http://u@x"],
)
def test_only_http_addresses_are_addresses(url: str) -> None:
    """What cannot be connected to is refused before anything is sent."""
    with pytest.raises(ValueError, match="not an http or https address"):
        Connection(url)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_given_ca_file_is_trusted(connect: Connect, authority: Authority) -> None:
    """And nothing else is, once one is given."""
    with serving(in_turn(answer({})), tls_context(authority.leaf())) as server:
        connection = connect(server.url, ca_file=str(authority.file))
        assert ask(connection).status == 200
        assert ask(connection).status == 200
    assert server.connections == 1


def test_when_amazon_s_roots_do_not_verify_the_system_s_are_tried(
    connect: Connect, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation at AWS must not lock a fleet out; after one failure the system's come first."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving(in_turn(answer({}, connection="close")), tls_context(authority.leaf())) as server:
        connection = connect(server.url)
        assert ask(connection).status == 200
        assert ask(connection).status == 200
    assert server.connections == 3  # Amazon's roots, then the system's, and those at once the second time


def test_a_server_that_nobody_vouches_for_is_refused(connect: Connect, authority: Authority, tmp_path: Path) -> None:
    """With Amazon's roots, the system's, or another CA's file; nothing is sent to it."""
    other = Authority(tmp_path, "other CA")
    with serving(in_turn(answer({})), tls_context(authority.leaf())) as server:
        for ca_file in (None, str(other.file)):
            connection = connect(server.url, ca_file=ca_file)
            for _ in range(2):
                with pytest.raises(Broken, match="certificate verify failed"):
                    ask(connection)
    assert server.asked == []


def test_another_host_s_certificate_is_refused(connect: Connect, authority: Authority) -> None:
    """A chain that is right proves nothing about the wrong name."""
    with serving(in_turn(answer({})), tls_context(authority.leaf(["example.com"]))) as server:
        connection = connect(server.url, ca_file=str(authority.file))
        with pytest.raises(Broken, match="certificate verify failed"):
            ask(connection)
    assert server.asked == []


def test_a_missing_ca_file_is_broken_each_time(connect: Connect, tmp_path: Path) -> None:
    """A setting that names no file is an error of the connection, not of the program."""
    with serving(in_turn(answer({}))) as server:
        connection = connect(server.url.replace("http:", "https:"), ca_file=str(tmp_path / "none.pem"))
        for _ in range(2):
            with pytest.raises(Broken):
                ask(connection)
