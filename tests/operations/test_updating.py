"""What a client may do is changed, and how long; the function goes by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.aws import table as tables
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Store
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.operations import clients
from iotauth_cli.operations import emulator as emulators
from iotauth_cli.operations.clients import NewClient
from iotauth_cli.operations.updating import Update, Updated, expiry, parse_tags, update
from support_emulator import running_emulator
from support_installation import WISH, Account
from support_world import Place as World
from support_world import connected, installed

NOW = 1763640000
CLIENT = "door-7"


@pytest.fixture
def table(account: Account) -> ClientTable:
    tables.create(account.session(), WISH.table)
    return account.table()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".iotauth", "emulator")


def add(table: ClientTable, store: Store, **wish: Any) -> None:
    asked = NewClient(CLIENT, "iotauth", **{"topics": ("doors/7",), **wish})
    clients.add(table, store, asked, partition="aws", now=NOW)


def change(table: ClientTable, store: Store, **wish: Any) -> Updated:
    return update(table, store, Update(CLIENT, **wish), partition="aws", now=NOW + 1)


def test_a_client_is_added_with_all_that_is_known_of_it(table: ClientTable, store: Store) -> None:
    """Expiry, tags and note are in its first row."""
    add(table, store, expires_at=NOW + 60, tags=(("site", "berlin"),), note="north door")
    row = clients.find(table, CLIENT)
    assert (row.expires_at, row.tags, row.note) == (NOW + 60, {"site": "berlin"}, "north door")


def test_what_is_not_given_stays(table: ClientTable, store: Store) -> None:
    """A tag more, and everything else as it was; the version counts on."""
    add(table, store, tags=(("site", "berlin"),), note="north door", retain=True)
    before = clients.find(table, CLIENT)
    updated = change(table, store, tags=(("floor", "2"),))
    assert updated.is_changed
    assert not updated.has_new_grants
    assert clients.find(table, CLIENT) == before._replace(
        tags={"site": "berlin", "floor": "2"}, updated_at=NOW + 1, version=2
    )


def test_new_topics_replace_all_that_was_granted(table: ClientTable, store: Store) -> None:
    """Retaining goes along with them, and the kept credential knows them for `test-connect`."""
    add(table, store, retain=True)
    grants = change(table, store, publish=("a/+",), subscribe=("b",)).after.grants
    assert (grants.publish, grants.subscribe, grants.retain, grants.will) == (("a/+",), ("b",), ("a/+",), ())
    kept = store.load(CLIENT)
    assert kept is not None
    assert (kept.publish, kept.subscribe, kept.retain, kept.will) == (("a/+",), ("b",), True, False)


def test_reach_is_changed_without_naming_the_topics_again(table: ClientTable, store: Store) -> None:
    """`--no-retain --will` of what it may publish already."""
    add(table, store, retain=True)
    grants = change(table, store, retain=False, will=True).after.grants
    assert (grants.publish, grants.retain, grants.will) == (("doors/7", "doors/7/#"), (), ("doors/7", "doors/7/#"))


def test_expiry_note_and_tags_are_taken_away(table: ClientTable, store: Store) -> None:
    """0, the empty note, and the tag's name."""
    add(table, store, expires_at=NOW + 60, tags=(("site", "berlin"),), note="north door")
    after = change(table, store, expires_at=0, note="", untag=("site",)).after
    assert (after.expires_at, after.note, after.tags) == (None, None, {})
    assert clients.find(table, CLIENT) == after


def test_what_is_so_already_is_not_written(table: ClientTable, store: Store) -> None:
    """The version does not move."""
    add(table, store, note="north door")
    assert not change(table, store, note="north door").is_changed
    assert clients.find(table, CLIENT).version == 1


