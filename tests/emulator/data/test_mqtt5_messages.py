"""MQTT 5: messages and sessions. Properties, expiry, aliases, options of a subscription, wills."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from iotauth_cli.emulator.mqtt.packets import (
    Connack,
    Disconnect,
    Pingreq,
    Properties,
    Puback,
    Publish,
    Subscribe,
    Subscription,
    Will,
)
from iotauth_cli.emulator.mqtt.properties import Property
from support_data import Device, Plane, in_loop

KEPT: Properties = (
    (Property.PAYLOAD_FORMAT, 1),
    (Property.CONTENT_TYPE, "application/json"),
    (Property.RESPONSE_TOPIC, "answers/1"),
    (Property.CORRELATION_DATA, b"\x00\x01"),
    (Property.USER_PROPERTY, ("a", "1")),
    (Property.USER_PROPERTY, ("a", "2")),
)
DAY = 24 * 3600


def lasting(seconds: int) -> Properties:
    return ((Property.SESSION_EXPIRY, seconds),)


def expiring(seconds: int) -> Properties:
    return ((Property.MESSAGE_EXPIRY, seconds),)


def publishes(device: Device) -> list[Publish]:
    return [packet for packet in device.received if isinstance(packet, Publish)]


@pytest.mark.parametrize("qos", [0, 1])
@in_loop
async def test_properties_pass_through_to_mqtt_5_and_are_dropped_for_3_1_1(plane: Plane, qos: int) -> None:
    """Content type, response topic, correlation data, payload format, user properties in their order."""
    old, new = await plane.connected("old"), await plane.connected_5("new")
    for device in (old, new):
        await device.subscribe("a", qos=qos)
    sender = await plane.connected_5()
    await sender.publish("a", b"{}", qos, properties=KEPT)
    assert publishes(new) == [Publish("a", b"{}", qos, packet_id=qos or None, properties=KEPT)]
    assert publishes(old) == [Publish("a", b"{}", qos, packet_id=qos or None)]


@in_loop
async def test_a_message_of_3_1_1_reaches_mqtt_5_without_properties(plane: Plane) -> None:
    """The versions share topics, subscriptions and sessions."""
    device = await plane.connected_5()
    await device.subscribe("a", qos=1)
    sender = await plane.connected("old")
    await sender.publish("a", b"1", 1)
    assert publishes(device) == [Publish("a", b"1", 1, packet_id=1)]


@in_loop
async def test_a_request_is_answered_where_it_asks_to_be(plane: Plane) -> None:
    """Response topic and correlation data carry a question and its answer."""
    asking, answering = await plane.connected_5("asking"), await plane.connected_5("answering")
    await asking.subscribe("answers/1")
    await answering.subscribe("questions")
    question = ((Property.RESPONSE_TOPIC, "answers/1"), (Property.CORRELATION_DATA, b"7"))
    await asking.publish("questions", b"?", properties=question)
    asked = dict(publishes(answering)[0].properties)
    topic = asked[Property.RESPONSE_TOPIC]
    assert isinstance(topic, str)
    await answering.publish(topic, b"!", properties=((Property.CORRELATION_DATA, asked[Property.CORRELATION_DATA]),))
    assert publishes(asking) == [Publish("answers/1", b"!", properties=((Property.CORRELATION_DATA, b"7"),))]


@in_loop
async def test_a_fan_out_is_encoded_once_for_each_version(plane: Plane) -> None:
    """Every receiver of one version is written the very same bytes."""
    devices = [await plane.connected_5(f"new-{n}") for n in range(3)] + [await plane.connected("old")]
    for device in devices:
        await device.subscribe("a")
        device.writes.clear()
    await devices[0].publish("a", b"1", properties=KEPT)
    new, old = devices[1].writes, devices[3].writes
    assert devices[0].writes == new == devices[2].writes
    assert old != new


@in_loop
async def test_a_message_says_how_long_it_still_lives(plane: Plane) -> None:
    """Its expiry less the time it waited, and after its expiry it is not delivered."""
    device = await plane.connected_5(clean=False, properties=lasting(DAY))
    await device.subscribe("a", qos=1)
    await device.vanish()
    sender = await plane.connected_5("sender", keep_alive_s=1200)
    await sender.publish("a", b"short", 1, properties=expiring(60))
    await sender.publish("a", b"long", 1, properties=expiring(600))
    await plane.advance(100)
    device = await plane.connected_5(clean=False)
    assert publishes(device) == [Publish("a", b"long", 1, packet_id=1, properties=expiring(500))]


@in_loop
async def test_a_message_of_no_lifetime_is_delivered_to_who_is_there(plane: Plane) -> None:
    """An expiry of 0 is over at once for who is away, and 3.1.1 knows no expiry."""
    device, old = await plane.connected_5(), await plane.connected("old")
    for each in (device, old):
        await each.subscribe("a")
    await device.publish("a", b"1", properties=expiring(0))
    assert publishes(device) == [Publish("a", b"1", properties=expiring(0))]
    assert publishes(old) == [Publish("a", b"1")]


@in_loop
async def test_a_retained_message_keeps_its_properties_and_expires(plane: Plane) -> None:
    """Whoever subscribes later gets them, with the lifetime that is left."""
    sender = await plane.connected_5("sender", keep_alive_s=1200)
    await sender.publish("a", b"1", 1, retain=True, properties=(*KEPT, *expiring(60)))
    await plane.advance(20)
    late = await plane.connected_5("late", keep_alive_s=1200)
    await late.subscribe("a")
    assert publishes(late) == [Publish("a", b"1", retain=True, properties=(*expiring(40), *KEPT))]
    await plane.advance(40)
    await late.subscribe("a")
    assert len(publishes(late)) == 1


@in_loop
async def test_a_client_names_a_topic_once_and_then_by_its_alias(plane: Plane) -> None:
    """Eight aliases, each of which may be given to another topic later."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("#")
    device = await plane.connected_5()
    for topic, alias in (("a", 1), ("", 1), ("b", 8), ("", 8), ("c", 1), ("", 1)):
        await device.publish(topic, properties=((Property.TOPIC_ALIAS, alias),))
    assert [topic for topic, _ in watcher.messages] == ["a", "a", "b", "b", "c", "c"]


