"""One client cannot take the emulator from the others: by hammering, by holding on, or by using up its files."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from datetime import datetime, timezone
from pathlib import Path

import pytest

from iotauth_cli.emulator import listener as listeners
from iotauth_cli.emulator.ca import ensure
from iotauth_cli.emulator.http import HttpProtocol
from iotauth_cli.emulator.model import HttpRequest, HttpResponse
from support_data import Plane, in_loop, listening
from support_device import Device
from support_emulator import RunningEmulator
from support_load import LIMIT_S, WELCOME, connect_packet, knock, open_files, until_open_files
from support_runtime import wait_until

HAMMERS = 20
SILENT = 200
SPARE_FILES = 15


@in_loop
async def test_wrong_credentials_in_a_loop_do_not_starve_others(beaten: RunningEmulator) -> None:
    """While twenty clients are refused without a pause, another is let in before each of them has had three turns."""
    refused, is_over = 0, False

    async def hammer() -> None:
        nonlocal refused
        while not is_over:
            async with knock(beaten, connect_packet("intruder", {"isAuthenticated": False})) as visit:
                refused += visit.answer != WELCOME

    hammers = [asyncio.ensure_future(hammer()) for _ in range(HAMMERS)]
    while refused < HAMMERS:
        await asyncio.sleep(0.01)
    turns = []
    for number in range(5):
        before = refused
        async with knock(beaten, connect_packet(f"patient-{number}")) as visit:
            assert visit.answer == WELCOME
            turns.append(refused - before)
    is_over = True
    await asyncio.gather(*hammers)
    assert max(turns) <= 3 * HAMMERS


def test_connections_that_say_nothing_do_not_keep_others_out(beaten: RunningEmulator) -> None:
    """Two hundred half-made handshakes on the data port and as many silent ones on the control port hold up nobody."""
    files = open_files(beaten)
    control = int(beaten.ready.control_endpoint.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        for port in (beaten.ready.data_endpoint.port, control):
            for _ in range(SILENT):
                wire = stack.enter_context(socket.create_connection(("127.0.0.1", port), LIMIT_S))
                wire.sendall(b"\x16\x03\x01\x02" if port != control else b"POST / HTTP/1.1\r\nHo")
        with Device(beaten) as device:
            assert device.connect("beside-silence") == (0, False)
        assert beaten.client("sts").get_caller_identity()["Account"]
    asyncio.run(until_open_files(beaten, files))


@in_loop
async def test_a_handshake_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that never begins TLS is closed when the handshake's time is over."""
    monkeypatch.setattr(listeners, "HANDSHAKE_TIMEOUT_S", 0.05)
    certificates = ensure(tmp_path, ("localhost",), datetime.now(timezone.utc))
    with contextlib.closing(Plane()) as plane:
        async with listening(plane, certificates) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
            writer.close()


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", b""),
        (b"POST / HTTP/1.1\r\nHost: x\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK"),
    ],
    ids=["silent", "half", "whole"],
)
@in_loop
async def test_an_idle_http_connection_is_closed(sent: bytes, answered: bytes) -> None:
    """Whether it said nothing, half a request, or a whole one; not while the answer is being made."""

    async def slow(request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0.15)
        return HttpResponse(200)

    server = await asyncio.get_running_loop().create_server(
        lambda: HttpProtocol(slow, idle_limit_s=0.05), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), LIMIT_S)
    assert answer[: len(b"HTTP/1.1 200 OK")] == answered
    writer.close()
    server.close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_without_files_to_spare_it_goes_on_and_recovers(beaten: RunningEmulator) -> None:
    """When every file is used up, who is connected stays so; when some are free again, others are let in."""
    pid, address = beaten.ready.pid, ("127.0.0.1", beaten.ready.data_endpoint.port)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with Device(beaten) as resident, contextlib.ExitStack() as stack:
        assert resident.connect("resident") == (0, False)
        most = open_files(beaten) + SPARE_FILES
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
        stack.callback(resource.prlimit, pid, resource.RLIMIT_NOFILE, before)
        for _ in range(3 * SPARE_FILES):
            stack.enter_context(socket.create_connection(address, LIMIT_S))
        wait_until(lambda: open_files(beaten) >= most - 2)
        assert resident.ping()
    with Device(beaten) as device:
        assert device.connect("after-drought") == (0, False)
