"""Whether a condition holds, and which conditions cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.control.dynamodb.expressions.evaluate import holds
from iotauth_cli.emulator.control.dynamodb.expressions.request import read_expressions
from iotauth_cli.emulator.control.service import ServiceError
from support_dynamodb import typed

ITEM = typed(
    {
        "n": 5,
        "s": "hello",
        "b": b"\x7fhi",
        "flag": True,
        "nothing": None,
        "l": [1, "two", {"x": 3}, {"a", "b"}],
        "m": {"x": 1, "y": {"z": "deep"}},
        "ss": {"a", "b"},
        "ns": {1, 2},
        "blank": "",
        "five": 5,
    }
)


def condition_holds(text: str, item: dict[str, Any] | None = None, **values: Any) -> bool:
    parameters: dict[str, Any] = {"ConditionExpression": text}
    if values:
        parameters["ExpressionAttributeValues"] = typed({f":{name}": value for name, value in values.items()})
    expressions = read_expressions(parameters)
    assert expressions.condition is not None
    return holds(expressions.condition, ITEM if item is None else item, expressions.scope)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("n = :v", {"v": 5}, True),
        ("n = :v", {"v": "5"}, False),
        ("n = five", {}, True),
        ("n <> :v", {"v": 6}, True),
        ("n <> :v", {"v": "5"}, True),
        ("ss = :v", {"v": {"b", "a"}}, True),
        ("l = :v", {"v": [1, "two", {"x": 3}, {"b", "a"}]}, True),
        ("m.y = :v", {"v": {"z": "deep"}}, True),
        ("nothing = :v", {"v": None}, True),
        ("gone = :v", {"v": 1}, False),
        ("gone <> :v", {"v": 1}, True),
        ("gone = absent", {}, False),
        ("gone <> absent", {}, True),
        ("n < :v", {"v": 10}, True),
        ("n <= :v", {"v": 5}, True),
        ("n > :v", {"v": 5}, False),
        ("n >= :v", {"v": 5}, True),
        (":v < n", {"v": 4}, True),
        ("s < :v", {"v": "help"}, True),
        ("b < :v", {"v": b"\x80"}, True),
        ("n < :v", {"v": "9"}, False),
        ("gone < :v", {"v": 9}, False),
        ("l < :v", {"v": 9}, False),
        ("l[0] < l[2].x", {}, True),
        ("n BETWEEN :a AND :b", {"a": 5, "b": 5}, True),
        ("n BETWEEN :a AND :b", {"a": 6, "b": 7}, False),
        ("n BETWEEN :a AND :b", {"a": "1", "b": "9"}, False),
        (":v BETWEEN l[0] AND n", {"v": 3}, True),
        ("gone BETWEEN :a AND :b", {"a": 1, "b": 2}, False),
        ("n IN (:a, :b)", {"a": "5", "b": 5}, True),
        ("n IN (l[0], five)", {}, True),
        ("gone IN (:a)", {"a": 1}, False),
        ("attribute_exists(m.y.z)", {}, True),
        ("attribute_exists(m.y.q)", {}, False),
        ("attribute_exists(l[4])", {}, False),
        ("attribute_exists(s[0])", {}, False),
        ("attribute_exists(nothing)", {}, True),
        ("attribute_not_exists(gone)", {}, True),
        ("attribute_type(ns, :v)", {"v": "NS"}, True),
        ("attribute_type(n, :v)", {"v": "S"}, False),
        ("attribute_type(gone, :v)", {"v": "S"}, False),
        ("attribute_type(:x, :v)", {"x": 1, "v": "N"}, True),
        ("begins_with(s, :v)", {"v": "hell"}, True),
        ("begins_with(s, :v)", {"v": "ell"}, False),
        ("begins_with(b, :v)", {"v": b"\x7f"}, True),
        ("begins_with(n, :v)", {"v": "5"}, False),
        ("begins_with(:v, s)", {"v": "hello there"}, True),
        ("begins_with(gone, :v)", {"v": ""}, False),
        ("contains(s, :v)", {"v": "ell"}, True),
        ("contains(b, :v)", {"v": b"h"}, True),
        ("contains(ss, :v)", {"v": "a"}, True),
        ("contains(ss, :v)", {"v": "ab"}, False),
        ("contains(ns, :v)", {"v": 2}, True),
        ("contains(ns, :v)", {"v": "2"}, False),
        ("contains(l, :v)", {"v": "two"}, True),
        ("contains(l, :v)", {"v": {"b", "a"}}, True),
        ("contains(l, :v)", {"v": 9}, False),
        ("contains(m, :v)", {"v": "x"}, False),
        ("contains(gone, :v)", {"v": "x"}, False),
        ("contains(:v, s)", {"v": "oh hello"}, True),
        ("size(s) = :v", {"v": 5}, True),
        ("size(b) = :v", {"v": 3}, True),
        ("size(l) = :v", {"v": 4}, True),
        ("size(m) = :v", {"v": 2}, True),
        ("size(ss) = :v", {"v": 2}, True),
        ("size(blank) = :v", {"v": 0}, True),
        ("size(s) = n", {}, True),
        ("size(s) IN (:v)", {"v": 5}, True),
        ("size(n) = :v", {"v": 1}, False),
        ("size(flag) <> :v", {"v": 1}, True),
        ("size(gone) = :v", {"v": 0}, False),
        ("n = :v AND s = :w", {"v": 5, "w": "hello"}, True),
        ("n = :v AND s = :w", {"v": 5, "w": "x"}, False),
        ("n = :v OR s = :w", {"v": 6, "w": "hello"}, True),
        ("NOT n = :v", {"v": 6}, True),
        ("NOT gone = :v", {"v": 6}, True),
        ("(n = :v OR n = :w) AND NOT s = :w", {"v": 5, "w": "x"}, True),
    ],
)
def test_a_condition_holds_or_not(text: str, values: dict[str, Any], expected: bool) -> None:
    """Missing attributes and other types make a test false, never an error; `<>` is then true."""
    assert condition_holds(text, **values) is expected


def test_an_item_that_does_not_exist_has_no_attributes() -> None:
    """The guard of every create-only write: of nothing, attribute_not_exists is true."""
    assert condition_holds("attribute_not_exists(id)", {})
    assert not condition_holds("attribute_exists(id)", {})


OPERAND = "Invalid ConditionExpression: Incorrect operand type for operator or function; operator or function: "
DISTINCT = (
    "Invalid ConditionExpression: The first operand must be distinct from the remaining operands "
    "for this operator or function; "
)
COUNT = "Invalid ConditionExpression: Incorrect number of operands for operator or function; operator or function: "
BETWEEN = "Invalid ConditionExpression: The BETWEEN operator requires "


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("a < :v", {"v": True}, OPERAND + "<, operand type: BOOL"),
        (":v >= a", {"v": [1]}, OPERAND + ">=, operand type: L"),
        ("a BETWEEN :v AND b", {"v": None}, OPERAND + "BETWEEN, operand type: NULL"),
        ("begins_with(a, :v)", {"v": 1}, OPERAND + "begins_with, operand type: N"),
        ("begins_with(a, size(b))", {}, OPERAND + "begins_with, operand type: N"),
        ("size(:v) = a", {"v": 1}, OPERAND + "size, operand type: N"),
        ("size(size(a)) = b", {}, OPERAND + "size, operand type: N"),
        ("attribute_type(a, :v)", {"v": 1}, OPERAND + "attribute_type, operand type: N"),
        ("attribute_type(a, b)", {}, OPERAND + "attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"),
        (
            "attribute_type(a, :v)",
            {"v": "DOG"},
            "Invalid ConditionExpression: Invalid attribute type name found; type: DOG, "
            "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "attribute_exists(:v)",
            {"v": 1},
            "Invalid ConditionExpression: Operator or function requires a document path; "
            "operator or function: attribute_exists",
        ),
        ("attribute_exists(a, b)", {}, COUNT + "attribute_exists, number of operands: 2"),
        ("contains(a)", {}, COUNT + "contains, number of operands: 1"),
        ("a.b = a.b", {}, DISTINCT + "operator: =, first operand: [a, b]"),
        ("contains(a[1], a[1])", {}, DISTINCT + "operator: contains, first operand: [a, [1]]"),
        (
            "a BETWEEN :v AND :w",
            {"v": 2, "w": 1},
            BETWEEN + "upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
        ),
        (
            "a BETWEEN :v AND :w",
            {"v": b"x", "w": "1"},
            BETWEEN + "same data type for lower and upper bounds; "
            "lower bound operand: AttributeValue: {B:eA==}, upper bound operand: AttributeValue: {S:1}",
        ),
        (
            "a = :missing",
            {"v": 1},
            "Invalid ConditionExpression: An expression attribute value used in expression is not defined; "
            "attribute value: :missing",
        ),
        (
            "#missing = b",
            {},
            "Invalid ConditionExpression: An expression attribute name used in the document path is not defined; "
            "attribute name: #missing",
        ),
        (
            "a IN (" + ", ".join(["b"] * 100) + ")",
            {},
            "Invalid ConditionExpression: Too many operands for operator or function; "
            "operator or function: IN, number of operands: 101, maximum: 100",
        ),
    ],
)
def test_a_condition_that_no_item_could_answer_is_refused(text: str, values: dict[str, Any], message: str) -> None:
    """A value of the request that cannot be used so is an error, before any item is read."""
    with pytest.raises(ServiceError) as raised:
        condition_holds(text, **values)
    assert (raised.value.code, raised.value.message) == ("ValidationException", message)


def test_the_first_problem_in_reading_order_is_told() -> None:
    """With several problems, AWS tells the leftmost: an undefined value before a bad operand, or the reverse."""
    with pytest.raises(ServiceError, match="not defined; attribute value: :missing"):
        condition_holds("a = :missing AND begins_with(b, :n)", n=1)
    with pytest.raises(ServiceError, match="begins_with, operand type: N"):
        condition_holds("begins_with(b, :n) AND a = :missing", n=1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param(
            {"ExpressionAttributeNames": {"#a": "a"}},
            "ExpressionAttributeNames can only be specified when using expressions",
            id="names without expression",
        ),
        pytest.param(
            {"ExpressionAttributeValues": {":a": {"S": ""}}},
            "ExpressionAttributeValues can only be specified when using expressions",
            id="values without expression",
        ),
        pytest.param(
            {"ProjectionExpression": "a", "ExpressionAttributeValues": {":a": {"S": ""}}},
            "ExpressionAttributeValues can only be specified when using expressions",
            id="values for a projection",
        ),
        pytest.param(
            {"ConditionExpression": "a = b", "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames must not be empty",
            id="no names",
        ),
        pytest.param(
            {"ConditionExpression": "a = b", "ExpressionAttributeValues": {}},
            "ExpressionAttributeValues must not be empty",
            id="no values",
        ),
        pytest.param(
            {"ConditionExpression": "a = b", "ExpressionAttributeNames": {"a": "a"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
            id="name without #",
        ),
        pytest.param(
            {"ConditionExpression": "a = b", "ExpressionAttributeValues": {":a-b": {"S": ""}}},
            'ExpressionAttributeValues contains invalid key: Syntax error; key: ":a-b"',
            id="value with -",
        ),
        pytest.param(
            {"ConditionExpression": "#a = b", "ExpressionAttributeNames": {"#a": ""}},
            "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a",
            id="empty name",
        ),
        pytest.param(
            {"ConditionExpression": "a = :v", "ExpressionAttributeValues": {":v": {"N": "x"}}},
            "ExpressionAttributeValues contains invalid value: "
            "The parameter cannot be converted to a numeric value: x for key :v",
            id="bad value",
        ),
        pytest.param(
            {"ConditionExpression": "#a = b", "ExpressionAttributeNames": {"#a": "a", "#b": "b", "#c": "c"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b, #c}",
            id="unused names",
        ),
        pytest.param(
            {"ConditionExpression": "a = b", "ExpressionAttributeValues": {":v": {"S": ""}}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}",
            id="unused value",
        ),
    ],
)
def test_names_and_values_must_fit_the_expressions(parameters: dict[str, Any], message: str) -> None:
    """Names and values are well-formed, not empty, and every one is used by some expression."""
    with pytest.raises(ServiceError) as raised:
        read_expressions(parameters)
    assert raised.value.message == message


def test_all_expressions_together_use_the_names_and_values() -> None:
    """A value counts as used even where a short circuit would never look at it."""
    expressions = read_expressions(
        {
            "UpdateExpression": "SET #a = :one",
            "ConditionExpression": "#b = :two OR #c = :three",
            "ExpressionAttributeNames": {"#a": "a", "#b": "b", "#c": "c"},
            "ExpressionAttributeValues": typed({":one": 1, ":two": 2, ":three": 3}),
        }
    )
    assert expressions.update is not None
    assert expressions.condition is not None


NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.builds(lambda name, value: f"{name} = :{value}", NAMES, st.sampled_from(["t", "f"]))
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda left, right: f"({left}) AND ({right})", inner, inner),
        st.builds(lambda left, right: f"({left}) OR ({right})", inner, inner),
        st.builds(lambda one: f"NOT ({one})", inner),
    ),
    max_leaves=10,
)


@given(CONDITIONS, st.dictionaries(NAMES, st.booleans()))
def test_logic_is_pythons(text: str, item: dict[str, bool]) -> None:
    """Any nesting of AND, OR and NOT gives what Python's operators give on the same truth values."""
    used = {name: value for name, value in {"t": True, "f": False}.items() if f":{name}" in text}
    python = text.replace("AND", "and").replace("OR", "or").replace("NOT", "not").replace(" = ", " == ")
    for name, value in {":t": "True", ":f": "False"}.items():
        python = python.replace(name, value)
    expected = eval(python, {"a": item.get("a"), "b": item.get("b"), "c": item.get("c")})
    assert condition_holds(text, typed(item), **used) is expected
