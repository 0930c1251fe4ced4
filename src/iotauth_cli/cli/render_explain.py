"""What `explain` shows."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.output import terminal_width

if TYPE_CHECKING:
    from iotauth_cli.operations.explain import Explanation, Family, Found

WHOLE = 3  # readings that are told whole; of more, a line each, and how to narrow them
CAUSES = 8
LABEL = 8  # wide enough for every label
ASKED = 60  # characters of a question that are said again


def found(answer: Found) -> list[str]:
    if len(answer.rows) > WHOLE:
        return readings(answer)
    return blocks(answer.rows)


def blocks(rows: tuple[Explanation, ...]) -> list[str]:
    """Return a paragraph for each row; what rows have in common in causes and next step is told once."""
    groups: dict[tuple[tuple[str, ...], str], list[Explanation]] = {}
    for row in rows:
        groups.setdefault((row.causes, row.next), []).append(row)
    lines: list[str] = []
    for group in groups.values():
        lines += [*([""] if lines else []), *block(group)]
    return lines


def block(group: list[Explanation]) -> list[str]:
    from iotauth_cli.operations.explain import told_causes

    lines: list[str] = []
    for row in group:
        lines += [heading(row), *fact("means", row.means)]
    label = "may be"
    for name, sentence in told_causes(group[0])[:CAUSES] if group[0].causes != (group[0].name,) else []:
        lines += fact(label, f"{name}: {sentence}", hanging=2)
        label = ""
    sources = "; ".join(dict.fromkeys(row.source for row in group))
    return [*lines, *fact("next", group[0].next), *fact("source", sources)]


def heading(row: Explanation) -> str:
    """Return the row's name, its code where the name has none, and whose it is where that is not in it."""
    from iotauth_cli.operations.explain import families

    title = families()[row.family].title
    return named(row) if row.name.startswith(title) else f"{named(row)} ({title})"


def named(row: Explanation) -> str:
    from iotauth_cli.operations.explain import families

    written = ", ".join(number(code, families()[row.family]) for code in row.codes)
    is_in_it = not written or any(part.lower() == written.lower() for part in row.name.split())
    return row.name if is_in_it else f"{row.name}, {written}"


def number(code: int, family: Family) -> str:
    if not family.in_hex:
        return str(code)
    return f"-0x{-code:04X}" if code < 0 else f"0x{code:02X}"


def fact(label: str, text: str, hanging: int = 0) -> list[str]:
    """Return `label  text`, folded to the terminal's width under its first line."""
    width = max(terminal_width() - LABEL, 20)
    lines = textwrap.wrap(
        text, width, break_long_words=False, break_on_hyphens=False, subsequent_indent=" " * hanging
    ) or [""]
    return [f"{label:<{LABEL}}{lines[0]}", *(" " * LABEL + line for line in lines[1:])]


def readings(answer: Found) -> list[str]:
    """Return a line for each of many readings, and how to ask for one."""
    lines = [f"`{short(answer.asked)}` means something else to each of these:"]
    width = max(len(row.family) for row in answer.rows)
    for row in answer.rows:
        text = f"{row.name}: {row.means}"
        room = max(terminal_width() - width - 4, 20)
        lines.append(f"  {row.family:<{width}}  {textwrap.shorten(text, room, placeholder=' …')}")
    code = answer.asked.split()[-1].split("=")[-1]
    return [*lines, f"next: name one of them: `iotauth explain {answer.rows[0].family} {code}`"]


def unknown(answer: Found) -> str:
    near = ", ".join(f"`{name}`" for name in answer.near)
    hint = f"did you mean {near}?" if near else "see what is with `iotauth explain --list`"
    return f"nothing is known of `{short(answer.asked)}`; {hint}"


def short(asked: str) -> str:
    return asked if len(asked) <= ASKED else asked[:ASKED] + "…"


def line(number: int, found: Found) -> list[str]:
    """Return what a line of a log means. The line itself is not said again: a secret may stand in it."""
    return [f"line {number}:", *blocks(found.rows)]


def lines_document(told: list[tuple[int, Found]]) -> dict[str, Any]:
    lines = [{"line": number, "explanations": found.as_document()["explanations"]} for number, found in told]
    return {"ok": bool(told), "lines": lines}


def families() -> tuple[list[dict[str, Any]], list[str]]:
    from iotauth_cli.operations import explain

    listed = [(family, len(explain.rows_of(family))) for family in explain.families().values()]
    document = [{"family": family.name, "title": family.title, "explanations": count} for family, count in listed]
    width = max(len(family.name) for family, _ in listed)
    lines = [f"{family.name:<{width}}  {count:>3}  {family.title}" for family, count in listed]
    return document, [*lines, "next: `iotauth explain --list FAMILY`"]


def family(chosen: Family) -> tuple[list[dict[str, Any]], list[str]]:
    from iotauth_cli.operations import explain

    rows = explain.rows_of(chosen)
    lines = []
    for row in rows:
        lines += fold(f"{named(row)}: {row.means}")
    return [explain.document(row) for row in rows], lines


def fold(text: str) -> list[str]:
    width = max(terminal_width(), 20)
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ")
