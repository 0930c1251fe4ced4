"""What is shown of signed tokens and their keys: which were handed out, and which are in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts, counted, moment, several

SOME = 10  # names below each other; `--json` has them all

if TYPE_CHECKING:
    from iotauth_cli.operations.clients import TokenNote
    from iotauth_cli.operations.signing import migration
    from iotauth_cli.operations.signing.migration import Move
    from iotauth_cli.operations.signing.resign import Totals
    from iotauth_cli.operations.signing.rollover import Begun, Retired, Status


def token(note: TokenNote | None) -> list[str]:
    """Say of a client's token when it was issued and whether it was seen; nothing for a client without."""
    if note is None:
        return []
    issued = f"issued {moment(note.issued_at)}" if note.issued_at is not None else "signed elsewhere"
    without = f", without one since {moment(note.unsigned_at)}" if note.unsigned_at is not None else ""
    return [issued + seen(note) + (", required" if note.is_required else without)]


def seen(note: TokenNote) -> str:
    if note.seen_at is None:
        return ", not seen yet"
    is_newest = note.issued_at is None or note.seen_at >= note.issued_at
    return ", in use" if is_newest else f", in use is one of {moment(note.seen_at)}"


def token_document(note: TokenNote | None) -> dict[str, Any] | None:
    if note is None:
        return None
    return {
        "issued_at": note.issued_at,
        "seen_at": note.seen_at,
        "is_required": note.is_required,
        "unsigned_at": note.unsigned_at,
    }


def begun(found: Begun, totals: Totals) -> Facts:
    return [
        *keys(found.authorizer, found.roll_over),
        ("signed", counted(totals.signed, "client")),
        *([("as it was", counted(totals.as_it_was, "client"))] if totals.as_it_was else []),
        *several("left", listed(totals.left)),
        *several("failed", [f"{name}: {problem}" for name, problem in totals.failed[:SOME]]),
    ]


def keys(authorizer: str, roll_over: Any) -> Facts:
    return [
        ("authorizer", authorizer),
        ("new key", f"{roll_over.new}, since {moment(roll_over.since)}"),
        *several("old key", roll_over.old),
    ]


def begun_document(found: Begun, totals: Totals) -> dict[str, Any]:
    return {
        **keys_document(found.authorizer, found.roll_over),
        "signed": totals.signed,
        "as_it_was": totals.as_it_was,
        "left": totals.left,
        "failed": [{"client_id": name, "problem": problem} for name, problem in totals.failed],
    }


def keys_document(authorizer: str, roll_over: Any) -> dict[str, Any]:
    return {
        "authorizer": authorizer,
        "new_key": roll_over.new,
        "old_keys": list(roll_over.old),
        "since": roll_over.since,
    }


def after_beginning(found: Begun, totals: Totals, command: Callable[[str], str]) -> list[str]:
    """Return what a person has to do now."""
    told = []
    rotate = f"authorizer rotate-key {found.authorizer}"
    if not found.roll_over.is_kept and not totals.done:
        told.append(f"the new key is kept elsewhere: sign for every client with {command(f'{rotate} --key FILE')}")
    if totals.left:
        told.append(f"for those that were left: {command(f'{rotate} --tokens-out FILE.csv')}")
    if totals.failed:
        told.append(f"run {command(rotate)} again for those that failed")
    told.append("give the devices their new user names; the old ones work until the old key is retired")
    return [*told, f"next: {command(f'{rotate} --status')}"]


def status(found: Status) -> Facts:
    return [
        *keys(found.authorizer, found.roll_over),
        ("moved", counted(found.moved, "client")),
        *several("not signed", listed(found.unsigned)),
        *several("not seen", listed(found.unseen)),
    ]


def status_document(found: Status) -> dict[str, Any]:
    return {
        "ok": found.ok,
        **keys_document(found.authorizer, found.roll_over),
        "moved": found.moved,
        "not_signed": list(found.unsigned),
        "not_seen": list(found.unseen),
    }


