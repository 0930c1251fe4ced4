"""Clients: added once, listed whole, shown without secrets, removed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer import credential
from iotauth_authorizer.credential import CHEAPEST, is_intact, verify
from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws import table as tables
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Store
from iotauth_cli.errors import AlreadyExists, InputError, NotFound
from iotauth_cli.operations import clients
from iotauth_cli.operations.clients import Added, ClientRecord, NewClient
from iotauth_cli.secret import Secret
from support_installation import WISH, Account

SCOPE = ArnScope("aws", "us-east-1", "123456789012")
NOW = 1763640000


@pytest.fixture
def table(account: Account) -> ClientTable:
    tables.create(account.session(), WISH.table)
    return account.table()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".iotauth", "emulator")


def add(table: ClientTable, store: Store | None, client_id: str = "door-7", **wish: Any) -> Added:
    asked = {"topics": ("doors/7",)} | wish
    return clients.add(table, store, NewClient(client_id, "iotauth", **asked), partition="aws", now=NOW)


def put(account: Account, item: dict[str, Any]) -> None:
    account.client("dynamodb").put_item(TableName=WISH.table, Item=item)


OLDER = {
    "Client_ID": {"S": "old-1"},
    "Username": {"S": "ann"},
    "Password": {"S": "canary-plain"},
    "allow_connect": {"BOOL": True},
    "allow_read": {"BOOL": True},
    "allow_write": {"BOOL": True},
    "read_topic": {"S": "a/*"},
    "write_topic": {"S": "b/*"},
}


def test_a_client_is_a_row_with_a_hash(table: ClientTable, store: Store, account: Account) -> None:
    """The secret is generated, shown to the caller, kept in the store, and only its hash is in the table."""
    added = add(table, store)
    password = added.credential.password.reveal()
    assert is_intact(password)
    row = account.client("dynamodb").get_item(TableName=WISH.table, Key={"Client_ID": {"S": "door-7"}})["Item"]
    assert password not in str(row)
    assert verify(row["Secret_A"]["M"]["Hash"]["S"], "door-7", password.encode())
    assert row["Created"] == {"N": str(NOW)}
    assert store.load("door-7") == added.credential
    assert added.kept_at == store.path("door-7")
    assert added.device_username == "door-7?x-amz-customauthorizer-name=iotauth"


def test_topics_of_each_direction_are_merged(table: ClientTable, store: Store) -> None:
    """--topic means both directions and below; --publish and --subscribe one each, as written; none twice."""
    added = add(table, store, topics=("a",), publish=("a", "out/+"), subscribe=("in/#",), retain=True, will=True)
    grants = added.record.grants
    assert grants.publish == ("a", "a/#", "out/+")
    assert grants.subscribe == ("a", "a/#", "in/#")
    assert grants.retain == grants.will == grants.publish


def test_a_client_that_exists_is_left_alone(table: ClientTable, store: Store) -> None:
    """Row and stored credential stay; the error names both ways on."""
    first = add(table, store)
    with pytest.raises(AlreadyExists, match="client `door-7` exists already in table `doors-clients`") as caught:
        add(table, store)
    assert "client show door-7" in str(caught.value.hint)
    assert store.load("door-7") == first.credential
    assert table.find("door-7") == first.record


def test_without_saving_nothing_is_kept(table: ClientTable) -> None:
    """--no-save: the credential is in the result and nowhere else."""
    assert add(table, None).kept_at is None


def test_a_password_of_a_person_is_hashed_slowly(
    table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person chose gets scrypt; the client id is bound into it as always."""
    monkeypatch.setattr(credential, "HUMAN", CHEAPEST)
    added = add(table, store, password=Secret("correct horse"))
    encoded = added.record.slots["A"].hash
    assert encoded.startswith("$scrypt$")
    assert verify(encoded, "door-7", b"correct horse")
    assert not verify(encoded, "door-8", b"correct horse")


