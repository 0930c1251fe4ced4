"""What the commands show that are about many clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import moment
from iotauth_cli.cli.render_client import some, state

if TYPE_CHECKING:
    from iotauth_cli.cli.output import Printed
    from iotauth_cli.operations.fleet.lag import Lag
    from iotauth_cli.operations.fleet.listing import Listed
    from iotauth_cli.operations.fleet.selection import Where

LISTED = ("client", "state", "topics", "remark")


def listed(found: Listed) -> Sequence[str]:
    return (found.client_id, state(found.enabled), some(found.topics), remark(found) or "")


def listed_document(found: Listed) -> dict[str, Any]:
    return {
        "client_id": found.client_id,
        "enabled": found.enabled,
        "topics": list(found.topics),
        "tags": dict(found.tags),
        "expires_at": found.expires_at,
        "lag": found.lag and lag_document(found.lag),
        "remark": remark(found),
    }


def lag_document(found: Lag) -> dict[str, Any]:
    return {"kind": found.kind, "since": found.since, "until": found.until}


def remark(found: Listed) -> str | None:
    """Say what is wrong with a row, the worst first; None when nothing is."""
    expired = f"expired {moment(found.expires_at)}" if found.is_expired else None
    said = [each for each in (found.problem, expired, found.lag and lagging(found.lag)) if each]
    return "; ".join(said) or None


def lagging(found: Lag) -> str:
    """Say what a client is behind with, and since when."""
    if found.kind == "unseen":
        return f"new secret of {moment(found.since)} not seen yet"
    if found.kind == "token":
        return f"new token of {moment(found.since)} not seen yet"
    return f"old secret counts until {moment(found.until)}" if found.until else "old secret counts until confirmed"


def after_listing(
    printed: Printed, where: Where, limit: int | None, after: str | None, command: Callable[[str], str]
) -> list[str]:
    """Return what to say below a list: why it is empty, or how to see the rest of it."""
    if printed.rows and printed.rows == limit:
        words = " ".join(["client list", str(where)] if where.terms else ["client list"])
        return [f"next: {command(f'{words} --limit {limit} --after {quoted(printed.last)}')}"]
    if printed.rows:
        return []
    if after:
        return ["there are no more"]
    return ["no client is selected" if where.terms else f"there are none; add one with {command('client add')}"]


def quoted(document: dict[str, Any]) -> str:
    from shlex import quote

    return quote(document["client_id"])
