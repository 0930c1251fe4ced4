"""The page's WebSocket: who may open it, what it answers, and messages only while somebody looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.events import BytesMessage, Ping, TextMessage

from iotauth_cli.emulator.admin import Admin
from iotauth_cli.emulator.model import HttpRequest
from iotauth_cli.emulator.page import message_socket, traffic
from iotauth_cli.emulator.page.message_socket import MAX_CHARACTERS, SUBPROTOCOL, MessageSockets
from support_data import Plane, in_loop
from support_emulator import RunningEmulator
from support_page import PATH, Page, site

MESSAGE: dict[str, Any] = {"topic": "sensors/1", "payload": "on", "qos": 0, "retain": False}


@pytest.fixture
def plane() -> Iterator[Plane]:
    plane = Plane()
    yield plane
    plane.close()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_socket, "TELL_AFTER_S", 0.001)


async def topics(page: Page) -> list[str]:
    return [each["topic"] for each in (await page.next())["messages"]]


# Who may open it


@in_loop
async def test_the_emulators_own_page_opens_it(plane: Plane) -> None:
    """Its origin is the host that it asks."""
    async with site(plane) as there:
        assert (await there.knock(there.origin)).status == 101


@pytest.mark.parametrize(
    "origin",
    [None, "null", "", "http://127.0.0.1", "http://127.0.0.1:1", "https://{host}", "http://{host}.example.com"],
)
@in_loop
async def test_nobody_elses_page_opens_it(plane: Plane, origin: str | None) -> None:
    """Any other origin, or none, gets 403: a browser lets every page open a WebSocket to this machine."""
    async with site(plane) as there:
        page = await there.knock(origin and origin.replace("{host}", there.host))
        assert page.status == 403


@in_loop
async def test_another_subprotocol_is_not_spoken(plane: Plane) -> None:
    """Not MQTT either, which is spoken on the data port."""
    async with site(plane) as there:
        assert (await there.knock(there.origin, subprotocol="mqtt")).status == 400


UPGRADE = (
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-protocol", SUBPROTOCOL),
)
OURS = (("host", "localhost:4588"), ("origin", "http://localhost:4588"))


@pytest.mark.parametrize(
    ("method", "peer", "headers", "status"),
    [
        pytest.param("GET", "127.0.0.1", OURS + UPGRADE, 101, id="as it should be"),
        pytest.param("GET", "::1", OURS + UPGRADE, 101, id="IPv6"),
        pytest.param("GET", "192.0.2.1", OURS + UPGRADE, 403, id="from another machine"),
        pytest.param("GET", "127.0.0.1", UPGRADE, 403, id="neither host nor origin"),
        pytest.param("GET", "127.0.0.1", (("host", ""), ("origin", "http://"), *UPGRADE), 403, id="no host"),
        pytest.param("GET", "127.0.0.1", (("x-iotauth-emulator", "1"), *UPGRADE), 403, id="our header instead"),
        pytest.param("POST", "127.0.0.1", OURS + UPGRADE, 405, id="POST"),
        pytest.param("GET", "127.0.0.1", OURS, 426, id="no upgrade"),
    ],
)
@in_loop
async def test_who_may_upgrade(
    plane: Plane, method: str, peer: str, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    """This machine, the page's own origin, GET, and a handshake that is whole."""
    admin = Admin.of(sockets=MessageSockets(plane.broker, plane.behaviour).sockets)
    response = await admin.handle(HttpRequest(method, PATH, headers, peer=peer))
    assert (response.status, response.upgrade is not None) == (status, status == 101)


@pytest.mark.parametrize(("host", "status"), [("localhost:4588", 101), ("[::1]:4588", 101), ("evil.example.com", 403)])
def test_a_name_that_was_led_here_does_not_help(emulator: RunningEmulator, host: str, status: int) -> None:
    """DNS rebinding makes origin and host the same, but not a name of this machine."""
    connection = HTTPConnection(urlsplit(emulator.ready.control_endpoint).netloc, timeout=10)
    connection.request("GET", PATH, headers={**dict(UPGRADE), "Host": host, "Origin": f"http://{host}"})
    assert connection.sock is not None
    answer = connection.sock.recv(12)
    connection.close()
    assert answer == f"HTTP/1.1 {status}".encode()


# What it sees


@in_loop
async def test_messages_come_to_who_subscribed(plane: Plane) -> None:
    """Text as text, other bytes as base64, each with its topic, QoS, sender and size."""
    async with site(plane) as there:
        page = await there.open("sensors/#")
        device = await plane.connected("thermo-1")
        await device.publish("sensors/1", "grün".encode(), qos=1)
        plane.broker.publish_from_api("sensors/2", b"\xff", retain=True)
        plane.broker.publish_from_api("doors/1", b"unseen")
        told = await page.next()
    at = plane.clock.now
    one = {"at": at, "topic": "sensors/1", "qos": 1, "retain": False, "client_id": "thermo-1", "size": 5}
    two = {"at": at, "topic": "sensors/2", "qos": 0, "retain": True, "client_id": None, "size": 1}
    assert told == {"messages": [{**one, "text": "grün"}, {**two, "base64": "/w=="}], "dropped": 0}