def test_a_full_disk_after_the_row_does_not_lose_the_password(
    table: ClientTable, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is written, so the password must still be shown; why it is not kept is said."""

    def full(_store: Store, _credential: object) -> Path:
        raise InputError("cannot write `x`: no space left on device")

    monkeypatch.setattr(Store, "save", full)
    added = add(table, store)
    assert (added.kept_at, added.why_not_kept) == (None, "cannot write `x`: no space left on device")
    assert is_intact(added.credential.password.reveal())


def test_an_unwritable_store_is_found_out_before_the_row(table: ClientTable, tmp_path: Path) -> None:
    """No row is written whose secret could not be kept."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="cannot create the directory"):
        add(table, Store(tmp_path / "taken", "emulator"))
    assert table.find("door-7") is None


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"client_id": "door 7"}, "client id `door 7` contains a space"),
        ({"client_id": "x" * 129}, "is longer than 128 bytes"),
        ({"topics": ("a/#/b",)}, "has a `#` that is not the whole last level"),
        ({"publish": ("a" * 257,)}, "is longer than 256 bytes"),
        ({"subscribe": ("a/b/c/d/e/f/g/h/i",)}, "has more than 7 slashes"),
        ({"topics": ()}, "client `door-7` would be let in and could do nothing"),
        ({"topics": (), "subscribe": ("a",), "retain": True}, "may publish nothing"),
        ({"topics": tuple(f"{number}/{'x' * 200}" for number in range(60))}, "policy documents"),
        ({"topics": ("#", "$aws/things/x")}, "cannot be granted beside one that begins with a wildcard"),
        ({"password": Secret("")}, "the password is empty"),
        ({"password": Secret("x" * 65536)}, "the password is longer than 65535 bytes"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_cannot_be_is_refused_before_the_row(
    table: ClientTable, store: Store, wish: dict[str, Any], words: str
) -> None:
    """In the user's own names, with exit code 2; the table and the store stay empty."""
    with pytest.raises(InputError) as caught:
        add(table, store, **wish)
    assert words in caught.value.message
    assert list(table.rows()) == []
    assert store.list() == ()


def test_a_missing_table_names_the_command_that_makes_it(account: Account, store: Store) -> None:
    """The first thing a newcomer may forget."""
    with pytest.raises(NotFound, match="has no table `doors-clients`") as caught:
        add(account.table(), store)
    assert caught.value.hint == "create it with `iotauth authorizer create`"
    assert store.list() == ()


def test_show_gives_grants_and_policies(table: ClientTable, store: Store) -> None:
    """The policies are those that the function will answer with."""
    add(table, store)
    shown = clients.show(table, store, "door-7", SCOPE)
    assert shown.record.grants.publish == ("doors/7", "doors/7/#")
    assert '"arn:aws:iot:us-east-1:123456789012:client/door-7"' in shown.policies[0]
    assert (shown.problem, shown.credential_at) == (None, store.path("door-7"))


def test_show_of_an_older_row_holds_its_topics(table: ClientTable, store: Store, account: Account) -> None:
    """AWS's wildcards as they were written."""
    put(account, OLDER)
    shown = clients.show(table, store, "old-1", SCOPE)
    assert (shown.record.grants.older_read, shown.record.grants.older_write) == ("a/*", "b/*")
    assert "topicfilter/a/*" in shown.policies[0]
    assert shown.credential_at is None


def test_show_says_why_a_row_has_no_policy(table: ClientTable, store: Store, account: Account) -> None:
    """A grant that cannot stand in a policy, written by hand: the client is refused, and here is why."""
    put(account, {"Client_ID": {"S": "x"}, "allow_connect": {"BOOL": True}, "publish_topics": {"L": [{"S": "a*"}]}})
    shown = clients.show(table, store, "x", SCOPE)
    assert (shown.policies, shown.problem) == ((), "topic filter `a*` contains `*`")


def test_showing_what_is_not_there_or_not_readable(table: ClientTable, store: Store, account: Account) -> None:
    """Two errors, each with a command to type."""
    with pytest.raises(NotFound, match="there is no client `door-7` in table `doors-clients`") as unknown:
        clients.show(table, store, "door-7", SCOPE)
    assert "client list" in str(unknown.value.hint)
    put(account, {"Client_ID": {"S": "bad"}, "Username": {"N": "7"}})
    with pytest.raises(InputError, match="the row of client `bad` is unreadable: `Username` is not of type S"):
        clients.show(table, store, "bad", SCOPE)


def test_remove_takes_row_and_credential(table: ClientTable, store: Store) -> None:
    """Afterwards there is nothing, and removing again is an error."""
    add(table, store)
    removed = clients.remove(table, store, "door-7")
    assert (removed.row, removed.credential) == (True, True)
    assert list(table.rows()) == []
    assert store.list() == ()
    with pytest.raises(NotFound, match="there is no client `door-7`"):
        clients.remove(table, store, "door-7")


def test_remove_clears_up_what_half_is_left(table: ClientTable, store: Store) -> None:
    """A row that somebody deleted in the console leaves a credential; a --no-save client only a row."""
    add(table, store)
    table.remove("door-7")
    assert clients.remove(table, store, "door-7").row is False
    add(table, None)
    assert clients.remove(table, store, "door-7").credential is False


def test_no_result_prints_a_secret(table: ClientTable, store: Store, account: Account) -> None:
    """Whatever is logged of these values by accident holds no password and no hash."""
    added = add(table, store, password=Secret("canary-secret"))
    put(account, OLDER)
    for value in (added, clients.show(table, store, "door-7", SCOPE), clients.show(table, store, "old-1", SCOPE)):
        assert dataclasses.is_dataclass(value)
        assert "canary" not in repr(value)
        assert "$scrypt$" not in repr(value)


def test_a_record_of_a_client_has_no_user_name_of_its_own(table: ClientTable) -> None:
    """So a device may send its client id, as iotauth's snippets do, or nothing, as some SDKs do."""
    assert isinstance(found := add(table, None).record, ClientRecord)
    assert found.username is None
