"""The same attempt again and again, and what it comes to: how many got in, what stopped the others, how long it took.

Each try that fails is diagnosed by itself: what looks alike to a device may have another cause the next time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from iotauth_cli.aws.session import Session
from iotauth_cli.operations.connect import Asking, Knock, Report, Stage, Started, knock
from iotauth_cli.probe.stages import STAGES


@dataclass(frozen=True)
class Try:
    """Try *number*, counted from 1, is over; *of* is how many there will be."""

    number: int
    of: int
    report: Report


def tries(
    session: Session, wanted: Knock, *, times: int, every_s: float
) -> Generator[Started | Stage | Asking | Try, None, None]:
    """Knock *times* times, one after the other, beginning one every *every_s* seconds at the most."""
    for number in range(1, times + 1):
        due = time.monotonic() + every_s
        report = yield from knock(session, wanted)
        yield Try(number, times, report)
        if number < times:
            time.sleep(max(0.0, due - time.monotonic()))


@dataclass
class Summary:
    """What the tries came to. *times_ms* are those of the steps that went well."""

    count: int = 0
    of: int = 0
    ok: int = 0
    refused: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    sentences: dict[str, str] = field(default_factory=dict)
    times_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, done: Try) -> None:
        report = done.report
        self.count, self.of = self.count + 1, done.of
        self.ok += report.ok
        self.refused += report.was_refused
        for stage in report.stages:
            if stage.ok:
                self.times_ms.setdefault(stage.name, []).append(stage.ms)
        if report.diagnosis is not None:
            self.causes[report.diagnosis.cause] += 1
            self.sentences.setdefault(report.diagnosis.cause, report.diagnosis.sentence)

    @property
    def stages(self) -> Mapping[str, tuple[int, float, float, float]]:
        """Each step: how often it went well, and the least, the median and the most milliseconds that it took."""
        seen = {name: self.times_ms[name] for name in STAGES if name in self.times_ms}
        return {name: (len(times), min(times), median(times), max(times)) for name, times in seen.items()}

    def as_document(self) -> dict[str, Any]:
        return {
            "ok": self.ok == self.count,
            "tries": self.count,
            "of": self.of,
            "let_in": self.ok,
            "refused": self.refused,
            "causes": [
                {"cause": cause, "tries": count, "sentence": self.sentences[cause]}
                for cause, count in self.causes.most_common()
            ],
            "stages": [
                {
                    "name": name,
                    "tries": n,
                    "min_ms": round(least, 1),
                    "median_ms": round(mid, 1),
                    "max_ms": round(most, 1),
                }
                for name, (n, least, mid, most) in self.stages.items()
            ],
        }