@in_loop
async def test_an_alias_that_was_never_set_ends_the_connection(plane: Plane) -> None:
    """Aliases belong to a connection; those of the last one are gone."""
    device = await plane.connected_5()
    await device.publish("a", properties=((Property.TOPIC_ALIAS, 1),))
    device = await plane.connected_5()
    await device.publish("", properties=((Property.TOPIC_ALIAS, 1),))
    assert isinstance(device.received[-1], Disconnect)
    assert device.received[-1].reason == 0x82


@in_loop
async def test_a_client_that_takes_aliases_gets_topics_by_them(plane: Plane) -> None:
    """As many as it allows: a topic in full with its alias first, then the alias alone."""
    device = await plane.connected_5(properties=((Property.TOPIC_ALIAS_MAXIMUM, 2),))
    await device.subscribe("#", qos=1)
    sender = await plane.connected("sender")
    for topic in ("a", "b", "c", "a", "b", "c"):
        await sender.publish(topic, b"1", 0)
    await sender.publish("a", b"2", 1)
    alias = Property.TOPIC_ALIAS
    assert publishes(device) == [
        Publish("a", b"1", properties=((alias, 1),)),
        Publish("b", b"1", properties=((alias, 2),)),
        Publish("c", b"1"),
        Publish("", b"1", properties=((alias, 1),)),
        Publish("", b"1", properties=((alias, 2),)),
        Publish("c", b"1"),
        Publish("", b"2", 1, packet_id=1, properties=((alias, 1),)),
    ]


@pytest.fixture
def tight() -> Iterator[Plane]:
    """At most 1,000 bytes are kept for a client that does not read."""
    plane = Plane(unsent_bytes=1000)
    yield plane
    plane.close()


@in_loop
async def test_an_alias_is_not_lost_with_a_message_that_was_dropped(tight: Plane) -> None:
    """What a slow client never got must not be counted on."""
    device = await tight.connected_5(properties=((Property.TOPIC_ALIAS_MAXIMUM, 8),))
    await device.subscribe("#")
    sender = await tight.connected("sender")
    device.connection.pause_writing()
    await sender.publish("a", b"x" * 1500)
    await sender.publish("b", b"dropped")
    device.connection.resume_writing()
    await sender.publish("b", b"1")
    assert publishes(device)[1:] == [Publish("b", b"1", properties=((Property.TOPIC_ALIAS, 2),))]


