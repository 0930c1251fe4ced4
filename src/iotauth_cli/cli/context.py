"""Builds the doors: the only module of the front desk that knows which outside world it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iotauth_cli.cli.output import Output


@dataclass(frozen=True)
class Context:
    """What a command gets: its voice and, on demand, its settings and doors."""

    flags: Mapping[str, Any]
    output: Output

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any]) -> Context:
        output = Output(
            as_json=bool(flags.get("as_json")),
            quiet=bool(flags.get("quiet")),
            assume_yes=bool(flags.get("yes")),
            may_ask=not flags.get("no_input"),
        )
        return cls(flags, output)
