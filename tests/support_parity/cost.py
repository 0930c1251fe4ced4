"""What a run costs: what it uses, times the prices of a day that is told.

What each test uses was measured on the emulator and stands in tests/parity/usage.json; every later run on the
emulator holds each test to it, so the estimate for AWS cannot fall behind the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

USAGE_FILE = Path(__file__).parent.parent / "parity" / "usage.json"

# US dollars, us-east-1, on demand, without the free tier: the first tiers of AWS's price pages.
PRICES_OF = "January 2025, us-east-1; other regions are up to about a half dearer"
CALL = 0.20e-6 + 0.5 * 0.0000166667  # a request, and half a second of 1 GB: more than it takes, cold starts included
MINUTE = 0.08e-6
MESSAGE = 1.00e-6  # of up to 5 KB; a CONNECT, a publish and a delivery count alike
WRITE = 0.625e-6
READ = 0.125e-6


@dataclass
class Usage:
    """Lambda calls, minutes of connections, messages (CONNECTs too), and units of DynamoDB."""

    calls: int = 0
    minutes: int = 0
    messages: int = 0
    writes: int = 0
    reads: int = 0

    def plus(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def minus(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, each.name) - getattr(other, each.name) for each in fields(self)))

    def is_within(self, other: Usage) -> bool:
        """Tell whether an estimate of *other* holds for this; looking again while something takes its time is free."""
        return all(getattr(self, each.name) <= 1.5 * getattr(other, each.name) + 5 for each in fields(self))

    @property
    def dollars(self) -> float:
        prices = (CALL, MINUTE, MESSAGE, WRITE, READ)
        return sum(price * float(getattr(self, each.name)) for price, each in zip(prices, fields(self), strict=True))


UNMEASURED = Usage(calls=5, minutes=2, messages=10, writes=10, reads=10)  # of a test that runs programs of its own


def recorded() -> dict[str, Usage]:
    """Return what each test uses, by its name."""
    if not USAGE_FILE.exists():
        return {}
    document: Mapping[str, Mapping[str, int]] = json.loads(USAGE_FILE.read_text(encoding="utf-8"))
    return {name: Usage(**usage) for name, usage in document.items()}


def record(usages: Mapping[str, Usage]) -> None:
    used = {name: {k: v for k, v in asdict(usage).items() if v} for name, usage in sorted(usages.items())}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(usage)}" for name, usage in used.items())
    USAGE_FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def estimate(names: Iterable[str]) -> Usage:
    """Return what the tests of these *names* use together."""
    known, total = recorded(), Usage()
    for name in names:
        total = total.plus(known.get(name, UNMEASURED))
    return total


def shown(usage: Usage) -> list[str]:
    """Return the estimate as lines, the sum last."""
    parts = [
        (usage.calls, "Lambda calls of up to 0.5 s, 1 GB", CALL),
        (usage.minutes, "minutes of connections", MINUTE),
        (usage.messages, "messages", MESSAGE),
        (usage.writes, "DynamoDB writes", WRITE),
        (usage.reads, "DynamoDB reads", READ),
    ]
    lines = [f"{count:>8,}  {name:<36} ${count * price:.6f}" for count, name, price in parts]
    return [*lines, f"{'':>8}  {'together':<36} ${usage.dollars:.4f}", f"prices of {PRICES_OF}"]
