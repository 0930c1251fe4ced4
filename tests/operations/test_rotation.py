"""Rotation as a calculation: which secrets let a device in, before and after each step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer import credential
from iotauth_authorizer.authorize import Settings, decide
from iotauth_authorizer.credential import CHEAPEST, Slot, SlotState, hash_secret
from iotauth_authorizer.event import ConnectRequest
from iotauth_authorizer.grants import ArnScope, Grants
from iotauth_authorizer.record import ClientRecord, retirement
from iotauth_cli.errors import Conflict, InputError
from iotauth_cli.operations.rotation import begin, cut_over, finish, holds
from iotauth_cli.secret import Secret

NOW = 1763640000
DAY = 86400
OLD, NEW, NEWER = "iota_old", "iota_new", "iota_newer"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets as short as these count as people's own; their hash need not be dear here."""
    monkeypatch.setattr("iotauth_cli.operations.rotation.profile_for", lambda secret: CHEAPEST)
    monkeypatch.setattr(credential, "HUMAN", CHEAPEST)


def slot(secret: str, state: SlotState = "active", **members: Any) -> Slot:
    return Slot(hash_secret(secret.encode(), "door-7", CHEAPEST), NOW - DAY, state, **members)


def client(**slots: Slot) -> ClientRecord:
    return ClientRecord("door-7", slots=slots, grants=Grants.for_topic("doors/7"), version=1)


def who_gets_in(record: ClientRecord, now: int = NOW) -> set[str]:
    """Return which secrets the function would let in."""
    scope = ArnScope("aws", "eu-west-1", "123456789012")

    def is_let_in(secret: str) -> bool:
        request = ConnectRequest(protocols=("mqtt",), client_id="door-7", password=secret.encode())
        return decide(request, record, now=now, scope=scope, settings=Settings()).allowed

    return {secret for secret in (OLD, NEW, NEWER) if is_let_in(secret)}


def seen(record: ClientRecord, name: str, now: int) -> ClientRecord:
    """Return the row as the function leaves it at the first use of slot *name*."""
    slots = {**record.slots, name: record.slots[name]._replace(first_used_at=now)}
    if ends := retirement(record, name, now):
        slots[ends[0]] = slots[ends[0]]._replace(expires_at=ends[1])
    return record._replace(slots=slots)


def rotated(**changes: Any) -> ClientRecord:
    return begin(client(A=slot(OLD)), Secret(NEW), **{"now": NOW, "grace_s": DAY, **changes})


def test_both_secrets_let_in_for_as_long_as_the_new_one_was_not_seen() -> None:
    """A device that is off for years comes back with the secret it has."""
    record = rotated()
    assert who_gets_in(record) == who_gets_in(record, NOW + 1000 * DAY) == {OLD, NEW}
    assert {name: each.state for name, each in record.slots.items()} == {"A": "retiring", "B": "pending"}
    assert record.slots["A"].expires_at is None
    assert record.updated_at == NOW


def test_the_old_secret_ends_when_its_grace_after_the_first_use_is_over() -> None:
    """Counted from the use, however late it comes."""
    record = seen(rotated(), "B", NOW + 5 * DAY)
    assert who_gets_in(record, NOW + 6 * DAY - 1) == {OLD, NEW}
    assert who_gets_in(record, NOW + 6 * DAY) == {NEW}


def test_without_grace_the_old_secret_ends_with_the_first_use() -> None:
    """And not a moment before it."""
    record = rotated(grace_s=0)
    assert who_gets_in(record) == {OLD, NEW}
    assert who_gets_in(seen(record, "B", NOW)) == {NEW}


def test_confirming_leaves_the_new_secret_alone() -> None:
    """Active, with the time it was first used, in a row that can be rotated again."""
    record = finish(seen(rotated(), "B", NOW), force=False, now=NOW + 1)
    assert who_gets_in(record) == {NEW}
    assert record.slots["B"].state == "active"
    assert record.slots["B"].first_used_at == NOW
    assert who_gets_in(begin(record, Secret(NEWER), now=NOW, grace_s=1)) == {NEW, NEWER}


def test_confirming_what_was_never_seen_needs_force() -> None:
    """The device may have nothing but its old secret."""
    with pytest.raises(Conflict, match="`door-7` has not shown its new secret yet, handed out 3 min ago") as caught:
        finish(rotated(), force=False, now=NOW + 180)
    assert "--force" in str(caught.value.hint)
    assert who_gets_in(finish(rotated(), force=True, now=NOW)) == {NEW}


def test_there_is_nothing_to_confirm_without_a_rotation() -> None:
    """Nor is it forced."""
    with pytest.raises(InputError, match="no rotation of client `door-7` is under way"):
        finish(client(A=slot(OLD)), force=True, now=NOW)


