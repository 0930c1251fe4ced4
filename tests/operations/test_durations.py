"""Times as people write them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.errors import InputError
from iotauth_cli.operations.durations import in_words, parse_date, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43200), ("7d", 604800), ("2w", 1209600), ("1d12h", 129600), ("0", 0)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    """One, or several in a row; nothing at all is 0."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "7 d", "-7d", "7days", "d", "1.5h", "٣d", "9999999999999d", "0x", "7dd"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    """A bare number is none: nobody can know its unit."""
    with pytest.raises(InputError, match="`--grace") as caught:
        parse_duration(text, "--grace")
    assert "7d" in str(caught.value.hint)


def test_a_duration_beyond_every_date_is_refused() -> None:
    """Ten thousand years from now have no name."""
    with pytest.raises(InputError, match="longer than any date"):
        parse_duration("99999999d")


def test_a_date_lasts_until_its_day_is_over() -> None:
    """In UTC, whatever the clock on the wall says."""
    end = parse_date("2027-01-31")
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(end)) == "2027-02-01 00:00:00"
    assert parse_date("2027-01-31T12:00Z") == end - 43200


@given(day=st.dates())
def test_every_day_is_a_date(day: object) -> None:
    """As ISO 8601 writes it."""
    assert parse_date(str(day)) % 86400 == 0


@pytest.mark.parametrize("text", ["", "31.1.2027", "2027-02-30", "2027-1", "tomorrow", "2027-01-31T25:00Z"])
def test_what_is_no_date_is_refused_with_an_example(text: str) -> None:
    """A day that the calendar lacks is none."""
    with pytest.raises(InputError, match="is no date") as caught:
        parse_date(text)
    assert "2027-01-31" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "119 min"), (7200, "2 h"), (86400, "24 h"), (604800, "7 days")],
)
def test_a_duration_is_said_in_its_largest_unit(seconds: int, words: str) -> None:
    """Whole ones; what is left over does not count."""
    assert in_words(seconds) == words
