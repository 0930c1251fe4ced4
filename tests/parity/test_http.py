"""Rows 102 to 113: WebSockets and HTTPS."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest

from iotauth_cli import token as tokens
from support_parity.world import CLOSED, NAME, SIGNATURE, Device, World

FORBIDDEN = (403, "Forbidden")


def through_websocket(
    world: World, about: str, *answers: Any, target: str = "/mqtt", headers: Sequence[tuple[str, str]] = (), **way: Any
) -> tuple[int, Device]:
    """Return the handshake's status, and the device that connects in the WebSocket."""
    mark = world.mark(about)
    order = world.order(mark, *answers)
    headers = [(name, value.format(order=order)) for name, value in headers]
    pipe = world.websocket(target.format(order=order), headers)
    assert pipe.status == 101, pipe.status
    if headers or "?" in target:
        way = {"username": "", "password": None, **way}
    return pipe.status, world.connect(*answers, mark=mark, pipe=pipe, **way)


@pytest.mark.rows(102, 103, 105, 106)
def test_credentials_in_three_places(world: World, rows: Any) -> None:
    """In CONNECT, in the upgrade's headers, in its query; the function sees the parts of both."""
    name = world.parts.name
    status, device = through_websocket(world, "102")
    rows.check(102, (status, device.outcome), (101, "accepted"))
    ways: list[dict[str, Any]] = [
        {},
        {"headers": [(NAME, name), ("x-parity", "order:{order}")]},
        {"target": f"/mqtt?{NAME}={name}&order={{order}}"},
    ]
    for way in ways:
        _, device = through_websocket(world, "103", **way)
        data = world.event(device.mark)["protocolData"]
        rows.check(103, (device.outcome, "http" in data, "mqtt" in data), ("accepted", True, True))
    rows.check(105, data["http"]["queryString"][:1], "?")
    mixed = [("X-Amz-CustomAuthorizer-Name", name), ("X-Parity", "order:{order}")]
    rows.check(106, through_websocket(world, "106", headers=mixed)[1].outcome, "accepted")


@pytest.mark.rows(104)
def test_a_refusal_in_a_websocket(world: World, rows: Any) -> None:
    """After the 101: 3.1.1 gets the close, 5 a CONNACK."""
    no = {"members": {"isAuthenticated": False}}
    rows.check(104, [through_websocket(world, "104", no)[1].outcome], [CLOSED])
    rows.check(104, [through_websocket(world, "104", no, level=5)[1].outcome], ["CONNACK 0x87"])


@pytest.mark.rows(107, 113)
def test_a_message_over_https(world: World, rows: Any) -> None:
    """It comes to those who have subscribed; the function is told of no CONNECT."""
    topic = world.topic("107")
    device = world.connect(about="107")
    assert device.client.subscribe(topic) == [1]
    found = world.publish_over_http(quote(topic, safe=""))
    uuid.UUID(found.body["traceId"])
    messages = [(each.topic, each.payload) for each in device.client.wait_for_messages()]
    rows.check(107, (found.status, found.body["message"], messages), (200, "OK", [(topic, b"1")]))
    rows.check(113, "mqtt" in world.event(found.mark)["protocolData"], False)


@pytest.mark.rows(108, 109)
def test_https_that_is_forbidden(world: World, rows: Any) -> None:
    """A bad signature, for which nobody is asked, and a topic that the policy does not have."""
    mark = world.mark("108")
    token = f"order:{world.order(mark)}"
    bad = {"token": token, SIGNATURE: tokens.sign(f"{token}x", world.keys[0])}
    found = world.publish_over_http(world.topic("108"), authorizer=world.parts.signed, headers=bad, mark=mark)
    rows.check(108, ((found.status, found.body["message"]), world.calls(mark)), (FORBIDDEN, 0))
    found = world.publish_over_http(world.topic("109"), {"policy": [["Allow", "iot:Publish", "topic/else"]]})
    rows.check(109, (found.status, found.body["message"]), FORBIDDEN)


@pytest.mark.rows(110)
def test_caching_of_answers(world: World, rows: Any) -> None:
    """Two requests on one connection: two calls, and one where caching is on."""
    for authorizer, calls in ((world.parts.name, 2), (world.parts.cached, 1)):
        mark = world.mark("110")
        with contextlib.closing(world.http_connection()) as connection:
            sent = [
                world.publish_over_http(f"{mark}/a", connection=connection, mark=mark, authorizer=authorizer)
                for _ in range(2)
            ]
        assert [each.status for each in sent] == [200, 200]
        rows.check(110, world.calls(mark), calls)


@pytest.mark.rows(111, 112)
def test_what_https_does_not_do(world: World, rows: Any) -> None:
    """One can only publish, at QoS 0 and 1."""
    rows.check(111, world.publish_over_http(world.topic("111"), method="GET").status, 405)
    rows.check(112, world.publish_over_http(world.topic("112"), query="qos=2").status, 400)
