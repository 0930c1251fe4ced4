"""What `audit log` shows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.output import harmless
from iotauth_cli.cli.render import NOTHING, counted, moment

if TYPE_CHECKING:
    from iotauth_cli.operations.audit_log import Event, Line, Verified

COLUMNS = ("when", "who", "command", "outcome", "about")
WHO = COLUMNS.index("who")
SHORTENED = ("when, UTC", "command", "outcome", "about")
MOST_NAMED = 3  # broken lines; the document has them all


def lines(found: Sequence[Line], table: str, width: int) -> list[str]:
    """Return a table; where *width* is too narrow, who did it stands above the lines that are theirs.

    *table* is the settings', which goes without saying.
    """
    from iotauth_cli.cli.layout import Layout

    rows = [tuple(map(harmless, row(line, table))) for line in found]
    if not rows:
        return []
    layout = Layout.of(COLUMNS, rows, width)
    if layout.widths and not layout.folds:
        return layout.text(rows, is_first=True).split("\n")
    short = list(map(shortened, rows))
    layout = Layout.of(SHORTENED, short, width)
    told = [layout.text([], is_first=True)] if layout.widths else []
    for name, theirs in groupby(zip(rows, short, strict=True), key=lambda pair: pair[0][WHO]):
        told += [f"by {name}", *layout.text([cells for _, cells in theirs], is_first=False).split("\n")]
    return told


def shortened(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Return the cells of a row without the caller, and with an error's code behind what it is about."""
    when, _, command, outcome, about = cells
    outcome, _, code = outcome.partition(": ")
    return when.removesuffix(" UTC"), command, outcome, f"{about} ({code})" if code else about


def row(line: Line, table: str) -> tuple[str, ...]:
    event = line.event
    if event is None:
        return (NOTHING, NOTHING, NOTHING, "unreadable", f"line {line.number}")
    return moment(event.at), who(event), event.command, outcome(event), about(event.facts, table)


def who(event: Event) -> str:
    """Return the caller's name without the account; the machine's user where AWS could not say who it was."""
    return event.who.rpartition(":")[2] if event.who.startswith("arn:") else f"{event.local}, not known to AWS"


def outcome(event: Event) -> str:
    return f"{event.outcome}: {event.code}" if event.code else event.outcome


def about(facts: dict[str, Any], table: str) -> str:
    """Return the facts as text, the client first."""
    told = {name: value for name, value in facts.items() if (name, value) != ("table", table)}
    names = sorted(told, key=lambda name: (name == "table", name != "client"))
    return ", ".join(f"{name.replace('_', ' ')} {fact(told[name])}" for name in names) or NOTHING


def fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def line_document(line: Line) -> dict[str, Any]:
    event = line.event
    if event is None:
        return {"line": line.number, "readable": False}
    return {
        "line": line.number,
        "at": event.at,
        "who": event.who,
        "local": event.local,
        "command": event.command,
        "outcome": event.outcome,
        "code": event.code,
        "facts": event.facts,
    }


def verified(found: Verified, path: str) -> list[str]:
    if not found.lines:
        return [f"`{path}` has no lines yet"]
    if found.ok:
        return [
            f"`{path}`: {counted(found.lines, 'line')}, and the chain is whole",
            f"its last checksum is {found.last}",
        ]
    first = found.broken[0].number
    told = [f"`{path}`: line {first} of {found.lines} does not follow from the one before it: {why(found)}"]
    others = [str(line.number) for line in found.broken[1 : 1 + MOST_NAMED]]
    more = len(found.broken) - 1 - len(others)
    if others:
        told.append(f"nor do lines {', '.join(others)}" + (f" and {more} more" if more else ""))
    return told


def why(found: Verified) -> str:
    is_torn = found.broken[0].event is None
    return "it is no whole line" if is_torn else "it was altered, or a line before it was added or removed"


def verified_document(found: Verified, path: str) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "file": path,
        "lines": found.lines,
        "broken": [{"line": line.number, "readable": line.event is not None} for line in found.broken],
        "last": found.last or None,
    }
