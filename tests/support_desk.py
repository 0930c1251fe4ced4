"""Typing commands into this process, and what comes back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support_scenarios import in_process


@dataclass(frozen=True)
class Typed:
    """What a command printed, a line each, stderr's behind `! `; and its exit code."""

    lines: list[str]

    @property
    def code(self) -> int:
        last = self.lines[-1] if self.lines else ""
        return int(last[6:-1]) if last.startswith("[exit ") else 0

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads("\n".join(line for line in self.lines if not line.startswith(("! ", "[exit "))))


class Desk:
    """Types commands into this process, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, stdin: str = "") -> Typed:
        return Typed(in_process(list(arguments), stdin.encode()))
