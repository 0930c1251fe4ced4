"""Conformance rows 78 to 100: what a client that is in may do, and what ends it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iotauth_cli.emulator.mqtt.packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from support_data import IOT, Device, Plane, answer, in_loop, policy, settle, statement

DEEP = "/".join("123456789")  # eight slashes


def cut_off(plane: Plane, device: Device, decided_by: str, sentence: str = "") -> None:
    """See that the device was closed, got nothing more, and that the log says why."""
    assert device.is_closed
    assert device.received == []
    assert (plane.last.outcome, plane.last.decided_by) == ("cut-off", decided_by)
    assert sentence in plane.last.sentence
    assert plane.last.client_id == "thermo-1"


@pytest.mark.parametrize("qos", [0, 1])
@in_loop
async def test_row_078_a_denied_publish(plane: Plane, qos: int) -> None:
    """The connection is closed without PUBACK, the message goes nowhere; the log has the statement."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("#")
    plane.lets_in_under(statement("iot:Publish", "topic/a"), statement("iot:*", "topic/b", "Deny"))
    device = await plane.connected()
    await device.publish("a", qos=0)
    await device.publish("b", qos=qos)
    cut_off(plane, device, "iot:Publish", "document 1, statement 3 denies iot:Publish on topic/b")
    assert watcher.messages == [("a", b"21.5")]


@in_loop
async def test_what_was_sent_after_a_denied_publish_is_not_handled(plane: Plane) -> None:
    """The close comes between two packets, also when they came in one piece."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("#")
    plane.lets_in_under(statement("iot:Publish", "topic/a"))
    device = await plane.connected()
    await device.send(Publish("a", b"1"), Publish("b", b"2"), Publish("a", b"3"))
    assert watcher.messages == [("a", b"1")]
    cut_off(plane, device, "iot:Publish")


@in_loop
async def test_row_079_a_denied_subscribe(plane: Plane) -> None:
    """The connection is closed without SUBACK, though one of the two filters was allowed."""
    plane.lets_in_under(statement("iot:Subscribe", "topicfilter/a"))
    device = await plane.connected()
    await device.subscribe("a", "b")
    assert device.subacks == []
    cut_off(plane, device, "iot:Subscribe", "no statement allows iot:Subscribe on topicfilter/b")


@in_loop
async def test_row_079_a_suback_where_that_behaviour_is_chosen() -> None:
    """The documentation's prose speaks of failure acknowledgements, so they can be had."""
    plane = Plane(answers_refused_subscribe=True)
    plane.lets_in_under()
    device = await plane.connected()
    await device.subscribe("a", "b")
    assert device.subacks == [Suback(9, (0x80, 0x80))]
    assert device.is_closed
    plane.close()


async def subscribes(plane: Plane, resource: str, topic_filter: str) -> bool:
    """Tell whether a client whose policy names *resource* may subscribe to *topic_filter*."""
    plane.lets_in_under(statement("iot:Subscribe", resource))
    device = await plane.connected()
    await device.subscribe(topic_filter)
    return not device.is_closed


@in_loop
async def test_row_080_a_star_in_the_policy_permits_the_hash_below_it(plane: Plane) -> None:
    """`*` of the policy stands for any text, MQTT's wildcards in it included."""
    assert await subscribes(plane, "topicfilter/a/*", "a/#")


@in_loop
async def test_row_081_a_plus_in_the_policy_is_a_character(plane: Plane) -> None:
    """It stands for itself, not for a level."""
    assert not await subscribes(plane, "topicfilter/some/+/topic", "some/x/topic")


@in_loop
async def test_a_filter_with_wildcards_is_allowed_by_its_own_text(plane: Plane) -> None:
    """`some/+/topic` in the policy is met by the filter `some/+/topic`."""
    assert await subscribes(plane, "topicfilter/some/+/topic", "some/+/topic")


@in_loop
async def test_a_hash_in_the_policy_is_a_character(plane: Plane) -> None:
    """`a/#` in the policy does not stand for what lies below `a`."""
    assert not await subscribes(plane, "topicfilter/a/#", "a/b")


@pytest.mark.parametrize("topic", ["abc", "a/c"])
@in_loop
async def test_row_082_a_question_mark_is_any_character(plane: Plane, topic: str) -> None:
    """Also a slash."""
    plane.lets_in_under(statement("iot:Publish", "topic/a?c"))
    device = await plane.connected()
    await device.publish(topic, qos=1)
    assert device.pubacks == [7]


