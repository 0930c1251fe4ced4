"""Rows 78 to 101: what a connected client may do, and what it sees when it may not."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from support_parity import mqtt
from support_parity.mqtt import Will
from support_parity.world import REFUSED, Device, World

CONNECT = ["Allow", "iot:Connect", "client/*"]


def granted(world: World, about: str, *statements: list[Any], **options: Any) -> Device:
    """Return a device under a policy of Connect and *statements*."""
    device = world.connect({"policy": [CONNECT, *statements]}, about=about, **options)
    assert device.outcome == "accepted"
    return device


def can(world: World, topic: str, about: str = "speaker") -> Device:
    """Return a device that may do everything, and has published on *topic*."""
    device = world.connect(about=about)
    assert device.client.publish(topic) == 0
    return device


def topics_of(world: World, device: Device) -> list[str]:
    return [each.topic for each in device.client.collect(world.quiet_s)]


@pytest.mark.rows(78, 79)
def test_what_is_denied(world: World, rows: Any) -> None:
    """A publish at either QoS and a subscription end a connection of 3.1.1; MQTT 5 has a code for a filter."""
    for qos in (0, 1):
        device = granted(world, "78")
        code = device.client.publish(f"{device.mark}/a", qos=qos)
        rows.check(78, (code, device.client.is_closed()), (None, True))
    device = granted(world, "79")
    rows.check(79, device.client.subscribe(f"{device.mark}/a"), None)
    device = granted(world, "79", level=5)
    rows.check(79, device.client.subscribe(f"{device.mark}/a"), [0x87])


@pytest.mark.rows(80, 81, 82)
def test_wildcards_of_policies(world: World, rows: Any) -> None:
    """`*` permits `#` below it, `+` is a character, `?` is any one character, `/` too."""
    start = world.mark("80")
    device = granted(world, "80", ["Allow", "iot:Subscribe", f"topicfilter/{start}/*"])
    rows.check(80, device.client.subscribe(f"{start}/#"), [1])
    device = granted(world, "81", ["Allow", "iot:Subscribe", f"topicfilter/{start}/+/topic"])
    rows.check(81, device.client.subscribe(f"{start}/x/topic") in ([0], [1]), False)
    device = granted(world, "82", ["Allow", "iot:Publish", f"topic/{start}/a?c"])
    rows.check(82, [device.client.publish(f"{start}/{each}") for each in ("abc", "a/c")], [0, 0])


@pytest.mark.rows(83, 84)
def test_receiving(world: World, rows: Any) -> None:
    """Without Receive nothing comes and nobody is thrown out; with NotResource all but that comes."""
    start = world.mark("83")
    subscribing = ["Allow", "iot:Subscribe", f"topicfilter/{start}/*"]
    deaf = granted(world, "83", subscribing)
    choosy = granted(world, "84", subscribing, ["Allow", "iot:Receive", [f"topic/{start}/restricted/*"], "NotResource"])
    for device in (deaf, choosy):
        assert device.client.subscribe(f"{start}/#") == [1]
    can(world, f"{start}/restricted/y").client.publish(f"{start}/x")
    choosy.client.wait_for_messages()
    rows.check(84, topics_of(world, choosy), [f"{start}/x"])
    rows.check(83, (topics_of(world, deaf), deaf.client.ping()), ([], True))


@pytest.mark.rows(85, 86)
def test_deny_and_variables(world: World, rows: Any) -> None:
    """A Deny goes before an Allow; the client id stands where the policy has its variable."""
    start = world.mark("85")
    both = (["Allow", "iot:Publish", f"topic/{start}/*"], ["Deny", "iot:Publish", f"topic/{start}/no"])
    device = granted(world, "85", *both)
    rows.check(85, [device.client.publish(f"{start}/{each}") for each in ("yes", "no")], [0, None])
    device = granted(world, "86", ["Allow", "iot:Publish", "topic/${iot:ClientId}/*"])
    rows.check(86, device.client.publish(f"{device.mark}/a"), 0)
    rows.check(86, device.client.publish(f"{start}/a"), None)


@pytest.mark.rows(87, 98, 99)
def test_retained_messages(world: World, rows: Any) -> None:
    """They need a grant of their own; an exact filter gets one, a wildcard does not; an empty one ends it."""
    topic = world.will_retain(world.topic("98"))
    device = granted(world, "87", ["Allow", "iot:Publish", f"topic/{topic}"])
    rows.check(87, device.client.publish(topic, retain=True), None)
    both = ["Allow", ["iot:Publish", "iot:RetainPublish"], f"topic/{topic}"]
    keeper = granted(world, "87", both)
    rows.check(87, keeper.client.publish(topic, b"kept", retain=True), 0)
    exact, wild = world.connect(about="98"), world.connect(about="98")
    assert exact.client.subscribe(topic) == wild.client.subscribe(f"{topic[:-1]}+") == [1]
    found = [(each.payload, each.is_retained) for each in exact.client.wait_for_messages()]
    rows.check(98, (found, topics_of(world, wild)), ([(b"kept", True)], []))
    assert keeper.client.publish(topic, b"", retain=True) == 0
    late = world.connect(about="99")
    assert late.client.subscribe(topic) == [1]
    rows.check(99, topics_of(world, late), [])


@pytest.mark.rows(88)
def test_a_will_that_may_not_be_published(world: World, rows: Any) -> None:
    """The CONNECT is refused, and an event tells of it."""
    mark = world.mark("88")
    seeing = world.connect(about="watcher")
    assert seeing.client.subscribe(f"$aws/events/presence/connect_failed/{mark}") == [1]
    device = world.connect({"policy": [CONNECT]}, mark=mark, will=Will(f"{mark}/will"))
    events = [json.loads(each.payload) for each in seeing.client.wait_for_messages()]
    reasons = [each["connectFailureReason"] for each in events]
    rows.check(88, (device.verdict, reasons), (REFUSED, ["AUTHORIZATION_FAILED"]))


@pytest.mark.rows(89, 90)
def test_wills_and_a_second_client(world: World, rows: Any) -> None:
    """Published when the line is cut and when another takes the client id over, not after a goodbye."""
    topic = world.topic("89")
    seeing = world.connect(about="watcher")
    assert seeing.client.subscribe(topic) == [1]
    polite = world.connect(about="89", will=Will(topic, b"polite"))
    polite.client.leave()
    rude = world.connect(about="89", will=Will(topic, b"rude"))
    rude.client.pipe.close()
    rows.check(89, [each.payload for each in seeing.client.wait_for_messages()], [b"rude"])
    first = world.connect(about="90", level=5, will=Will(topic, b"taken over"))
    world.advance(1.1)  # one CONNECT of a client id in a second
    second = world.connect(mark=first.mark, level=5)
    seen = (second.outcome, first.client.is_closed(), first.client.goodbye)
    rows.check(90, seen, ("accepted", True, 0x8E))
    rows.check(90, [each.payload for each in seeing.client.wait_for_messages(2)], [b"rude", b"taken over"])
    rows.check(89, len(topics_of(world, seeing)), 2)


@pytest.mark.rows(91, 92)
def test_too_many_filters(world: World, rows: Any) -> None:
    """Eight in one SUBSCRIBE, fifty on one connection."""
    device = world.connect(about="91")
    rows.check(91, device.client.subscribe(*(f"{device.mark}/{number}" for number in range(9))), None)
    device = world.connect(about="92")
    for first in range(0, 48, 8):
        numbers = range(first, first + 8)
        assert device.client.subscribe(*(f"{device.mark}/{number}" for number in numbers)) == [1] * 8
        world.advance(0.1)  # an account has 500 in a second for all its clients
    assert device.client.subscribe(f"{device.mark}/48", f"{device.mark}/49") == [1, 1]
    rows.check(92, (device.client.subscribe(f"{device.mark}/50"), device.client.is_closed()), ([0x80], True))


@pytest.mark.rows(93, 94)
def test_what_is_too_long(world: World, rows: Any) -> None:
    """A topic of 257 bytes, one of nine levels, a payload of 128 KB and one byte."""
    for bad in ("{}".ljust(257, "x"), "{}" + "/x" * 8):
        device = world.connect(about="93")
        topic = bad.format(device.mark)[:257]
        rows.check(93, (device.client.publish(topic), device.client.is_closed()), (None, True))
    device = world.connect(about="93", level=5)
    device.client.publish(f"{device.mark}/x/x/x/x/x/x/x/x", qos=0)
    rows.check(93, (device.client.is_closed(), device.client.goodbye), (True, 0x90))
    device = world.connect(about="94")
    rows.check(94, device.client.publish(f"{device.mark}/a", bytes(131073)), None)


@pytest.mark.rows(95)
def test_qos_2(world: World, rows: Any) -> None:
    """No PUBREC and no SUBACK comes, and the connection goes on."""
    device = world.connect(about="95")
    device.client.publish(f"{device.mark}/a", qos=2)
    rows.check(95, device.client.ping(), True)
    device.client.send(0x82, b"\0\x09" + mqtt.text(f"{device.mark}/a") + b"\x02")
    answered = []
    with contextlib.suppress(TimeoutError):
        answered.append(device.client.receive(mqtt.SUBACK, wait_s=max(world.quiet_s, 0.2)))
    rows.check(95, answered, [])


@pytest.mark.rows(97)
def test_a_wildcard_and_its_own_level(world: World, rows: Any) -> None:
    """`sensor/#` does not take `sensor`."""
    start = world.mark("97")
    device = world.connect(about="97")
    assert device.client.subscribe(f"{start}/#") == [1]
    can(world, start).client.publish(f"{start}/below")
    device.client.wait_for_messages()
    rows.check(97, topics_of(world, device), [f"{start}/below"])


@pytest.mark.rows(100, 101)
def test_client_ids_and_what_connack_announces(world: World, rows: Any) -> None:
    """A client id of AWS IoT's own is refused; MQTT 5 is told what there is."""
    everybody = {"policy": [["Allow", "iot:Connect", "client/*"]]}
    rows.check(100, world.connect(everybody, about="100", client_id=f"$AWS/{world.prefix}").verdict, REFUSED)
    device = world.connect(about="101", level=5)
    assert device.client.connack is not None
    found = mqtt.announced(device.client.connack)
    names = (mqtt.MAXIMUM_QOS, mqtt.SUBSCRIPTION_IDS, mqtt.RECEIVE_MAXIMUM, mqtt.ALIAS_MAXIMUM)
    rows.check(101, [found.get(name) for name in names], [1, 0, 100, 8])