@in_loop
async def test_a_message_too_large_for_the_client_is_not_sent(plane: Plane) -> None:
    """Its Maximum Packet Size counts the whole packet, and nothing waits for it."""
    device = await plane.connected_5(properties=((Property.MAXIMUM_PACKET_SIZE, 50),))
    await device.subscribe("a", qos=1)
    sender = await plane.connected("sender")
    size = 50 - 2 - 3 - 2 - 1  # header, topic, packet id, properties
    await sender.publish("a", b"x" * (size + 1), 1)
    await sender.publish("a", b"x" * size, 1)
    assert [len(packet.payload) for packet in publishes(device)] == [size]


@in_loop
async def test_the_client_says_how_many_messages_it_takes_at_once(plane: Plane) -> None:
    """Its Receive Maximum, below AWS's 100; each PUBACK lets another one go."""
    device = await plane.connected_5(properties=((Property.RECEIVE_MAXIMUM, 2),))
    await device.subscribe("a", qos=1)
    sender = await plane.connected("sender")
    await sender.send(*[Publish("a", b"%d" % number, 1, packet_id=1) for number in range(4)])
    assert [packet.payload for packet in publishes(device)] == [b"0", b"1"]
    await device.send(Puback(1, 0x80))
    assert [packet.payload for packet in publishes(device)] == [b"0", b"1", b"2"]


@in_loop
async def test_a_client_that_comes_back_may_take_fewer_at_once(plane: Plane) -> None:
    """What was on its way and no longer fits waits for its turn again, in order."""
    device = await plane.connected_5(properties=lasting(DAY))
    await device.subscribe("a", qos=1)
    sender = await plane.connected("sender")
    await sender.send(*[Publish("a", b"%d" % number, 1, packet_id=1) for number in range(4)])
    device = await plane.connected_5(clean=False, properties=((Property.RECEIVE_MAXIMUM, 1),))
    for _ in range(4):
        last = publishes(device)[-1].packet_id
        assert last is not None
        await device.send(Puback(last))
    assert [packet.payload for packet in publishes(device)] == [b"0", b"1", b"2", b"3"]
    assert [packet.is_duplicate for packet in publishes(device)] == [True, False, False, False]


@in_loop
async def test_an_unacknowledged_message_comes_again_on_the_next_connection_only(plane: Plane) -> None:
    """MQTT 5 forbids to send it twice on one connection, however long the PUBACK takes."""
    device = await plane.connected_5(keep_alive_s=1200, properties=lasting(DAY))
    await device.subscribe("a", qos=1)
    sender = await plane.connected("sender")
    await sender.publish("a", b"1", 1)
    await plane.advance(60)
    assert len(publishes(device)) == 1
    device = await plane.connected_5(clean=False, keep_alive_s=1200)
    assert publishes(device) == [Publish("a", b"1", 1, is_duplicate=True, packet_id=1)]


@in_loop
async def test_no_local_keeps_ones_own_messages_away(plane: Plane) -> None:
    """From the publisher alone, and only where no other subscription of its own wants them."""
    device, other = await plane.connected_5(), await plane.connected_5("other")
    for each in (device, other):
        await each.subscribe("a", no_local=True)
    await device.publish("a", b"1")
    assert (device.messages, other.messages) == ([], [("a", b"1")])
    await device.subscribe("+")
    await device.publish("a", b"2")
    assert device.messages == [("a", b"2")]


@in_loop
async def test_retain_as_published_keeps_the_flag(plane: Plane) -> None:
    """Live messages have RETAIN 0 otherwise."""
    bridge, plain = await plane.connected_5("bridge"), await plane.connected_5("plain")
    await bridge.subscribe("a", retain_as_published=True)
    await plain.subscribe("a")
    sender = await plane.connected_5()
    await sender.publish("a", b"1", retain=True)
    await sender.publish("a", b"2")
    assert publishes(bridge) == [Publish("a", b"1", retain=True), Publish("a", b"2")]
    assert publishes(plain) == [Publish("a", b"1"), Publish("a", b"2")]


@pytest.mark.parametrize(("handling", "deliveries"), [(0, 2), (1, 1), (2, 0)])
@in_loop
async def test_row_098_retain_handling(plane: Plane, handling: int, deliveries: int) -> None:
    """At each subscribe, at a new subscription only, or never."""
    device = await plane.connected_5()
    await device.publish("a", b"1", retain=True)
    for _ in range(2):
        await device.subscribe("a", retain_handling=handling)
    assert len(device.messages) == deliveries


