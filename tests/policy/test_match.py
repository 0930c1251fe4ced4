"""The one matcher, against a naive reference and against the clock of its own steps."""

from __future__ import annotations

import re
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.policy import match
from iotauth_cli.policy.match import Literal, Matcher, compile_pattern

# Small, so that patterns and texts often meet; with the wildcards themselves in the texts.
TEXTS = st.text("ab/*?+#", max_size=12)
PIECES = st.lists(TEXTS | TEXTS.map(Literal), max_size=4)


def reference(pieces: list[str], text: str) -> bool:
    """Say what a pattern means in the plainest way: as a regular expression, star by star."""
    meaning = {"*": ".*", "?": "."}
    parts = [
        re.escape(character) if isinstance(piece, Literal) else meaning.get(character, re.escape(character))
        for piece in pieces
        for character in piece
    ]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


@given(PIECES, TEXTS)
def test_a_pattern_means_what_the_reference_says(pieces: list[str], text: str) -> None:
    """For any pattern and text, wildcards as plain characters in either included."""
    assert compile_pattern(pieces).matches(text) == reference(pieces, text)


@given(PIECES, st.data())
def test_a_text_made_from_the_pattern_matches(pieces: list[str], data: st.DataObject) -> None:
    """Put any text for each star and any character for each question mark: it matches."""
    fillings = {"*": TEXTS, "?": st.sampled_from("ab/*?+#")}
    text = "".join(
        data.draw(fillings[character]) if character in fillings and not isinstance(piece, Literal) else character
        for piece in pieces
        for character in piece
    )
    assert compile_pattern(pieces).matches(text)


@given(st.lists(PIECES, max_size=6), st.lists(st.lists(PIECES, max_size=3), max_size=3), TEXTS)
def test_many_patterns_match_when_one_does_or_an_exception_does_not(
    listed: list[list[str]], exceptions: list[list[list[str]]], text: str
) -> None:
    """The set, the prefixes and the rest together say what asking one by one says."""
    matcher = Matcher(map(compile_pattern, listed), (Matcher(map(compile_pattern, each)) for each in exceptions))
    by_one = any(reference(pieces, text) for pieces in listed)
    outside = any(not any(reference(pieces, text) for pieces in each) for each in exceptions)
    assert matcher.matches(text) == (by_one or outside)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("?", "", False),
        ("?*", "a", True),
        ("*?", "", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*b", "ab", False),
        ("*a?a*", "aba", True),
        ("a*?", "a", False),
        ("**", "anything/at\nall", True),
        ("a?", "a\n", True),
        ("?", "é", True),
        ("?", "\U0001f6aa", True),
        ("[a]", "a", False),
        ("a.c", "abc", False),
        ("*+", "x+", True),
        ("+", "x", False),
        ("#", "a/b", False),
    ],
)
def test_corner_cases(pattern: str, text: str, expected: bool) -> None:
    """Where wildcards touch the ends, each other, or characters that mean something elsewhere."""
    assert compile_pattern([pattern]).matches(text) is expected


def lines_run(pattern: str, text: str) -> int:
    """Return how many lines of the matcher run for one comparison: its time, without a clock."""
    compiled = compile_pattern([pattern])
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename != match.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        compiled.matches(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("star", ["*", "*?"], ids=["stars", "stars and question marks"])
def test_work_grows_no_faster_than_the_number_of_stars(star: str) -> None:
    """Twelve stars against forty characters, on which a regular expression does not come back."""
    six, twelve = (lines_run(f"a{star}" * stars + "b*", "a" * 40 + "c") for stars in (6, 12))
    assert six > 50
    assert twelve <= min(2 * six, 12 * 40)


def test_work_grows_no_faster_than_the_text() -> None:
    """A segment that almost fits at every place is tried once at each, not once per star."""
    short, long = (lines_run("x*" + "aa?b*" * 3, "x" + "a" * length) for length in (100, 200))
    assert 100 < short < long <= 2 * short + 10
