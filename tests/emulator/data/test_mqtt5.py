"""MQTT 5: what a client is told. CONNACK's values, refusals, and the reason of each end, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Properties,
    Puback,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from iotauth_cli.emulator.mqtt.properties import Property
from support_data import Device, Plane, answer, in_loop, settle, statement

DEEP = "/".join("123456789")  # eight slashes
UNAUTHORIZED = "CONNACK:Client is not authorized to connect. ReturnCode: 5"
SESSION_EXPIRY = Property.SESSION_EXPIRY


async def connack(plane: Plane, client_id: str = "thermo-1", **members: Any) -> tuple[Connack, dict[int, object]]:
    """Connect; return the CONNACK, and its properties by identifier."""
    device = plane.device()
    await device.connect(client_id, level=LEVEL_5, **members)
    (packet,) = device.received
    assert isinstance(packet, Connack)
    return packet, dict(packet.properties)


def told(device: Device, code: int) -> str:
    """See that the device got a DISCONNECT with *code* and was closed; return the reason in words."""
    assert device.is_closed
    last = device.received[-1]
    assert isinstance(last, Disconnect)
    assert last.reason == code
    return str(dict(last.properties).get(Property.REASON_STRING, ""))


@in_loop
async def test_row_101_what_connack_announces(plane: Plane) -> None:
    """AWS's values, all of them, and nothing that was not adjusted."""
    packet, announced = await connack(plane)
    assert packet.reason == 0
    assert announced == {
        Property.RECEIVE_MAXIMUM: 100,
        Property.MAXIMUM_QOS: 1,
        Property.RETAIN_AVAILABLE: 1,
        Property.MAXIMUM_PACKET_SIZE: 146 * 1024,
        Property.TOPIC_ALIAS_MAXIMUM: 8,
        Property.WILDCARDS_AVAILABLE: 1,
        Property.SUBSCRIPTION_IDS_AVAILABLE: 0,
        Property.SHARED_AVAILABLE: 1,
    }


@pytest.mark.parametrize(
    ("asked_s", "announced_s"),
    [(10, 30), (30, None), (1200, None), (0, 1200), (5000, 1200)],
)
@in_loop
async def test_row_096_a_keep_alive_that_was_adjusted_is_announced(
    plane: Plane, asked_s: int, announced_s: int | None
) -> None:
    """The client must then keep to Server Keep Alive."""
    _, announced = await connack(plane, keep_alive_s=asked_s)
    assert announced.get(Property.SERVER_KEEP_ALIVE) == announced_s


@pytest.mark.parametrize(
    ("asked_s", "announced_s"), [(0, None), (60, None), (604_800, None), (604_801, 604_800), (0xFFFFFFFF, 604_800)]
)
@in_loop
async def test_a_session_is_kept_for_seven_days_at_most(plane: Plane, asked_s: int, announced_s: int | None) -> None:
    """A longer expiry, or one without end, comes back as seven days."""
    _, announced = await connack(plane, properties=((SESSION_EXPIRY, asked_s),))
    assert announced.get(SESSION_EXPIRY) == announced_s
    assert plane.broker.connections()[0].session_expiry_s == min(asked_s, 604_800)


@pytest.mark.parametrize("clean", [True, False])
@in_loop
async def test_a_client_without_an_id_is_told_the_one_it_was_given(plane: Plane, clean: bool) -> None:
    """MQTT 5 lets it keep a session under that id."""
    _, announced = await connack(plane, "", clean=clean)
    (shown,) = plane.broker.connections()
    assert announced[Property.ASSIGNED_CLIENT_ID] == shown.client_id
    assert shown.client_id.startswith("$GEN/")
    assert shown.protocol == "MQTT 5"


async def refused(plane: Plane, code: int, reason: str, client_id: str = "thermo-1", **members: Any) -> None:
    """Connect; see a CONNACK with *code* and the reason in words, and then the close."""
    device = plane.device()
    await device.connect(client_id, level=LEVEL_5, **members)
    assert device.received == [Connack(code, properties=((Property.REASON_STRING, reason),))]
    assert device.is_closed
    assert plane.last.outcome == "refused"