@in_loop
async def test_row_083_subscribe_without_receive(plane: Plane) -> None:
    """The subscription is granted, stays silent, and the log says once why."""
    publisher = await plane.connected("publisher")
    plane.lets_in_under(statement("iot:Subscribe", "*"))
    device = await plane.connected()
    await device.subscribe("a")
    assert device.subacks == [Suback(9, (0,))]
    for _ in range(3):
        await publisher.publish("a")
    assert device.messages == []
    assert not device.is_closed
    assert (plane.last.outcome, plane.last.decided_by, plane.last.repeats) == ("ignored", "iot:Receive", 0)
    assert "not delivered: no statement allows iot:Receive on topic/a" in plane.last.sentence


@in_loop
async def test_row_084_receive_with_not_resource(plane: Plane) -> None:
    """`a/x` is delivered through `a/#`, `a/restricted/y` is not."""
    publisher = await plane.connected("publisher")
    receive = {"Effect": "Allow", "Action": "iot:Receive", "NotResource": f"{IOT}:topic/a/restricted/*"}
    plane.lets_in_under(statement("iot:Subscribe", "topicfilter/a/*"), receive)
    device = await plane.connected()
    await device.subscribe("a/#")
    await publisher.publish("a/x")
    await publisher.publish("a/restricted/y")
    assert device.messages == [("a/x", b"21.5")]


@in_loop
async def test_row_085_allow_and_deny_both_match(plane: Plane) -> None:
    """The deny wins, wherever it stands."""
    plane.runner.reply = answer(policy(statement("iot:Publish", "topic/a", "Deny")), policy(statement("iot:*", "*")))
    device = await plane.connected()
    await device.publish("a")
    cut_off(plane, device, "iot:Publish", "document 1, statement 1 denies")


@in_loop
async def test_row_087_retain_needs_retain_publish(plane: Plane) -> None:
    """With Publish alone a retained message ends the connection; with both it is accepted."""
    plane.lets_in_under(statement("iot:Publish", "*"))
    device = await plane.connected()
    await device.publish("a", qos=1, retain=True)
    cut_off(plane, device, "iot:RetainPublish", "no statement allows iot:RetainPublish on topic/a")
    plane.lets_in_under(statement(["iot:Publish", "iot:RetainPublish"], "*"))
    device = await plane.connected()
    await device.publish("a", qos=1, retain=True)
    assert device.pubacks == [7]


@pytest.mark.parametrize("says_goodbye", [False, True])
@in_loop
async def test_row_089_a_will(plane: Plane, says_goodbye: bool) -> None:
    """It is published when the client drops off, and not when it disconnects."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("will")
    device = await plane.connected(will=Will("will", b"gone"))
    await (device.send(Disconnect()) if says_goodbye else device.vanish())
    assert watcher.messages == ([] if says_goodbye else [("will", b"gone")])
    assert "thermo-1" not in plane.broker.clients


@in_loop
async def test_a_retained_will_is_kept(plane: Plane) -> None:
    """Who subscribes later still learns that the client is gone."""
    device = await plane.connected(will=Will("will", b"gone", qos=1, retain=True))
    await device.vanish()
    watcher = await plane.connected("watcher")
    await watcher.subscribe("will")
    assert watcher.received == [Publish("will", b"gone", retain=True)]


@in_loop
async def test_row_090_a_second_client_with_the_same_id(plane: Plane) -> None:
    """The first is closed and its will published; the second is in."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("will")
    first = await plane.connected(will=Will("will", b"gone"))
    second = await plane.connected()
    assert plane.last.decided_by == "DUPLICATE_CLIENTID"
    assert first.is_closed
    assert watcher.messages == [("will", b"gone")]
    await second.publish("a", qos=1)
    assert second.pubacks == [7]


@in_loop
async def test_who_is_refused_does_not_disturb_the_one_who_is_in(plane: Plane) -> None:
    """A wrong password with somebody else's client id neither closes nor unsubscribes anybody."""
    device = await plane.connected()
    await device.subscribe("a")
    plane.runner.reply = answer(isAuthenticated=False)
    stranger = plane.device()
    await stranger.connect()
    assert stranger.is_closed
    await device.publish("a")
    assert device.messages == [("a", b"21.5")]


@in_loop
async def test_row_091_nine_filters_in_one_subscribe(plane: Plane) -> None:
    """Eight are taken, nine end the connection."""
    device = await plane.connected()
    await device.subscribe(*"12345678")
    assert device.subacks == [Suback(9, (0,) * 8)]
    await device.subscribe(*"123456789")
    cut_off(plane, device, "CLIENT_ERROR", "9 topic filters; the limit is 8")


