"""Moving clients to an authorizer that signs, and back, while their devices stay connected."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_cli import credentials, files
from iotauth_cli.aws import iot, workers
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Credential
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.operations import authorizers, keys, removal
from iotauth_cli.operations.connect import Visit
from iotauth_cli.operations.signing import migration
from iotauth_cli.operations.signing.migration import Issue, Move
from iotauth_cli.operations.signing.resign import Totals
from support_emulator import RunningEmulator, running_emulator
from support_world import Place, standing

NOW = 1763640000
OUT = Move("doors", "doors-signed", "signed")
BACK = Move("doors-signed", "doors", "unsigned")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("migration")) as running:
        yield running


@pytest.fixture
def place(emulator: RunningEmulator, tmp_path: Path) -> Iterator[Place]:
    """An unsigned authorizer `doors` with two clients; whatever it became is gone afterwards."""
    with standing(emulator, tmp_path) as place:
        place.install()
        for client_id in ("door-1", "door-2"):
            place.add(client_id, f"doors/{client_id}")
        yield place
        for row in list(place.table.rows()):
            place.table.remove(row.client_id)
        for name in ("doors", "doors-signed"):
            if iot.find(place.session, name):
                iot.update(place.session, name, is_active=False)
                iot.delete(place.session, name)


def begin(place: Place, move: Move) -> list[str]:
    """Make the second authorizer; return what was changed for it."""
    plan = migration.plan(place.session, place.store, place.wish, move, now=NOW)
    return [step.resource for step in authorizers.apply(place.session, plan)]


def issue(place: Place, move: Move, **members: Any) -> Totals:
    totals = Totals()
    for each in Issue.prepare(place.table, place.store, move, now=NOW, **members).events():
        totals.count(each)
    return totals


def retire(place: Place, move: Move, *, force: bool = False) -> int:
    """Delete the first authorizer; return how many rows were settled."""
    migration.check_retirement(migration.status(place.table, move), force=force)
    plan = migration.plan_retirement(place.session, place.wish, move)
    if plan is not None:
        list(removal.apply(place.session, plan))
    return sum(1 for _ in migration.settle(place.table, move))


def kept(place: Place, client_id: str) -> Credential:
    found = place.store.load(client_id)
    assert found is not None
    return found


def gets_in(place: Place, credential: Credential) -> bool:
    """Connect for real as a device that has *credential*."""
    visit = Visit(credential.client_id, username=credential.device_username, password=credential.password, timeout_s=8)
    return place.knock(visit).ok


def row(place: Place, client_id: str) -> ClientRecord:
    found = place.table.find(client_id)
    assert isinstance(found, ClientRecord)
    return found


def test_out_and_back_with_real_devices(place: Place) -> None:
    """At every step each device gets in with what it has; at the end only with what is right."""
    before = kept(place, "door-1")
    assert begin(place, OUT) == ["signing key", "authorizer", "permission"]
    assert gets_in(place, before)
    assert issue(place, OUT) == Totals(signed=2)
    signed = kept(place, "door-1")
    assert (signed.authorizer, signed.password) == ("doors-signed", before.password)
    assert migration.status(place.table, OUT).unseen == ("door-1", "door-2")
    assert gets_in(place, before)
    assert gets_in(place, signed)
    assert migration.status(place.table, OUT).unseen == ("door-2",)
    with pytest.raises(Conflict, match=r"1 client would be locked out.*: `door-2`"):
        retire(place, OUT)
    assert gets_in(place, kept(place, "door-2"))
    assert retire(place, OUT) == 2
    assert iot.find(place.session, "doors") is None
    assert gets_in(place, signed)
    assert not gets_in(place, before)

    assert begin(place, BACK) == ["authorizer", "permission"]
    assert not gets_in(place, before), "its row still wants a token"
    assert issue(place, BACK) == Totals(signed=2)
    plain = kept(place, "door-1")
    assert (plain.authorizer, plain.token, plain.signature) == ("doors", None, None)
    assert gets_in(place, signed)
    assert migration.status(place.table, BACK).unseen == ("door-1", "door-2")
    assert gets_in(place, plain)
    assert migration.status(place.table, BACK).unseen == ("door-2",)
    assert gets_in(place, kept(place, "door-2"))
    assert retire(place, BACK) == 2
    assert iot.find(place.session, "doors-signed") is None
    assert row(place, "door-1").token is None
    assert gets_in(place, plain)
    assert not gets_in(place, signed)


def test_the_token_of_another_key_is_not_taken_for_one_of_the_targets(place: Place) -> None:
    """A row that was given one elsewhere gets another, of a time of its own, and says which key signed that."""
    begin(place, OUT)
    before = row(place, "door-1")
    place.table.change(before, before._replace(token=TokenNote(NOW + 100, NOW + 200, key="another")))
    assert issue(place, OUT) == Totals(signed=2)
    first, second = row(place, "door-1").token, row(place, "door-2").token
    assert first is not None
    assert second is not None
    assert (first.issued_at, first.key) == (NOW + 201, second.key)
    assert second.key
    assert issue(place, OUT) == Totals(as_it_was=2)


def test_repeating_a_step_changes_nothing(place: Place) -> None:
    """Neither another token nor another row; also when all is over."""
    begin(place, OUT)
    issue(place, OUT)
    before = [kept(place, "door-1"), row(place, "door-1")]
    assert begin(place, OUT) == []
    assert issue(place, OUT) == Totals(as_it_was=2)
    assert [kept(place, "door-1"), row(place, "door-1")] == before
    retire(place, OUT, force=True)
    assert retire(place, OUT) == 0


def test_function_and_table_stay(place: Place) -> None:
    """Deleting the first authorizer takes its permission away and nothing that the second needs."""
    begin(place, OUT)
    plan = migration.plan_retirement(place.session, place.wish, OUT)
    assert plan is not None
    assert {step.resource: step.action for step in plan.steps} == {
        "permission": "delete",
        "authorizer": "delete",
        "function": "keep",
        "role": "keep",
        "log group": "keep",
        "table": "keep",
    }


def test_clients_that_are_kept_elsewhere_are_left_or_written_to_a_file(place: Place, tmp_path: Path) -> None:
    """With the file's user name and its old password a device gets in at the second authorizer."""
    password = kept(place, "door-2").password
    place.store.remove("door-2")
    begin(place, OUT)
    assert issue(place, OUT) == Totals(signed=1, left=["door-2"])
    assert migration.status(place.table, OUT).not_issued == ("door-2",)
    out = tmp_path / "names.csv"
    assert issue(place, OUT, out=out) == Totals(signed=1, as_it_was=1)
    [line] = csv.DictReader(out.read_text().splitlines())
    assert place.knock(Visit("door-2", username=line["username"], password=password, timeout_s=8)).ok
    assert migration.status(place.table, OUT).unseen == ("door-1",)
    again = tmp_path / "again.csv"
    issue(place, OUT, out=again)
    assert again.read_text() == out.read_text()


