"""The rows of the conformance table as the parity tests see them."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from support import REPOSITORY

# What cannot be seen from outside without harm, and why.
NOT_COVERED: Mapping[int, str] = {
    9: "it would take the account's last authorizers, which somebody else may be about to need",
    10: "it would throttle the control plane for everybody in the account",
}


def table() -> dict[int, dict[str, str]]:
    text = (REPOSITORY / "tests" / "vectors" / "conformance.yaml").read_text(encoding="utf-8")
    return {row["row"]: row for row in yaml.safe_load(text)}


def is_settled(row: Mapping[str, str]) -> bool:
    """Tell whether AWS documents the row, or it was seen there; what is inferred or our own choice is reported only."""
    return row["confidence"] in ("D", "O")
