"""Rotating one client's secret so that nothing is bricked: what becomes of its two slots. Pure.

=====================  ====================================  ===========================================
step                   the new secret                        the old one
=====================  ====================================  ===========================================
`begin`                `pending`: authenticates              `retiring`: authenticates without an end
first use (function)   still `pending`, with the time        ends when its grace is over
`finish`               `active`                              gone
`cut_over`             `active` at once                      gone at once
=====================  ====================================  ===========================================

The grace counts from the first use and not from the day of the rotation: a device that is switched
off, or never got its new secret, keeps the one it has.
"""

from __future__ import annotations

from collections.abc import Mapping

from iotauth_authorizer.credential import Slot, equal, hash_secret, profile_for, verify
from iotauth_authorizer.record import SLOT_NAMES, ClientRecord
from iotauth_cli.errors import Conflict, InputError
from iotauth_cli.operations.durations import in_words
from iotauth_cli.secret import Secret

GRACE_S = 7 * 86400

Slots = Mapping[str, Slot]


def begin(record: ClientRecord, secret: Secret, *, now: int, grace_s: int, replace: bool = False) -> ClientRecord:
    """Return the row with *secret* handed out beside the one in use, which then has *grace_s* seconds.

    A rotation before this one whose secret is in use is finished on the way. One whose secret nobody
    has shown is discarded only with *replace*: somebody may be carrying that secret to the device.

    Raises:
        Conflict: the last secret has not been seen yet, or both slots hold one that may be in use.
    """
    kept = in_use(record, now=now, replace=replace)
    if len(kept) > 1:
        raise crowded(record)
    old = {name: slot._replace(state="retiring", grace_s=grace_s) for name, slot in kept.items()}
    new = Slot(hashed(secret, record.client_id), now, "pending" if old else "active")
    return with_slots(record, {**old, free_name(old): new}, now)


def finish(record: ClientRecord, *, force: bool, now: int) -> ClientRecord:
    """Return the row with the new secret alone.

    Raises:
        InputError: no rotation is under way.
        Conflict: the new secret was never seen, and *force* does not say that this is known.
    """
    name = pending_name(record)
    if name is None:
        raise InputError(
            f"no rotation of client `{record.client_id}` is under way",
            hint=f"begin one with `iotauth client rotate {record.client_id}`",
        )
    slot = record.slots[name]
    if slot.first_used_at is None and not force:
        raise Conflict(
            f"client `{record.client_id}` has not shown its new secret yet, {handed_out(slot, now)}; "
            "confirming now would lock it out",
            hint=f"wait until `iotauth client show {record.client_id}` says that it was seen; "
            "`--force` ends the old secret all the same",
        )
    return with_slots(record, {name: slot._replace(state="active")}, now)


def cut_over(record: ClientRecord, secret: Secret, *, now: int) -> ClientRecord:
    """Return the row with *secret* alone, at once: whoever has another one is out."""
    name = slot_of(record, secret)
    if name is not None and record.slots[name].state != "retired":
        kept = record.slots[name]._replace(state="active", expires_at=None, grace_s=None)
        return with_slots(record, {name: kept}, now)
    # Not the slot in use, where there is another: the log then tells the two apart.
    used = {name: slot for name, slot in record.slots.items() if slot.state in ("active", "pending")}
    new = Slot(hashed(secret, record.client_id), now)
    return with_slots(record, {free_name(used if len(used) == 1 else {}): new}, now)


def in_use(record: ClientRecord, *, now: int, replace: bool) -> Slots:
    """Return the slots whose secret a device may have and is to keep for a while; an older row's password is one."""
    name = pending_name(record)
    counting = {name: slot for name, slot in record.slots.items() if slot.state != "retired" and not is_over(slot, now)}
    if name is None:
        return with_plain(record, counting, now)
    pending = record.slots[name]
    if pending.first_used_at is not None:
        return {name: pending}
    if not replace:
        raise Conflict(
            f"the last secret of client `{record.client_id}` has not been seen yet, {handed_out(pending, now)}",
            hint="give the device that one; `--replace` discards it and makes another",
        )
    counting.pop(name, None)
    return with_plain(record, counting, now)


def with_plain(record: ClientRecord, slots: Slots, now: int) -> Slots:
    """Return *slots* with the plain password of an older row in one of them, hashed."""
    plain = record.plain_password
    if plain is None or slot_of(record, Secret(plain)) in slots:
        return slots
    if len(slots) == len(SLOT_NAMES):
        raise crowded(record)
    return {**slots, free_name(slots): Slot(hashed(Secret(plain), record.client_id), record.created_at or now)}


def crowded(record: ClientRecord) -> Conflict:
    return Conflict(
        f"client `{record.client_id}` has two secrets that may both be in use, and no slot for a third",
        hint=f"end both and hand out a new one: `iotauth client rotate {record.client_id} --now`",
    )


def pending_name(record: ClientRecord) -> str | None:
    return next((name for name, slot in record.slots.items() if slot.state == "pending"), None)


def pending_slot(record: ClientRecord) -> Slot | None:
    name = pending_name(record)
    return None if name is None else record.slots[name]


def slot_of(record: ClientRecord, secret: Secret) -> str | None:
    """Return the slot that holds *secret*, or None."""
    text = secret.reveal().encode()
    return next((name for name, slot in record.slots.items() if verify(slot.hash, record.client_id, text)), None)


def holds(record: ClientRecord, secret: Secret) -> bool:
    """Tell whether *secret* is one of the client's: in a slot, or an older row's password."""
    plain = record.plain_password
    is_plain = plain is not None and equal(plain.encode(), secret.reveal().encode())
    return is_plain or slot_of(record, secret) is not None


def hashed(secret: Secret, client_id: str) -> str:
    text = secret.reveal()
    return hash_secret(text.encode(), client_id, profile_for(text))


def with_slots(record: ClientRecord, slots: Slots, now: int) -> ClientRecord:
    return record._replace(slots=slots, plain_password=None, updated_at=now)


def free_name(slots: Slots) -> str:
    return next(name for name in SLOT_NAMES if name not in slots)


def is_over(slot: Slot, now: int) -> bool:
    return slot.expires_at is not None and slot.expires_at <= now


def handed_out(slot: Slot, now: int) -> str:
    return f"handed out {in_words(now - slot.created_at)} ago"