@in_loop
async def test_row_059_not_authenticated(plane: Plane) -> None:
    """CONNACK 0x87 with AWS's words, whatever the cause."""
    plane.runner.reply = answer(isAuthenticated=False)
    await refused(plane, 0x87, UNAUTHORIZED)


@in_loop
async def test_rows_042_to_046_refused_before_the_function(plane: Plane) -> None:
    """The same CONNACK 0x87; the function is not called."""
    await refused(plane, 0x87, UNAUTHORIZED, username="u?x-amz-customauthorizer-name=nobody")
    await refused(plane, 0x87, UNAUTHORIZED, username=None)
    plane.authorizers.add("signed", signing_disabled=False, token_key_name="token")
    await refused(plane, 0x87, UNAUTHORIZED, username="u?x-amz-customauthorizer-name=signed")
    assert plane.runner.events == []


@in_loop
async def test_row_070_a_policy_without_connect(plane: Plane) -> None:
    """Authenticated and not allowed is CONNACK 0x87 too."""
    plane.runner.reply = answer({"Version": "2012-10-17", "Statement": [statement("iot:Publish", "*")]})
    await refused(plane, 0x87, UNAUTHORIZED)
    assert plane.last.decided_by == "iot:Connect"


@in_loop
async def test_row_088_a_will_that_may_not_be_published(plane: Plane) -> None:
    """CONNECT is refused with 0x87."""
    plane.lets_in_under(statement("iot:Publish", "topic/b"))
    await refused(plane, 0x87, UNAUTHORIZED, will=Will("a", b""))
    assert plane.last.decided_by == "iot:Publish"


@in_loop
async def test_row_100_a_client_id_of_aws_iots_own(plane: Plane) -> None:
    """CONNACK 0x85, which says that it is the id."""
    await refused(plane, 0x85, "client id `$a` begins with `$`, which is reserved for AWS IoT", "$a")


@pytest.mark.parametrize(
    ("members", "code", "sentence"),
    [
        ({"will": Will("a/+", b"")}, 0x90, "the will: topic `a/+` has a wildcard; one publishes on a single topic"),
        ({"will": Will("a", b"", qos=2)}, 0x9B, "the will has QoS 2, which AWS IoT does not have"),
        (
            {"properties": ((Property.AUTHENTICATION_METHOD, "SCRAM"),)},
            0x8C,
            "CONNECT names an authentication method, and AWS IoT has no enhanced authentication",
        ),
    ],
    ids=["will-topic", "will-qos-2", "authentication-method"],
)
@in_loop
async def test_a_connect_that_breaks_a_rule_is_told_which(
    plane: Plane, members: dict[str, Any], code: int, sentence: str
) -> None:
    """In CONNACK, before the function is called."""
    await refused(plane, code, sentence, **members)
    assert plane.runner.events == []


@in_loop
async def test_a_malformed_connect_is_closed_without_an_answer(plane: Plane) -> None:
    """AWS lists no code for it, and before CONNACK there is no DISCONNECT."""
    device = plane.device()
    await device.connect(level=LEVEL_5, properties=((Property.RECEIVE_MAXIMUM, 0),))
    assert device.is_closed
    assert device.received == []


