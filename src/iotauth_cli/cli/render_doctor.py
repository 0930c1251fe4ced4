"""What doctor shows: a line for each check below the name of its group, and what it comes to. Pure."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iotauth_cli.operations.doctor import Began, Examination, Result

MAX_WIDTH = 100  # longer lines are hard to read
SIGNS = {"fine": "ok", "unseen": "?", "note": "note", "warning": "warning", "error": "error"}
SIGN, NAME = max(map(len, SIGNS.values())), 20  # characters of the columns
NARROW = 72  # columns below which a sentence stands under its check's name
FEW = 3  # checks; so many that say the same of what is not known are told in one line
MERGED = ("unseen", "warning")
KINDS = ("error", "warning", "note")
OURS = "iotauth "
SHELL = ("aws ", "eval ", "git ", "chmod ", "pip ", "ls ", "rm ", "sudo ")  # how commands begin that are not ours
PATH = re.compile(r"`(/[^`]*)`")
UNIT = re.compile(r"(\d) (s|MB|days?)\b")
UNBROKEN = "\N{NO-BREAK SPACE}"  # which textwrap does not take for one


def waiting(event: Began | Result) -> str:
    """Return what is being waited for after *event*, or nothing."""
    return "" if hasattr(event, "status") else f"asking about {event.check.title} …"


class Lines:
    """Lays results out, a group at a time; *command* completes our own commands with the flags of this place."""

    def __init__(
        self,
        command: Callable[[str], str],
        shown: Callable[[Path], str],
        width: int,
        findings_only: bool = False,
    ) -> None:
        self.command = command
        self.shown = shown
        self.findings_only = findings_only
        self.width = min(width, MAX_WIDTH)
        self.held: list[Result] = []
        self.is_first = True

    def of(self, result: Result) -> list[str]:
        """Return the lines of the group before, when *result* is the first of the next."""
        lines = self.rest() if self.held and self.held[0].check.group != result.check.group else []
        if not (self.findings_only and result.status in ("fine", "unseen")):
            self.held.append(result)
        return lines

    def rest(self) -> list[str]:
        """Return the lines of the group that is complete now. What has one reason not to be seen is told once."""
        from iotauth_cli.operations.doctor import GROUPS

        held, self.held = self.held, []
        if not held:
            return []
        lines = ["", GROUPS[held[0].check.group]][self.is_first :]
        self.is_first = False
        told: set[str] = set()
        alike_in = Counter(result.sentence for result in held if result.status in MERGED)
        for result in held:
            alike = alike_in[result.sentence] if result.status in MERGED else 1
            if alike < FEW:
                lines += self.entry(result, result.check.id)
            elif result.sentence not in told:
                lines += self.entry(result, f"{alike} checks")
                told.add(result.sentence)
        return lines

    def entry(self, result: Result, name: str) -> list[str]:
        head = f"  {SIGNS[result.status]:<{SIGN}}  {name}"
        indent = " " * (2 + SIGN + 2)
        if self.width >= NARROW:
            head = f"{head:<{len(indent) + NAME}}  "
            indent = " " * len(head)
            sentence = self.wrapped(head + result.sentence, indent)
        else:
            sentence = [head, *self.wrapped(indent + result.sentence, indent)]
        fix = self.wrapped(f"{indent}fix: {self.typed(result)}", indent + " " * 5) if result.fix else []
        return [*sentence, *fix]

    def typed(self, result: Result) -> str:
        """Return the fix as it is typed here."""
        fix = result.fix or ""
        if result.repair is not None:
            return self.command("doctor --fix")
        first, *more = fix.split(", then ")
        return ", then ".join(map(self.one, (first, *more)))

    def one(self, text: str) -> str:
        if text.startswith(OURS):
            words, comma, rest = text[len(OURS) :].partition(", ")
            return self.command(words) + comma + rest
        return f"`{text}`" if text.startswith(SHELL) else text

    def wrapped(self, text: str, indent: str) -> list[str]:
        whole = UNIT.sub(f"\\1{UNBROKEN}\\2", here(text, self.shown))  # a number and its unit stay together
        lines = textwrap.wrap(
            whole, self.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        return [line.replace(UNBROKEN, " ") for line in lines]


def here(text: str, shown: Callable[[Path], str]) -> str:
    """Return *text* with its paths as a person would write them here."""
    return PATH.sub(lambda found: f"`{shown(Path(found[1]))}`", text)


def summary(found: Examination, *, findings_only: bool) -> list[str]:
    counts: Counter[str] = Counter(result.status for result in found.results)
    kinds = [counted(counts[kind], kind) for kind in KINDS if counts[kind]]
    unseen = f", {counts['unseen']} not seen" if counts["unseen"] else ""
    well = "nothing was found, and nobody could be asked" if found.is_blind else "nothing is wrong"
    said = ", ".join(kinds) or well
    before = [""] if kinds or not findings_only else []
    fine = f"; {counted(counts['fine'], 'check')} fine" if counts["fine"] else ""
    return [*before, f"{said}{fine}{unseen}"]


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def document(found: Examination, mended: list[str] | None) -> dict[str, Any]:
    counts: Counter[str] = Counter(result.status for result in found.results)
    return {
        "ok": found.ok,
        "counts": {status: counts[status] for status in SIGNS},
        "checks": [result.as_document() for result in found.results],
        "mended": mended or [],
    }
