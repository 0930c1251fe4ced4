"""A crowd of clients of both versions that send whatever they like: the broker never fails, and stays in order."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
    LEVEL_5,
    Connack,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from iotauth_cli.emulator.mqtt.properties import Property
from support_data import Device, Plane

levels = st.sampled_from([LEVEL_3_1_1, LEVEL_5])
names = st.sampled_from(["one", "two", "three"])
topics = st.sampled_from(["a", "a/b", "$aws/things/a"])
filters = st.sampled_from(["a", "a/+", "#", "$share/g/a", "$share/g/#", "$aws/events/#", "a/b/c/d/e/f/g/h/i"])
lifetimes = st.sampled_from([(), ((Property.MESSAGE_EXPIRY, 0),), ((Property.MESSAGE_EXPIRY, 100),)])
aliases = st.sampled_from([(), ((Property.TOPIC_ALIAS, 1),)])
wills = st.none() | st.builds(Will, topics, st.just(b"gone"), st.integers(0, 1), st.booleans())


@st.composite
def publishes(draw: st.DrawFn) -> Publish:
    qos = draw(st.integers(0, 1))
    properties = draw(lifetimes) + draw(aliases)
    return Publish(draw(topics), b"1", qos, draw(st.booleans()), packet_id=7 if qos else None, properties=properties)


packets: st.SearchStrategy[Packet] = st.one_of(
    publishes(),
    st.integers(1, 6).map(Puback),
    st.lists(st.builds(Subscription, filters, st.integers(0, 1), st.just(False), st.booleans()), min_size=1).map(
        lambda chosen: Subscribe(9, tuple(chosen))
    ),
    st.lists(filters, min_size=1, max_size=3).map(lambda chosen: Unsubscribe(9, tuple(chosen))),
    st.just(Pingreq()),
    st.just(Disconnect()),
)
connects = st.tuples(st.just("connect"), names, levels, st.booleans(), wills, st.sampled_from([0, 100]))
sends = st.tuples(st.just("send"), names, st.lists(packets, min_size=1, max_size=4))
vanishes = st.tuples(st.just("vanish"), names)
waits = st.tuples(st.just("wait"), st.sampled_from([1, 50, 150]))
deletes = st.tuples(st.just("delete"), names, st.booleans(), st.booleans())


async def play(steps: list[tuple[Any, ...]]) -> None:
    plane = Plane(subscriptions_per_connection=4, in_flight=2, queued_messages=3)
    devices: dict[str, Device] = {}
    try:
        for step in steps:
            await take(plane, devices, *step)
        check(plane)
    finally:
        plane.close()


async def take(plane: Plane, devices: dict[str, Device], verb: str, *rest: Any) -> None:
    """Do one step; a device that is not there does nothing."""
    if verb == "wait":
        await plane.advance(rest[0])
        return
    name, *details = rest
    if verb == "connect":
        level, clean, will, expiry_s = details
        properties = ((Property.SESSION_EXPIRY, expiry_s),) if level == LEVEL_5 else ()
        device = devices[name] = plane.device()
        await device.connect(name, level=level, clean=clean, will=will, properties=properties)
        assert isinstance(device.received[0], Connack)
    elif verb == "delete":
        plane.broker.disconnect(name, clean_session=details[0], prevent_will=details[1])
    elif name in devices and not devices[name].is_closed:
        await (devices[name].send(*details[0]) if verb == "send" else devices[name].vanish())


def check(plane: Plane) -> None:
    """See that no session is left which nobody can come back to, and that its limits held."""
    for client in plane.broker.clients.values():
        assert client.link is not None or client.session_expiry_s
        assert client.is_stored is (client.session_expiry_s > 0)
        assert len(client.subscriptions) <= 4
        assert len(client.outbox) <= 2 + 3
    stored = plane.state.db.execute("SELECT client_id FROM mqtt_sessions").fetchall()
    assert {row[0] for row in stored} == {c.client_id for c in plane.broker.clients.values() if c.is_stored}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(connects, sends, sends, sends, vanishes, waits, deletes), min_size=5, max_size=40))
def test_whatever_a_crowd_does_the_broker_goes_on(steps: list[tuple[Any, ...]]) -> None:
    """Connects, takeovers, goodbyes, wills, groups, full windows and full queues, in any order."""
    asyncio.run(play(steps))
