"""What disabling, enabling and removing show: what was done, and what was seen of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts, moment

if TYPE_CHECKING:
    from iotauth_cli.operations.access import Changed, Removed, Revocation


LET_IN = "LET IN, with the credential that is kept: the function goes by something else than this table"


def disabled(found: Changed) -> Facts:
    was = "disabled already" if found.was_so else "disabled"
    return [("client", f"`{found.record.client_id}` {was}"), *revocation(found.revocation)]


def enabled(found: Changed, now: int) -> str:
    client_id, expires_at = found.record.client_id, found.record.expires_at
    first = f"client `{client_id}` was enabled already" if found.was_so else f"enabled client `{client_id}`"
    if expires_at is not None and expires_at <= now:
        return f"{first}; it has expired {moment(expires_at)}, and is refused until that is changed"
    return first


def removed(client_id: str, found: Removed) -> list[str]:
    """Say what was removed; of the session only where there was one, or may be."""
    what = " and ".join(name for name, was in (("row", found.row), ("credential", found.credential)) if was)
    first = f"removed client `{client_id}`: {what}"
    if found.revocation is None or (found.revocation.ok and not found.revocation.was_connected):
        return [first]
    return [first, *(f"{name}: {text}" for name, text in revocation(found.revocation))]


def revocation(found: Revocation | None) -> Facts:
    """Return what became of an open session, and of a reconnect; what was not seen is not claimed."""
    if found is None:
        return [("session", "left alone; an open one goes on until AWS IoT asks the function again")]
    reconnect = {"refused": "refused, with the credential that worked until now", "let-in": LET_IN}.get(
        found.reconnect or ""
    )
    lacking = json.dumps(found.statement) if found.statement else None
    more = [("reconnect", reconnect), ("lacking", lacking)]
    return [("session", session(found)), *((name, text) for name, text in more if text)]


def session(found: Revocation) -> str:
    """Say what became of an open session."""
    if found.is_gone:
        before = {True: "ended", False: "there was none", None: "there is none"}[found.was_connected]
        return f"{before}; `iot:{found.seen_by}` says that it is not connected"
    until = f"a session may live until {moment(found.lives_until)}"
    if found.was_connected is None:
        return f"not ended: {found.problem}; {until}"
    done = "ended" if found.was_connected else "there was none"
    if found.is_gone is None:
        return f"{done}, but whether it is gone cannot be seen: {found.problem}"
    return f"{done}, but the client is connected again or still: `iot:{found.seen_by}` says so; {until}"


def revocation_document(found: Revocation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "ok": found.ok,
        "was_connected": found.was_connected,
        "is_gone": found.is_gone,
        "seen_by": found.seen_by,
        "reconnect": found.reconnect,
        "problem": found.problem,
        "lives_until": found.lives_until,
        **({"statement": found.statement} if found.statement else {}),
    }


def changed_document(found: Changed) -> dict[str, Any]:
    return {
        "client_id": found.record.client_id,
        "enabled": found.record.enabled,
        "changed": not found.was_so,
        "session": revocation_document(found.revocation),
    }


def removed_document(client_id: str, found: Removed) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "row": found.row,
        "credential": found.credential,
        "session": revocation_document(found.revocation),
    }
