"""No row of the conformance table goes without a test of its number."""

from __future__ import annotations

import re

import yaml

from support import REPOSITORY

ROWS = yaml.safe_load((REPOSITORY / "tests" / "vectors" / "conformance.yaml").read_text(encoding="utf-8"))
NAMED = re.compile(r"def test_row_(\d{3})_")


def test_every_row_has_a_test_of_its_number() -> None:
    """What AWS documents or shows is a row, and a row is held by at least one test."""
    tests = (path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    held = {int(number) for text in tests for number in NAMED.findall(text)}
    assert {row["row"] for row in ROWS} - held == set()


def test_no_test_names_a_row_that_is_not_there() -> None:
    """A number that nobody can look up is a typing mistake."""
    tests = (path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    assert {int(number) for text in tests for number in NAMED.findall(text)} <= {row["row"] for row in ROWS}
