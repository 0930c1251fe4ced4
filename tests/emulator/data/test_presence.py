"""Lifecycle events: what a watcher of `$aws/events/#` learns, with AWS's members and reasons."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iotauth_cli.emulator.mqtt.packets import LEVEL_3_1_1, LEVEL_5, Disconnect, Pingreq, Unsubscribe, Will
from support_data import START, Device, Plane, answer, in_loop, settle, statement


async def watcher(plane: Plane) -> Device:
    """Return a client that sees every event but its own."""
    device = await plane.connected("watcher", keep_alive_s=1200)
    await device.subscribe("$aws/events/#")
    device.received.clear()
    return device


def events(device: Device) -> list[tuple[str, dict[str, Any]]]:
    """Return each event with its topic, below `$aws/events/`."""
    return [(topic.removeprefix("$aws/events/"), json.loads(payload)) for topic, payload in device.messages]


def reasons(device: Device) -> list[tuple[str, bool]]:
    """Return why clients were disconnected, and whether it was their own wish."""
    found = [event for topic, event in events(device) if "/disconnected/" in topic]
    return [(event["disconnectReason"], event["clientInitiatedDisconnect"]) for event in found]


@pytest.mark.parametrize("level", [LEVEL_3_1_1, LEVEL_5])
@in_loop
async def test_a_clients_way_in_and_out(plane: Plane, level: int) -> None:
    """Connected, subscribed, unsubscribed, disconnected: each with the same session and principal."""
    watching = await watcher(plane)
    device = await plane.connected(level=level)
    (shown,) = [each for each in plane.broker.connections() if each.client_id == "thermo-1"]
    await device.subscribe("a", "b/#")
    await device.send(Unsubscribe(3, ("a",)))
    await device.send(Disconnect())
    who = {
        "clientId": "thermo-1",
        "timestamp": int(START * 1000),
        "sessionIdentifier": shown.connection_id.replace("-", ""),
        "principalIdentifier": "thermo1",
    }
    where = {"ipAddress": "127.0.0.1", "versionNumber": 0}
    goodbye = {"clientInitiatedDisconnect": True, "disconnectReason": "CLIENT_INITIATED_DISCONNECT"}
    assert events(watching) == [
        ("presence/connected/thermo-1", {**who, **where, "eventType": "connected"}),
        ("subscriptions/subscribed/thermo-1", {**who, "eventType": "subscribed", "topics": ["a", "b/#"]}),
        ("subscriptions/unsubscribed/thermo-1", {**who, "eventType": "unsubscribed", "topics": ["a"]}),
        ("presence/disconnected/thermo-1", {**who, **where, **goodbye, "eventType": "disconnected"}),
    ]


@in_loop
async def test_connections_of_one_client_are_numbered(plane: Plane) -> None:
    """Both events of a connection have its number, so that a watcher can put them in order."""
    watching = await watcher(plane)
    await plane.connected()
    await plane.connected()
    numbers = [(event["eventType"], event["versionNumber"]) for _, event in events(watching)]
    assert numbers == [("connected", 0), ("disconnected", 0), ("connected", 1)]
    assert reasons(watching) == [("DUPLICATE_CLIENTID", False)]


@in_loop
async def test_rows_072_to_096_the_reason_of_each_end(plane: Plane) -> None:
    """In AWS's words; a client that asks for its will still said goodbye itself."""
    watching = await watcher(plane)
    device = await plane.connected()
    await device.vanish()
    device = await plane.connected()
    await device.send(b"\xff")
    device = await plane.connected_5()
    await device.send(Disconnect(4))
    await plane.connected()
    plane.broker.disconnect("thermo-1")
    await plane.connected(keep_alive_s=30)
    await plane.advance(45)
    plane.runner.reply = answer(disconnectAfterInSeconds=300)
    await plane.connected(keep_alive_s=1200)
    await plane.advance(300)
    plane.lets_in_under()
    device = await plane.connected()
    await device.publish("a")
    assert reasons(watching) == [
        ("CONNECTION_LOST", False),
        ("CLIENT_ERROR", False),
        ("CLIENT_INITIATED_DISCONNECT", True),
        ("API_INITIATED_DISCONNECT", False),
        ("MQTT_KEEP_ALIVE_TIMEOUT", False),
        ("CUSTOMAUTH_TTL_EXPIRATION", False),
        ("AUTH_ERROR", False),
    ]


@pytest.mark.parametrize("level", [LEVEL_3_1_1, LEVEL_5])
@in_loop
async def test_row_088_a_will_that_may_not_be_published(plane: Plane, level: int) -> None:
    """CONNECT fails, and a connect_failed event says AUTHORIZATION_FAILED with the principal."""
    watching = await watcher(plane)
    plane.lets_in_under(statement("iot:Publish", "topic/b"))
    device = plane.device()
    await device.connect(will=Will("a", b""), level=level)
    ((topic, event),) = events(watching)
    assert topic == "presence/connect_failed/thermo-1"
    assert event == {
        "clientId": "thermo-1",
        "timestamp": int(START * 1000),
        "eventType": "connect_failed",
        "connectFailureReason": "AUTHORIZATION_FAILED",
        "sessionIdentifier": str(plane.last.connection_id).replace("-", ""),
        "principalIdentifier": "thermo1",
        "ipAddress": "127.0.0.1",
    }


@in_loop
async def test_a_stranger_that_fails_has_no_principal(plane: Plane) -> None:
    """Nobody has named one; a client without an id has no topic either."""
    watching = await watcher(plane)
    plane.runner.reply = answer(isAuthenticated=False)
    for client_id in ("thermo-1", ""):
        device = plane.device()
        await device.connect(client_id)
    ((_, event),) = events(watching)
    assert event["eventType"] == "connect_failed"
    assert "principalIdentifier" not in event


@pytest.mark.parametrize("client_id", ["a+b", "a#", "#"])
@in_loop
async def test_a_client_id_with_a_wildcard_has_no_events(plane: Plane, client_id: str) -> None:
    """Its topics could not be published on."""
    watching = await watcher(plane)
    device = await plane.connected(client_id)
    await device.subscribe("a")
    await device.vanish()
    assert watching.messages == []


@in_loop
async def test_only_what_was_granted_is_told(plane: Plane) -> None:
    """A denied filter is no subscription; where all are denied there is no event."""
    watching = await watcher(plane)
    plane.lets_in_under(statement("iot:Subscribe", "topicfilter/a"))
    device = await plane.connected_5()
    await device.subscribe("a", "b")
    await device.subscribe("b")
    topics = [event["topics"] for topic, event in events(watching) if topic.startswith("subscriptions/")]
    assert topics == [["a"]]


@in_loop
async def test_events_are_delivered_under_the_watchers_policy(plane: Plane) -> None:
    """Subscribe and Receive on `$aws/events/…` are granted like any topic."""
    plane.lets_in_under(
        statement("iot:Subscribe", "*"), statement("iot:Receive", "topic/$aws/events/presence/connected/*")
    )
    watching = await watcher(plane)
    device = await plane.connected()
    await device.vanish()
    assert [topic for topic, _ in events(watching)] == ["presence/connected/thermo-1"]


@in_loop
async def test_a_client_sees_its_own_arrival_only_if_it_subscribed_before(plane: Plane) -> None:
    """A persistent session hears that it is back, after the CONNACK."""
    device = await plane.connected(clean=False)
    await device.subscribe("$aws/events/presence/connected/+")
    await device.vanish()
    device = await plane.connected(clean=False)
    await device.send(Pingreq())
    await settle()
    assert [event["versionNumber"] for _, event in events(device)] == [1]