def test_a_second_rotation_does_not_discard_a_secret_that_is_on_its_way() -> None:
    """Unless that is what was asked for; then the first secret still lets in, and the discarded one does not."""
    with pytest.raises(Conflict, match="handed out 1 min ago"):
        begin(rotated(), Secret(NEWER), now=NOW + 60, grace_s=DAY)
    again = begin(rotated(), Secret(NEWER), now=NOW + 60, grace_s=DAY, replace=True)
    assert who_gets_in(again) == {OLD, NEWER}


def test_a_second_rotation_finishes_one_whose_secret_is_in_use() -> None:
    """The new secret is now the old one; the oldest is out."""
    again = begin(seen(rotated(), "B", NOW), Secret(NEWER), now=NOW, grace_s=DAY)
    assert who_gets_in(again) == {NEW, NEWER}
    assert {name: each.state for name, each in again.slots.items()} == {"B": "retiring", "A": "pending"}
    assert again.slots["B"].expires_at is None


@pytest.mark.parametrize("state", ["active", "pending"])
def test_a_cut_over_lets_only_the_new_secret_in(state: SlotState) -> None:
    """Whatever else was there, an older row's password included."""
    record = client(A=slot(OLD, "retiring"), B=slot(NEW, state))._replace(plain_password=OLD)
    assert who_gets_in(cut_over(record, Secret(NEWER), now=NOW)) == {NEWER}


def test_a_cut_over_to_a_secret_of_the_row_keeps_its_slot() -> None:
    """A rotation that was begun is brought to its end; the function need not learn the slot anew."""
    record = rotated()
    after = cut_over(record, Secret(NEW), now=NOW)
    assert who_gets_in(after) == {NEW}
    assert after.slots["B"].hash == record.slots["B"].hash


def test_the_slot_in_use_is_not_the_one_that_is_cut_over_to() -> None:
    """The function's log then tells the leaked secret and the new one apart."""
    assert cut_over(client(B=slot(OLD)), Secret(NEW), now=NOW).slots.keys() == {"A"}


def test_an_older_rows_password_becomes_a_slot_that_retires() -> None:
    """The device that has it goes on; the password itself leaves the table."""
    older = ClientRecord("door-7", plain_password=OLD, grants=Grants(older_write="doors/7"))
    record = begin(older, Secret(NEW), now=NOW, grace_s=DAY)
    assert record.plain_password is None
    assert who_gets_in(record) == {OLD, NEW}
    assert who_gets_in(seen(record, "B", NOW), NOW + DAY) == {NEW}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(client(A=slot(OLD), B=slot(NEW)), id="two active"),
        pytest.param(client(A=slot(NEW), B=slot("x", "retiring"))._replace(plain_password=OLD), id="and a password"),
    ],
)
def test_no_secret_in_use_makes_way(record: ClientRecord) -> None:
    """With both slots taken by secrets that may be in use, which one to end is for a person to say."""
    with pytest.raises(Conflict, match="two secrets that may both be in use") as caught:
        begin(record, Secret(NEWER), now=NOW, grace_s=DAY)
    assert "rotate door-7 --now" in str(caught.value.hint)


@pytest.mark.parametrize(
    "slots", [{}, {"A": slot(OLD, "retired")}, {"B": slot(OLD, expires_at=NOW)}], ids=["none", "retired", "expired"]
)
def test_without_an_old_secret_the_new_one_is_active(slots: dict[str, Slot]) -> None:
    """There is nothing to wait for."""
    record = begin(client(**slots), Secret(NEW), now=NOW, grace_s=DAY)
    assert [each.state for each in record.slots.values()] == ["active"]
    assert who_gets_in(record) == {NEW}


def test_a_rotation_keeps_everything_else() -> None:
    """Grants, state, tags and version: the version is the table's to count."""
    before = client(A=slot(OLD))._replace(enabled=False, note="hall", tags={"site": "berlin"}, expires_at=NOW)
    after = begin(before, Secret(NEW), now=NOW, grace_s=DAY)
    assert after._replace(slots=before.slots, updated_at=None) == before


STEPS = st.lists(st.sampled_from(["begin", "replace", "use new", "use old", "finish", "force"]), max_size=12)


@given(steps=STEPS)
def test_no_order_of_steps_locks_a_device_out(steps: list[str]) -> None:
    """A device has the last secret it used or a newer one; only replacing or forcing may take an unseen one away."""
    record, in_device, handed = client(A=slot("s0")), "s0", "s0"
    for number, step in enumerate(steps, 1):
        now = NOW + number
        try:
            if step in ("begin", "replace"):
                record = begin(record, Secret(f"s{number}"), now=now, grace_s=1000, replace=step == "replace")
                handed = f"s{number}"
            elif step == "finish":
                record = finish(record, force=False, now=now)
            elif step == "force" and in_device == handed:
                record = finish(record, force=True, now=now)
            elif step == "use new":
                in_device = handed
                name = next((n for n, s in record.slots.items() if s.state == "pending"), None)
                if name is not None and record.slots[name].first_used_at is None:
                    record = seen(record, name, now)
        except (Conflict, InputError):
            pass
        assert holds(record, Secret(in_device))
        assert holds(record, Secret(handed))