@in_loop
async def test_a_session_lasts_as_long_as_was_asked(plane: Plane) -> None:
    """Without an expiry it ends with the connection, clean start or not."""
    for asked_s, away_s, is_present in ((0, 0, False), (60, 59, True), (60, 60, False), (0xFFFFFFFF, 7 * DAY, False)):
        device = await plane.connected_5(clean=True, properties=lasting(asked_s))
        await device.vanish()
        await plane.advance(away_s)
        device = plane.device()
        await device.connect(level=5, clean=False)
        packet = device.received[0]
        assert isinstance(packet, Connack)
        assert packet.session_present is is_present
        await device.vanish()


@in_loop
async def test_a_session_goes_on_in_the_other_version(plane: Plane) -> None:
    """What was sent and not acknowledged in MQTT 5 comes again in 3.1.1, in its form."""
    device = await plane.connected_5(properties=lasting(DAY))
    await device.subscribe("a", qos=1)
    sender = await plane.connected_5("sender")
    await sender.publish("a", b"1", 1, properties=KEPT)
    await device.vanish()
    device = await plane.connected(clean=False)
    assert publishes(device) == [Publish("a", b"1", 1, is_duplicate=True, packet_id=1)]


@in_loop
async def test_a_goodbye_may_change_the_expiry(plane: Plane) -> None:
    """A session that was to stay may be let go, or kept longer, up to seven days."""
    for said_s, kept_s in ((0, 0), (DAY, DAY), (0xFFFFFFFF, 7 * DAY)):
        device = await plane.connected_5(properties=lasting(60))
        await device.send(Disconnect(0, lasting(said_s)))
        client = plane.broker.clients.get("thermo-1")
        assert (client.session_expiry_s if client else 0) == kept_s


@pytest.mark.parametrize(("reason", "is_published"), [(0, False), (4, True)])
@in_loop
async def test_row_089_a_goodbye_may_ask_for_the_will(plane: Plane, reason: int, is_published: bool) -> None:
    """DISCONNECT 0x04 publishes it, 0x00 does not."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("will")
    device = await plane.connected_5(will=Will("will", b"gone"))
    await device.send(Disconnect(reason))
    assert bool(watcher.messages) is is_published


@in_loop
async def test_a_will_has_properties_too(plane: Plane) -> None:
    """They reach the receivers; its delay does not."""
    watcher = await plane.connected_5("watcher")
    await watcher.subscribe("will")
    delay = ((Property.WILL_DELAY, 10),)
    device = await plane.connected_5(will=Will("will", b"gone", properties=(*delay, *KEPT, *expiring(60))))
    await device.vanish()
    assert publishes(watcher) == [Publish("will", b"gone", properties=(*expiring(60), *KEPT))]


def will_after(seconds: int) -> Will:
    return Will("will", b"gone", properties=((Property.WILL_DELAY, seconds),))


@pytest.mark.parametrize(
    ("delay_s", "session_s", "published_after_s"),
    [(30, DAY, 30), (0, DAY, 0), (30, 0, 0), (DAY, 30, 30)],
    ids=["delay", "no-delay", "no-session", "session-ends-first"],
)
@in_loop
async def test_a_will_is_delayed_while_its_session_lasts(
    plane: Plane, delay_s: int, session_s: int, published_after_s: int
) -> None:
    """Whichever ends first, the delay or the session, publishes it."""
    watcher = await plane.connected("watcher", keep_alive_s=1200)
    await watcher.subscribe("will")
    device = await plane.connected_5(will=will_after(delay_s), properties=lasting(session_s))
    await device.vanish()
    if published_after_s:
        await plane.advance(published_after_s - 1)
        assert watcher.messages == []
        await plane.advance(1)
    assert watcher.messages == [("will", b"gone")]


@pytest.mark.parametrize("clean", [False, True])
@in_loop
async def test_who_comes_back_in_time_takes_a_delayed_will_back(plane: Plane, clean: bool) -> None:
    """Unless it starts clean: then the old session ends, and its will is published."""
    watcher = await plane.connected("watcher", keep_alive_s=1200)
    await watcher.subscribe("will")
    device = await plane.connected_5(will=will_after(30), properties=lasting(DAY))
    await device.vanish()
    await plane.connected_5(clean=clean, keep_alive_s=1200)
    await plane.advance(60)
    assert bool(watcher.messages) is clean


@in_loop
async def test_options_of_both_versions_live_side_by_side(plane: Plane) -> None:
    """A subscription of 3.1.1 has none of the options and works as ever."""
    device = await plane.connected()
    await device.send(Subscribe(9, (Subscription("a", 1),)), Pingreq())
    await device.publish("a", b"1", 1, retain=True)
    assert publishes(device) == [Publish("a", b"1", 1, packet_id=1)]