@in_loop
async def test_row_078_a_denied_publish_at_qos_1(plane: Plane) -> None:
    """PUBACK 0x87; the message goes nowhere, and the connection goes on."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("#")
    plane.lets_in_under(statement("iot:Publish", "topic/a"))
    device = await plane.connected_5()
    await device.publish("b", qos=1)
    assert device.received == [Puback(7, 0x87)]
    assert (plane.last.outcome, plane.last.decided_by) == ("denied", "iot:Publish")
    await device.publish("a", qos=1)
    assert device.received[1:] == [Puback(7)]
    assert watcher.messages == [("a", b"21.5")]


@pytest.mark.parametrize("qos", [0, 1])
@in_loop
async def test_row_078_a_denied_publish_that_ends_the_connection(qos: int) -> None:
    """At QoS 0 there is no PUBACK to say it; at QoS 1 where that behaviour is chosen."""
    plane = Plane(answers_denied_publish=False)
    plane.lets_in_under()
    device = await plane.connected_5()
    await device.publish("b", qos=qos)
    assert told(device, 0x87) == ""
    assert (plane.last.outcome, plane.last.decided_by) == ("cut-off", "iot:Publish")
    plane.close()


@in_loop
async def test_row_079_a_denied_subscribe(plane: Plane) -> None:
    """SUBACK 0x87 for that filter; the other is granted, and the connection goes on."""
    plane.lets_in_under(statement(["iot:Subscribe", "iot:Publish", "iot:Receive"], ["topicfilter/a", "topic/*"]))
    device = await plane.connected_5()
    await device.subscribe("b", "a", qos=1)
    assert device.subacks == [Suback(9, (0x87, 1))]
    assert (plane.last.outcome, plane.last.decided_by) == ("denied", "iot:Subscribe")
    await device.publish("a")
    await device.publish("b")
    assert device.messages == [("a", b"21.5")]


@in_loop
async def test_row_087_a_denied_retain(plane: Plane) -> None:
    """Publish alone does not let a client retain: PUBACK 0x87."""
    plane.lets_in_under(statement("iot:Publish", "*"))
    device = await plane.connected_5()
    await device.publish("a", qos=1, retain=True)
    assert device.received == [Puback(7, 0x87)]
    assert plane.last.decided_by == "iot:RetainPublish"


@in_loop
async def test_row_072_disconnect_after(plane: Plane) -> None:
    """DISCONNECT 0x98 when disconnectAfterInSeconds has passed."""
    plane.runner.reply = answer(disconnectAfterInSeconds=300)
    device = await plane.connected_5(keep_alive_s=1200)
    await plane.advance(300)
    assert "disconnectAfterInSeconds" in told(device, 0x98)


@in_loop
async def test_row_075_a_refresh_that_denies(plane: Plane) -> None:
    """DISCONNECT 0x87, without the reason."""
    plane.runner.reply = answer(refreshAfterInSeconds=300)
    device = await plane.connected_5(keep_alive_s=1200)
    plane.runner.reply = answer(isAuthenticated=False)
    await plane.advance(300)
    assert told(device, 0x87) == ""


@in_loop
async def test_row_077_a_connection_that_is_deleted(plane: Plane) -> None:
    """DISCONNECT 0x98, administrative action."""
    device = await plane.connected_5()
    plane.broker.disconnect("thermo-1")
    told(device, 0x98)


@in_loop
async def test_row_090_a_second_client_with_the_same_id(plane: Plane) -> None:
    """The first gets DISCONNECT 0x8E and its will is published."""
    watcher = await plane.connected("watcher")
    await watcher.subscribe("will")
    first = await plane.connected_5(will=Will("will", b"gone"))
    await plane.connected_5()
    told(first, 0x8E)
    assert watcher.messages == [("will", b"gone")]


@in_loop
async def test_row_091_nine_filters_in_one_subscribe(plane: Plane) -> None:
    """DISCONNECT 0x97 (our choice of code)."""
    device = await plane.connected_5()
    await device.subscribe(*"123456789")
    assert "9 topic filters; the limit is 8" in told(device, 0x97)


@in_loop
async def test_row_092_the_fifty_first_subscription(plane: Plane) -> None:
    """SUBACK 0x97, and then DISCONNECT 0x97."""
    device = await plane.connected_5()
    for number in range(50):
        await device.subscribe(f"a/{number}")
    await device.subscribe("a/50")
    assert device.subacks[-1] == Suback(9, (0x97,))
    assert "more than 50 subscriptions" in told(device, 0x97)


@pytest.mark.parametrize("topic", ["x" * 257, DEEP, "a/+", "", "$SYS/a"])
@in_loop
async def test_row_093_an_invalid_topic(plane: Plane, topic: str) -> None:
    """DISCONNECT 0x90."""
    device = await plane.connected_5()
    await device.publish(topic, qos=1)
    assert "topic" in told(device, 0x90)


@pytest.mark.parametrize("topic_filter", ["x" * 257, DEEP, "a/#/b", ""])
@pytest.mark.parametrize("unsubscribes", [False, True])
@in_loop
async def test_row_093_an_invalid_filter(plane: Plane, topic_filter: str, unsubscribes: bool) -> None:
    """DISCONNECT 0x8F."""
    device = await plane.connected_5()
    subscribe = Subscribe(9, (Subscription(topic_filter),))
    await device.send(Unsubscribe(9, (topic_filter,)) if unsubscribes else subscribe)
    assert "topic filter" in told(device, 0x8F)


@in_loop
async def test_row_094_a_payload_over_128_kb(plane: Plane) -> None:
    """DISCONNECT 0x97 for the payload, 0x95 for a packet over 146 KB (our choices)."""
    device = await plane.connected_5()
    await device.publish("a", b"x" * 131_073, qos=1)
    assert "131073 bytes; the limit is 131072" in told(device, 0x97)
    device = await plane.connected_5()
    await device.publish("a", b"x" * 150_000, qos=1)
    assert "the limit is 149504" in told(device, 0x95)


@in_loop
async def test_row_095_qos_2(plane: Plane) -> None:
    """DISCONNECT 0x9B, for a publish and for a subscribe."""
    device = await plane.connected_5()
    await device.publish("a", qos=2)
    assert "AWS IoT has QoS 0 and 1" in told(device, 0x9B)
    device = await plane.connected_5()
    await device.subscribe("a", qos=2)
    told(device, 0x9B)


@in_loop
async def test_row_096_silence(plane: Plane) -> None:
    """DISCONNECT 0x8D after one and a half keep-alives."""
    device = await plane.connected_5(keep_alive_s=60)
    await plane.advance(90)
    told(device, 0x8D)


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        pytest.param(Connect("thermo-1", level=LEVEL_5), 0x82, id="second-connect"),
        pytest.param(Pubrec(1), 0x82, id="pubrec"),
        pytest.param(Pubrel(1), 0x82, id="pubrel"),
        pytest.param(b"\xf0\x00", 0x82, id="auth"),
        pytest.param(b"\x00\x00", 0x81, id="no-packet"),
        pytest.param(b"\xc0\x01\x00", 0x81, id="ping-with-a-body"),
        pytest.param(Subscribe(1, (Subscription("a"),), ((Property.SUBSCRIPTION_ID, 1),)), 0xA1, id="subscription-id"),
        pytest.param(Subscribe(1, (Subscription("$share/g/a", no_local=True),)), 0x82, id="shared-no-local"),
        pytest.param(Disconnect(0, ((SESSION_EXPIRY, 60),)), 0x82, id="expiry-out-of-nothing"),
    ],
)
@in_loop
async def test_what_breaks_a_rule_has_its_code(plane: Plane, packet: Packet | bytes, code: int) -> None:
    """Malformed packets, and those that may not be sent."""
    device = await plane.connected_5()
    await device.send(packet)
    assert told(device, code) != ""


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        pytest.param(((Property.TOPIC_ALIAS, 0),), 0x94, id="alias-0"),
        pytest.param(((Property.TOPIC_ALIAS, 9),), 0x94, id="alias-9"),
        pytest.param(((Property.SUBSCRIPTION_ID, 1),), 0x82, id="subscription-id"),
        pytest.param(((Property.RESPONSE_TOPIC, "a/#"),), 0x82, id="response-topic"),
    ],
)
@in_loop
async def test_what_properties_of_a_publish_may_not_say(plane: Plane, properties: Properties, code: int) -> None:
    """Only a session can tell, so it is not the codec that refuses."""
    device = await plane.connected_5()
    await device.publish("a", properties=properties)
    told(device, code)


@in_loop
async def test_a_reason_in_words_that_is_too_long_for_the_client_is_left_out(plane: Plane) -> None:
    """Its Maximum Packet Size holds for DISCONNECT too; the code always fits."""
    device = await plane.connected_5(properties=((Property.MAXIMUM_PACKET_SIZE, 30),))
    await device.publish("a", qos=2)
    assert device.received == [Disconnect(0x9B)]


@in_loop
async def test_when_the_emulator_stops_it_says_so(plane: Plane) -> None:
    """DISCONNECT 0x8B, server shutting down."""
    device = await plane.connected_5()
    plane.broker.start()
    plane.broker.stop()
    await settle()
    told(device, 0x8B)


@in_loop
async def test_unsubscribing_says_whether_there_was_a_subscription(plane: Plane) -> None:
    """UNSUBACK 0 and 0x11."""
    device = await plane.connected_5()
    await device.subscribe("a")
    await device.send(Unsubscribe(3, ("a", "b")), Pingreq())
    assert device.received[0] == Unsuback(3, (0, 0x11))