@in_loop
async def test_filters_come_and_go(plane: Plane) -> None:
    """A message is told of once, however many filters take it; and no more when the last is gone."""
    async with site(plane) as there:
        page = await there.open("a/+", "a/#")
        for topic in ("a/1", "b/1", "$aws/events/x"):
            plane.broker.publish_from_api(topic, b"")
        assert await topics(page) == ["a/1"]
        assert "answer" in await page.ask(unsubscribe="a/#")
        assert "answer" in await page.ask(unsubscribe="never/there")
        for topic in ("a/1/x", "a/2"):
            plane.broker.publish_from_api(topic, b"")
        assert await topics(page) == ["a/2"]


@in_loop
async def test_two_pages_see_what_each_wants(plane: Plane) -> None:
    """They know nothing of each other."""
    async with site(plane) as there:
        one, two = await there.open("a/#"), await there.open("b/#")
        for topic in ("a/1", "b/1"):
            plane.broker.publish_from_api(topic, b"")
        assert (await topics(one), await topics(two)) == (["a/1"], ["b/1"])


@in_loop
async def test_messages_are_noted_while_somebody_looks(plane: Plane) -> None:
    """It ends with the page: devices pay for it only as long."""
    observers = plane.broker._observers
    async with site(plane) as there:
        assert len(observers) == 0
        page = await there.open("#")
        assert len(observers) == 1
        page.leave()
        while observers:
            await asyncio.sleep(0.001)


@in_loop
async def test_of_a_long_payload_the_beginning_is_told(plane: Plane) -> None:
    """And its size."""
    async with site(plane) as there:
        page = await there.open("#")
        plane.broker.publish_from_api("a", b"x" * 100_000)
        (message,) = (await page.next())["messages"]
    assert (len(message["text"]), message["size"]) == (traffic.SHOWN_BYTES, 100_000)


@in_loop
async def test_a_page_that_does_not_read_is_told_how_many_it_missed(plane: Plane) -> None:
    """What waits for it is bounded. Once it reads, nothing has been lost without being counted."""
    async with site(plane) as there:
        page = await there.open("#")
        sent = 0
        while sent < 10_000:  # of 4 KB, far more than the sockets of both sides hold
            for _ in range(traffic.MAX_WAITING):
                sent += 1
                plane.broker.publish_from_api(f"n/{sent}", b"x" * traffic.SHOWN_BYTES)
            await asyncio.sleep(0.002)
        seen, dropped = [], 0
        while f"n/{sent}" not in seen:
            told = await page.next()
            assert len(told["messages"]) <= traffic.MAX_WAITING
            seen += [each["topic"] for each in told["messages"]]
            dropped += told["dropped"]
    assert dropped > sent / 2
    assert len(seen) + dropped == sent
    assert seen == sorted(seen, key=lambda topic: int(topic[2:]))


