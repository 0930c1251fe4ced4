"""What `emulator behaviour --compare` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Table, shown

if TYPE_CHECKING:
    from iotauth_cli.operations.parity_report import Compared, Report

VERDICTS = ("same", "different", "not observed")


def compared(found: Sequence[Compared]) -> Table:
    """Return every choice as a row, those that differ first: they are what one looks for."""
    order = sorted(found, key=lambda each: each.verdict != "different")
    rows: list[Sequence[str]] = [
        (each.key, shown(each.choice), shown(each.observed), each.verdict, each.flag or each.why_not) for each in order
    ]
    return ("choice", "emulator", "observed", "verdict", "flag, or why not"), rows


def compared_document(found: Sequence[Compared]) -> list[dict[str, Any]]:
    return [
        {
            "key": each.key,
            "choice": each.choice,
            "observed": each.observed,
            "verdict": each.verdict,
            "flag": each.flag or None,
            "why_not": each.why_not or None,
        }
        for each in found
    ]


def summary(report: Report, found: Sequence[Compared]) -> str:
    counts = [sum(each.verdict == verdict for each in found) for verdict in VERDICTS]
    told = ", ".join(f"{count} {verdict}" for count, verdict in zip(counts, VERDICTS, strict=True))
    where = f"on AWS in {report.region}" if report.world == "aws" else f"on {report.world or 'nobody knows what'}"
    return f"{told}; observed {where}{f', {report.when}' if report.when else ''}"
