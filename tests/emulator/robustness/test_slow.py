"""Clients that do not read: what is kept for them is bounded; QoS 0 goes first, then they do."""

from __future__ import annotations

import asyncio

import pytest

from iotauth_cli.emulator.mqtt.codec import encode
from iotauth_cli.emulator.mqtt.packets import Pingreq, Publish, Subscribe, Subscription
from support_data import in_loop
from support_emulator import RunningEmulator
from support_load import LIMIT_S, Visit, connect_packet, decisions, knock, resident_kib

PAYLOAD = b"x" * 100_000
MESSAGES = 400  # 40 MB altogether
ROOM_KIB = 32 * 1024  # 8 MiB unsent, 16 MiB that wait for the window, and what the allocator keeps


async def grow_deaf(visit: Visit, topic: str, qos: int) -> None:
    """Subscribe, and then read nothing any more."""
    visit.writer.write(encode(Subscribe(1, (Subscription(topic, qos),))))
    await asyncio.wait_for(visit.reader.readexactly(5), LIMIT_S)
    visit.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the stubs know its writing half only


async def publish(emulator: RunningEmulator, topic: str, qos: int) -> None:
    """Publish 40 MB; return when all of it was handled."""
    async with knock(emulator, connect_packet("talker")) as (reader, writer, _):
        for number in range(MESSAGES):
            writer.write(encode(Publish(topic, PAYLOAD, qos, packet_id=number + 1 if qos else None)))
            await writer.drain()
            if qos:
                await asyncio.wait_for(reader.readexactly(4), LIMIT_S)
        writer.write(encode(Pingreq()))
        await asyncio.wait_for(reader.readexactly(2), LIMIT_S)


@pytest.mark.parametrize(("qos", "outcome"), [(0, "slow-client"), (1, "THROTTLED")])
@in_loop
async def test_a_client_that_does_not_read_costs_little(beaten: RunningEmulator, qos: int, outcome: str) -> None:
    """40 MB for a deaf subscriber leave the emulator's memory as it was; the log says what became of it."""
    await publish(beaten, "nobody", qos)
    before = resident_kib(beaten)
    async with knock(beaten, connect_packet(f"deaf-{qos}")) as visit:
        await grow_deaf(visit, "deaf", qos)
        await publish(beaten, "deaf", qos)
    assert resident_kib(beaten) - before < ROOM_KIB
    assert outcome in decisions(beaten, f"deaf-{qos}")
