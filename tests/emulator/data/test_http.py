"""The HTTP protocol against real sockets, with the standard library's client as the peer."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.http import HttpProtocol
from iotauth_cli.emulator.model import HttpRequest, HttpResponse


async def echo(request: HttpRequest) -> HttpResponse:
    """Answer with the method, the target and the length of the body, and give others their turn first."""
    await asyncio.sleep(0)
    text = f"{request.method} {request.target} {len(request.body)}"
    return HttpResponse(200, (("content-type", "text/plain"),), text.encode())


async def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("no")


def talk(
    sent: bytes,
    *,
    handler: Callable[[HttpRequest], Awaitable[HttpResponse]] = echo,
    body_limit: int = 1000,
    chunk: int | None = None,
    half_close: bool = True,
) -> bytes:
    """Send bytes (in pieces of *chunk*), and return everything that came back until the close."""

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: HttpProtocol(handler, body_limit=body_limit), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        for start in range(0, len(sent), chunk or max(len(sent), 1)):
            writer.write(sent[start : start + (chunk or len(sent))])
            await asyncio.sleep(0)
        if half_close:
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        server.close()
        return answer

    return asyncio.run(main())


GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
NOT_HTTP = [b"nonsense\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET /\x01 HTTP/1.1\r\n\r\n"]


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


def test_a_request_reaches_the_handler_and_its_answer_comes_back() -> None:
    """Method, raw target and body arrive; status, headers and body return with a length and a date."""
    answer = talk(b"POST /a%2Fb?c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-type: text/plain" in head
    assert b"content-length: 15" in head
    assert b"date: " in head
    assert body == b"POST /a%2Fb?c 3"


@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_pipelined_requests_are_answered_in_order(chunk: int | None) -> None:
    """Three requests sent at once, or byte by byte, get three answers in their order."""
    sent = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(3))
    answer = talk(sent, chunk=chunk)
    places = [answer.index(b"GET /%d 0" % number) for number in range(3)]
    assert places == sorted(places)
    assert len(statuses(answer)) == 3


def test_a_chunked_body_arrives_whole() -> None:
    """The pieces of a chunked body are put together before the handler sees them."""
    assert talk(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").endswith(b"POST / 5")


def test_a_client_that_waits_for_100_continue_is_told_to_go_on() -> None:
    """The interim answer comes before the body is sent."""

    async def main() -> tuple[bytes, bytes]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: HttpProtocol(echo), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        interim = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.write(b"ok")
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        server.close()
        return interim, answer

    interim, answer = asyncio.run(main())
    assert interim.startswith(b"HTTP/1.1 100 ")
    assert answer.endswith(b"PUT / 2")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", id="announced"),
        pytest.param(CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n", id="counted"),
    ],
)
def test_a_body_over_the_limit_is_refused_with_413(sent: bytes) -> None:
    """Too large a body is refused, whether its length was announced or only found out."""
    answer = talk(sent)
    assert statuses(answer) == [413]
    assert b"connection: close" in answer


@pytest.mark.parametrize("sent", NOT_HTTP, ids=["no-request", "version", "control"])
def test_what_is_not_http_is_answered_400_and_closed(sent: bytes) -> None:
    """A line that is no request gets one 400 and the connection ends."""
    answer = talk(sent, half_close=False)
    assert statuses(answer) == [400]


def test_row_038_raw_mqtt_on_the_http_side_is_closed_without_a_word() -> None:
    """A CONNECT packet that came without ALPN gets no HTTP answer, only the close."""
    assert talk(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", half_close=False) == b""


def test_a_failing_handler_is_a_500_and_the_end_of_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    """The client learns that it was not its fault; the cause goes to the log."""
    answer = talk(GET, handler=broken, half_close=False)
    assert statuses(answer) == [500]
    assert b"RuntimeError" not in answer
    assert "RuntimeError in test_http.py" in caplog.text


def test_an_answer_that_http_cannot_carry_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """A header with a line break is never sent on, and the client does not wait for ever."""

    async def splits(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (("x", "a\r\nb: c"),))

    assert statuses(talk(GET, handler=splits, half_close=False)) == [500]
    assert "LocalProtocolError" in caplog.text


def test_head_and_204_carry_no_body() -> None:
    """The length of a HEAD answer is announced, its body kept back; a 204 has neither."""

    async def empty(request: HttpRequest) -> HttpResponse:
        return HttpResponse(204, body=b"never sent")

    assert talk(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"\r\n\r\n")
    answer = talk(GET, handler=empty)
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length" not in answer


def test_requests_of_one_connection_share_its_name() -> None:
    """A kept-alive connection is recognisable across requests; another connection is another one."""
    seen: list[str] = []

    async def note(request: HttpRequest) -> HttpResponse:
        seen.append(request.connection)
        return HttpResponse(200)

    talk(GET + GET, handler=note)
    talk(GET, handler=note)
    assert seen[0] == seen[1] != seen[2]


def test_the_standard_librarys_client_keeps_its_connection() -> None:
    """http.client sends twenty requests over one socket."""

    async def main() -> list[bytes]:
        connections: set[HttpProtocol] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: HttpProtocol(echo, open_connections=connections), "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]

        def requests() -> list[bytes]:
            client = http.client.HTTPConnection(host, port, timeout=5)
            bodies = []
            for number in range(20):
                client.request("POST", f"/{number}", body=b"x" * number)
                bodies.append(client.getresponse().read())
            assert len(connections) == 1
            client.close()
            return bodies

        bodies = await loop.run_in_executor(None, requests)
        server.close()
        return bodies

    assert asyncio.run(main()) == [b"POST /%d %d" % (number, number) for number in range(20)]


class _Transport(asyncio.Transport):
    """Remembers what was written; nothing else."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@settings(max_examples=150)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6), st.booleans())
def test_no_bytes_whatever_raise(pieces: list[bytes], starts_well: bool) -> None:
    """Any bytes in any pieces end in answers or a close, never in an exception."""

    async def main() -> None:
        protocol, transport = HttpProtocol(echo, body_limit=50), _Transport()
        protocol.connection_made(transport)
        for piece in ([b"POST / HTTP/1.1\r\nHost: x\r\n"] if starts_well else []) + pieces:
            protocol.data_received(piece)
            await asyncio.sleep(0)
        protocol.eof_received()
        await asyncio.sleep(0)
        protocol.connection_lost(None)

    asyncio.run(main())
