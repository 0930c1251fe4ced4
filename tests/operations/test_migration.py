"""Migration: plain passwords become hashes, and no device notices."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from iotauth_authorizer.credential import CHEAPEST, GENERATED, Profile, Slot, hash_secret, new_secret, verify
from iotauth_authorizer.dynamodb import Client
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, from_item, key, to_item
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.errors import IotauthError
from iotauth_cli.operations import migration
from iotauth_cli.operations.changing import change
from iotauth_cli.operations.migration import Counts, Found
from iotauth_cli.secret import Secret
from support_emulator import running_emulator
from support_world import TOPIC, Place, installed

NOW = 1_763_640_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("project")
    with running_emulator(directory) as emulator, installed(emulator, directory) as place:
        yield place


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash what people chose at no cost."""

    def profile_for(secret: str) -> Profile:
        return CHEAPEST

    monkeypatch.setattr(migration, "profile_for", profile_for)


def put(table: ClientTable, client_id: str, password: str = "open sesame", **members: object) -> None:
    """Put a row as an older tool would: a password, one topic each, no version."""
    record = ClientRecord(client_id, plain_password=password, grants=Grants(older_write=TOPIC, older_read=TOPIC))
    table.client.put_item(table.name, to_item(record._replace(**members)))  # type: ignore[arg-type]


def row(table: ClientTable, client_id: str) -> ClientRecord:
    item = table.client.get_item(table.name, key(client_id))
    assert item is not None
    return from_item(item)


def finish(table: ClientTable) -> Counts:
    found = Found()
    assert sum(migration.look(table, found))
    counts = Counts()
    for counts in migration.migrate(table, NOW):  # noqa: B007
        pass
    return counts


def test_the_password_becomes_a_hash_and_nothing_else_changes(place: Place) -> None:
    """The same password is right; the row has a version from now on."""
    put(place.table, "older-1", note="mine")
    assert finish(place.table).migrated == 1
    found = row(place.table, "older-1")
    assert found.plain_password is None
    assert verify(found.slots["A"].hash, "older-1", b"open sesame")
    grants = Grants(older_write=TOPIC, older_read=TOPIC)
    assert found._replace(slots={}) == ClientRecord("older-1", grants=grants, note="mine", updated_at=NOW, version=1)
    assert finish(place.table).done == 0
    place.table.remove("older-1")


def test_a_device_gets_in_before_during_and_after(place: Place) -> None:
    """It connects again and again over TLS while its row and others are migrated; it is never refused."""
    for number in range(30):
        put(place.table, f"older-{number}")
    answers: list[bool] = []
    is_over = threading.Event()
    table = ClientTable.open(place.session, place.wish.table)

    def migrate() -> None:
        for _ in migration.migrate(table, NOW):
            time.sleep(0.02)
        is_over.set()

    def knock() -> bool:
        return place.knock(client_id="older-7", password=Secret("open sesame")).ok

    answers.append(knock())
    worker = threading.Thread(target=migrate)
    worker.start()
    while not is_over.is_set():
        answers.append(knock())
    worker.join()
    answers.append(knock())
    table.close()
    assert all(answers)
    assert len(answers) >= 3
    assert row(place.table, "older-7").plain_password is None
    for number in range(30):
        place.table.remove(f"older-{number}")


def test_a_run_that_was_stopped_is_completed_by_the_next(place: Place) -> None:
    """What was done stays done."""
    for number in range(40):
        put(place.table, f"older-{number}")
    with closing(migration.migrate(place.table, NOW)) as running:  # type: ignore[type-var]
        assert next(itertools.islice(running, 3, None)).migrated >= 3
    left = Found()
    list(migration.look(place.table, left))
    assert 0 < left.plain < 40
    assert finish(place.table).migrated == left.plain
    for number in range(40):
        assert verify(row(place.table, f"older-{number}").slots["A"].hash, f"older-{number}", b"open sesame")
        place.table.remove(f"older-{number}")


class Meanwhile(Client):
    """A connection on which somebody else does something just before the first update."""

    def __init__(self, real: Client, act: list[object]) -> None:
        self.real = real
        self.act = act

    def call(self, operation: str, body: object, *, budget_s: float | None = None) -> dict[str, object]:
        if operation == "UpdateItem" and self.act:
            self.act.pop()()  # type: ignore[operator]
        return self.real.call(operation, body, budget_s=budget_s)  # type: ignore[arg-type]


def test_a_password_that_an_older_tool_sets_meanwhile_wins(place: Place) -> None:
    """Older tools count no version; the row is changed only if it holds what was hashed, and looked at again."""
    put(place.table, "older-1")
    before = row(place.table, "older-1")

    def set_another() -> None:
        place.update_row("older-1", Password={"S": "another"})

    table = replace(place.table, client=Meanwhile(place.table.client, [set_another]))
    change(table, before, lambda record: migration.hashed(record, NOW))
    found = row(place.table, "older-1")
    assert found.plain_password is None
    assert verify(found.slots["A"].hash, "older-1", b"another")
    place.table.remove("older-1")


def test_a_row_with_two_secrets_is_told_and_left(place: Place) -> None:
    """There is no room for a third, and none of the three may be thrown away unasked."""
    slots = {name: Slot(hash_secret(b"x", "older-1", CHEAPEST), NOW) for name in "AB"}
    put(place.table, "older-1", slots=slots)
    found = Found()
    list(migration.look(place.table, found))
    assert (found.plain, found.crowded) == (0, ["older-1"])
    assert finish(place.table).done == 0
    assert row(place.table, "older-1").plain_password == "open sesame"
    place.table.remove("older-1")


def test_an_empty_password_is_taken_away() -> None:
    """It let nobody in, and its hash would not either."""
    record = ClientRecord("a", plain_password="")
    assert migration.hashed(record, NOW) == ClientRecord("a", updated_at=NOW)


def test_a_generated_secret_keeps_the_fast_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of ours that somebody put into a row by hand."""
    monkeypatch.undo()
    after = migration.hashed(ClientRecord("a", plain_password=new_secret()), NOW)
    assert after.slots["A"].hash.startswith(f"${GENERATED.scheme}$")


def test_a_row_that_goes_meanwhile_is_no_failure(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody removed it between the reading and the writing."""
    put(place.table, "older-1")
    gone = row(place.table, "older-1")
    place.table.remove("older-1")
    monkeypatch.setattr(migration, "to_migrate", lambda table: [gone])
    assert list(migration.migrate(place.table, NOW))[-1] == Counts(gone=1)
    assert isinstance(place.table.unknown("older-1"), IotauthError)
