"""Letting many clients in no more: every row, then every session; and what could not be ended is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_cli.aws import iot_data, workers
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied
from iotauth_cli.operations.fleet.access import Switch
from iotauth_cli.operations.fleet.selection import Where
from support_aws import aws_target
from support_fleet import NOW, Fleet, one_by_one


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setattr(workers, "run", one_by_one)
    monkeypatch.setattr(Session, "client", lambda *_: None)
    fleet = Fleet(tmp_path / "state")
    yield fleet
    fleet.close()


@pytest.fixture
def ended(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The clients whose session was ended; that of `denied` cannot be. Each one's row must say no by then."""
    ended: list[str] = []

    def disconnect(_session: Session, client_id: str) -> bool:
        assert not fleet.row(client_id).enabled
        if client_id == "denied":
            raise AccessDenied("ann may not call `iot:DeleteConnection`")
        ended.append(client_id)
        return True

    monkeypatch.setattr(iot_data, "disconnect", disconnect)
    return ended


def switch(fleet: Fleet, *terms: str, lets_in: bool = False, disconnect: bool = True) -> dict[str, str]:
    run = Switch(Session(aws_target()), fleet.table, Where.parse(terms), lets_in, disconnect, NOW)
    return {each.client_id: each.kind for each in run.outcomes()}


def test_the_selected_are_disabled_and_their_sessions_ended(fleet: Fleet, ended: list[str]) -> None:
    """The row first; the others stay as they are."""
    fleet.add("a-1", "a-2", "b-1")
    assert switch(fleet, "prefix=a-") == {"a-1": "switched", "a-2": "switched"}
    assert {name: row.enabled for name, row in fleet.rows().items()} == {"a-1": False, "a-2": False, "b-1": True}
    assert sorted(ended) == ["a-1", "a-2"]


def test_a_second_run_ends_the_sessions_that_the_first_did_not_come_to(fleet: Fleet, ended: list[str]) -> None:
    """Killed between row and session, the same command ends the session; the row is not written again."""
    fleet.add("a", enabled=False)
    before = fleet.row("a")
    assert switch(fleet) == {"a": "done"}
    assert ended == ["a"]
    assert fleet.row("a") == before


def test_a_session_that_cannot_be_ended_is_told(fleet: Fleet, ended: list[str]) -> None:
    """Its row says no all the same, and the others go on."""
    fleet.add("a", "denied")
    assert switch(fleet) == {"a": "switched", "denied": "open"}
    assert not fleet.row("denied").enabled


def test_enabling_ends_nothing(fleet: Fleet, ended: list[str]) -> None:
    """Nor does disabling that was told not to; unreadable rows are passed over."""
    fleet.add("a", "b", enabled=False)
    fleet.database.put("clients", Client_ID="broken", Secret_A="canary")
    assert switch(fleet, lets_in=True, disconnect=False) == {"a": "switched", "b": "switched"}
    assert switch(fleet, "prefix=a", disconnect=False) == {"a": "switched"}
    assert ended == []


def test_who_is_removed_meanwhile_does_not_come_back(fleet: Fleet, ended: list[str]) -> None:
    """There is nobody to tell of."""
    fleet.add("a")
    rows = list(fleet.table.rows())
    fleet.table.remove("a")
    run = Switch(Session(aws_target()), fleet.table, Where(), False, True, NOW)
    assert [run.work(fleet.table.client, row) for row in rows] == [None]  # type: ignore[arg-type]
    assert fleet.rows() == {}
