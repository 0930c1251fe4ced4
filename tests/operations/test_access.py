"""Access taken away while a device is connected: the row, the session, and what can be seen of both."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws import iot_data
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, AwsError, Conflict, NotFound
from iotauth_cli.operations import access, clients, connect, injection
from iotauth_cli.operations.access import Place, Revocation, disable, enable, remove, revoke, shorter_timer
from iotauth_cli.operations.client_rotation import RotationWish, rotate
from iotauth_cli.secret import Secret
from support_emulator import running_emulator
from support_world import Place as World
from support_world import connected, installed

NOW = int(time.time())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("access")
    with running_emulator(directory) as emulator, installed(emulator, directory) as world:
        yield world


class Partial(Session):
    """A session of somebody who may not call what `denied` names, or whose boto3 does not know `unknown`."""

    denied: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation in self.denied:
            raise AccessDenied(f"this AWS user may not call `{operation}`")
        return super().call(service, operation, **parameters)

    def client(self, service: str) -> Any:
        real = super().client(service)
        return Older(real, self.unknown) if service == "iot-data" else real


class Older:
    """A boto3 client that lacks some operations."""

    def __init__(self, real: Any, unknown: frozenset[str]) -> None:
        self.real = real
        self.unknown = unknown

    def __getattr__(self, name: str) -> Any:
        if name in self.unknown:
            raise AttributeError(name)
        return getattr(self.real, name)


def place_of(world: World, *, denied: tuple[str, ...] = (), unknown: tuple[str, ...] = ()) -> Place:
    session: Session = world.session
    if denied or unknown:
        partial = Partial(world.target, sleep=lambda _seconds: None)
        partial.__dict__.update(denied=frozenset(denied), unknown=frozenset(unknown))
        session = partial
    return Place(session, world.table, world.store, world.wish.function)


NAMES = iter(f"device-{number}" for number in range(1000))


@pytest.fixture
def client_id(world: World) -> str:
    name = next(NAMES)
    world.add(name, f"devices/{name}")
    return name


def test_disabling_ends_the_session_and_shows_it(world: World, client_id: str) -> None:
    """The row, the connection, and a reconnect with the credential that worked a moment ago."""
    with connected(world, client_id) as device:
        changed = disable(place_of(world), client_id, now=NOW)
        assert device.is_closed()
    assert (changed.was_so, changed.record.enabled) == (False, False)
    assert changed.revocation == Revocation(True, True, "GetConnection", "refused")
    assert changed.revocation.ok
    again = disable(place_of(world), client_id, now=NOW)
    assert again.was_so
    assert again.record.version == changed.record.version
    assert again.revocation == Revocation(False, True, "GetConnection", "refused")


def test_a_session_that_was_to_outlive_the_connection_is_forgotten(world: World, client_id: str) -> None:
    """Whoever took the credential may have subscribed to more than the device; nothing of it comes back."""
    with connected(world, client_id, clean=False) as device:
        assert device.subscribe(f"devices/{client_id}") == 1
        disable(place_of(world), client_id, now=NOW)
    assert world.emulator.client("iot-data").get_connection(clientId=client_id)["cleanSession"]


def test_enabling_lets_in_again(world: World, client_id: str) -> None:
    """And does nothing to a client that is enabled."""
    place = place_of(world)
    assert enable(place, client_id, now=NOW).was_so
    disable(place, client_id, now=NOW, disconnect=False)
    changed = enable(place, client_id, now=NOW)
    assert (changed.was_so, changed.record.enabled, changed.revocation) == (False, True, None)
    connected(world, client_id).socket.close()


def test_without_disconnecting_a_session_goes_on(world: World, client_id: str) -> None:
    """The row alone: whoever is inside stays until the function is asked again."""
    with connected(world, client_id) as device:
        assert disable(place_of(world), client_id, now=NOW, disconnect=False).revocation is None
        assert device.ping()


def test_removing_ends_the_session_and_forgets_the_credential(world: World, client_id: str) -> None:
    """The reconnect is tried before it is forgotten."""
    place = place_of(world)
    with connected(world, client_id) as device:
        removed = remove(place, client_id, now=NOW)
        assert device.is_closed()
    assert (removed.row, removed.credential) == (True, True)
    assert removed.revocation == Revocation(True, True, "GetConnection", "refused")
    assert place.store.load(client_id) is None
    with pytest.raises(NotFound, match=f"no client `{client_id}`"):
        remove(place, client_id, now=NOW)


def test_removing_clears_up_what_half_is_left(world: World, client_id: str) -> None:
    """An earlier run was cut off behind the row: session and credential are still to go."""
    place = place_of(world)
    with connected(world, client_id) as device:
        world.table.remove(client_id)
        removed = remove(place, client_id, now=NOW)
        assert device.is_closed()
    assert (removed.row, removed.credential) == (False, True)
    assert removed.revocation is not None
    assert removed.revocation.is_gone


def test_a_leaked_secret_is_out_at_once(world: World, client_id: str) -> None:
    """`rotate --now`: whoever uses the old one is thrown out and does not come back; the new one lets in."""
    place = place_of(world)
    with connected(world, client_id) as thief:
        rotated = rotate(place.table, place.store, RotationWish(client_id, "doors", at_once=True), now=NOW)
        assert rotated.ended is not None
        assert revoke(place, client_id, rotated.ended, now=NOW) == Revocation(True, True, "GetConnection", "refused")
        assert thief.is_closed()
    connected(world, client_id).socket.close()


def test_a_throttled_table_delays_a_rotation_and_nothing_more(world: World, client_id: str) -> None:
    """As it happens by order: three refusals, then the write; and so with the function that notes the first use."""
    place = place_of(world)
    injection.inject(world.emulator.state_dir, injection.Wish("dynamodb-throttled", count=3))
    rotate(place.table, place.store, RotationWish(client_id, "doors"), now=NOW)
    injection.inject(world.emulator.state_dir, injection.Wish("dynamodb-throttled", count=1))
    connected(world, client_id).socket.close()
    slots = clients.find(world.table, client_id).slots
    assert slots["B"].first_used_at is not None
    assert slots["A"].expires_at == slots["B"].first_used_at + 7 * 86400


def test_without_get_connection_a_second_end_shows_that_it_is_gone(world: World, client_id: str) -> None:
    """An account that denies it, and a boto3 that does not know it yet."""
    for place in (place_of(world, denied=("get_connection",)), place_of(world, unknown=("get_connection",))):
        with connected(world, client_id):
            changed = disable(place, client_id, now=NOW)
        assert changed.revocation == Revocation(True, True, "DeleteConnection", "refused")
        enable(place, client_id, now=NOW)


@pytest.mark.parametrize("lacking", [{"denied": ("delete_connection",)}, {"unknown": ("delete_connection",)}], ids=str)
def test_a_session_that_cannot_be_ended_is_said_to_live(
    world: World, client_id: str, lacking: dict[str, tuple[str, ...]]
) -> None:
    """And until when: the function's own timers, as they are set. The row stands all the same."""
    with connected(world, client_id) as device:
        changed = disable(place_of(world, **lacking), client_id, now=NOW)
        assert device.ping()
    found = changed.revocation
    assert found is not None
    assert not found.ok
    assert (found.was_connected, found.is_gone, found.seen_by) == (None, False, "GetConnection")
    assert found.reconnect == "refused"
    assert found.lives_until == NOW + 3600
    assert "delete_connection" in str(found.problem) or "iot:DeleteConnection" in str(found.problem)


