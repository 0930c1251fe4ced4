"""What a run has seen: of each row, and of each open point. The format is described in docs/guides/parity.md."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from iotauth_cli.operations.parity_report import FORMAT

MAX_WORDS = 200  # characters of what a row was and should be; more is no plain value to who reads the report


@dataclass
class Book:
    """Collects while the tests run; *account* is masked before it is written."""

    world: str = ""
    region: str = ""
    account: str = ""
    observations: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)  # none of them may be in the report

    def observe(self, key: str, observed: Any, expected: Any, evidence: str, tolerance: float = 0) -> None:
        found = {"key": key, "observed": observed, "expected": expected, "evidence": evidence, "when": now()}
        self.observations[key] = found | ({"tolerance": tolerance} if tolerance else {})

    def not_observed(self, key: str, why: str) -> None:
        self.observations.setdefault(key, {"key": key, "observed": None, "why_not": why})

    def note_row(self, number: int, observed: Any, expected: Any, *, is_settled: bool) -> None:
        """Note what was seen of row *number*; of several cases of one, one that is otherwise counts."""
        is_same = observed == expected
        before = self.rows.get(number)
        if before is None or (before["same"] and not is_same):
            words = {"observed": str(observed)[:MAX_WORDS], "expected": str(expected)[:MAX_WORDS]}
            seen = {"row": number, **words, "same": is_same}
            self.rows[number] = {**seen, "documented": is_settled}

    def document(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "world": self.world,
            "when": now(),
            "region": self.region,
            "account": masked(self.account),
            "versions": versions(),
            "observations": list(self.observations.values()),
            "rows": [self.rows[number] for number in sorted(self.rows)],
        }

    def text(self) -> str:
        """Return the report; the account's number and every secret is masked wherever it stands."""
        text = json.dumps(self.document(), indent=1)
        for secret in filter(None, [self.account, *self.secrets]):
            text = text.replace(secret, masked(secret))
        return text + "\n"

    def write(self, path: Path) -> None:
        path.write_text(self.text(), encoding="utf-8")


def masked(text: str) -> str:
    return "*" * 8 + text[-4:] if len(text) == 12 and text.isdigit() else "*" * 8


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def versions() -> Mapping[str, str]:
    names = ("iotauth", "boto3", "botocore")
    return {**{name: metadata.version(name) for name in names}, "python": platform.python_version()}