@in_loop
async def test_row_092_the_fifty_first_subscription(plane: Plane) -> None:
    """It gets SUBACK 0x80, and then the close; one that exists already does not count."""
    device = await plane.connected()
    for number in range(50):
        await device.subscribe(f"a/{number}")
    await device.subscribe("a/0")
    assert not device.is_closed
    await device.subscribe("a/50")
    assert device.subacks[-1] == Suback(9, (0x80,))
    cut_off(plane, device, "THROTTLED", "more than 50 subscriptions")


@pytest.mark.parametrize("topic", ["x" * 257, DEEP, "a/+", "", "$SYS/a", "$aws/events/a"])
@in_loop
async def test_row_093_an_invalid_topic(plane: Plane, topic: str) -> None:
    """257 bytes, eight slashes, a wildcard or a reserved name: closed."""
    device = await plane.connected()
    await device.publish(topic, qos=1)
    cut_off(plane, device, "CLIENT_ERROR", "topic")


@pytest.mark.parametrize("topic_filter", ["x" * 257, DEEP, "a/#/b", ""])
@pytest.mark.parametrize("unsubscribes", [False, True])
@in_loop
async def test_row_093_an_invalid_filter(plane: Plane, topic_filter: str, unsubscribes: bool) -> None:
    """The same limits hold for filters."""
    device = await plane.connected()
    subscribe = Subscribe(9, (Subscription(topic_filter),))
    await device.send(Unsubscribe(9, (topic_filter,)) if unsubscribes else subscribe)
    cut_off(plane, device, "CLIENT_ERROR", "topic filter")


@in_loop
async def test_row_094_a_payload_over_128_kb(plane: Plane) -> None:
    """131,072 bytes are taken, one more is a client error."""
    device = await plane.connected()
    await device.publish("a", b"x" * 131_072, qos=1)
    assert device.pubacks == [7]
    device.received.clear()
    await device.publish("a", b"x" * 131_073, qos=1)
    cut_off(plane, device, "CLIENT_ERROR", "131073 bytes; the limit is 131072")


@in_loop
async def test_row_095_qos_2_gets_no_answer(plane: Plane) -> None:
    """Neither PUBREC nor SUBACK ever comes, the message goes nowhere, and the connection lives."""
    device = await plane.connected()
    await device.subscribe("a")
    await device.publish("a", qos=2)
    await device.send(Subscribe(9, (Subscription("b", 0), Subscription("c", 2))))
    assert device.received == []
    assert (plane.last.outcome, plane.last.decided_by) == ("ignored", "qos-2")
    await device.publish("b")
    await device.send(Pingreq())
    assert device.received == [Pingresp()]


@pytest.mark.parametrize(
    "packet", [Pubrec(1), Pubrel(1), Pubcomp(1), Connack(), Suback(1, (0,)), Unsuback(1), Pingresp()]
)
@in_loop
async def test_packets_that_aws_iot_does_not_take(plane: Plane, packet: Packet) -> None:
    """QoS 2's, and those that only a server sends, are client errors."""
    device = await plane.connected()
    await device.send(packet)
    cut_off(plane, device, "CLIENT_ERROR", f"does not take {type(packet).__name__.upper()}")


@pytest.mark.parametrize(("keep_alive_s", "effective_s"), [(10, 30), (60, 60), (0, 1200), (5000, 1200)])
@in_loop
async def test_row_096_keep_alive(plane: Plane, keep_alive_s: int, effective_s: int) -> None:
    """The client is dropped after one and a half keep-alives of silence, within 30 s and 1200 s."""
    device = await plane.connected(keep_alive_s=keep_alive_s)
    await plane.advance(effective_s * 1.5 - 1)
    assert not device.is_closed
    await plane.advance(1)
    cut_off(plane, device, "MQTT_KEEP_ALIVE_TIMEOUT")


@pytest.mark.parametrize(
    ("packet", "keeps_alive"),
    [
        (Pingreq(), True),
        (Publish("a", b""), True),
        (Subscribe(1, (Subscription("b"),)), True),
        (Puback(1), True),
        (Unsubscribe(1, ("b",)), False),
    ],
)
@in_loop
async def test_row_096_what_keeps_a_client_alive(plane: Plane, packet: Packet, keeps_alive: bool) -> None:
    """PUBLISH, SUBSCRIBE, PINGREQ and PUBACK do; an UNSUBSCRIBE is not in AWS's list."""
    device = await plane.connected(keep_alive_s=30)
    await plane.advance(44)
    await device.send(packet)
    await plane.advance(44)
    assert device.is_closed is not keeps_alive


