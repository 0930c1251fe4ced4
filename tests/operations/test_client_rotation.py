"""One client's rotation with its effects: store, then row, then the credential; cut off anywhere, it goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer.credential import is_intact
from iotauth_authorizer.handler import Table
from iotauth_cli.aws import table as tables
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Store
from iotauth_cli.errors import AlreadyExists, Conflict, InputError, NotFound
from iotauth_cli.operations import clients
from iotauth_cli.operations.client_rotation import Rotated, RotationWish, confirm, handed_out, rotate
from iotauth_cli.operations.clients import NewClient
from iotauth_cli.operations.rotation import holds
from iotauth_cli.secret import Secret
from support_installation import WISH, Account

NOW = 1763640000
CLIENT = "door-7"


@pytest.fixture
def table(account: Account) -> ClientTable:
    tables.create(account.session(), WISH.table)
    return account.table()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".iotauth", "emulator")


def add(table: ClientTable, store: Store | None, **wish: Any) -> Secret:
    asked = NewClient(CLIENT, "iotauth", **{"topics": ("doors/7",), **wish})
    return clients.add(table, store, asked, partition="aws", now=NOW).credential.password


def turn(table: ClientTable, store: Store, *, is_kept: bool = True, now: int = NOW + 1, **wish: Any) -> Rotated:
    rotated = rotate(table, store, RotationWish(CLIENT, "iotauth", **wish), now=now, is_kept=is_kept)
    handed_out(store, rotated)
    return rotated


def see(table: ClientTable, slot: str, now: int = NOW + 5) -> None:
    """Have the function note the first use of *slot*."""
    Table(table.name, table.client).record_first_use(clients.find(table, CLIENT), slot, now)


def lets_in(table: ClientTable, *secrets: Secret) -> list[bool]:
    row = clients.find(table, CLIENT)
    return [holds(row, secret) for secret in secrets]


def test_a_rotation_from_its_beginning_to_its_end(table: ClientTable, store: Store) -> None:
    """Handed out beside the old secret, seen, confirmed; the store follows."""
    old = add(table, store)
    rotated = turn(table, store, grace_s=60)
    new = rotated.credential.password
    assert is_intact(new.reveal())
    assert lets_in(table, old, new) == [True, True]
    assert rotated.kept_at == store.path(CLIENT)
    assert store.load(CLIENT) == rotated.credential
    assert rotated.credential.previous == old
    assert store.begun(CLIENT) is None
    see(table, "B", NOW + 5)
    confirmed = confirm(table, store, CLIENT, force=False, now=NOW + 10)
    assert (confirmed.slot, confirmed.was_seen, confirmed.outdated_at) == ("B", True, None)
    assert lets_in(table, old, new) == [False, True]
    kept = store.load(CLIENT)
    assert kept is not None
    assert (kept.password, kept.previous) == (new, None)
    assert clients.find(table, CLIENT).version == 3


@pytest.mark.parametrize("at_once", [False, True], ids=["beside the old", "at once"])
@pytest.mark.parametrize("step", ["begin", "change", "save", "end"])
def test_cut_off_at_any_step_a_second_run_goes_on(
    table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch, step: str, at_once: bool
) -> None:
    """Before and after each write, as by kill -9: the row never has a secret that the store lacks."""
    old = add(table, store)
    for is_after in (False, True):
        with monkeypatch.context() as patched:
            place = ClientTable if step == "change" else Store
            real = getattr(place, step)

            def dies(self: Any, *arguments: Any, real: Any = real, is_after: bool = is_after) -> None:
                if is_after:
                    real(self, *arguments)
                raise Killed

            patched.setattr(place, step, dies)
            with pytest.raises(Killed):
                turn(table, store, at_once=at_once, replace=True)
        known = [each for each in (store.begun(CLIENT), *secrets_of(store)) if each is not None]
        row = clients.find(table, CLIENT)
        assert any(holds(row, each) for each in known)
        assert at_once or holds(row, old)
    again = turn(table, store, at_once=at_once, replace=True)
    assert lets_in(table, again.credential.password) == [True]
    assert store.load(CLIENT) == again.credential
    assert store.begun(CLIENT) is None


class Killed(BaseException):
    """Ends everything at once; nothing catches it."""


def secrets_of(store: Store) -> list[Secret | None]:
    kept = store.load(CLIENT)
    return [kept.password, kept.previous] if kept else []


def test_a_second_run_hands_out_the_secret_that_the_first_one_wrote(
    table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the row already; another one would only make the first one a stranger's."""
    add(table, store)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "save", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            turn(table, store)
    begun = store.begun(CLIENT)
    again = turn(table, store)
    assert again.was_begun
    assert again.credential.password == begun
    assert clients.find(table, CLIENT).version == 2


