"""What is shown of signed tokens: which were handed out, and which are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import moment

if TYPE_CHECKING:
    from iotauth_cli.operations.clients import TokenNote


def token(note: TokenNote | None) -> list[str]:
    """Say of a client's token when it was issued and whether it was seen; nothing for a client without."""
    if note is None:
        return []
    issued = f"issued {moment(note.issued_at)}" if note.issued_at is not None else "signed elsewhere"
    return [issued + seen(note) + (", required" if note.is_required else "")]


def seen(note: TokenNote) -> str:
    if note.seen_at is None:
        return ", not seen yet"
    is_newest = note.issued_at is None or note.seen_at >= note.issued_at
    return ", in use" if is_newest else f", in use is one of {moment(note.seen_at)}"


def token_document(note: TokenNote | None) -> dict[str, Any] | None:
    if note is None:
        return None
    return {"issued_at": note.issued_at, "seen_at": note.seen_at, "is_required": note.is_required}