@in_loop
async def test_row_097_a_trailing_wildcard_and_its_own_level(plane: Plane) -> None:
    """`sensor/#` gets `sensor/a` and not `sensor`."""
    device = await plane.connected()
    await device.subscribe("sensor/#")
    await device.publish("sensor")
    await device.publish("sensor/a")
    assert [topic for topic, _ in device.messages] == ["sensor/a"]


@in_loop
async def test_row_098_retained_messages(plane: Plane) -> None:
    """An exact filter gets it with RETAIN set, a wildcard does not; a live one has RETAIN 0."""
    device = await plane.connected()
    await device.subscribe("a/b")
    await device.publish("a/b", b"1", retain=True)
    assert device.received == [Publish("a/b", b"1")]
    late = await plane.connected("late")
    await late.subscribe("a/+", "#")
    assert late.received == []
    await late.subscribe("a/b")
    assert late.received == [Publish("a/b", b"1", retain=True)]


@in_loop
async def test_a_retained_message_has_the_smaller_qos(plane: Plane) -> None:
    """Stored at QoS 1 it is sent at what the subscriber asked for, after the SUBACK."""
    device = await plane.connected()
    await device.publish("a", b"1", qos=1, retain=True)
    late = await plane.connected("late")
    await late.send(Subscribe(9, (Subscription("a", 1),)))
    assert late.received == [Suback(9, (1,)), Publish("a", b"1", 1, retain=True, packet_id=1)]


@in_loop
async def test_a_retained_message_needs_receive_too(plane: Plane) -> None:
    """It is a delivery like any other."""
    device = await plane.connected("publisher")
    await device.publish("a", retain=True)
    plane.lets_in_under(statement("iot:Subscribe", "*"))
    late = await plane.connected()
    await late.subscribe("a")
    assert late.messages == []


@in_loop
async def test_row_099_an_empty_retained_message(plane: Plane) -> None:
    """It is delivered, and the stored one is gone."""
    device = await plane.connected()
    await device.publish("a", b"1", retain=True)
    await device.subscribe("a")
    await device.publish("a", b"", retain=True)
    assert device.messages == [("a", b"1"), ("a", b"")]
    late = await plane.connected("late")
    await late.subscribe("a")
    assert late.messages == []


@in_loop
async def test_retained_messages_outlive_the_emulator(tmp_path: Path) -> None:
    """They lie in the state, so a new process finds them."""
    plane = Plane(tmp_path)
    device = await plane.connected()
    await device.publish("a", b"\x00\xff", retain=True)
    plane.close()
    plane = Plane(tmp_path)
    device = await plane.connected()
    await device.subscribe("a")
    assert device.messages == [("a", b"\x00\xff")]
    plane.close()


@in_loop
async def test_nothing_is_retained_on_reserved_topics(plane: Plane) -> None:
    """RETAIN under `$aws/` ends the connection; without it the topic is plain."""
    device = await plane.connected()
    await device.publish("$aws/things/a/shadow/get", qos=1)
    assert device.pubacks == [7]
    device.received.clear()
    await device.publish("$aws/things/a/shadow/get", retain=True)
    cut_off(plane, device, "CLIENT_ERROR", "nothing can be retained")


@in_loop
async def test_basic_ingest_goes_past_the_subscribers(plane: Plane) -> None:
    """A message to a rule is accepted, and nobody gets it."""
    device = await plane.connected()
    await device.subscribe("$aws/rules/store/#")
    await device.publish("$aws/rules/store/a", qos=1)
    assert device.pubacks == [7]
    assert device.messages == []


@in_loop
async def test_a_delivery_has_the_smaller_qos(plane: Plane) -> None:
    """Of the message's and the subscription's."""
    device = await plane.connected()
    await device.subscribe("a", qos=1)
    await device.subscribe("b", qos=0)
    await device.publish("a", qos=0)
    await device.publish("a", qos=1)
    await device.publish("b", qos=1)
    qos = [(packet.topic, packet.qos) for packet in device.received if isinstance(packet, Publish)]
    assert qos == [("a", 0), ("a", 1), ("b", 0)]


@in_loop
async def test_unsubscribing_ends_the_deliveries(plane: Plane) -> None:
    """The UNSUBACK comes, and no message after it."""
    device = await plane.connected()
    await device.subscribe("a", "b")
    await device.publish("a")
    await device.send(Unsubscribe(3, ("a", "never")))
    await device.publish("a")
    await device.publish("b")
    assert device.received[1] == Unsuback(3)
    assert device.messages == [("a", b"21.5"), ("b", b"21.5")]


