"""AWS IoT's own log: which entries a broker writes, with AWS's members, and that it writes none unless it is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from iotauth_cli.emulator.iot_log import GROUP
from iotauth_cli.emulator.log_levels import LogLevels
from iotauth_cli.emulator.model import HttpRequest
from iotauth_cli.emulator.mqtt.packets import Disconnect, Unsubscribe
from support_data import ACCOUNT, REGION, START, Plane, answer, in_loop, statement

INFO = LogLevels("arn:aws:iam::123456789012:role/iot-log", "INFO")
REFUSED = {"reason": "AUTHORIZATION_FAILURE", "details": "Authorization Failure"}
WHO = {"clientId": "thermo-1", "principalId": "thermo1", "sourceIp": "127.0.0.1"}


def entries(plane: Plane) -> list[dict[str, Any]]:
    """Return what was written since the last look."""
    found = [json.loads(line.message) for line in plane.log_lines]
    plane.log_lines.clear()
    return found


def stories(plane: Plane) -> list[tuple[str, str, str | None]]:
    """Return event type, status and topic of each entry."""
    return [(each["eventType"], each["status"], each.get("topicName")) for each in entries(plane)]


@in_loop
async def test_nothing_is_written_until_somebody_asks_for_it(plane: Plane) -> None:
    """Nor when all logs are disabled again, or the level is DISABLED."""
    for levels in (
        None,
        replace(INFO, is_disabled=True),
        replace(INFO, default="DISABLED"),
        replace(INFO, role_arn=None),
    ):
        if levels is not None:
            plane.iot_log.set_levels(levels)
        device = await plane.connected()
        await device.publish("a")
        await device.send(Disconnect())
    assert not plane.log_lines


@in_loop
async def test_a_connection_is_told_with_aws_iots_members(plane: Plane) -> None:
    """In the group of AWS IoT, each entry with a trace of its own."""
    plane.iot_log.set_levels(INFO)
    device = await plane.connected()
    await device.send(Disconnect())
    assert {(line.group, line.region, line.timestamp_ms) for line in plane.log_lines} == {
        (GROUP, REGION, int(START * 1000))
    }
    came, went = entries(plane)
    assert came.pop("traceId") != went.pop("traceId")
    common = {"logLevel": "INFO", "accountId": ACCOUNT, "status": "Success", "protocol": "MQTT", **WHO}
    assert came.pop("timestamp") == went.pop("timestamp")
    assert came == {**common, "eventType": "Connect"}
    assert went == {**common, "eventType": "Disconnect", "disconnectReason": "CLIENT_INITIATED_DISCONNECT"}


@in_loop
async def test_a_refused_connect_says_no_more_than_that(plane: Plane) -> None:
    """Whatever the cause; the principal is named only if the authorizer has named one."""
    plane.iot_log.set_levels(INFO)
    plane.runner.reply = answer(isAuthenticated=False)
    await plane.device().connect()
    (entry,) = entries(plane)
    assert {name: entry.get(name) for name in ("eventType", "status", "logLevel", "clientId", *REFUSED)} == {
        "eventType": "Connect",
        "status": "Failure",
        "logLevel": "ERROR",
        "clientId": "thermo-1",
        **REFUSED,
    }
    assert "principalId" not in entry


@in_loop
async def test_messages_and_subscriptions_are_told_with_their_topic(plane: Plane) -> None:
    """What comes in, what goes out to whom, and what is subscribed and unsubscribed."""
    plane.iot_log.set_levels(INFO)
    device = await plane.connected()
    await device.subscribe("a", "b/#")
    await device.publish("a")
    await device.send(Unsubscribe(3, ("a",)))
    assert stories(plane) == [
        ("Connect", "Success", None),
        ("Subscribe", "Success", "a"),
        ("Subscribe", "Success", "b/#"),
        ("Publish-In", "Success", "a"),
        ("Publish-Out", "Success", "a"),
        ("Unsubscribe", "Success", "a"),
    ]


@in_loop
async def test_a_forbidden_publish_and_subscribe_are_failures_before_the_disconnect(plane: Plane) -> None:
    """Level ERROR holds exactly these, with the topic that was not granted."""
    plane.lets_in_under(statement("iot:Publish", "topic/a"))
    plane.iot_log.set_levels(INFO)
    await (await plane.connected()).publish("secret")
    await (await plane.connected()).subscribe("a")
    assert [each for each in stories(plane) if each[0] != "Connect"] == [
        ("Publish-In", "Failure", "secret"),
        ("Disconnect", "Success", None),
        ("Subscribe", "Failure", "a"),
        ("Disconnect", "Success", None),
    ]
    plane.iot_log.set_levels(replace(INFO, default="ERROR"))
    await (await plane.connected()).publish("secret")
    assert stories(plane) == [("Publish-In", "Failure", "secret")]


@in_loop
async def test_a_delivery_that_the_policy_forbids_is_a_failed_publish_out(plane: Plane) -> None:
    """The subscriber never learns of the message; the log does, once."""
    plane.lets_in_under(statement("iot:Publish", "topic/*"), statement("iot:Subscribe", "topicfilter/*"))
    device = await plane.connected()
    await device.subscribe("a")
    plane.iot_log.set_levels(replace(INFO, default="ERROR"))
    await device.publish("a")
    await device.publish("a")
    assert stories(plane) == [("Publish-Out", "Failure", "a")]


@in_loop
async def test_a_second_client_of_one_id_is_why_the_first_was_disconnected(plane: Plane) -> None:
    """AWS IoT says so in details, too."""
    plane.iot_log.set_levels(INFO)
    await plane.connected()
    await plane.connected()
    (ended,) = [each for each in entries(plane) if each["eventType"] == "Disconnect"]
    assert ended["disconnectReason"] == "DUPLICATE_CLIENTID"
    assert ended["details"] == "A new connection was established with the same client ID"


@in_loop
async def test_one_client_can_be_logged_alone(plane: Plane) -> None:
    """While the default says nothing at all."""
    plane.iot_log.set_levels(replace(INFO, default="DISABLED", targets={("CLIENT_ID", "thermo-2"): "INFO"}))
    await plane.connected("thermo-1")
    await plane.connected("thermo-2")
    assert [each["clientId"] for each in entries(plane)] == ["thermo-2"]


@pytest.mark.parametrize("allowed", [True, False])
@in_loop
async def test_a_message_over_http_has_no_client(plane: Plane, allowed: bool) -> None:
    """It is a Publish-In of protocol HTTP, or its failure."""
    plane.lets_in_under(statement("iot:Publish", "topic/a" if allowed else "topic/b"))
    plane.iot_log.set_levels(INFO)
    headers = (("x-amz-customauthorizer-name", "doors"), ("content-length", "0"))
    request = HttpRequest("POST", "/topics/a?qos=1", headers, b"", "", "127.0.0.1", "localhost")
    response = await plane.data_http.handle(request)
    (entry,) = entries(plane)
    assert (entry["protocol"], entry["eventType"], entry["topicName"]) == ("HTTP", "Publish-In", "a")
    assert entry["status"] == ("Success" if allowed else "Failure")
    assert entry["traceId"] == json.loads(response.body)["traceId"]
    assert "clientId" not in entry


@in_loop
async def test_the_stream_changes_from_time_to_time(plane: Plane) -> None:
    """As AWS IoT's do: whoever follows the group must not follow one stream."""
    plane.iot_log.set_levels(INFO)
    await plane.connected()
    await plane.advance(3700)
    await plane.connected("thermo-2")
    assert len({line.stream for line in plane.log_lines}) == 2
