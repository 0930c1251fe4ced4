"""What the broker shows and does for the page and for iot-data, beside its clients."""

from __future__ import annotations

import json

import pytest

from iotauth_cli.emulator.model import ConnectionInfo, MessageSeen
from iotauth_cli.emulator.mqtt.packets import Will
from iotauth_cli.emulator.retained import RetainedMessage
from support_data import EVERYTHING, START, Plane, in_loop, settle, statement


@in_loop
async def test_a_connection_is_shown_with_its_policy_and_timers(plane: Plane) -> None:
    """All that the authorizer decided and the client asked for, while it is connected."""
    device = await plane.connected(keep_alive_s=10)
    await device.subscribe("a", "b/+", qos=1)
    (shown,) = plane.broker.connections()
    assert shown == ConnectionInfo(
        client_id="thermo-1",
        connection_id=shown.connection_id,
        principal_id="thermo1",
        authorizer="doors",
        peer="127.0.0.1",
        protocol="MQTT 3.1.1",
        transports=("tls", "mqtt"),
        connected_at=START,
        keep_alive_s=30,
        session_expiry_s=0,
        refresh_at=START + 86_400,
        disconnect_at=START + 86_400,
        subscriptions=(("a", 1), ("b/+", 1)),
        policy_documents=shown.policy_documents,
    )
    assert [json.loads(text) for text in shown.policy_documents] == [EVERYTHING]
    await device.vanish()
    assert plane.broker.connections() == ()


@in_loop
async def test_a_session_without_a_connection_is_not_a_connection(plane: Plane) -> None:
    """It is kept for the client, but nobody is there."""
    device = await plane.connected(clean=False)
    assert plane.broker.connections()[0].session_expiry_s == 3600
    await device.vanish()
    assert plane.broker.connections() == ()


@in_loop
async def test_row_077_a_connection_that_is_deleted(plane: Plane) -> None:
    """The session is closed at once; to come back is a new decision."""
    device = await plane.connected()
    assert plane.broker.disconnect("thermo-1")
    assert device.is_closed
    assert (plane.last.outcome, plane.last.decided_by) == ("cut-off", "API_INITIATED_DISCONNECT")
    await plane.connected()
    assert len(plane.runner.events) == 2


@in_loop
async def test_nobody_is_disconnected_twice(plane: Plane) -> None:
    """An unknown client, and one that is away, are both no connection."""
    device = await plane.connected(clean=False)
    await device.vanish()
    assert not plane.broker.disconnect("thermo-1")
    assert not plane.broker.disconnect("nobody")


@pytest.mark.parametrize("clean_session", [False, True])
@in_loop
async def test_a_deleted_connection_may_take_its_session_along(plane: Plane, clean_session: bool) -> None:
    """`cleanSession` of DeleteConnection; without it the session waits for the client."""
    await plane.connected(clean=False)
    plane.broker.disconnect("thermo-1", clean_session=clean_session)
    assert ("thermo-1" in plane.broker.clients) is not clean_session


@pytest.mark.parametrize("prevent_will", [False, True])
@in_loop
async def test_a_deleted_connection_may_leave_without_its_will(plane: Plane, prevent_will: bool) -> None:
    """`preventWillMessage` of DeleteConnection; without it the will is published."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("will")
    await plane.connected(will=Will("will", b"gone"))
    plane.broker.disconnect("thermo-1", prevent_will=prevent_will)
    await settle()
    assert watcher.messages == ([] if prevent_will else [("will", b"gone")])


@in_loop
async def test_a_message_from_the_api_reaches_the_subscribers(plane: Plane) -> None:
    """As one from a client would, retained where it says so."""
    device = await plane.connected()
    await device.subscribe("a")
    plane.broker.publish_from_api("a", b"1", 1, retain=True)
    await settle()
    late = await plane.connected("late")
    await late.subscribe("a")
    assert device.messages == late.messages == [("a", b"1")]


@in_loop
async def test_retained_messages_can_be_found_and_listed(plane: Plane) -> None:
    """Each with the time it was stored, in the order of their topics."""
    for topic in ("b", "a", "gone"):
        plane.broker.publish_from_api(topic, topic.encode(), 1, retain=True)
    plane.broker.publish_from_api("gone", b"", retain=True)
    stored = (RetainedMessage("a", b"a", 1, START), RetainedMessage("b", b"b", 1, START))
    assert plane.broker.retained.list(START) == stored
    assert plane.broker.retained.find("a", START) == stored[0]
    assert plane.broker.retained.find("gone", START) is None


@in_loop
async def test_an_observer_sees_what_is_accepted_until_it_has_seen_enough(plane: Plane) -> None:
    """Publishes, wills, the API's, the service's own events; nothing that a policy denied."""
    seen: list[MessageSeen] = []
    stop = plane.broker.observe(seen.append)
    plane.lets_in_under(statement("iot:Publish", ["topic/a", "topic/will"]))
    device = await plane.connected(will=Will("will", b"gone"))
    await device.publish("a", b"1", qos=1)
    await device.publish("b", b"2")
    plane.broker.publish_from_api("c", b"3")
    stop()
    plane.broker.publish_from_api("d", b"4")
    assert [each for each in seen if not each.topic.startswith("$aws/events/")] == [
        MessageSeen("a", b"1", 1, False, "thermo-1", START),
        MessageSeen("will", b"gone", 0, False, "thermo-1", START),
        MessageSeen("c", b"3", 0, False, None, START),
    ]