def test_an_older_row_gets_grants_of_its_own(table: ClientTable, store: Store, account: Account) -> None:
    """Its topics in AWS's wildcards make way; its password, and what else somebody wrote there, stay."""
    item = {
        "Client_ID": {"S": CLIENT},
        "Password": {"S": "canary-plain"},
        "allow_connect": {"S": "true"},
        "allow_read": {"BOOL": True},
        "read_topic": {"S": "a/*"},
        "Shelf": {"N": "3"},
    }
    account.client("dynamodb").put_item(TableName=table.name, Item=item)
    change(table, store, topics=("doors/7",))
    found = account.client("dynamodb").get_item(TableName=table.name, Key={"Client_ID": {"S": CLIENT}})["Item"]
    assert found["publish_topics"] == {"L": [{"S": "doors/7"}, {"S": "doors/7/#"}]}
    assert (found["Password"], found["Shelf"], found["Version"]) == ({"S": "canary-plain"}, {"N": "3"}, {"N": "1"})
    row = clients.find(table, CLIENT)
    assert row.grants.older_read is None


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({}, "nothing to change was given for client `door-7`"),
        ({"topics": ("a/#/b",)}, "#"),
        ({"subscribe": ("b",), "will": True}, "may publish nothing"),
        ({"untag": ("floor",)}, "client `door-7` has no tag `floor`"),
        ({"publish": tuple(f"{'x' * 200}/{n}" for n in range(200))}, "policy"),
    ],
    ids=["nothing", "topic", "will", "tag", "too much"],
)
def test_what_cannot_be_is_refused(table: ClientTable, store: Store, wish: dict[str, Any], words: str) -> None:
    """Before anything is written."""
    add(table, store)
    with pytest.raises(InputError, match=words):
        change(table, store, **wish)
    assert clients.find(table, CLIENT).version == 1


def test_who_is_not_there_or_changed_meanwhile(
    table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is told of the other."""
    with pytest.raises(NotFound):
        change(table, store, note="x")
    add(table, store)
    row = clients.find(table, CLIENT)
    change(table, store, note="first")
    monkeypatch.setattr(clients, "find", lambda *_: row)
    with pytest.raises(Conflict, match="changed by somebody else"):
        change(table, store, note="second")


def test_an_expiry_is_a_date_or_a_time_from_now() -> None:
    """In the future, and one of the two."""
    assert expiry(None, None, NOW) is None
    assert expiry(None, "30d", NOW) == NOW + 30 * 86400
    assert expiry("2027-01-31", None, NOW) == 1801440000
    for expires, ttl in (("2027-01-31", "1d"), ("2020-01-01", None), (None, "0"), (None, "soon"), ("soon", None)):
        with pytest.raises(InputError) as caught:
            expiry(expires, ttl, NOW)
        assert caught.value.hint


def test_a_tag_is_a_name_and_a_value() -> None:
    """Each name once; a value may hold a colon."""
    assert parse_tags(("site:berlin", "url:http://x")) == (("site", "berlin"), ("url", "http://x"))
    for texts in (("site",), (":berlin",), ("site:",), ("a:1", "a:2"), ("a:" + "x" * 257,)):
        with pytest.raises(InputError):
            parse_tags(texts)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("expiry")
    with running_emulator(directory) as emulator, installed(emulator, directory) as world:
        yield world


def test_the_function_refuses_a_client_whose_time_is_over(world: World) -> None:
    """By its own clock, and with the right password; prolonged, it is let in again."""
    row = clients.find(world.table, "thermo-1")
    world.table.change(row, row._replace(expires_at=int(time.time())))
    report = world.knock()
    assert report.diagnosis is not None
    assert report.diagnosis.cause == "expired"
    update(world.table, world.store, Update("thermo-1", expires_at=0), partition="aws", now=NOW)
    assert world.knock().ok


def test_an_open_session_ends_with_the_client(world: World) -> None:
    """AWS IoT is told to end it then, and on the emulator's clock that moment comes at once."""
    wish = Update("thermo-1", expires_at=int(time.time()) + 1000)
    update(world.table, world.store, wish, partition="aws", now=NOW)
    with connected(world, "thermo-1") as device:
        emulators.advance_clock(world.emulator.state_dir, 900, pinging=True)
        assert device.ping()
        emulators.advance_clock(world.emulator.state_dir, 101, pinging=True)
        assert device.is_closed()


def test_topics_are_added_beside_those_of_before(table: ClientTable, store: Store) -> None:
    """Once each, with the reach that the client had; an older row keeps its own topics too."""
    add(table, store, retain=True)
    after = change(table, store, publish=("doors/7", "logs/7"), subscribe=("all/+",), adds_topics=True).after
    assert after.grants.publish == ("doors/7", "doors/7/#", "logs/7")
    assert after.grants.subscribe == ("doors/7", "doors/7/#", "all/+")
    assert after.grants.retain == after.grants.publish


def test_adding_nothing_is_refused(table: ClientTable, store: Store) -> None:
    """`--add` without a topic was meant otherwise."""
    add(table, store)
    with pytest.raises(InputError, match="`--add` adds topics, and none was given"):
        change(table, store, note="x", adds_topics=True)
