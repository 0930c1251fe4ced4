"""What `iotauth emulator inject` shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render_emulator import moment

if TYPE_CHECKING:
    from iotauth_cli.operations.injection import Injection

COLUMNS = ("what", "client", "when", "delay")


def injected(found: Injection) -> str:
    whom = f" for client `{found.client_id}`" if found.client_id else ""
    late = f" by {found.delay_s:g} s" if found.delay_s is not None else ""
    return f"injected `{found.kind}`{late}{whom}, {when(found)}"


def row(found: Injection) -> tuple[str, ...]:
    late = "" if found.delay_s is None else f"{found.delay_s:g} s"
    return found.kind, found.client_id or "every client", when(found), late


def when(found: Injection) -> str:
    """Return how often or how long it may still happen."""
    if found.ends_at is not None:
        return f"until {moment(found.ends_at)}"
    return "once" if found.left == 1 else f"{found.left} times"


def cleared(count: int) -> str:
    if count == 0:
        return "nothing was going to go wrong by order"
    return "cleared one injection" if count == 1 else f"cleared {count} injections"


def document(found: Injection) -> dict[str, Any]:
    return asdict(found)
