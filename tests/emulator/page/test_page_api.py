"""What the page is given: never a secret, messages only while somebody looks, and nobody else's browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from iotauth_authorizer import credential
from iotauth_authorizer.credential import Slot
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, Item, to_item
from iotauth_cli.emulator.control.iot.store import AuthorizerRecord, AuthorizerStore
from iotauth_cli.emulator.control.service import Context, Handler
from iotauth_cli.emulator.model import HttpRequest
from iotauth_cli.emulator.page import files, traffic
from iotauth_cli.emulator.page.traffic import Traffic
from iotauth_cli.emulator.page.view import Place, View
from iotauth_cli.errors import InputError
from support_data import ACCOUNT, REGION, START, Plane, in_loop
from support_emulator import RunningEmulator

PASSWORD = "open sesame"


@pytest.fixture
def plane() -> Iterator[Plane]:
    plane = Plane()
    yield plane
    plane.close()


class Tables:
    """DynamoDB with two tables, of which one is of clients."""

    name = "dynamodb"

    def __init__(self, *items: Item) -> None:
        keys = {"clients": [{"AttributeName": "Client_ID"}], "orders": [{"AttributeName": "Order"}]}

        async def scan(parameters: dict[str, Any], context: Context) -> dict[str, Any]:
            assert (parameters["TableName"], context.region) == ("clients", REGION)
            return {"Items": list(items)[: parameters["Limit"]]}

        self.operations: Mapping[str, Handler] = {
            "ListTables": lambda parameters, context: {"TableNames": list(keys)},
            "DescribeTable": lambda parameters, context: {
                "Table": {"TableName": parameters["TableName"], "KeySchema": keys[parameters["TableName"]]}
            },
            "Scan": scan,
        }


def view(plane: Plane, *items: Item) -> View:
    place = Place(REGION, ACCOUNT, lambda: 8443)
    return View(place, plane.clock, AuthorizerStore(plane.state), plane.broker, plane.attempts, Tables(*items))


@in_loop
async def test_a_client_is_shown_without_anything_secret(plane: Plane) -> None:
    """Which secrets there are and whether they count; neither a hash nor an older row's password."""
    encoded = credential.hash_secret(PASSWORD.encode(), "door-7", credential.CHEAPEST)
    record = ClientRecord(
        "door-7",
        slots={"A": Slot(encoded, int(START), "active", None, None)},
        plain_password=PASSWORD,
        grants=Grants.for_topic("doors/7")._replace(older_read="old/*"),
    )
    shown = await view(plane, to_item(record)).clients({})
    (row,) = shown["clients"]
    assert row["secrets"] == ["A active", "an older row's, in plain text"]
    assert (row["state"], row["publish"][0], row["subscribe"][-1]) == ("enabled", "doors/7", "old/*")
    assert PASSWORD not in json.dumps(shown)
    assert encoded not in json.dumps(shown)


@in_loop
async def test_every_row_of_a_client_table_is_shown_also_a_broken_one(plane: Plane) -> None:
    """A row that no one can read is named with the reason, in the order of client ids."""
    rows = [
        to_item(ClientRecord("b", enabled=False)),
        to_item(ClientRecord("a", expires_at=int(START) - 1)),
        {"Client_ID": {"S": "c"}, "Expires": {"S": "soon"}, "Password": {"S": PASSWORD}},
    ]
    shown = (await view(plane, *rows).clients({}))["clients"]
    assert [(row["client_id"], row["state"]) for row in shown] == [
        ("a", "expired"),
        ("b", "disabled"),
        ("c", "cannot be read: `Expires` is not of type N"),
    ]
    assert PASSWORD not in json.dumps(shown)


@in_loop
async def test_connections_decisions_and_authorizers_are_there(plane: Plane) -> None:
    """Newest decision first, each with its steps; a connection with its policies and timers; all of it JSON."""
    store, doors = AuthorizerStore(plane.state), plane.authorizers.add()
    store.save(REGION, AuthorizerRecord(doors, START, START))
    store.set_default(REGION, "doors")
    device = await plane.connected("thermo-1")
    await device.subscribe("sensors/+")
    refused = plane.device()
    await refused.connect("thermo-2", username="u?x-amz-customauthorizer-name=gates")
    shown = json.loads(json.dumps(await view(plane).show({})))
    assert [(each["outcome"], each["client_id"]) for each in shown["decisions"]] == [
        ("refused", "thermo-2"),
        ("admitted", "thermo-1"),
    ]
    assert shown["decisions"][0]["steps"][-1]["passed"] is False
    (connection,) = shown["connections"]
    assert connection["subscriptions"] == [["sensors/+", 0]]
    assert connection["disconnect_at"] == START + 86_400
    assert json.loads(connection["policy_documents"][0])["Version"] == "2012-10-17"
    (authorizer,) = shown["authorizers"]
    assert (authorizer["name"], authorizer["is_default"], authorizer["is_signed"]) == ("doors", True, False)


