"""Numbers as DynamoDB writes, sorts, adds and measures them."""

from __future__ import annotations

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.control.dynamodb.numbers import (
    OVERFLOW,
    TOO_PRECISE,
    UNDERFLOW,
    byte_size,
    canonical,
    combine,
    order_key,
)
from iotauth_cli.emulator.control.service import ServiceError

NOT_NUMERIC = "The parameter cannot be converted to a numeric value: "

NUMBERS = st.builds(
    lambda sign, digits, exponent: Decimal(f"{sign}{digits}e{exponent}"),
    st.sampled_from(["", "-"]),
    st.integers(0, 10**38 - 1),
    st.integers(-130, 87),
).map(lambda number: canonical(str(number)))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0e1000", "0"),
        ("007", "7"),
        ("+3", "3"),
        ("1.500", "1.5"),
        (".123", "0.123"),
        ("5.", "5"),
        ("1e2", "100"),
        ("-17.4E3", "-17400"),
        ("120e-1", "12"),
        ("1e125", "1" + "0" * 125),
        ("1e-130", "0." + "0" * 129 + "1"),
        ("9" * 38, "9" * 38),
    ],
)
def test_a_number_is_written_plainly(text: str, written: str) -> None:
    """Every spelling of a number becomes the one without exponent and needless zeros."""
    assert canonical(text) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", NOT_NUMERIC + "abc"),
        ("", NOT_NUMERIC),
        (" 1", NOT_NUMERIC + " 1"),
        ("1e", NOT_NUMERIC + "1e"),
        ("0x10", NOT_NUMERIC + "0x10"),
        ("NaN", NOT_NUMERIC + "NaN"),
        ("Infinity", NOT_NUMERIC + "Infinity"),
        ("1_000", NOT_NUMERIC + "1_000"),
        ("٣", NOT_NUMERIC + "٣"),
        ("1e126", OVERFLOW),
        ("1e99999999999999999999", OVERFLOW),
        ("1e-131", UNDERFLOW),
        ("-1e-99999999999", UNDERFLOW),
        ("1" * 39, TOO_PRECISE),
    ],
)
def test_what_is_no_number_is_refused(text: str, message: str) -> None:
    """What AWS cannot store as a number is refused in AWS's words."""
    with pytest.raises(ServiceError) as raised:
        canonical(text)
    assert (raised.value.code, raised.value.message) == ("ValidationException", message)


@given(NUMBERS)
def test_a_canonical_number_stays_as_it_is(text: str) -> None:
    """Writing a number plainly a second time changes nothing."""
    assert canonical(text) == text


@given(st.lists(NUMBERS, min_size=2, max_size=6))
def test_order_keys_sort_as_their_numbers(texts: list[str]) -> None:
    """Sorting the bytes sorts the numbers: negative before zero before positive, by value."""
    assert sorted(texts, key=order_key) == sorted(texts, key=Decimal)
    assert all((order_key(a) == order_key(b)) == (Decimal(a) == Decimal(b)) for a in texts for b in texts)


@given(NUMBERS, st.sampled_from(["+", "-"]), NUMBERS)
def test_a_sum_is_exact_or_refused(left: str, operator: str, right: str) -> None:
    """Adding loses no digit; a result of more than 38 digits is refused as AWS refuses it, as an overflow."""
    exact = Context(prec=400)
    expected = (exact.add if operator == "+" else exact.subtract)(Decimal(left), Decimal(right))
    if len(expected.normalize(exact).as_tuple().digits) <= 38 and expected.adjusted() <= 125:
        assert Decimal(combine(left, operator, right)) == expected
    else:
        with pytest.raises(ServiceError, match=OVERFLOW):
            combine(left, operator, right)


def test_a_difference_may_be_too_small() -> None:
    """Two numbers at the lower end can differ by less than any number may be."""
    with pytest.raises(ServiceError, match=UNDERFLOW):
        combine("0." + "0" * 129 + "15", "-", "0." + "0" * 129 + "1")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 1),
        ("1", 2),
        ("-1", 3),
        ("100", 2),
        ("123456", 4),
        ("3.14159", 5),
        ("0.001", 2),
        ("10.01", 3),
        ("1e125", 2),
    ],
)
def test_a_number_weighs_its_digits(text: str, size: int) -> None:
    """A number adds a byte, and one for every two digits begun on each side of the point."""
    assert byte_size(canonical(text)) == size
