"""What a deployment to the emulator shows: packages, events, outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts

if TYPE_CHECKING:
    from iotauth_cli.operations.deploy import Deployed, Event, Packaged, StackEvent

INDENT = "  "
STATUS = 20  # the width of most words for a state; longer ones push their line
ENDINGS = {"create": "created", "update": "updated"}
KIB = 1024


def lines(event: Event, shown: Callable[[Path], str]) -> list[str]:
    """Return the lines that *event* adds."""
    from iotauth_cli.operations.deploy import Began, Packaged, StackEvent

    if isinstance(event, Packaged):
        return packaged(event, shown)
    if isinstance(event, Began):
        return [f"{'creating' if event.action == 'create' else 'updating'} stack `{event.stack}`"]
    return happened(event) if isinstance(event, StackEvent) else [ended(event)]


def packaged(found: Packaged, shown: Callable[[Path], str]) -> list[str]:
    files = "1 file" if found.files == 1 else f"{found.files} files"
    line = f"packaged `{shown(found.folder)}` for `{found.resource}`: {files}, {max(found.size // KIB, 1)} KiB"
    if not found.has_requirements:
        return [line]
    return [line, f"{INDENT}what its requirements.txt names is not installed; `sam build` makes a folder that has it"]


def happened(event: StackEvent) -> list[str]:
    line = f"{INDENT}{event.status:<{STATUS}}  {event.logical_id}  {event.type}"
    has_reason = event.reason and event.reason != "User Initiated"
    return [line, f"{INDENT * 2}{str(event.reason).rstrip()}"] if has_reason else [line]


def ended(found: Deployed) -> str:
    if not found.ok:
        return f"stack `{found.stack}` failed and is {found.status}"
    if found.action == "keep":
        return f"stack `{found.stack}` is as the template says; nothing was changed"
    return f"{ENDINGS[found.action]} stack `{found.stack}`"


def outputs(found: Deployed) -> Facts:
    return [(output.key, output.value) for output in found.outputs]


def document(events: Sequence[Event], found: Deployed) -> dict[str, Any]:
    """Return a whole deployment: how it ended, and what happened on the way."""
    from iotauth_cli.operations.deploy import Packaged, StackEvent

    return {
        "ok": found.ok,
        "stack": found.stack,
        "action": found.action,
        "status": found.status,
        "reason": found.reason,
        "outputs": {output.key: output.value for output in found.outputs},
        "packages": [
            {"resource": each.resource, "folder": str(each.folder), "files": each.files, "bytes": each.size}
            for each in events
            if isinstance(each, Packaged)
        ],
        "events": [
            {"resource": each.logical_id, "type": each.type, "status": each.status, "reason": each.reason}
            for each in events
            if isinstance(each, StackEvent)
        ],
    }
