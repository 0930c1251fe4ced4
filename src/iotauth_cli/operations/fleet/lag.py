"""Which clients lag behind a rotation, in what, and since when. Pure.

A rotation is over for a client when only its new secret counts. Until then it waits for one of
three things, and the first that holds is the one to name: the device has never shown the new
secret; it has, and the old one still counts; or its newest token was never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.operations.rotation import is_over, pending_slot

LagKind = Literal["unseen", "grace", "token"]


@dataclass(frozen=True)
class Lag:
    """*since* is when the secret or token was made, in the grace when the secret was first used; *until* is when
    the old one stops counting, if that is known. Epoch seconds."""

    kind: LagKind
    since: int
    until: int | None = None


def lag(record: ClientRecord, now: int) -> Lag | None:
    """Return what *record* is behind with at *now*, or None."""
    pending = pending_slot(record)
    if pending is not None and pending.first_used_at is None:
        return Lag("unseen", pending.created_at)
    if pending is not None and (retiring := counting(record, now)):
        return Lag("grace", pending.first_used_at or pending.created_at, retiring.expires_at)
    token = record.token
    if token is not None and token.issued_at is not None and token.issued_at > (token.seen_at or 0):
        return Lag("token", token.issued_at)
    return None


def counting(record: ClientRecord, now: int) -> Slot | None:
    """Return the retiring secret that still counts at *now*, if there is one."""
    retiring = (slot for slot in record.slots.values() if slot.state == "retiring")
    return next((slot for slot in retiring if not is_over(slot, now)), None)