def test_a_client_that_is_added_meanwhile_counts_as_moved(place: Place) -> None:
    """Its row requires a token from the beginning; the first authorizer never let it in."""
    begin(place, OUT)
    other = Place(place.emulator, place.project, replace(place.wish, authorizer=OUT.target))
    other.add("door-3", "doors/3", token=keys.for_clients(place.store, OUT.target))
    other.table.close()
    assert issue(place, OUT) == Totals(signed=2)
    assert "door-3" not in migration.status(place.table, OUT).lagging


def test_what_cannot_be_moved_is_refused(place: Place) -> None:
    """Nobody, itself, what it is already, and retiring while there is no second one."""
    with pytest.raises(NotFound, match="there is no authorizer `nobody`"):
        begin(place, Move("nobody", "x", "signed"))
    with pytest.raises(InputError, match="cannot be moved to itself"):
        begin(place, Move("doors", "doors", "signed"))
    with pytest.raises(InputError, match="asks for no signed tokens already"):
        begin(place, Move("doors", "x", "unsigned"))
    with pytest.raises(NotFound, match="there is no authorizer `doors-signed`"):
        migration.plan_retirement(place.session, place.wish, OUT)
    begin(place, OUT)
    with pytest.raises(InputError, match="asks for signed tokens already"):
        begin(place, Move("doors-signed", "x", "signed"))


def test_a_second_authorizer_that_signs_otherwise_is_refused(place: Place) -> None:
    """Whatever bears the name already is not taken for what is wanted."""
    first = authorizers.require(place.session, "doors")
    iot.create(place.session, "doors-signed", first.function_arn)
    with pytest.raises(Conflict, match="`doors-signed` asks for no signed tokens, and AWS IoT cannot change that"):
        begin(place, OUT)


@pytest.mark.parametrize(
    ("source", "to", "target"),
    [
        ("doors", "signed", "doors-signed"),
        ("doors-signed", "unsigned", "doors"),
        ("doors", "unsigned", "doors-unsigned"),
        ("doors-unsigned", "signed", "doors"),
    ],
)
def test_the_second_authorizer_has_a_name_that_says_what_it_is(source: str, to: migration.Kind, target: str) -> None:
    """And back again it has the first one's."""
    assert migration.target_name(source, to) == target


class Killed(BaseException):
    """The process ends here."""


def killing(patch: pytest.MonkeyPatch, at: int, after: bool) -> None:
    """Kill at effect number *at*: a file of the store, or a row."""
    left = [at]

    def around(effect: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            is_due = left[0] == 0
            if is_due and not after:
                raise Killed
            result = effect(*arguments, **named)
            if is_due:
                raise Killed
            return result

        return watched

    patch.setattr(credentials, "write_private", around(files.write_private))
    patch.setattr(ClientTable, "change", around(ClientTable.change))
    patch.setattr(migration, "run", lambda table, rows, work: workers.run(table, rows, work, limit=1))


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_run_that_is_killed_anywhere_locks_nobody_out_and_is_finished_by_the_next(place: Place, after: bool) -> None:
    """Out and back, killed at each file and each row: what the store holds, and what devices had, lets them in."""
    devices = [kept(place, name) for name in ("door-1", "door-2")]
    for move in (OUT, BACK):
        begin(place, move)
        for number in (1, 2, 3, 4):
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
                killing(patch, number, after)
                issue(place, move)
            assert all(gets_in(place, each) for each in devices)
        issue(place, move)
        devices = [kept(place, name) for name in ("door-1", "door-2")]
        assert all(gets_in(place, each) for each in devices)
        assert migration.status(place.table, move).ok
        retire(place, move)
        assert all(gets_in(place, each) for each in devices)