@in_loop
async def test_a_second_connect_is_a_client_error(plane: Plane) -> None:
    """One connection, one CONNECT."""
    device = await plane.connected()
    await device.send(Connect("thermo-1"))
    cut_off(plane, device, "CLIENT_ERROR", "a second CONNECT")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (Pingreq(), "the first packet is PINGREQ, not CONNECT"),
        (b"GET / HTTP/1.1\r\n\r\n", "no packet begins with 0x47"),
        (b"\x10\x04\x00\x04MQ", "middle of a field"),
    ],
)
@in_loop
async def test_what_does_not_begin_with_connect_is_closed(plane: Plane, data: Packet | bytes, sentence: str) -> None:
    """Nothing is answered, the function not called, and the log says what came."""
    device = plane.device()
    await device.send(data)
    assert device.is_closed
    assert device.received == []
    assert plane.runner.events == []
    assert (plane.last.outcome, plane.last.decided_by) == ("refused", "CLIENT_ERROR")
    assert sentence in plane.last.sentence


@pytest.mark.parametrize(
    ("connect", "answered"),
    [
        (b"\x10\x0e\x00\x04MQTT\x06\x02\x00\x3c\x00\x00\x01a", b"\x20\x03\x00\x84\x00"),
        (b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a", b"\x20\x02\x00\x01"),
    ],
    ids=["later", "mqtt-3.1"],
)
@in_loop
async def test_another_version_of_mqtt_is_told_so(plane: Plane, connect: bytes, answered: bytes) -> None:
    """In the form in which that version reads a refusal."""
    device = plane.device()
    device.take = device.writes.append  # type: ignore[method-assign, assignment]  # what comes is no MQTT 3.1.1
    device.connection.data_received(connect)
    assert device.writes == [answered]
    assert device.is_closed
    assert "protocol level" in plane.last.sentence


@pytest.mark.parametrize(
    ("will", "sentence"),
    [
        (Will("a/+", b""), "the will: topic `a/+` has a wildcard"),
        (Will("a", b"", qos=2), "the will has QoS 2"),
    ],
)
@in_loop
async def test_a_will_that_could_never_be_published_is_refused(plane: Plane, will: Will, sentence: str | None) -> None:
    """Before the function is called. (A will's length field ends at 65,535 bytes, below the limit.)"""
    device = plane.device()
    if sentence is None:
        with pytest.raises(ValueError, match="do not fit"):
            await device.connect(will=will)
        return
    await device.connect(will=will)
    assert device.is_closed
    assert plane.runner.events == []
    assert sentence in plane.last.sentence


@in_loop
async def test_an_empty_client_id_needs_a_clean_session(plane: Plane) -> None:
    """CONNACK 2, then the close; the function is not called."""
    device = plane.device()
    await device.connect("", clean=False)
    assert device.received == [Connack(2)]
    assert device.is_closed
    assert plane.runner.events == []


@in_loop
async def test_a_connection_without_connect_is_closed_after_a_while(plane: Plane) -> None:
    """A TLS connection costs memory; one that says nothing does not keep it."""
    device = plane.device()
    await plane.advance(29)
    assert not device.is_closed
    await plane.advance(1)
    assert device.transport.is_closing()
    assert plane.last.sentence == "no CONNECT came"


@in_loop
async def test_a_repeated_cut_off_is_counted(plane: Plane) -> None:
    """AWS's SDK reconnects and sends the same refused publish for ever: one line, and a number."""
    plane.lets_in_under()
    for _ in range(5):
        device = plane.device()
        await device.connect()
        await device.publish("a")
        plane.clock.now += 1
    lines = [(each.outcome, each.decided_by, each.repeats) for each in plane.attempts.recent()]
    assert lines == [("admitted", "iot:Connect", 4), ("cut-off", "iot:Publish", 4)]


@in_loop
async def test_when_the_emulator_stops_every_connection_ends(plane: Plane) -> None:
    """Admitted or not."""
    devices = [await plane.connected(), plane.device()]
    plane.broker.start()
    plane.broker.stop()
    await settle()
    assert all(device.is_closed for device in devices)
    assert plane.broker.clients == {}


@in_loop
async def test_the_broker_keeps_its_own_time(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once started it looks at its timers again and again, until it is stopped."""
    monkeypatch.setattr("iotauth_cli.emulator.broker.TICK_S", 0.001)
    ticks: list[float] = []
    monkeypatch.setattr(plane.broker, "tick", lambda: ticks.append(plane.clock.now))
    plane.broker.start()
    while len(ticks) < 3:
        await settle()
    plane.broker.stop()
    seen = len(ticks)
    await asyncio.sleep(0.01)
    assert len(ticks) == seen
