"""What `client audit` shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import counted

if TYPE_CHECKING:
    from iotauth_cli.operations.audit import Audit, Finding

COLUMNS = ("severity", "client", "rule", "what is wrong")
MOST_REMEDIES = 8


class Remedies:
    """Remembers one remedy for each rule while the findings pass: those of a million would be none."""

    def __init__(self, command: Callable[[str], str]) -> None:
        self._command = command
        self._first: dict[str, str] = {}

    def row(self, found: Finding) -> tuple[dict[str, Any], Sequence[str]]:
        """Return the document of *found* and its row in the table."""
        command = self._command(found.remedy)
        self._first.setdefault(found.rule, command)
        document = {
            "client_id": found.client_id,
            "rule": found.rule,
            "severity": found.severity,
            "sentence": found.sentence,
            "remedy": command.strip("`"),
        }
        return document, (found.severity, found.client_id, found.rule, found.sentence)

    def lines(self) -> list[str]:
        """Return a next step for each rule that found something."""
        return [f"next, for {rule}: {command}" for rule, command in list(self._first.items())[:MOST_REMEDIES]]


def summary(walk: Audit) -> str:
    total = sum(walk.counts.values())
    return f"{counted(total, 'finding') if total else 'nothing found'} in {counted(walk.clients, 'client')}"


def rest(walk: Audit) -> dict[str, Any]:
    """Return what stands beside the findings in the document."""
    return {"ok": not walk.counts, "clients": walk.clients, "counts": dict(walk.counts), "notes": list(walk.notes)}
