"""Attribute values: what is accepted, how values compare, what they weigh, how they are stored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.control.dynamodb.values import (
    EMPTY_VALUE,
    SEVERAL_TYPES,
    TOO_DEEP,
    dump,
    equal,
    item_size,
    levels,
    load,
    normalise,
    normalise_item,
    ordinal,
)
from iotauth_cli.emulator.control.service import ServiceError
from support_dynamodb import typed

INVALID = "One or more parameter values were invalid: "

SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(st.characters(codec=None), max_size=8)),
    st.builds(lambda number: {"N": str(number)}, st.integers(-(10**9), 10**9)),
    st.builds(lambda blob: {"B": blob}, st.binary(max_size=8)),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": texts}, st.lists(st.text(max_size=4), min_size=1, max_size=3, unique=True)),
    st.builds(lambda blobs: {"BS": blobs}, st.lists(st.binary(max_size=4), min_size=1, max_size=3, unique=True)),
)
NAMES = st.one_of(st.text(max_size=4), st.sampled_from(["B", "BS", '"B":']))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3)),
        st.builds(lambda members: {"M": members}, st.dictionaries(NAMES, inner, max_size=3)),
    ),
    max_leaves=8,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "leaf"}
    for _ in range(depth):
        value = {"M": {"n": value}}
    return value


@given(ITEMS)
def test_an_item_survives_its_storage(item: dict[str, Any]) -> None:
    """What is written as JSON is read back the same: blobs, lone surrogates, attributes named like types."""
    assert load(dump(item)) == item


@given(ITEMS)
def test_a_valid_item_is_left_as_it_is(item: dict[str, Any]) -> None:
    """Values that are in normal form already are not changed."""
    assert normalise_item(item) == item


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param({}, EMPTY_VALUE, id="no type"),
        pytest.param({"S": "a", "N": "1"}, SEVERAL_TYPES, id="two types"),
        pytest.param({"NULL": False}, INVALID + "Null attribute value types must have the value of true", id="NULL"),
        pytest.param({"SS": []}, INVALID + "An string set  may not be empty", id="empty SS"),
        pytest.param({"NS": []}, INVALID + "An number set  may not be empty", id="empty NS"),
        pytest.param({"BS": []}, INVALID + "Binary sets should not be empty", id="empty BS"),
        pytest.param(
            {"SS": ["b", "a", "b"]}, INVALID + "Input collection [b, a, b] contains duplicates.", id="duplicate SS"
        ),
        pytest.param({"NS": ["1", "1.0"]}, "Input collection contains duplicates", id="duplicate NS, other spelling"),
        pytest.param(
            {"BS": [b"\0", b"\0"]},
            INVALID + "Input collection [AA==, AA==]of type BS contains duplicates.",
            id="duplicate BS",
        ),
        pytest.param({"L": [{"M": {"a": {"SS": []}}}]}, INVALID + "An string set  may not be empty", id="nested"),
        pytest.param(nested(32), TOO_DEEP, id="33 levels"),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused(value: dict[str, Any], message: str) -> None:
    """Each rule of each type has AWS's own message, however deep the value lies."""
    with pytest.raises(ServiceError) as raised:
        normalise(value)
    assert raised.value.message == message


def test_a_value_may_be_32_levels_deep() -> None:
    """The attribute itself counts as the first of 32 levels."""
    assert levels(normalise(nested(31))) == 32


def test_numbers_are_canonical_wherever_they_lie() -> None:
    """Numbers in lists, maps and sets are written plainly, too."""
    value = {"L": [{"N": "1.0"}, {"M": {"a": {"NS": ["2e1"]}}}]}
    assert normalise(value) == {"L": [{"N": "1"}, {"M": {"a": {"NS": ["20"]}}}]}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        pytest.param({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, True, id="sets in another order"),
        pytest.param({"L": [{"NS": ["1", "2"]}]}, {"L": [{"NS": ["2", "1"]}]}, True, id="sets within a list"),
        pytest.param({"M": {"a": {"BS": [b"x"]}}}, {"M": {"a": {"BS": [b"x"]}}}, True, id="maps"),
        pytest.param({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}, False, id="lists are ordered"),
        pytest.param({"L": [{"S": "a"}]}, {"L": []}, False, id="longer list"),
        pytest.param({"M": {"a": {"S": "x"}}}, {"M": {"b": {"S": "x"}}}, False, id="other names"),
        pytest.param({"S": "1"}, {"N": "1"}, False, id="other type"),
        pytest.param({"SS": ["a"]}, {"L": [{"S": "a"}]}, False, id="set and list"),
        pytest.param({"BOOL": True}, {"BOOL": False}, False, id="booleans"),
    ],
)
def test_equality_is_by_type_and_content(left: dict[str, Any], right: dict[str, Any], same: bool) -> None:
    """Two values are equal if type and content are; only sets have no order."""
    assert equal(left, right) is same
    assert equal(right, left) is same


def test_texts_blobs_and_numbers_have_an_order() -> None:
    """Numbers compare by value, texts and blobs as they are; nothing else has an order."""
    assert ordinal({"N": "10"}) == Decimal(10)
    assert ordinal({"S": "a"}) == "a"
    assert ordinal({"B": b"\x80"}) == b"\x80"
    assert ordinal({"BOOL": True}) is None


@pytest.mark.parametrize(
    ("item", "size"),
    [
        pytest.param({"id": "abc"}, 5, id="name and text"),
        pytest.param({"n": 7}, 3, id="number"),
        pytest.param({"ü": "ü"}, 4, id="UTF-8"),
        pytest.param({"b": b"1234"}, 5, id="blob"),
        pytest.param({"t": True, "u": None}, 4, id="boolean and null"),
        pytest.param({"l": [1, "ab"]}, 1 + 3 + (1 + 2) + (1 + 2), id="list"),
        pytest.param({"m": {"k": "v"}}, 1 + 3 + 1 + 2, id="map"),
        pytest.param({"s": {"a", "bc"}, "x": {1, 22}}, 1 + 3 + 1 + 2 + 2, id="sets"),
        pytest.param({"e": b"", "f": ""}, 2, id="empty"),
    ],
)
def test_an_item_weighs_names_and_contents(item: dict[str, Any], size: int) -> None:
    """An item weighs the bytes of its names and values, and three bytes and more for a list or map."""
    assert item_size(typed(item)) == size
