"""QoS 1, persistent sessions and slow clients: what is kept, what is sent again, what is dropped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from iotauth_cli.emulator.model import MessageSeen
from iotauth_cli.emulator.mqtt.message import Message
from iotauth_cli.emulator.mqtt.outbox import LAST_PACKET_ID, Outbox, Parcel
from iotauth_cli.emulator.mqtt.packets import Connack, Pingreq, Puback, Publish, Will
from support_data import Device, Plane, answer, in_loop, policy, settle, statement


async def with_subscriber(plane: Plane, **members: object) -> tuple[Device, Device]:
    """Return a publisher, and a client with a persistent session that subscribed to `a` at QoS 1."""
    publisher = await plane.connected("publisher", keep_alive_s=1200)
    device = await plane.connected(clean=False, keep_alive_s=1200)
    await device.subscribe("a", qos=1)
    return publisher, device


async def publish_many(device: Device, count: int) -> None:
    await device.send(*[Publish("a", b"%d" % number, 1, packet_id=1) for number in range(count)])


def sent(device: Device) -> list[tuple[int | None, bytes, bool]]:
    return [(p.packet_id, p.payload, p.is_duplicate) for p in device.received if isinstance(p, Publish)]


@in_loop
async def test_what_comes_while_a_persistent_client_is_away_is_kept(plane: Plane) -> None:
    """It is delivered after the CONNACK that says so, in order; a PUBACK settles it."""
    publisher, device = await with_subscriber(plane)
    await device.vanish()
    await publish_many(publisher, 2)
    device = plane.device()
    await device.connect(clean=False)
    assert device.received[0] == Connack(0, session_present=True)
    assert sent(device) == [(1, b"0", False), (2, b"1", False)]
    await device.send(Puback(1), Puback(2))
    device = plane.device()
    await device.connect(clean=False)
    assert device.received == [Connack(0, session_present=True)]


@in_loop
async def test_qos_0_is_not_kept_for_a_client_that_is_away(plane: Plane) -> None:
    """At most once may be never."""
    publisher, device = await with_subscriber(plane)
    await device.vanish()
    await publisher.publish("a")
    device = plane.device()
    await device.connect(clean=False)
    assert device.received == [Connack(0, session_present=True)]


@in_loop
async def test_what_was_not_acknowledged_is_sent_again_on_the_next_connection(plane: Plane) -> None:
    """As a duplicate, with the packet id it had."""
    publisher, device = await with_subscriber(plane)
    await publish_many(publisher, 2)
    assert sent(device) == [(1, b"0", False), (2, b"1", False)]
    await device.send(Puback(1))
    await device.vanish()
    device = await plane.connected(clean=False)
    assert sent(device) == [(2, b"1", True)]


@in_loop
async def test_a_clean_session_forgets(plane: Plane) -> None:
    """Subscriptions and messages are gone, and CONNACK says that there was nothing."""
    publisher, device = await with_subscriber(plane)
    await device.vanish()
    await publish_many(publisher, 1)
    device = plane.device()
    await device.connect(clean=True)
    await publish_many(publisher, 1)
    assert device.received == [Connack(0, session_present=False)]
    await device.vanish()
    device = plane.device()
    await device.connect(clean=False)
    assert device.received == [Connack(0, session_present=False)]


@in_loop
async def test_a_persistent_session_is_kept_for_an_hour(plane: Plane) -> None:
    """Then nobody comes back to anything."""
    for away_s, is_present in ((3599, True), (3600, False)):
        device = await plane.connected(clean=False)
        await device.vanish()
        await plane.advance(away_s)
        device = plane.device()
        await device.connect(clean=False)
        assert device.received == [Connack(0, session_present=is_present)]
        await device.vanish()


@in_loop
async def test_takeover_keeps_a_persistent_session(plane: Plane) -> None:
    """The second connection goes on where the first one was cut."""
    publisher, first = await with_subscriber(plane)
    second = plane.device()
    await second.connect(clean=False)
    assert first.is_closed
    assert second.received == [Connack(0, session_present=True)]
    await publish_many(publisher, 1)
    assert sent(second) == [(1, b"0", False)]


@in_loop
async def test_kept_messages_are_delivered_under_the_policy_of_the_new_connection(plane: Plane) -> None:
    """What the client may no longer receive is not delivered, though it was kept for it."""
    publisher, device = await with_subscriber(plane)
    await publish_many(publisher, 1)
    await device.vanish()
    await publish_many(publisher, 1)
    plane.runner.reply = answer(policy(statement(["iot:Connect", "iot:Subscribe"], "*")))
    device = await plane.connected(clean=False)
    assert device.received == []
    assert plane.last.decided_by == "iot:Receive"


@in_loop
async def test_a_hundred_are_on_their_way_and_the_others_wait(plane: Plane) -> None:
    """Each PUBACK lets the next one go."""
    publisher, device = await with_subscriber(plane)
    await publish_many(publisher, 103)
    assert len(publisher.pubacks) == 103
    assert len(sent(device)) == 100
    await device.send(Puback(5), Puback(6))
    assert [payload for _, payload, _ in sent(device)[100:]] == [b"100", b"101"]
    await device.send(Puback(999))
    assert len(sent(device)) == 102


def test_packet_ids_in_use_are_not_given_twice() -> None:
    """Also after all 65,535 have been given: the one that was never acknowledged is passed over."""
    outbox, message = Outbox(window=2, capacity=1), Message("a", b"")
    ids = []
    for _ in range(LAST_PACKET_ID + 1):
        parcel = outbox.send(message, 0.0)
        assert parcel is not None
        ids.append(parcel.packet_id)
        if ids[-1] != 3:
            outbox.acknowledge(ids[-1])
    assert ids[:4] == [1, 2, 3, 4]
    assert ids[-1] == 1
    rest = [outbox.send(message, 0.0) for _ in range(2)]
    assert rest == [Parcel(2, message), None]
    outbox.acknowledge(2)
    assert list(outbox.fill(0.0)) == [Parcel(4, message)]


@in_loop
async def test_an_unacknowledged_message_is_sent_again_and_given_up_after_an_hour(plane: Plane) -> None:
    """Every 30 s (our choice) as a duplicate, for an hour (AWS's quota)."""
    publisher, device = await with_subscriber(plane)
    await publish_many(publisher, 1)
    await plane.advance(29)
    assert len(sent(device)) == 1
    await plane.advance(1)
    assert sent(device)[1:] == [(1, b"0", True)]
    for _ in range(6):
        await device.send(Pingreq())
        await plane.advance(600)
    count = len(sent(device))
    await device.send(Pingreq())
    await plane.advance(600)
    assert len(sent(device)) == count


@in_loop
async def test_a_client_that_is_away_is_kept_a_bounded_number_of_messages() -> None:
    """Beyond it new ones are dropped."""
    plane = Plane(queued_messages=3)
    publisher, device = await with_subscriber(plane)
    await device.vanish()
    await publish_many(publisher, 5)
    device = await plane.connected(clean=False)
    assert [payload for _, payload, _ in sent(device)] == [b"0", b"1", b"2"]
    plane.close()


@in_loop
async def test_a_connected_client_that_never_acknowledges_is_closed_in_the_end() -> None:
    """Its window is full, and so is what may wait for it."""
    plane = Plane(queued_messages=3, in_flight=2)
    publisher, device = await with_subscriber(plane)
    await publish_many(publisher, 5)
    assert not device.is_closed
    await publish_many(publisher, 1)
    assert device.transport.is_closing()
    assert plane.last.decided_by == "THROTTLED"
    plane.close()


@in_loop
async def test_a_refreshed_policy_cuts_a_subscription_that_exists(plane: Plane) -> None:
    """Receive is decided at each delivery."""
    publisher = await plane.connected("publisher", keep_alive_s=1200)
    plane.runner.reply = answer(refreshAfterInSeconds=300)
    device = await plane.connected(keep_alive_s=1200)
    await device.subscribe("a")
    plane.runner.reply = answer(policy(statement(["iot:Connect", "iot:Subscribe"], "*")))
    await plane.advance(300)
    await publisher.publish("a")
    assert device.messages == []
    assert not device.is_closed


@pytest.fixture
def tight() -> Iterator[Plane]:
    """At most 1,000 bytes are kept for a client that does not read."""
    plane = Plane(unsent_bytes=1000)
    yield plane
    plane.close()


@in_loop
async def test_a_slow_client_loses_qos_0_first(tight: Plane) -> None:
    """Nothing is written while its socket is full; what fits is sent when it reads again."""
    publisher, device = await with_subscriber(tight)
    await device.subscribe("b", qos=0)
    device.connection.pause_writing()
    before = len(device.writes)
    for _ in range(20):
        await publisher.publish("b", b"x" * 95)
    assert len(device.writes) == before
    assert (tight.last.decided_by, tight.last.repeats) == ("slow-client", 0)
    device.connection.resume_writing()
    assert len(device.messages) == 11
    await publisher.publish("b", b"again")
    assert device.messages[-1] == ("b", b"again")


@in_loop
async def test_a_slow_client_is_closed_when_qos_1_piles_up(tight: Plane) -> None:
    """Twice the limit is too much; the rest waits in its session."""
    publisher, device = await with_subscriber(tight)
    device.connection.pause_writing()
    await publisher.send(*[Publish("a", b"x" * 50, 1, packet_id=1)] * 100)
    assert device.is_closed
    assert tight.last.decided_by == "THROTTLED"
    device = await tight.connected(clean=False)
    assert len(sent(device)) == 100


@in_loop
async def test_what_one_turn_of_the_loop_brings_is_written_at_once(plane: Plane) -> None:
    """A hundred deliveries and a hundred PUBACKs are one write each: a TLS record costs more than a packet."""
    publisher, device = await with_subscriber(plane)
    publisher.writes.clear()
    device.writes.clear()
    await publish_many(publisher, 100)
    assert (len(publisher.writes), len(device.writes)) == (1, 1)
    await settle()


@in_loop
async def test_a_client_that_ends_while_a_message_goes_round_is_passed_over() -> None:
    """Its session is gone with it, and nothing is kept for nobody."""
    plane = Plane(queued_messages=1, in_flight=1)
    publisher = await plane.connected("publisher")
    for client_id, will in (("first", Will("will", b"gone")), ("second", None)):
        device = await plane.connected(client_id, will=will)
        await device.subscribe("a", qos=1)

    def end_second(seen: MessageSeen) -> None:
        if seen.topic == "will":
            plane.broker.disconnect("second")

    plane.broker.observe(end_second)
    await publish_many(publisher, 2)
    await device.send(Puback(1), Puback(2))
    await publish_many(publisher, 1)
    assert set(plane.broker.clients) == {"publisher"}
    assert len(publisher.pubacks) == 3
    plane.close()
