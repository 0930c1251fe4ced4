"""The guide explains what the firmware says: each of its words is one of the firmware's."""

from __future__ import annotations

import re

import pytest

from support import REPOSITORY
from support_firmware import TEMPLATE

GUIDE = (REPOSITORY / "docs" / "guides" / "firmware.md").read_text()
SAID = GUIDE.partition("## What it says")[2].partition("\n## ")[0]
ROWS = [line.split("|")[1] for line in SAID.splitlines() if line.startswith("| `")]
WORDS = sorted({word for row in ROWS for word in re.findall(r"`([^`]+)`", row)} - {"state -4"})
SOURCES = "".join(path.read_text() for path in sorted((TEMPLATE / "src").glob("*.cpp")))


@pytest.mark.parametrize("words", WORDS)
def test_the_guide_quotes_the_firmware(words: str) -> None:
    """Who searches the guide for what is on the serial port finds it."""
    assert words in SOURCES


def test_the_guide_has_a_table_of_words() -> None:
    """It was found where this test looks for it."""
    assert len(WORDS) >= 12
