"""Shared subscriptions: the members of a group take turns, on 3.1.1 and 5."""

from __future__ import annotations

import pytest

from iotauth_cli.emulator.mqtt.packets import LEVEL_3_1_1, LEVEL_5, Publish, Suback, Unsubscribe
from support_data import Device, Plane, in_loop, statement


async def members(plane: Plane, *names: str, topic_filter: str = "$share/workers/jobs/+") -> list[Device]:
    """Return clients of both versions by turns, all in one group."""
    devices = []
    for position, name in enumerate(names):
        level = LEVEL_5 if position % 2 else LEVEL_3_1_1
        device = await plane.connected(name, level=level, clean=False, properties=kept_for_a_day(level))
        await device.subscribe(topic_filter, qos=1)
        devices.append(device)
    return devices


def kept_for_a_day(level: int) -> tuple[tuple[int, int], ...]:
    return ((0x11, 86_400),) if level == LEVEL_5 else ()


def payloads(devices: list[Device]) -> list[list[bytes]]:
    return [[payload for _, payload in device.messages] for device in devices]


async def publish_each(plane: Plane, *payloads: bytes, qos: int = 0) -> None:
    sender = await plane.connected("sender")
    for payload in payloads:
        await sender.publish("jobs/1", payload, qos)


@in_loop
async def test_each_message_goes_to_one_member_in_turn(plane: Plane) -> None:
    """Whichever version a member speaks."""
    devices = await members(plane, "a", "b", "c")
    await publish_each(plane, b"1", b"2", b"3", b"4")
    assert payloads(devices) == [[b"1", b"4"], [b"2"], [b"3"]]


@in_loop
async def test_groups_and_plain_subscriptions_do_not_share(plane: Plane) -> None:
    """Every group gets each message once, and so does who subscribed for itself."""
    first = await members(plane, "a", "b")
    second = await members(plane, "c", topic_filter="$share/others/jobs/#")
    plain = await plane.connected("plain")
    await plain.subscribe("jobs/#")
    await publish_each(plane, b"1", b"2")
    assert payloads([*first, *second, plain]) == [[b"1"], [b"2"], [b"1", b"2"], [b"1", b"2"]]


@in_loop
async def test_who_is_away_is_passed_over(plane: Plane) -> None:
    """While anybody is connected; then messages wait for the members in turn."""
    devices = await members(plane, "a", "b")
    await devices[0].vanish()
    await publish_each(plane, b"1", b"2", qos=1)
    assert payloads(devices) == [[], [b"1", b"2"]]
    await devices[1].vanish()
    await publish_each(plane, b"3", b"4", qos=1)
    back = [await plane.connected(name, clean=False) for name in ("a", "b")]
    waiting = [[p.payload for p in each.received if isinstance(p, Publish) and not p.is_duplicate] for each in back]
    assert sorted(waiting) == [[b"3"], [b"4"]]


@in_loop
async def test_who_leaves_the_group_gets_nothing_more(plane: Plane) -> None:
    """And with the last member the group is gone."""
    devices = await members(plane, "a", "b")
    await devices[0].send(Unsubscribe(3, ("$share/workers/jobs/+",)))
    await publish_each(plane, b"1", b"2")
    assert payloads(devices) == [[], [b"1", b"2"]]
    await devices[1].send(Unsubscribe(3, ("$share/workers/jobs/+",)))
    await publish_each(plane, b"3")
    assert payloads(devices) == [[], [b"1", b"2"]]


@in_loop
async def test_who_may_not_receive_is_passed_over(plane: Plane) -> None:
    """The message goes to the next member instead of nowhere."""
    able = await members(plane, "able")
    plane.lets_in_under(statement("iot:Subscribe", "*"))
    denied = await members(plane, "denied")
    plane.lets_in_under(statement("iot:Publish", "*"))
    await publish_each(plane, b"1", b"2")
    assert payloads([*able, *denied]) == [[b"1", b"2"], []]


@in_loop
async def test_a_group_gets_no_retained_message(plane: Plane) -> None:
    """Nobody would know which member should have it (MQTT 5, 4.8.2)."""
    sender = await plane.connected("sender")
    await sender.publish("a", b"1", retain=True)
    devices = await members(plane, "a", topic_filter="$share/workers/a")
    assert payloads(devices) == [[]]


@pytest.mark.parametrize(
    ("resources", "is_allowed"),
    [
        pytest.param(["topicfilter/$($)share/workers/jobs"], True, id="the-whole"),
        pytest.param(["topicfilter/*"], True, id="any"),
        pytest.param(["topicfilter/jobs"], True, id="the-filter-inside"),
        pytest.param(["topicfilter/other"], False, id="another"),
    ],
)
@in_loop
async def test_the_policy_of_a_shared_subscription(plane: Plane, resources: list[str], is_allowed: bool) -> None:
    """The whole filter as text, or the filter inside it (our choice; AWS does not document it)."""
    plane.lets_in_under(statement("iot:Subscribe", resources))
    device = await plane.connected_5()
    await device.subscribe("$share/workers/jobs")
    assert device.subacks == [Suback(9, (0 if is_allowed else 0x87,))]


@in_loop
async def test_a_deny_on_the_filter_inside_holds_for_the_group(plane: Plane) -> None:
    """A group is no way around it."""
    plane.lets_in_under(
        statement("iot:Subscribe", "topicfilter/*"), statement("iot:Subscribe", "topicfilter/jobs", "Deny")
    )
    device = await plane.connected_5()
    await device.subscribe("$share/workers/jobs")
    assert device.subacks == [Suback(9, (0x87,))]


@in_loop
async def test_the_filter_inside_may_be_made_to_count_for_nothing() -> None:
    """Where that behaviour is chosen, the resource must name the group."""
    plane = Plane(shared_filter_alone_allows=False)
    plane.lets_in_under(statement("iot:Subscribe", "topicfilter/jobs"))
    device = await plane.connected_5()
    await device.subscribe("$share/workers/jobs")
    assert device.subacks == [Suback(9, (0x87,))]
    plane.close()