@in_loop
async def test_messages_are_noted_while_somebody_looks(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look begins it, and some time after the last one it ends: devices pay for it only then."""
    monkeypatch.setattr(traffic, "WATCHED_S", 0.02)
    room = Traffic(plane.broker, plane.behaviour)
    plane.broker.publish_from_api("sensors/1", b"unseen")
    assert await room.show({"filters": "#"}) == {"messages": [], "last": 0}
    plane.broker.publish_from_api("sensors/1", "grün".encode(), 1, retain=True)
    plane.broker.publish_from_api("sensors/2", b"\xff")
    seen = await room.show({"filters": "#", "after": "0"})
    assert [(each["number"], each["topic"], each.get("text"), each.get("base64")) for each in seen["messages"]] == [
        (1, "sensors/1", "grün", None),
        (2, "sensors/2", None, "/w=="),
    ]
    await asyncio.sleep(0.05)
    plane.broker.publish_from_api("sensors/1", b"unseen")
    assert await room.show({"filters": "#", "after": "2"}) == {"messages": [], "last": 2}


@in_loop
async def test_only_what_is_subscribed_to_and_new_is_given(plane: Plane) -> None:
    """Filters are AWS IoT's, one to a line; numbers say what was seen before."""
    room = Traffic(plane.broker, plane.behaviour)
    await room.show({})
    for topic in ("a/1", "b/1", "$aws/events/x", "b/2"):
        plane.broker.publish_from_api(topic, b"")

    async def topics(**members: str) -> list[str]:
        return [each["topic"] for each in (await room.show(members))["messages"]]

    assert await topics(filters="a/+\nb/2") == ["a/1", "b/2"]
    assert await topics(filters="#", after="1") == ["b/1", "b/2"]
    assert await topics(filters="$aws/#") == ["$aws/events/x"]
    assert await topics() == []


@pytest.mark.parametrize(
    ("members", "words"),
    [({"filters": "a/#/b"}, "`#` must be the last level"), ({"after": "x"}, "`after` must be the number")],
)
def test_a_question_about_messages_that_cannot_be_meant(plane: Plane, members: dict[str, str], words: str) -> None:
    """The sentence is shown on the page as it is."""
    with pytest.raises(InputError, match=words):
        asyncio.run(Traffic(plane.broker, plane.behaviour).show(members))


@in_loop
async def test_the_page_publishes_as_the_owner(plane: Plane) -> None:
    """No authorizer is asked and no policy of a client holds; a subscriber gets the message."""
    device = await plane.connected()
    await device.subscribe("sensors/1")
    asked = len(plane.runner.events)
    message = {"topic": "sensors/1", "payload": "grün", "qos": 1, "retain": False}
    assert await Traffic(plane.broker, plane.behaviour).publish(message) == {"topic": "sensors/1", "bytes": 5}
    await asyncio.sleep(0)
    assert device.messages == [("sensors/1", "grün".encode())]
    assert len(plane.runner.events) == asked


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"topic": "a/+"}, "has a wildcard"),
        ({"topic": "$aws/events/x"}, "reserved"),
        ({"qos": 2}, "QoS 0 and 1 only"),
        ({"payload": "x" * (128 * 1024 + 1)}, "the limit is 131072"),
        ({"payload": None}, "`payload` must be text"),
        ({"retain": "yes"}, "`retain` must be true or false"),
    ],
)
def test_what_no_client_could_publish_the_page_cannot_either(plane: Plane, members: dict[str, Any], words: str) -> None:
    """AWS IoT's rules for topics, sizes and QoS hold for owners too."""
    message = {"topic": "sensors/1", "payload": "on", "qos": 0, "retain": False, **members}
    with pytest.raises(InputError, match=words):
        asyncio.run(Traffic(plane.broker, plane.behaviour).publish(message))


@pytest.mark.parametrize(
    ("method", "target", "headers", "is_wanted"),
    [
        ("GET", "/", (), True),
        ("HEAD", "/page.js", (), True),
        ("POST", "/", (), False),
        ("GET", "/", (("authorization", "AWS4-HMAC-SHA256 …"),), False),
        ("GET", "/?Action=GetCallerIdentity", (), False),
        ("GET", "/../view.py", (), False),
        ("GET", "/page.html", (), False),
    ],
)
def test_the_page_is_for_browsers_and_nothing_else(
    method: str, target: str, headers: tuple[tuple[str, str], ...], is_wanted: bool
) -> None:
    """AWS's APIs keep every request of theirs, and no other file can be asked for."""
    assert files.wanted(HttpRequest(method, target, headers)) is is_wanted


def test_the_page_names_no_other_origin() -> None:
    """Everything comes from this port; what the policy allows is as narrow as the files need."""
    for target in files.FILES:
        response = files.serve(HttpRequest("GET", target))
        body = response.body.decode()
        assert "http:" not in body
        assert "https:" not in body
        policy = dict(response.headers)["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("host", "status"), [("localhost:4588", 200), ("127.0.0.1", 200), ("[::1]:4588", 200), ("evil.example.com", 403)]
)
def test_the_page_answers_to_names_of_this_machine_only(emulator: RunningEmulator, host: str, status: int) -> None:
    """A page of somebody else whose name was led here (DNS rebinding) gets neither page nor API."""
    for target in ("/", "/page.css", "/_emulator/page"):
        connection = HTTPConnection(urlsplit(emulator.ready.control_endpoint).netloc, timeout=10)
        connection.request("GET", target, headers={"Host": host, "x-iotauth-emulator": "1"})
        response = connection.getresponse()
        response.read()
        connection.close()
        assert (target, response.status) == (target, status)


def test_the_page_is_part_of_the_package() -> None:
    """Its files lie beside the code that serves them, so that every wheel has them."""
    assert {Path(name).suffix for name, _ in files.FILES.values()} == {".html", ".css", ".js"}
    assert all((files.HERE / name).is_file() for name, _ in files.FILES.values())
