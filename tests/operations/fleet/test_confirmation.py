"""Confirming a fleet: whoever was seen loses the old secret, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer.credential import Slot
from iotauth_cli.aws import workers
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.operations.fleet.confirmation import Confirmation
from iotauth_cli.operations.fleet.outcome import Outcome
from iotauth_cli.operations.fleet.selection import Where
from iotauth_cli.operations.rotation import begin, finish
from iotauth_cli.secret import Secret
from support_fleet import DAY, NOW, OLD, DirectClient, Fleet, Steps, one_by_one, state_of


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setattr(workers, "run", one_by_one)
    fleet = Fleet(tmp_path / "state")
    yield fleet
    fleet.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".iotauth", "aws")


def rotated(fleet: Fleet, *client_ids: str, seen: str = "") -> None:
    """Add clients with a rotation under way; those in *seen* have shown the new secret."""
    fleet.add(*client_ids)
    for client_id in client_ids:
        fleet.change(client_id, lambda row: begin(row, Secret("new"), now=NOW - 60, grace_s=DAY))
        if client_id in seen:
            fleet.use(client_id)


def confirm(fleet: Fleet, store: Store, *terms: str, force: bool = False, **over: Any) -> list[Outcome]:
    table = over.get("table", fleet.table)
    return sorted(Confirmation(table, store, Where.parse(terms), force, NOW).outcomes())


def test_only_who_was_seen_is_confirmed(fleet: Fleet, store: Store) -> None:
    """Who never showed the new secret is named with since when, and keeps both; who is not rotating is not told of."""
    rotated(fleet, "a", "b", seen="a")
    fleet.add("c")
    before = fleet.row("c")
    assert confirm(fleet, store) == [Outcome("a", "confirmed"), Outcome("b", "skipped", "unseen", NOW - 60)]
    assert [state_of(fleet.row("a"), word) for word in (OLD, "new")] == [None, "active"]
    assert [state_of(fleet.row("b"), word) for word in (OLD, "new")] == ["retiring", "pending"]
    assert fleet.row("c") == before
    assert confirm(fleet, store) == [Outcome("b", "skipped", "unseen", NOW - 60)]


def test_force_confirms_who_was_never_seen(fleet: Fleet, store: Store) -> None:
    """Of the selected ones alone."""
    rotated(fleet, "a-1", "b-1")
    assert confirm(fleet, store, "prefix=a", force=True) == [Outcome("a-1", "confirmed")]
    assert state_of(fleet.row("a-1"), OLD) is None
    assert state_of(fleet.row("b-1"), OLD) == "retiring"


def test_the_store_forgets_the_old_password(fleet: Fleet, store: Store) -> None:
    """It counts nowhere any more."""
    rotated(fleet, "a", seen="a")
    kept = Credential("a", "a", Secret("new"), "gates", "clients", ("t",), (), NOW, previous=Secret(OLD))
    store.save(kept)
    confirm(fleet, store)
    found = store.load("a")
    assert found is not None
    assert found.previous is None


@pytest.mark.parametrize(
    ("what", "told"), [("rotated at once", []), ("confirmed", [Outcome("a", "confirmed")]), ("removed", [])]
)
def test_somebody_else_was_faster(fleet: Fleet, store: Store, what: str, told: list[Outcome]) -> None:
    """Nothing is left to do, and what they did stands. The very same change by two is one change."""
    rotated(fleet, "a", seen="a")
    only = {"A": Slot("h", NOW)}
    theirs: list[Callable[[], object]] = [
        {
            "rotated at once": lambda: fleet.change("a", lambda row: row._replace(slots=only)),
            "confirmed": lambda: fleet.change("a", lambda row: finish(row, force=False, now=NOW)),
            "removed": lambda: fleet.table.remove("a"),
        }[what]
    ]
    table = fleet.as_process(Steps())
    assert isinstance(table.client, DirectClient)

    def before(operation: str, body: dict[str, Any]) -> None:
        if operation == "UpdateItem" and theirs:
            theirs.pop()()

    table.client.meanwhile = before
    assert confirm(fleet, store, table=table) == told
    assert {slot.state for row in fleet.rows().values() for slot in row.slots.values()} <= {"active"}
    assert len(fleet.rows()) == (what != "removed")


def test_an_unreadable_row_is_passed_over(fleet: Fleet, store: Store) -> None:
    """Nobody can see a rotation in it."""
    fleet.database.put("clients", Client_ID="broken", Secret_B="canary")
    assert confirm(fleet, store) == []
