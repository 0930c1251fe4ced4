"""What the quickstart shows: chapters with the command each stands for, and the commands to type next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli import render_authorizer, render_connect, render_emulator, steps
from iotauth_cli.cli.render_connect import INDENT, wrapped

if TYPE_CHECKING:
    from iotauth_cli.operations.clients import Added
    from iotauth_cli.operations.quickstart import Ended, Event, Result, Stage


class Tale:
    """The story as text, event by event. A step of a connection that went as before is not told again."""

    def __init__(self, width: int, shown: Callable[[Path], str]) -> None:
        self.width = width
        self.shown = shown
        self.number = 0
        self.told: dict[str, Mapping[str, Any]] = {}
        self.untold: list[str] = []

    def lines(self, event: Event) -> list[str]:
        """Return the lines that *event* adds, indented below its chapter."""
        from iotauth_cli.operations.quickstart import Began, Ended, Plan, Replaced, Stage, Step

        inner = self.width - len(INDENT)
        if isinstance(event, Began):
            self.number += 1
            return ["", *wrapped(f"{self.number}. {event.title}", self.width), f"{INDENT}$ {event.command}"]
        if isinstance(event, Plan):
            return indented(render_authorizer.plan(event, "the emulator"))
        if isinstance(event, Step):
            return indented([steps.told(event)])
        if isinstance(event, Replaced):
            return indented([f"removed client `{event.client_id}` of an earlier run"])
        if isinstance(event, Stage):
            return indented(self.stage(event, inner))
        return indented(ending(event, inner, self.shown)) if isinstance(event, Ended) else []

    def stage(self, stage: Stage, width: int) -> list[str]:
        if stage.ok and self.told.get(stage.name) == stage.facts:
            self.untold.append(stage.name)
            return []
        self.told[stage.name] = stage.facts
        before = [f"ok  {', '.join(self.untold)} as before"] if self.untold else []
        self.untold.clear()
        return [*before, *render_connect.stage_lines(stage, width)]

    def waiting(self, event: Event) -> str:
        from iotauth_cli.operations.quickstart import Asking, Started

        return render_connect.waiting(event) if isinstance(event, Started | Asking) else ""


def indented(lines: Sequence[str]) -> list[str]:
    return [INDENT + line for line in lines]


def ending(chapter: Ended, width: int, shown: Callable[[Path], str]) -> list[str]:
    """Return what came of a chapter; that it came otherwise than it should is said last."""
    told = outcome(chapter.result, width, shown)
    if chapter.ok:
        return told
    return [*told, *wrapped(f"this is not as it should be: {chapter.unexpected}", width)]


def outcome(result: Result, width: int, shown: Callable[[Path], str]) -> list[str]:
    from iotauth_cli.operations.quickstart import Added, Report, Row, Running

    if isinstance(result, Running):
        ready = result.ready
        devices = f"devices connect to `{ready.data_endpoint.host}:{ready.data_endpoint.port}`"
        return [render_emulator.started(result), devices, f"the APIs answer on `{ready.control_endpoint}`"]
    if isinstance(result, Added):
        return added(result, width, shown)
    if isinstance(result, Row):
        return row(result.item, width)
    return render_connect.verdict(result, width)[1:] if isinstance(result, Report) else []


def added(found: Added, width: int, shown: Callable[[Path], str]) -> list[str]:
    """Return who was added. The password is not shown: it is in the store, and nobody has to type it."""
    return [
        f"added client `{found.credential.client_id}`",
        f"user name `{found.masked_username}`",
        *([f"its password is kept in `{shown(found.kept_at)}`"] if found.kept_at else []),
    ]


def row(item: Mapping[str, Any], width: int) -> list[str]:
    """Return the attributes of an item, without DynamoDB's marks of type; parts of one below it."""
    flat = [(f"{name}{part}", value) for name, attribute in item.items() for part, value in parts(plain(attribute))]
    label = max((len(name) for name, _ in flat), default=0)
    return [line for name, value in flat for line in wrapped(f"{name:<{label}}  {as_text(value)}", width)]


def parts(value: Any) -> list[tuple[str, Any]]:
    """Return a map's members with their path, anything else as it is."""
    return [(f".{name}", member) for name, member in value.items()] if isinstance(value, dict) else [("", value)]


def plain(attribute: Mapping[str, Any]) -> Any:
    """Return the value of an attribute as DynamoDB's typed JSON gives it."""
    ((kind, value),) = attribute.items()
    if kind == "M":
        return {name: plain(member) for name, member in value.items()}
    return [plain(member) for member in value] if kind == "L" else value


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def conclusion(chapters: Sequence[Ended], stopped: bool, width: int) -> list[str]:
    """Return how the story ended, and what to type next."""
    seconds = sum(chapter.ms for chapter in chapters) / 1000
    last = chapters[-1]
    if not last.ok:
        return ["", *wrapped(f"step {len(chapters)} did not come out as it should: {last.unexpected}", width, "")]
    told = f"all {len(chapters)} steps came out as they should, in {seconds:.1f} s"
    return ["", told, "", "next:", *indented(following(stopped))]


def following(stopped: bool) -> Sequence[str]:
    from iotauth_cli.operations.quickstart import NEXT

    return ("iotauth emulator start", *NEXT) if stopped else NEXT


def document(chapters: Sequence[Ended]) -> dict[str, Any]:
    steps = [
        {
            "name": ended.chapter.name,
            "command": ended.chapter.command,
            "ok": ended.ok,
            "ms": round(ended.ms, 1),
            "unexpected": ended.unexpected,
            "result": result_document(ended.result),
        }
        for ended in chapters
    ]
    return {"ok": chapters[-1].ok, "steps": steps}


def result_document(result: Result) -> dict[str, Any]:
    """Return a chapter's result as its own command would document it, but never a password."""
    from iotauth_cli.operations.quickstart import Added, Plan, Row, Running

    if isinstance(result, Running):
        return render_emulator.ready_document(result.ready)
    if isinstance(result, Plan):
        return render_authorizer.plan_document(result, applied=True)
    if isinstance(result, Added):
        kept_at = str(result.kept_at)
        return {"client_id": result.credential.client_id, "username": result.masked_username, "kept_at": kept_at}
    return {"item": result.item} if isinstance(result, Row) else result.as_document()


def left_behind(was_running: bool, state_dir: str) -> list[str]:
    """Say what an interrupted story leaves. An emulator that was started for it is stopped by then."""
    if was_running:
        return ["what was made so far stays in the emulator; `iotauth quickstart` begins anew"]
    return [
        f"the emulator that was started for this is stopped; what it remembers stays in `{state_dir}`",
        "remove that with `iotauth emulator reset`",
    ]