def before_retiring(found: Status) -> list[str]:
    old = ", ".join(f"`{name}`" for name in found.roll_over.old)
    locked = [f"  {name}" for name in listed(found.lagging)]
    told = [f"tokens of {old} will be worth nothing; {counted(found.moved, 'client')} moved to `{found.roll_over.new}`"]
    return [*told, "locked out:", *locked] if locked else told


def retired(found: Retired) -> str:
    old = ", ".join(f"`{name}`" for name in found.old)
    return f"retired key {old} of authorizer `{found.authorizer}`; `{found.new}` is the one that signs"


def retired_document(found: Retired) -> dict[str, Any]:
    return {
        "authorizer": found.authorizer,
        "key": found.new,
        "retired": list(found.old),
        "locked_out": list(found.forced),
    }


def listed(names: Sequence[str]) -> list[str]:
    more = [f"and {len(names) - SOME} more"] if len(names) > SOME else []
    return [*names[:SOME], *more]


# --- moving to another authorizer -----------------------------------------------------------------


def migrate_words(move: Move) -> str:
    """Return the command that goes on with *move*, without its step."""
    name = "" if move.has_usual_name else f" --name {move.target}"
    return f"authorizer migrate {move.source} --to {move.to}{name}"


def moved(move: Move, totals: Totals) -> Facts:
    return [
        *ends(move),
        ("issued", counted(totals.signed, "client")),
        *([("as it was", counted(totals.as_it_was, "client"))] if totals.as_it_was else []),
        *several("left", listed(totals.left)),
        *several("failed", [f"{name}: {problem}" for name, problem in totals.failed[:SOME]]),
    ]


def ends(move: Move) -> Facts:
    return [("from", move.source), ("to", f"{move.target}, {move.to}")]


def moved_document(move: Move, totals: Totals) -> dict[str, Any]:
    return {
        **ends_document(move),
        "issued": totals.signed,
        "as_it_was": totals.as_it_was,
        "left": totals.left,
        "failed": [{"client_id": name, "problem": problem} for name, problem in totals.failed],
    }


def ends_document(move: Move) -> dict[str, Any]:
    return {"from": move.source, "to": move.target, "kind": move.to}


def after_moving(move: Move, totals: Totals, command: Callable[[str], str]) -> list[str]:
    told = []
    words = migrate_words(move)
    if totals.left:
        told.append(f"for those that were left: {command(f'{words} --tokens-out FILE.csv')}")
    if totals.failed:
        told.append(f"run {command(words)} again for those that failed")
    told.append(f"give the devices their new user names; `{move.source}` lets them in until it is retired")
    return [*told, f"next: {command(f'{words} --status')}"]


def arrivals(found: migration.Status) -> Facts:
    return [
        *ends(found.move),
        ("moved", counted(found.arrived, "client")),
        *several("not issued", listed(found.not_issued)),
        *several("not seen", listed(found.unseen)),
    ]


def arrivals_document(found: migration.Status) -> dict[str, Any]:
    return {
        "ok": found.ok,
        **ends_document(found.move),
        "moved": found.arrived,
        "not_issued": list(found.not_issued),
        "not_seen": list(found.unseen),
    }


def before_deleting(found: migration.Status) -> list[str]:
    told = [f"{counted(found.arrived, 'client')} moved to authorizer `{found.move.target}`"]
    locked = [f"  {name}" for name in listed(found.lagging)]
    return [*told, "locked out:", *locked] if locked else told


def gone(move: Move, settled: int) -> str:
    now = "require a signed token" if move.to == "signed" else "hold nothing of tokens any more"
    rows = f"; the rows of {counted(settled, 'client')} {now}" if settled else ""
    return f"deleted authorizer `{move.source}`; `{move.target}` is the one that lets devices in{rows}"


def gone_document(found: migration.Status, settled: int) -> dict[str, Any]:
    return {**ends_document(found.move), "settled": settled, "locked_out": list(found.lagging)}
