"""The wire of the Runtime API: requests in any pieces, and what a client may not do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.lambda_runtime.api import MAX_ANSWER, Answer, Event, InitFailed, RuntimeApi, parse_head

EVENT = Event("request-1", "arn:aws:lambda:us-east-1:123456789012:function:doors", 1_700_000_000_000, b'{"a": 1}')
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n"

Talk = Callable[[RuntimeApi, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def post(path: str, body: bytes) -> bytes:
    return f"POST /2018-06-01/runtime/{path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def converse(talk: Talk) -> None:
    """Run *talk* over one connection to a Runtime API."""

    async def run() -> None:
        api = RuntimeApi(lambda: None)
        host, port = (await api.listen()).split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.wait_for(talk(api, reader, writer), 5)
        finally:
            writer.close()
            api.close()

    asyncio.run(run())


async def read_response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def test_a_poll_gets_the_event_with_its_id_deadline_and_arn() -> None:
    """`next` waits for an event and returns it with the three headers that a runtime needs."""

    async def talk(api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NEXT)
        await api.initialised
        answer = api.call(EVENT)
        status, headers, body = await read_response(reader)
        assert (status, body) == (200, EVENT.payload)
        assert headers["lambda-runtime-aws-request-id"] == EVENT.request_id
        assert headers["lambda-runtime-deadline-ms"] == str(EVENT.deadline_ms)
        assert headers["lambda-runtime-invoked-function-arn"] == EVENT.function_arn
        writer.write(post("invocation/request-1/response", b"42"))
        assert (await read_response(reader))[0] == 202
        assert await answer == Answer(b"42", is_error=False)

    converse(talk)


def test_an_event_waits_for_the_next_poll() -> None:
    """A call made while the child is between two polls is handed over at the second."""

    async def talk(api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = api.call(EVENT)
        writer.write(NEXT)
        assert (await read_response(reader))[2] == EVENT.payload
        writer.write(post("invocation/request-1/error", b'{"errorType": "X"}'))
        assert await answer == Answer(b'{"errorType": "X"}', is_error=True)

    converse(talk)


def test_requests_may_arrive_in_any_pieces() -> None:
    """One byte at a time, the same poll and the same answer are understood."""

    async def talk(api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = api.call(EVENT)
        for byte in NEXT + post("invocation/request-1/response", b'"piece by piece"') + NEXT:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await answer).body == b'"piece by piece"'

    converse(talk)


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        pytest.param(post("invocation/request-0/response", b"1"), 400, "InvalidRequestID", id="of-another-call"),
        pytest.param(post("restore/error", b"{}"), 404, "NotFound", id="unknown-path"),
        pytest.param(b"PUT " + NEXT[4:], 404, "NotFound", id="unknown-method"),
        pytest.param(b"GET / HTTP/2\r\n\r\n", 400, "InvalidRequest", id="not-http-1"),
        pytest.param(b"nonsense\r\n\r\n", 400, "InvalidRequest", id="not-http"),
        pytest.param(NEXT[:-2] + b"Transfer-Encoding: chunked\r\n\r\n", 400, "InvalidRequest", id="chunks"),
        pytest.param(NEXT[:-2] + b"Content-Length: -1\r\n\r\n", 400, "InvalidRequest", id="negative-length"),
    ],
)
def test_what_the_runtime_api_does_not_know_is_refused_with_a_reason(request_: bytes, status: int, kind: str) -> None:
    """A wrong request gets a status and an error type, and the call in hand goes on."""

    async def talk(api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = api.call(EVENT)
        writer.write(request_)
        refused, _, body = await read_response(reader)
        assert (refused, json.loads(body)["errorType"]) == (status, kind)
        assert not answer.done()

    converse(talk)


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param(b"Host: rebound.example:9", id="another-host"),
        pytest.param(b"Host: 127.0.0.1.example:9", id="a-host-that-begins-alike"),
        pytest.param(b"Host: 127.0.0.1:9\r\nOrigin: http://example.com", id="origin"),
        pytest.param(b"Host: 127.0.0.1:9\r\nSec-Fetch-Site: cross-site", id="image"),
    ],
)
@pytest.mark.parametrize("request_", [NEXT, post("invocation/request-1/response", b"1")], ids=["poll", "answer"])
def test_a_web_page_neither_gets_an_event_nor_answers_one(mark: bytes, request_: bytes) -> None:
    """Not under a name of its own that it leads to loopback, nor as a browser's request from elsewhere."""

    async def talk(api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = api.call(EVENT)
        writer.write(request_.replace(b"Host: 127.0.0.1:9\r\n", b"").replace(b"\r\n", b"\r\n" + mark + b"\r\n", 1))
        status, _, body = await read_response(reader)
        assert status == 400
        assert b"web page" in body
        assert EVENT.payload not in body
        assert not answer.done()
        assert not api.initialised.done()

    converse(talk)


def test_an_answer_over_the_limit_ends_the_call_before_it_is_read() -> None:
    """Six megabytes and one byte are an error of the function, and never lie in the emulator's memory."""

    async def talk(api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = api.call(EVENT)
        head = f"POST /2018-06-01/runtime/invocation/request-1/response HTTP/1.1\r\nContent-Length: {MAX_ANSWER + 1}"
        writer.write(NEXT)
        await read_response(reader)
        writer.write(head.encode() + b"\r\n\r\n")
        assert (await read_response(reader))[0] == 413
        error = json.loads((await answer).body)
        assert error["errorType"] == "Function.ResponseSizeTooLarge"
        assert str(MAX_ANSWER + 1) in error["errorMessage"]
        assert not api.is_connected

    converse(talk)


def test_an_init_error_is_what_initialising_ends_with() -> None:
    """The error that a runtime posts instead of its first poll reaches whoever waits for the child."""

    async def talk(api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(post("init/error", b'{"errorType": "Runtime.ImportModuleError"}'))
        with pytest.raises(InitFailed) as failed:
            await api.initialised
        assert failed.value.body == b'{"errorType": "Runtime.ImportModuleError"}'
        assert (await read_response(reader))[0] == 202

    converse(talk)


def test_an_init_error_after_the_first_poll_is_refused() -> None:
    """A runtime that has polled is initialised, and stays so."""

    async def talk(api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = api.call(EVENT)
        writer.write(NEXT + post("init/error", b"{}"))
        await read_response(reader)
        assert (await read_response(reader))[0] == 403
        assert not answer.done()

    converse(talk)


@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1),
    length=st.integers(min_value=0, max_value=10**9),
    name=st.sampled_from(["Content-Length", "content-length", "CONTENT-LENGTH"]),
)
def test_parse_head_reads_what_a_client_builds(method: str, path: str, length: int, name: str) -> None:
    """Method, path and length come back whatever the case of the header's name."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:9\r\n{name}: {length}"
    assert parse_head(head.encode()) == (method, path, length)
