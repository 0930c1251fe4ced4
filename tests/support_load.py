"""Many devices at once against a real emulator: one event loop, one TLS context, packets made once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from iotauth_cli.emulator.attempts import AttemptLog
from iotauth_cli.emulator.mqtt.codec import encode
from iotauth_cli.emulator.mqtt.packets import Connack, Connect
from iotauth_cli.emulator.state import State
from support_emulator import RunningEmulator

USERNAME = "u?x-amz-customauthorizer-name=dictated"
WELCOME = encode(Connack())
LIMIT_S = 30.0  # for anything that is waited for; a machine may be slow, a device must not wait for ever


class Visit(NamedTuple):
    """A connection and the first bytes that came back on it; none when it was closed instead."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answer: bytes


def connect_packet(client_id: str, *answers: dict[str, Any]) -> bytes:
    """Return the CONNECT of a device whose function gives *answers* (see `support_device`)."""
    password = json.dumps(answers or [{}]).encode()
    return encode(Connect(client_id, keep_alive_s=1200, username=USERNAME, password=password))


@functools.cache
def tls(ca_file: Path, alpn: str = "mqtt") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.set_alpn_protocols([alpn])
    return context


@contextlib.asynccontextmanager
async def knock(emulator: RunningEmulator, packet: bytes) -> AsyncIterator[Visit]:
    """Connect, send *packet* and wait for an answer; the connection is dropped at the end."""
    visit = await arrive(emulator, packet)
    try:
        yield visit
    finally:
        await leave(visit)


@contextlib.asynccontextmanager
async def crowd(emulator: RunningEmulator, names: Iterable[str], at_a_time: int) -> AsyncIterator[Sequence[bytes]]:
    """Connect a device for each of *names* and keep all connected; yield what each was answered."""
    room = asyncio.Semaphore(at_a_time)
    visits: list[Visit] = []

    async def one(name: str) -> bytes:
        async with room:
            visits.append(visit := await arrive(emulator, connect_packet(name)))
        return visit.answer

    try:
        yield await asyncio.gather(*map(one, names))
    finally:
        await leave(*visits)


async def arrive(emulator: RunningEmulator, packet: bytes) -> Visit:
    port = emulator.ready.data_endpoint.port
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls(emulator.ready.ca_file), server_hostname="localhost"
    )
    writer.write(packet)
    try:
        answer = await asyncio.wait_for(reader.read(len(WELCOME)), LIMIT_S)
    except ConnectionError:
        answer = b""
    return Visit(reader, writer, answer)


async def leave(*visits: Visit) -> None:
    for visit in visits:
        visit.writer.transport.abort()
    await asyncio.sleep(0.01)  # until the loop has let go of them


def resident_kib(emulator: RunningEmulator) -> int:
    """Return the memory that the emulator's process has in use; skip where the system does not tell."""
    status = Path(f"/proc/{emulator.ready.pid}/status")
    if not status.exists():
        pytest.skip("needs /proc")
    return int(status.read_text().partition("VmRSS:")[2].split()[0])


def open_files(emulator: RunningEmulator) -> int:
    directory = Path(f"/proc/{emulator.ready.pid}/fd")
    if not directory.exists():
        pytest.skip("needs /proc")
    return len(os.listdir(directory))


async def until_open_files(emulator: RunningEmulator, count: int) -> None:
    """Wait until the emulator has no more than *count* files open, a few of its own apart."""
    give_up_at = time.monotonic() + LIMIT_S
    while open_files(emulator) > count + 10:
        assert time.monotonic() < give_up_at, "connections that are gone still hold files"
        await asyncio.sleep(0.05)


def decisions(emulator: RunningEmulator, client_id: str) -> list[str]:
    """Return what has decided about a client so far, by the authorizer log."""
    with contextlib.closing(State.open(emulator.state_dir)) as state:
        return [attempt.decided_by for attempt in AttemptLog(state).recent(client_id=client_id)]