def test_a_secret_that_was_not_shown_yet_is_the_same_again(table: ClientTable, store: Store) -> None:
    """The program ended between keeping the secret and printing it, or the terminal was gone."""
    add(table, store)
    first = rotate(table, store, RotationWish(CLIENT, "iotauth"), now=NOW)
    again = turn(table, store)
    assert again.credential.password == first.credential.password
    assert again.credential.previous == first.credential.previous
    with pytest.raises(Conflict):
        turn(table, store)


def test_a_rotation_that_was_begun_can_be_brought_forward(
    table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run was cut off, and now the old secret has leaked: the same secret, at once."""
    old = add(table, store)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "save", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            turn(table, store)
    begun = store.begun(CLIENT)
    assert begun is not None
    turn(table, store, at_once=True)
    assert lets_in(table, old, begun) == [False, True]


def test_an_interrupted_add_is_finished_by_another(
    table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row has a secret that nobody was shown; the second run shows it instead of refusing."""
    with monkeypatch.context() as patched:
        patched.setattr(Store, "save", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            add(table, store)
    begun = store.begun(CLIENT)
    with pytest.raises(AlreadyExists):
        add(table, store, topics=("another",))
    assert add(table, store) == begun
    assert lets_in(table, add_again(store)) == [True]
    with pytest.raises(AlreadyExists):
        add(table, store)
    assert store.begun(CLIENT) is None


def add_again(store: Store) -> Secret:
    kept = store.load(CLIENT)
    assert kept is not None
    return kept.password


def test_a_refused_rotation_writes_nothing(table: ClientTable, store: Store) -> None:
    """Neither to the row nor to the store."""
    add(table, store)
    first = turn(table, store)
    with pytest.raises(Conflict, match="not been seen yet"):
        turn(table, store)
    with pytest.raises(InputError, match="is empty"):
        turn(table, store, password=Secret(""))
    assert store.begun(CLIENT) is None
    assert store.load(CLIENT) == first.credential
    assert clients.find(table, CLIENT) == first.record


def test_replacing_keeps_the_secret_that_the_device_has(table: ClientTable, store: Store) -> None:
    """The one that nobody used is gone from row and store; the old one is still the one before."""
    old = add(table, store)
    discarded = turn(table, store).credential.password
    again = turn(table, store, replace=True)
    assert again.credential.previous == old
    assert lets_in(table, old, discarded, again.credential.password) == [True, False, True]


def test_of_two_rotations_one_is_told(table: ClientTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operator has a store of their own; the second has read the row before the first wrote it."""
    mine, theirs = Store(tmp_path / "mine", "emulator"), Store(tmp_path / "theirs", "emulator")
    old = add(table, mine)
    row = clients.find(table, CLIENT)
    first = turn(table, mine)
    with monkeypatch.context() as patched:
        patched.setattr(clients, "find", lambda *_: row)
        with pytest.raises(Conflict, match="changed by somebody else"):
            turn(table, theirs)
    assert lets_in(table, old, first.credential.password) == [True, True]
    assert theirs.load(CLIENT) is None


def test_without_saving_the_store_stays_as_it_is(table: ClientTable, store: Store) -> None:
    """What lies there is now the old one, and that is said."""
    old = add(table, store)
    rotated = turn(table, store, is_kept=False)
    assert (rotated.kept_at, rotated.outdated_at) == (None, store.path(CLIENT))
    assert add_again(store) == old
    see(table, "B")
    assert confirm(table, store, CLIENT, force=False, now=NOW + 9).outdated_at == store.path(CLIENT)


def test_a_client_of_which_nothing_is_kept_gets_a_credential(table: ClientTable, store: Store) -> None:
    """Made of its row, for the authorizer of the settings."""
    add(table, None, retain=True)
    rotated = turn(table, store)
    kept = store.load(CLIENT)
    assert kept == rotated.credential
    assert kept is not None
    assert kept.device_username == "door-7?x-amz-customauthorizer-name=iotauth"
    assert (kept.publish, kept.retain, kept.will, kept.previous) == (("doors/7", "doors/7/#"), True, False, None)


def test_a_signed_token_survives_a_rotation(table: ClientTable, store: Store) -> None:
    """It belongs to the client and not to its password."""
    add(table, store)
    kept = store.load(CLIENT)
    assert kept is not None
    signed = {"token": Secret("door-7.1"), "signature": "c2ln", "token_key_name": "token"}
    store.save(dataclasses.replace(kept, **signed))  # type: ignore[arg-type]
    assert turn(table, store).credential.device_username.endswith("signature=c2ln")


def test_a_password_of_ones_own_is_taken(table: ClientTable, store: Store) -> None:
    """And not shown: whoever gave it knows it."""
    add(table, store)
    rotated = turn(table, store, password=Secret("correct horse battery"))
    assert not rotated.is_generated
    assert lets_in(table, Secret("correct horse battery")) == [True]


@pytest.mark.parametrize("at_once", [False, True])
def test_the_password_that_a_client_has_is_no_new_one(table: ClientTable, store: Store, at_once: bool) -> None:
    """It would never be seen in use, or what has leaked would go on; one that was just handed out can end the other."""
    old, new = add(table, store, password=Secret("correct horse")), Secret("battery staple")
    with pytest.raises(InputError, match="has this password already"):
        turn(table, store, password=old, at_once=at_once)
    assert clients.find(table, CLIENT).version == 1
    turn(table, store, password=new)
    assert turn(table, store, password=new, at_once=True).old is None
    assert lets_in(table, old, new) == [False, True]


def test_an_older_rows_device_stays_connected(table: ClientTable, store: Store, account: Account) -> None:
    """Its plain password becomes the slot that retires; nothing of it is in the table any more."""
    item = {"Client_ID": {"S": CLIENT}, "Password": {"S": "canary-plain"}, "allow_connect": {"S": "true"}}
    account.client("dynamodb").put_item(TableName=table.name, Item={**item, "Shelf": {"N": "3"}})
    rotated = turn(table, store)
    assert lets_in(table, Secret("canary-plain"), rotated.credential.password) == [True, True]
    found = account.client("dynamodb").get_item(TableName=table.name, Key={"Client_ID": {"S": CLIENT}})["Item"]
    assert "canary-plain" not in str(found)
    assert found["Shelf"] == {"N": "3"}


def test_a_full_disk_hands_out_nothing(table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret could not be kept, so that the row is not written either."""
    add(table, store)
    before = clients.find(table, CLIENT)

    def full(*_: object) -> bool:
        raise InputError("cannot write `x`: no space left on device")

    monkeypatch.setattr("iotauth_cli.credentials.write_once", full)
    with pytest.raises(InputError, match="no space left"):
        turn(table, store)
    assert clients.find(table, CLIENT) == before


def test_a_disk_that_fills_up_in_between_costs_no_secret(
    table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown, it is said why it is not kept in its place, and the next run puts it there."""
    add(table, store)

    def full(*_: object) -> None:
        raise InputError("cannot write `x`: no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("iotauth_cli.credentials.write_private", full)
        rotated = turn(table, store)
    assert rotated.why_not_kept == "cannot write `x`: no space left on device"
    assert turn(table, store).credential.password == rotated.credential.password == add_again(store)


def test_confirming_needs_a_rotation(table: ClientTable, store: Store) -> None:
    """And a client."""
    with pytest.raises(NotFound, match="no client `door-7`"):
        confirm(table, store, CLIENT, force=True, now=NOW)
    add(table, store)
    with pytest.raises(InputError, match="no rotation"):
        confirm(table, store, CLIENT, force=True, now=NOW)


def test_no_result_prints_a_secret(table: ClientTable, store: Store) -> None:
    """A traceback shows a result's repr."""
    old = add(table, store)
    rotated = turn(table, store)
    assert old.reveal() not in repr(rotated)
    assert rotated.credential.password.reveal() not in repr(rotated)
