"""The project's store of credentials."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.credentials import Credential, Store, build, file_name, parse
from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
credentials = st.builds(
    Credential,
    client_id=texts,
    username=texts,
    password=texts.map(Secret),
    authorizer=texts,
    table=texts,
    publish=st.lists(texts, max_size=3).map(tuple),
    subscribe=st.lists(texts, max_size=3).map(tuple),
    created_at=st.integers(0, 2**40),
    token=st.none() | texts.map(Secret),
    signature=st.none() | texts,
    token_key_name=st.none() | texts,
    retain=st.booleans(),
    will=st.booleans(),
    previous=st.none() | texts.map(Secret),
)


def credential(client_id: str, password: str = "canary") -> Credential:
    return Credential(client_id, client_id, Secret(password), "iotauth", "clients", ("a/b",), ("a/#",), 1763640000)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".iotauth", "emulator")


@given(credentials)
def test_a_credential_comes_back_as_it_went(found: Credential) -> None:
    """parse(build(x)) == x, whatever the characters."""
    import json

    assert parse(json.dumps(build(found)), Path("x.json")) == found


def test_what_is_saved_is_found_listed_and_removed(store: Store) -> None:
    """The whole life of a stored credential."""
    assert store.load("thermo-1") is None
    assert store.list() == ()
    path = store.save(credential("thermo-1"))
    store.save(credential("door-7"))
    assert path == store.directory / "credentials" / "emulator" / "thermo-1.json"
    assert store.load("thermo-1") == credential("thermo-1")
    assert [each.client_id for each in store.list()] == ["door-7", "thermo-1"]
    assert store.remove("thermo-1") is True
    assert store.remove("thermo-1") is False
    assert store.load("thermo-1") is None


def test_a_secret_that_was_begun_with_is_the_one_to_go_on_with(store: Store) -> None:
    """Until the end, whoever begins again gets the same; it is no credential yet."""
    assert store.begun("Door-7") is None
    assert store.begin("Door-7", Secret("canary")) == Secret("canary")
    assert store.begin("Door-7", Secret("another")) == Secret("canary")
    assert store.begun("Door-7") == Secret("canary")
    assert store.begun("door-7") is None
    assert store.list() == ()
    assert store.load("Door-7") is None
    store.end("Door-7")
    store.end("Door-7")
    assert store.begin("Door-7", Secret("another")) == Secret("another")
    assert store.remove("Door-7") is False
    assert store.begun("Door-7") is None


def test_of_many_who_begin_at_once_all_go_on_with_one_secret(store: Store) -> None:
    """Two rotations at the same moment hand out the same secret, so that none of them is lost."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda n: store.begin("thermo-1", Secret(f"canary-{n}")).reveal(), range(8)))
    assert found == {store.begin("thermo-1", Secret("late")).reveal()}


def test_what_was_begun_is_private(store: Store) -> None:
    """As every credential is; and a broken file of it is not quoted."""
    store.begin("thermo-1", Secret("canary"))
    path = store.begun_path("thermo-1")
    assert [place.name for place in path.parent.iterdir() if place.name != ".gitignore"] == ["thermo-1.json"]
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    path.write_text('{"password')
    with pytest.raises(InputError, match="is broken") as caught:
        store.begun("thermo-1")
    assert caught.value.__cause__ is None


def test_a_signed_token_rides_in_the_user_name_encoded_once() -> None:
    """Authorizer, token and signature follow the client's name; what Base64 has of `+ / =` is spelt out."""
    signed = replace(credential("thermo-1"), token=Secret("thermo-1.7"), signature="a+/=", token_key_name="token")
    name = "thermo-1?x-amz-customauthorizer-name=iotauth&token=thermo-1.7"
    assert signed.device_username == f"{name}&x-amz-customauthorizer-signature=a%2B%2F%3D"
    assert credential("thermo-1").device_username == "thermo-1?x-amz-customauthorizer-name=iotauth"


def test_a_credential_shows_neither_token_nor_signature() -> None:
    """The two together are a password that never ends."""
    signed = replace(credential("thermo-1"), token=Secret("t0ken"), signature="s1gnature", token_key_name="token")
    assert "t0ken" not in repr(signed)
    assert "s1gnature" not in repr(signed)


def test_an_older_file_has_no_token(store: Store) -> None:
    """What was kept before there were tokens is read as it is, and written again the same."""
    path = store.save(credential("thermo-1"))
    assert "token" not in path.read_text()
    assert store.load("thermo-1") == credential("thermo-1")


def test_targets_do_not_share_credentials(store: Store) -> None:
    """A credential of the emulator is never used on AWS."""
    store.save(credential("thermo-1"))
    assert Store(store.directory, "aws-eu-west-1").load("thermo-1") is None


@pytest.mark.skipif(os.name != "posix", reason="mode bits mean something on POSIX only")
def test_only_the_owner_can_read_the_store(store: Store) -> None:
    """Directories 0700, files 0600, from the project's .iotauth down."""
    path = store.save(credential("thermo-1"))
    assert path.stat().st_mode & 0o777 == 0o600
    for place in (path.parent, path.parent.parent, store.directory):
        assert place.stat().st_mode & 0o777 == 0o700


@given(st.lists(texts.filter(bool), min_size=2, max_size=2, unique=True))
def test_file_names_are_safe_and_do_not_meet(client_ids: list[str]) -> None:
    """Two client ids have two file names, even where the file system folds case; none leaves the folder."""
    one, other = map(file_name, client_ids)
    assert one.lower() != other.lower()
    assert "/" not in one
    assert "\\" not in one
    assert len(one.encode()) <= 255


@pytest.mark.parametrize("client_id", ["..", ".", "a/../../b", "door 7", "Tür", "x" * 128, "é" * 64, "C:\\x"])
def test_unusual_client_ids_stay_in_the_folder(store: Store, client_id: str) -> None:
    """Whatever AWS lets a client be called, its file lies in the store's folder."""
    path = store.save(credential(client_id))
    assert path.resolve().parent == store.folder.resolve()
    assert store.load(client_id) == credential(client_id)


def test_a_plain_client_id_is_its_own_file_name() -> None:
    """What people look for is what they find."""
    assert file_name("door-7") == "door-7.json"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 2}', '{"format": 1, "password": "canary"}'])
def test_a_broken_file_is_named_and_not_quoted(store: Store, text: str) -> None:
    """The error says which file it is; its content may be a password, so not even the cause holds it."""
    store.prepare()
    store.path("thermo-1").write_text(text)
    with pytest.raises(InputError, match=r"the stored credential `.*thermo-1\.json` is broken") as caught:
        store.load("thermo-1")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_store_that_cannot_be_written_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    """`prepare` says so with the path, so that no row is written whose secret would be lost."""
    (tmp_path / ".iotauth").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot create the directory `.*\.iotauth`"):
        Store(tmp_path / ".iotauth", "emulator").prepare()