class Socket(asyncio.Transport):
    """One that remembers what was written to it, and whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_read = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


@in_loop
async def test_a_page_that_does_not_read_is_not_read(plane: Plane) -> None:
    """Else its requests would bring answers that pile up; and once it reads, what waited is sent."""
    page, transport = MessageSockets(plane.broker, plane.behaviour).sockets["messages"].open(), Socket()
    page.connection_made(transport)
    page.data_received(b"\x81\x92\0\0\0\0" + b'{"subscribe": "#"}')  # under a mask of zeros
    transport.written = b""
    page.pause_writing()
    plane.broker.publish_from_api("a", b"waits")
    await asyncio.sleep(0.01)
    assert (transport.is_read, transport.written) == (False, b"")
    page.resume_writing()
    assert transport.is_read
    assert b"waits" in transport.written


@in_loop
async def test_a_burst_costs_the_oldest(plane: Plane) -> None:
    """More between two tellings than the page shows are counted, and the newest are there."""
    async with site(plane) as there:
        page = await there.open("#")
        for number in range(traffic.MAX_WAITING + 3):
            plane.broker.publish_from_api(f"n/{number}", b"")
        told = await page.next()
    assert told["dropped"] == 3
    assert [told["messages"][0]["topic"], told["messages"][-1]["topic"]] == ["n/3", f"n/{traffic.MAX_WAITING + 2}"]


# What it does


@in_loop
async def test_the_page_publishes_as_the_owner(plane: Plane) -> None:
    """No authorizer is asked and no policy of a client holds; a subscriber gets the message."""
    async with site(plane) as there:
        device = await plane.connected()
        await device.subscribe("sensors/1")
        asked = len(plane.runner.events)
        page = await there.open()
        answer = await page.ask(publish={**MESSAGE, "payload": "grün", "qos": 1})
        assert answer == {"answer": {"topic": "sensors/1", "bytes": 5}}
    assert device.messages == [("sensors/1", "grün".encode())]
    assert len(plane.runner.events) == asked


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ('{"publish": {"topic": "a/+"}}', "`payload` must be text"),
        (json.dumps({"publish": {**MESSAGE, "topic": "a/+"}}), "has a wildcard"),
        (json.dumps({"publish": {**MESSAGE, "topic": "$aws/events/x"}}), "reserved"),
        (json.dumps({"publish": {**MESSAGE, "qos": 2}}), "QoS 0 and 1 only"),
        (json.dumps({"publish": {**MESSAGE, "qos": float("nan")}}), "QoS 0 and 1 only"),
        (json.dumps({"publish": {**MESSAGE, "payload": "x" * (128 * 1024 + 1)}}), "the limit is 131072"),
        (json.dumps({"publish": {**MESSAGE, "retain": "yes"}}), "`retain` must be true or false"),
        (json.dumps({"publish": {**MESSAGE, "payload": "\ud800"}}), "half of a surrogate pair"),
        ('{"publish": []}', "`publish` must be a JSON object"),
        ('{"subscribe": "a/#/b"}', "`#` must be the last level"),
        ('{"subscribe": "$share/g/a"}', "takes no turns"),
        ('{"subscribe": "\\ud800"}', "half of a surrogate pair"),
        ('{"subscribe": 1}', "`subscribe` must be text"),
        ('{"subscribe": "a", "unsubscribe": "b"}', "a request is one of `subscribe`, `unsubscribe`, `publish`"),
        ("{}", "a request is one of"),
        ("", "a request is one of"),
        ('{"connect": 1}', "a request is one of"),
        ("[]", "must be a JSON object"),
        ("{", "is not JSON"),
        ("[" * 500_000, "is not JSON"),
    ],
)
@in_loop
async def test_what_cannot_be_meant_is_refused_in_words(plane: Plane, request_: str, words: str) -> None:
    """The page shows the sentence as it is, and goes on."""
    async with site(plane) as there:
        page = await there.open()
        refusal = await page.ask_text(request_)
        assert words in refusal["message"]
        assert set(refusal) == {"error", "message", "hint"}
        assert "answer" in await page.ask(publish=MESSAGE)


@in_loop
async def test_a_page_has_as_many_filters_as_a_client(plane: Plane) -> None:
    """AWS IoT's limit; what is there already may be asked for again."""
    limit = plane.behaviour.subscriptions_per_connection
    async with site(plane) as there:
        page = await there.open(*(f"a/{number}" for number in range(limit)))
        assert "50 topic filters are the most" in (await page.ask(subscribe="b"))["message"]
        assert "answer" in await page.ask(subscribe="a/0")
        assert "answer" in await page.ask(unsubscribe="a/0")
        assert "answer" in await page.ask(subscribe="b")


@in_loop
async def test_the_greatest_payload_fits_however_it_is_written(plane: Plane) -> None:
    """128 KB in which JSON escapes every character."""
    async with site(plane) as there:
        page = await there.open()
        answer = await page.ask(publish={**MESSAGE, "payload": "\x00" * 128 * 1024})
        assert answer == {"answer": {"topic": "sensors/1", "bytes": 128 * 1024}}


@pytest.mark.parametrize("is_finished", [True, False])
@in_loop
async def test_a_request_that_is_too_large_ends_it(plane: Plane, is_finished: bool) -> None:
    """1009; in one frame, or in fragments that would never end."""
    async with site(plane) as there:
        page = await there.open()
        await page.say(TextMessage(" " * (MAX_CHARACTERS + 1), message_finished=is_finished))
        assert await page.closed() == 1009


@in_loop
async def test_bytes_end_it(plane: Plane) -> None:
    """1003: requests are text."""
    async with site(plane) as there:
        page = await there.open()
        await page.say(BytesMessage(b"{}"))
        assert await page.closed() == 1003


@in_loop
async def test_a_request_in_fragments_with_a_ping_between(plane: Plane) -> None:
    """Is one request, answered once."""
    async with site(plane) as there:
        page = await there.open()
        await page.say(TextMessage('{"subscribe": ', message_finished=False), Ping(), TextMessage('"a"}'))
        assert await page.next() == {"answer": {"topic_filter": "a"}}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40) | st.from_type(int).map(str), min_size=1, max_size=5))
def test_every_text_is_answered_once(requests: list[str]) -> None:
    """Whatever it is, and in the order of the requests; nothing raises."""

    async def main() -> None:
        plane = Plane()
        async with site(plane) as there:
            page = await there.open()
            await page.say(*(TextMessage(each) for each in requests), TextMessage('{"subscribe": "last"}'))
            answers = [await page.next() for _ in range(len(requests) + 1)]
        assert ["answer" in each for each in answers] == [False] * len(requests) + [True]
        plane.close()

    asyncio.run(main())
