"""Persistent sessions outlive the emulator's process, killed or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iotauth_cli.emulator.mqtt.packets import LEVEL_5, Connack, Puback, Publish, Unsubscribe
from iotauth_cli.emulator.mqtt.properties import Property
from support_data import Device, Plane, in_loop, policy, statement

Start = Callable[[], Plane]
HOUR = 3600


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the data plane on the same state again and again; the one before is simply forgotten, as if killed."""
    planes: list[Plane] = []

    def start() -> Plane:
        planes.append(Plane(tmp_path))
        return planes[-1]

    yield start
    for plane in planes:
        plane.close()


async def away(plane: Plane, *filters: str) -> Device:
    """Connect with a persistent session, subscribe at QoS 1, and go."""
    device = await plane.connected(clean=False)
    await device.subscribe(*filters, qos=1)
    await device.vanish()
    return device


async def back(plane: Plane) -> Device:
    device = plane.device()
    await device.connect(clean=False)
    return device


def is_present(device: Device) -> bool:
    first = device.received[0]
    assert isinstance(first, Connack)
    return first.session_present


@in_loop
async def test_subscriptions_and_messages_wait_for_the_client(start: Start) -> None:
    """In the order in which they came, with all that MQTT 5 says about them."""
    plane = start()
    await away(plane, "a", "$share/g/b")
    sender = await plane.connected_5("sender")
    properties = ((Property.CONTENT_TYPE, "text/plain"), (Property.USER_PROPERTY, ("a", "1")))
    await sender.publish("a", b"1", 1, properties=properties)
    await sender.publish("b", b"2", 1)
    plane = start()
    device = plane.device()
    await device.connect(clean=False, level=LEVEL_5)
    assert is_present(device)
    assert device.received[1:] == [
        Publish("a", b"1", 1, packet_id=1, properties=properties),
        Publish("b", b"2", 1, packet_id=2),
    ]
    await device.publish("a", b"3")
    assert device.messages[-1] == ("a", b"3")


@in_loop
async def test_a_client_that_was_connected_comes_back_to_its_session(start: Start) -> None:
    """Its time runs from the start of the emulator that did not see it go."""
    plane = start()
    device = await plane.connected(clean=False)
    await device.subscribe("a", "b", qos=1)
    await device.send(Unsubscribe(3, ("b",)))
    plane = start()
    await plane.advance(HOUR - 1)
    device = await back(plane)
    assert is_present(device)
    assert plane.broker.connections()[0].subscriptions == (("a", 1),)


@in_loop
async def test_a_session_that_is_over_is_not_taken_up(start: Start) -> None:
    """Its time ran on while the emulator did not."""
    plane = start()
    await away(plane, "a")
    plane = start()
    await plane.advance(HOUR)
    assert not is_present(await back(plane))
    plane = start()
    assert "nobody" not in plane.broker.clients


@in_loop
async def test_messages_are_stored_until_all_are_acknowledged(start: Start) -> None:
    """A crash between delivery and PUBACK sends them again; after the last PUBACK nothing is left."""
    plane = start()
    await away(plane, "a")
    sender = await plane.connected("sender")
    for payload in (b"1", b"2"):
        await sender.publish("a", payload, 1)
    device = await back(plane)
    await device.send(Puback(1))
    plane = start()
    device = await back(plane)
    assert device.messages == [("a", b"1"), ("a", b"2")]
    await device.send(Puback(1), Puback(2))
    plane = start()
    assert (await back(plane)).messages == []


@in_loop
async def test_what_was_not_acknowledged_when_the_client_went_is_stored_too(start: Start) -> None:
    """It was sent once; it comes again from the next process."""
    plane = start()
    device = await plane.connected(clean=False)
    await device.subscribe("a", qos=1)
    sender = await plane.connected("sender")
    await sender.publish("a", b"1", 1)
    await device.vanish()
    plane = start()
    assert (await back(plane)).messages == [("a", b"1")]


@in_loop
async def test_a_clean_session_forgets_on_disk(start: Start) -> None:
    """So does a session that is told to end with its connection."""
    plane = start()
    await away(plane, "a")
    await plane.connected(clean=True)
    plane = start()
    assert not is_present(await back(plane))
    plane.broker.disconnect("thermo-1", clean_session=True)
    plane = start()
    assert plane.broker.clients == {}


@in_loop
async def test_kept_messages_are_delivered_under_the_policy_of_today(start: Start) -> None:
    """The policy of the process before is gone with it."""
    plane = start()
    await away(plane, "a")
    sender = await plane.connected("sender")
    await sender.publish("a", b"1", 1)
    plane = start()
    plane.runner.reply = {**plane.runner.reply, "policyDocuments": [policy(statement("iot:Connect", "*"))]}
    assert (await back(plane)).messages == []