def test_what_cannot_be_ended_may_still_be_seen_not_to_be(world: World, client_id: str) -> None:
    """Nobody is connected, and that can be said without a right to end anything."""
    found = revoke(place_of(world, denied=("delete_connection",)), client_id, None, now=NOW)
    assert found.ok
    assert (found.was_connected, found.is_gone, found.lives_until) == (None, True, None)


def test_where_nothing_may_be_asked_nothing_is_claimed(world: World, client_id: str) -> None:
    """Neither that it is gone, nor that it is there; at most a day, which is AWS IoT's own limit."""
    denied = ("delete_connection", "get_connection", "get_function_configuration")
    found = revoke(place_of(world, denied=denied), client_id, None, now=NOW)
    assert not found.ok
    assert (found.was_connected, found.is_gone, found.reconnect) == (None, None, None)
    assert found.lives_until == NOW + 86400


def test_a_client_that_is_let_in_again_is_reported(world: World, client_id: str) -> None:
    """The function goes by another table, or the row was never changed: what was seen is said."""
    kept = world.store.load(client_id)
    found = revoke(place_of(world), client_id, kept, now=NOW)
    assert found.reconnect == "let-in"
    assert not found.ok


def test_a_client_that_comes_back_is_not_called_gone(
    world: World, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a certificate, say: the connection is there again, and the time until it is asked about is given."""
    monkeypatch.setattr(access, "PATIENCE_S", 0.5)
    monkeypatch.setattr(iot_data, "disconnect", lambda *_: True)
    with connected(world, client_id):
        found = revoke(place_of(world, unknown=("nothing",)), client_id, None, now=NOW)
    assert (found.was_connected, found.is_gone, found.lives_until) == (True, False, NOW + 3600)


def test_a_stale_credential_proves_nothing(world: World, client_id: str) -> None:
    """It would be refused anyway, so that it is not tried."""
    kept = world.store.load(client_id)
    assert kept is not None
    world.store.save(replace(kept, password=Secret("stale")))
    changed = disable(place_of(world), client_id, now=NOW)
    assert changed.revocation == Revocation(False, True, "GetConnection", None)


@pytest.mark.parametrize("act", [disable, remove])
def test_a_broken_file_is_no_reason_to_leave_anybody_connected(
    world: World, client_id: str, act: Callable[..., access.Changed | access.Removed]
) -> None:
    """Row and session end as ever; only the reconnect is not tried. What is removed takes the file along."""
    place = place_of(world)
    with connected(world, client_id) as device:
        place.store.path(client_id).write_text("{")
        assert act(place, client_id, now=NOW).revocation == Revocation(True, True, "GetConnection", None)
        assert device.is_closed()
    assert place.store.path(client_id).exists() is (act is disable)
    place.store.path(client_id).unlink(missing_ok=True)


def test_an_unreachable_broker_is_no_refusal(world: World, client_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answered the knock: neither yes nor no."""
    where = connect.find_endpoint(world.session, connect.Visit())
    monkeypatch.setattr(access, "find_endpoint", lambda *_: replace(where, port=9))
    assert disable(place_of(world), client_id, now=NOW).revocation == Revocation(False, True, "GetConnection", None)


@pytest.mark.parametrize(("times", "wins"), [(2, True), (99, False)], ids=["twice", "always"])
def test_disabling_wins_against_changes_of_others(
    world: World, client_id: str, monkeypatch: pytest.MonkeyPatch, times: int, wins: bool
) -> None:
    """Somebody writes notes meanwhile: it reads again and goes on, but not for ever."""
    real, left = ClientTable.change, list(range(times))

    def change(table: ClientTable, before: ClientRecord, after: ClientRecord) -> ClientRecord:
        if left:
            real(table, before, before._replace(note=f"note {left.pop()}"))
        return real(table, before, after)

    monkeypatch.setattr(ClientTable, "change", change)
    with contextlib.nullcontext() if wins else pytest.raises(Conflict):
        changed = disable(place_of(world), client_id, now=NOW, disconnect=False)
        assert (changed.record.enabled, changed.record.note) == (False, "note 0")
    assert clients.find(world.table, client_id).enabled is not wins


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 3600),
        ({"IOTAUTH_REFRESH_AFTER_S": "600"}, 600),
        ({"IOTAUTH_REFRESH_AFTER_S": "1"}, 300),
        ({"IOTAUTH_REFRESH_AFTER_S": "86400", "IOTAUTH_DISCONNECT_AFTER_S": "7200"}, 7200),
        ({"IOTAUTH_REFRESH_AFTER_S": "soon"}, 3600),
        ({"IOTAUTH_REFRESH_AFTER_S": "99999999"}, 86400),
    ],
    ids=str,
)
def test_a_session_ends_with_the_sooner_timer(environment: dict[str, str], seconds: int) -> None:
    """Read as the function reads them, and held to what AWS IoT takes."""
    assert shorter_timer(environment) == seconds


def test_an_unknown_api_names_itself(world: World) -> None:
    """With what to do about it."""
    session = place_of(world, unknown=("delete_connection",)).session
    with pytest.raises(AwsError, match="this boto3 does not know `iot:DeleteConnection`"):
        iot_data.disconnect(session, "x")
