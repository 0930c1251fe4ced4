"""What the policy does not allow, what AWS IoT takes from nobody, and what goes wrong inside."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_cli.operations import connect
from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.operations.emulator import advance_clock
from iotauth_cli.probe.stages import Manner, Started
from support_broker import PUBLISH, accepting, listening, server_context
from support_causes import ALLOW_ALL, CLIENT, TOPIC, Breakage, World
from support_emulator import running_emulator
from support_world import connected, finish, installed

HTTP = Manner("http", "headers")
CONNECT = ("Allow", "iot:Connect", "*")
PUBLISH_ALL = ("Allow", "iot:Publish", "*")
SUBSCRIBE = ("Allow", "iot:Subscribe", "*")
RECEIVE = ("Allow", "iot:Receive", "*")
ARN = "arn:aws:iot:us-east-1:123456789012"


def answered_in_http(world: World, answer: bytes, manner: Manner = HTTP) -> Report:
    """Knock at a server behind TLS that answers everything with *answer*."""
    context = server_context(world.authority.leaf(), alpn=())

    def talk(conn: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(conn, server_side=True) as tls:
            if tls.recv(65_536):
                tls.sendall(answer)
                while tls.recv(65_536):  # to the end: closing on what is unread would reset the connection
                    pass

    with listening() as listener, accepting(listener, talk):
        return world.at(int(listener.getsockname()[1]), manner=manner, timeout_s=2)


def status(text: str) -> bytes:
    return f"HTTP/1.1 {text}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@contextlib.contextmanager
def inside(world: World, step: str, **members: object) -> Iterator[Iterator[object]]:
    """Yield what is left of a walk that has come to *step*, so that something can happen to the device meanwhile."""
    place = world.place
    visit = Visit(CLIENT, timeout_s=8, **members)  # type: ignore[arg-type]
    events = connect.knock(place.session, connect.prepare(place.session, place.store, place.wish, visit))
    for event in events:
        if isinstance(event, Started) and event.name == step:
            break
    yield events


def with_its_id_used_twice(world: World, step: str = "subscribe", **members: object) -> Report:
    """Let another device log in under the same client id while this one is inside."""
    with inside(world, step, **members) as rest, connected(world.place, CLIENT):
        return finish(rest)


def thrown_out(world: World) -> Report:
    """Have an operator end the session, as `client disable` does."""
    with inside(world, "stay", manner=Manner(is_mqtt5=True), stay_s=5) as rest:
        world.emulator.client("iot-data").delete_connection(clientId=CLIENT)
        return finish(rest)


def late(world: World) -> Report:
    world.inject("connack-delay", count=1, delay_s=2)
    return world.knock(timeout_s=0.4)


BREAKAGES = (
    Breakage("connect-denied", "a Deny", lambda world: world.granted("d1", ALLOW_ALL, ("Deny", "iot:Connect", "*"))),
    Breakage("connect-not-granted", "no Connect", lambda world: world.granted("n1", PUBLISH_ALL)),
    Breakage(
        "connect-not-granted",
        "another client id",
        lambda world: world.granted("n2", ("Allow", "iot:Connect", f"{ARN}:client/thermo-2"), PUBLISH_ALL),
    ),
    Breakage(
        "subscribe-denied", "a Deny", lambda world: world.granted("d2", ALLOW_ALL, ("Deny", "iot:Subscribe", "*"))
    ),
    Breakage("subscribe-not-granted", "a wider filter", lambda world: world.knock(subscribe="sensors/+")),
    Breakage("subscribe-not-granted", "everything", lambda world: world.knock(subscribe="#")),
    Breakage(
        "subscribe-not-granted",
        "a topic for a filter",
        lambda world: world.granted("n3", CONNECT, ("Allow", "iot:Subscribe", f"{ARN}:topic/{TOPIC}"), PUBLISH_ALL),
    ),
    Breakage("publish-denied", "a Deny", lambda world: world.granted("d3", ALLOW_ALL, ("Deny", "iot:Publish", "*"))),
    Breakage("publish-not-granted", "another topic", lambda world: world.knock(publish="sensors/thermo-2")),
    Breakage("publish-not-granted", "over HTTPS", lambda world: world.knock(publish="sensors/thermo-2", manner=HTTP)),
    Breakage(
        "publish-not-granted",
        "MQTT's wildcard in a policy",
        lambda world: world.granted("n4", CONNECT, SUBSCRIBE, ("Allow", "iot:Publish", f"{ARN}:topic/sensors/+")),
    ),
    Breakage(
        "receive-denied",
        "a Deny",
        lambda world: world.granted("d4", ALLOW_ALL, ("Deny", "iot:Receive", "*"), timeout_s=1),
    ),
    Breakage(
        "receive-not-granted",
        "Subscribe without Receive",
        lambda world: world.granted("n5", CONNECT, SUBSCRIBE, PUBLISH_ALL, timeout_s=1),
    ),
    Breakage("will-not-granted", "a will elsewhere", lambda world: world.knock(will="wills/thermo-1")),
    Breakage(
        "will-not-granted",
        "another function",
        lambda world: world.granted("n6", CONNECT, ("Allow", "iot:Publish", f"{ARN}:topic/{TOPIC}"), will="wills/x"),
    ),
    Breakage(
        "will-denied",
        "a Deny",
        lambda world: world.granted("d5", ALLOW_ALL, ("Deny", "iot:Publish", f"{ARN}:topic/wills/*"), will="wills/x"),
    ),
    Breakage("retain-not-granted", "no RetainPublish", lambda world: world.knock(retain=True)),
    Breakage(
        "retain-not-granted",
        "another function",
        lambda world: world.granted("n7", CONNECT, SUBSCRIBE, PUBLISH_ALL, RECEIVE, retain=True),
    ),
    Breakage(
        "retain-denied",
        "a Deny",
        lambda world: world.granted("d6", ALLOW_ALL, ("Deny", "iot:RetainPublish", "*"), retain=True),
    ),
    Breakage("qos-2", "publishes at 2", lambda world: world.knock(mistake="qos-2", timeout_s=0.5)),
    Breakage("payload-too-large", "a byte too many", lambda world: world.knock(mistake="large-payload")),
    Breakage("topic-too-deep", "nine levels", lambda world: world.knock(mistake="deep-topic")),
    Breakage("topic-too-long", "a byte too many", lambda world: world.knock(publish="x" * 257)),
    Breakage(
        "session-taken-over",
        "MQTT 5 says so",
        lambda world: with_its_id_used_twice(world, manner=Manner(is_mqtt5=True)),
    ),
    Breakage("cut-off", "MQTT 3.1.1 says nothing", with_its_id_used_twice),
    Breakage(
        "ended-without-a-word",
        "its id connects again",
        lambda world: with_its_id_used_twice(world, "stay", stay_s=5),
    ),
    Breakage("session-ended", "an operator ends it", thrown_out),
    Breakage("connect-unanswered", "CONNACK comes late", late),
    Breakage(
        "message-not-delivered",
        "the broker keeps it",
        lambda world: world.at_broker({PUBLISH: bytes((0x40, 2, 0, 2))}),
    ),
    Breakage("throttled", "429", lambda world: answered_in_http(world, status("429 Too Many Requests"))),
    Breakage("server-failed", "502", lambda world: answered_in_http(world, status("502 Bad Gateway"))),
    Breakage("request-rejected", "404", lambda world: answered_in_http(world, status("404 Not Found"))),
    Breakage("not-http", "SSH", lambda world: answered_in_http(world, b"SSH-2.0-OpenSSH_9.2\r\n")),
)


@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
def test_what_ends_inside_is_found_out(breakage: Breakage, broken_world: World) -> None:
    """Precisely this is wrong, and precisely this is said."""
    breakage.is_found_out_in(broken_world)


def test_a_connection_whose_time_is_over_is_not_told_that_it_cannot_be(tmp_path: Path) -> None:
    """On an emulator whose clock is put forward a day passes in no time, and the authorizer's limit with it."""
    with running_emulator(tmp_path) as emulator, installed(emulator, tmp_path) as place:
        visit = Visit(CLIENT, manner=Manner(is_mqtt5=True), stay_s=5)
        events = connect.knock(place.session, connect.prepare(place.session, place.store, place.wish, visit))
        for event in events:
            if isinstance(event, Started) and event.name == "stay":
                break
        advance_clock(emulator.state_dir, 25 * 3600, pinging=True)
        report = finish(events)
    assert report.diagnosis is not None
    assert report.diagnosis.cause == "session-ended"
    assert "time limit has passed" in report.diagnosis.sentence
    assert "is not it" not in " ".join(report.diagnosis.evidence)
