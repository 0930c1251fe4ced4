"""What the page is given: never a secret, and nothing to anybody else's browser."""

from __future__ import annotations

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
from iotauth_cli.emulator.page import files
from iotauth_cli.emulator.page.view import Place, View
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
