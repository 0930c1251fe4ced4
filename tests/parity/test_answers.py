"""Rows 59 to 71, 76 and 77: what becomes of the function's answer. And time: rows 72 to 75, and silence of row 96."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support_parity import mqtt
from support_parity.world import CLOSED, REFUSED, Device, World

SHORT: dict[str, Any] = {"members": {"refreshAfterInSeconds": 300}}
UNAUTHENTICATED = {"members": {"isAuthenticated": False}}


@pytest.mark.rows(59, 67)
def test_not_authenticated(world: World, rows: Any) -> None:
    """3.1.1 sees a close, 5 a CONNACK; timers of 0 beside the no do not matter."""
    rows.check(59, world.connect(UNAUTHENTICATED, about="59").outcome, CLOSED)
    rows.check(59, world.connect(UNAUTHENTICATED, about="59", level=5).outcome, "CONNACK 0x87")
    zeros = {"isAuthenticated": False, "refreshAfterInSeconds": 0, "disconnectAfterInSeconds": 0}
    rows.check(67, world.connect({"members": zeros}, about="67").verdict, REFUSED)


@pytest.mark.parametrize(
    ("number", "answer", "wanted"),
    [
        pytest.param(number, answer, wanted, marks=pytest.mark.rows(number), id=f"{number}-{name}")
        for number, name, answer, wanted in [
            (60, "text", {"as_text": "answer"}, "accepted"),
            (61, "documents", {"as_text": "documents"}, "accepted"),
            (62, "extra", {"members": {"password": "x", "more": [1]}}, "accepted"),
            (63, "eleven", {"copies": 11}, REFUSED),
            (64, "long", {"characters": 2049}, REFUSED),
            (65, "empty", {"members": {"principalId": ""}}, REFUSED),
            (65, "129", {"members": {"principalId": "a" * 129}}, REFUSED),
            (65, "underscore", {"members": {"principalId": "a_b"}}, REFUSED),
            (66, "299", {"members": {"refreshAfterInSeconds": 299}}, REFUSED),
            (69, "raises", {"fail": True}, REFUSED),
            (70, "no-connect", {"policy": [["Allow", "iot:Publish", "*"]]}, REFUSED),
            (71, "another", {"policy": [["Allow", "iot:Connect", "client/iotauth-parity-a"]]}, REFUSED),
        ]
    ],
)
def test_answers(world: World, rows: Any, number: int, answer: dict[str, Any], wanted: str) -> None:
    """What AWS IoT takes, and what it does not: in each case the function was asked once."""
    device = world.connect(answer, about=str(number))
    rows.check(number, device.verdict, wanted)
    assert world.calls(device.mark) == 1


def test_documents_at_the_limits_are_taken(world: World) -> None:
    """Ten documents, and 2048 characters: the refusals above are for what is beyond."""
    answers: list[dict[str, Any]] = [{"copies": 10}, {"characters": 2048}]
    for answer in answers:
        assert world.connect(answer, about="limit").outcome == "accepted"


@pytest.mark.rows(76, 77)
def test_a_credential_that_is_gone(world: World, rows: Any) -> None:
    """Who is in stays in, until the connection is deleted; then it is asked about as anybody."""
    device = world.connect({}, UNAUTHENTICATED, about="76")
    rows.check(76, (device.outcome, device.client.ping()), ("accepted", True))
    world.boto("iot-data").delete_connection(clientId=device.mark)
    rows.check(77, device.client.is_closed(), True)
    world.advance(1.1)  # one CONNECT of a client id in a second
    again = world.connect({}, UNAUTHENTICATED, mark=device.mark)
    rows.check(76, again.verdict, REFUSED)
    rows.check(77, world.calls(device.mark), 2)


def watcher(world: World, *marks: str) -> Device:
    """Return a device that hears how those of *marks* are disconnected."""
    device = world.connect(about="watcher")
    for mark in marks:
        assert device.client.subscribe(f"$aws/events/presence/disconnected/{mark}") == [1]
    return device


def reason(device: Device) -> str | None:
    """Return why the one that *device* watches was disconnected, in AWS IoT's words."""
    messages = device.client.wait_for_messages()
    return json.loads(messages[0].payload)["disconnectReason"] if messages else None


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.rows(72, 73, 74)
def test_five_and_ten_minutes(world: World, rows: Any) -> None:
    """All in the same ten minutes: a cut-off, a new policy, and a refresh that does not move the cut-off."""
    cut = world.connect({"members": {"disconnectAfterInSeconds": 300}}, about="72")
    everything: dict[str, Any] = {**SHORT, "policy": [["Allow", "iot:*", "*"]]}
    connecting = [["Allow", "iot:Connect", "*"]]
    narrowed = world.connect(everything, {"policy": connecting}, about="73")
    first = {"refreshAfterInSeconds": 300, "disconnectAfterInSeconds": 600}
    longer = world.connect({"members": first}, {"members": {"disconnectAfterInSeconds": 86400}}, about="74")
    seeing = watcher(world, cut.mark)
    devices = (cut, narrowed, longer, seeing)
    assert narrowed.client.publish(f"{narrowed.mark}/a") == 0
    world.advance(285, pinging=devices)
    assert [world.calls(each.mark) for each in (narrowed, longer)] == [1, 1]
    world.advance(25, pinging=devices)
    rows.check(72, (cut.client.is_closed(60), reason(seeing)), (True, "CUSTOMAUTH_TTL_EXPIRATION"))
    narrowed.client.ping()
    denied = narrowed.client.publish(f"{narrowed.mark}/a")
    rows.check(73, (world.eventually(lambda: world.calls(narrowed.mark), 2), denied), (2, None))
    rows.check(74, (longer.client.ping(), world.calls(longer.mark)), (True, 2))
    world.advance(295, pinging=(longer, seeing))
    rows.check(74, longer.client.is_closed(60), True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.rows(75)
def test_a_refresh_that_denies_or_fails(world: World, rows: Any) -> None:
    """A no, an exception and an answer that is not taken: the connection ends."""
    seconds: list[dict[str, Any]] = [UNAUTHENTICATED, {"fail": True}, {"members": {"principalId": "not_plain"}}]
    devices = [world.connect(SHORT, second, about="75") for second in seconds]
    world.advance(310, pinging=devices)
    for device in devices:
        rows.check(75, (device.client.is_closed(60), world.calls(device.mark)), (True, 2))


@pytest.mark.rows(96)
@pytest.mark.timeout(240)
def test_keep_alives(world: World, rows: Any) -> None:
    """10 s count as 30, none and 5000 as 1200, which MQTT 5's CONNACK says; after 45 s of silence one is out."""
    for asked_s, counted_s in ((10, 30), (0, 1200), (5000, 1200)):
        device = world.connect(about="96", level=5, keep_alive_s=asked_s)
        assert device.client.connack is not None
        rows.check(96, mqtt.announced(device.client.connack).get(mqtt.SERVER_KEEP_ALIVE), counted_s)
    silent = world.connect(about="96", keep_alive_s=10)
    world.advance(40)
    assert silent.client.ping()
    world.advance(50)
    rows.check(96, silent.client.is_closed(60), True)
