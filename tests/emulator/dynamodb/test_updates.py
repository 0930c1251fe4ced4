"""What an update makes of an item."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.control.dynamodb.expressions import update as updates
from iotauth_cli.emulator.control.dynamodb.expressions.projection import project
from iotauth_cli.emulator.control.dynamodb.expressions.request import Expressions, read_expressions
from iotauth_cli.emulator.control.service import ServiceError
from support_dynamodb import plain, typed

BEFORE = {
    "n": 5,
    "s": "x",
    "l": [0, 1, 2, 3],
    "m": {"x": 1, "y": {"z": 2}},
    "ss": {"a", "b"},
    "ns": {1, 2},
}


def read(text: str, **values: Any) -> Expressions:
    parameters: dict[str, Any] = {"UpdateExpression": text}
    if values:
        parameters["ExpressionAttributeValues"] = typed({f":{name}": value for name, value in values.items()})
    return read_expressions(parameters)


def updated(text: str, before: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    expressions = read(text, **values)
    assert expressions.update is not None
    item = typed(BEFORE if before is None else before)
    untouched = copy.deepcopy(item)
    after = updates.apply(expressions.update, item, expressions.scope)
    assert item == untouched, "the item as it was must stay as it was"
    return plain(after)


def nested_lists(depth: int) -> list[Any]:
    return [nested_lists(depth - 1)] if depth else []


@pytest.mark.parametrize(
    ("text", "values", "changes"),
    [
        ("SET n = :v", {"v": "now text"}, {"n": "now text"}),
        ("SET fresh = :v", {"v": [1]}, {"fresh": [1]}),
        ("SET fresh = n", {}, {"fresh": 5}),
        ("SET fresh = m.y.z", {}, {"fresh": 2}),
        ("SET n = s, s = n", {}, {"n": "x", "s": 5}),
        ("SET n = n + :v", {"v": 2}, {"n": 7}),
        ("SET n = :v - n", {"v": 2}, {"n": -3}),
        ("SET n = n + l[3]", {}, {"n": 8}),
        ("SET n = if_not_exists(n, :v)", {"v": 9}, {"n": 5}),
        ("SET fresh = if_not_exists(gone, :v)", {"v": 9}, {"fresh": 9}),
        ("SET fresh = if_not_exists(gone, if_not_exists(n, :v))", {"v": 9}, {"fresh": 5}),
        ("SET c = if_not_exists(c, :z) + :v", {"z": 0, "v": 3}, {"c": 3}),
        ("SET l = list_append(l, :v)", {"v": [9]}, {"l": [0, 1, 2, 3, 9]}),
        ("SET l = list_append(:v, l)", {"v": [9]}, {"l": [9, 0, 1, 2, 3]}),
        ("SET fresh = list_append(if_not_exists(gone, :e), :v)", {"e": [], "v": [9]}, {"fresh": [9]}),
        ("SET m.x = :v", {"v": 9}, {"m": {"x": 9, "y": {"z": 2}}}),
        ("SET m.y.q = :v, m.w = :v", {"v": 9}, {"m": {"x": 1, "y": {"z": 2, "q": 9}, "w": 9}}),
        ("SET l[1] = :v", {"v": 9}, {"l": [0, 9, 2, 3]}),
        ("SET l[9] = :v, l[7] = :w", {"v": 9, "w": 7}, {"l": [0, 1, 2, 3, 7, 9]}),
        ("REMOVE n, gone", {}, {"n": None}),
        ("REMOVE m.x", {}, {"m": {"y": {"z": 2}}}),
        ("REMOVE m.y.z", {}, {"m": {"x": 1, "y": {}}}),
        ("REMOVE m.gone, l[9]", {}, {}),
        ("REMOVE l[1]", {}, {"l": [0, 2, 3]}),
        ("REMOVE l[0], l[2], l[1]", {}, {"l": [3]}),
        ("REMOVE l[1] SET l[3] = :v", {"v": 9}, {"l": [0, 2, 9]}),
        ("REMOVE l[0] SET l[1] = l[0]", {}, {"l": [0, 2, 3]}),
        ("REMOVE l[3] SET l[9] = :v", {"v": 9}, {"l": [0, 1, 2, 9]}),
        ("SET fresh = n REMOVE n", {}, {"fresh": 5, "n": None}),
        ("ADD n :v", {"v": -7}, {"n": -2}),
        ("ADD fresh :v", {"v": 7}, {"fresh": 7}),
        ("ADD m.x :v, m.w :v", {"v": 7}, {"m": {"x": 8, "y": {"z": 2}, "w": 7}}),
        ("ADD ss :v", {"v": {"b", "c"}}, {"ss": {"a", "b", "c"}}),
        ("ADD fresh :v", {"v": {1}}, {"fresh": {1}}),
        ("DELETE ss :v", {"v": {"a", "z"}}, {"ss": {"b"}}),
        ("DELETE ss :v", {"v": {"a", "b"}}, {"ss": None}),
        ("DELETE gone :v", {"v": {"a"}}, {}),
        ("SET n = :v REMOVE s ADD ns :w DELETE ss :d", {"v": 1, "w": {3}, "d": {"a"}}, None),
    ],
)
def test_an_update_changes_what_it_names(text: str, values: dict[str, Any], changes: dict[str, Any] | None) -> None:
    """Only what the update names changes, seen from the item as it was; None in the table means taken out."""
    if changes is None:
        changes = {"n": 1, "s": None, "ns": {1, 2, 3}, "ss": {"b"}}
    expected = {name: value for name, value in {**BEFORE, **changes}.items() if value is not None}
    assert updated(text, **values) == expected


OPERAND = "Invalid UpdateExpression: Incorrect operand type for operator or function; "
INVALID_PATH = "The document path provided in the update expression is invalid for update"
MISSING = "The provided expression refers to an attribute that does not exist in the item"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("SET fresh = gone", {}, MISSING),
        ("SET fresh = :v, twin = fresh", {"v": 1}, MISSING),
        ("SET n = n + gone", {}, MISSING),
        ("SET l = list_append(l, gone)", {}, MISSING),
        ("SET fresh = n + s", {}, WRONG_TYPE),
        ("SET fresh = list_append(l, n)", {}, WRONG_TYPE),
        ("ADD s :v", {"v": 1}, WRONG_TYPE),
        ("ADD ss :v", {"v": {1}}, WRONG_TYPE),
        ("ADD l :v", {"v": {1}}, WRONG_TYPE),
        ("DELETE ns :v", {"v": {"a"}}, WRONG_TYPE),
        ("SET gone.x = :v", {"v": 1}, INVALID_PATH),
        ("SET n.x = :v", {"v": 1}, INVALID_PATH),
        ("SET l.x = :v", {"v": 1}, INVALID_PATH),
        ("SET m[0] = :v", {"v": 1}, INVALID_PATH),
        ("SET gone[0] = :v", {"v": 1}, INVALID_PATH),
        ("SET l[9].x = :v", {"v": 1}, INVALID_PATH),
        ("REMOVE gone.x", {}, INVALID_PATH),
        ("REMOVE s[0]", {}, INVALID_PATH),
        (
            "ADD big :v",
            {"v": 1},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            "SET m.y.z = :v",
            {"v": nested_lists(30)},
            "Nesting Levels have exceeded supported limits: "
            "Attributes in the item have nested levels beyond supported limit",
        ),
    ],
)
def test_an_update_that_the_item_cannot_take_is_refused(text: str, values: dict[str, Any], message: str) -> None:
    """What depends on the item is refused when the item is seen, in AWS's words."""
    with pytest.raises(ServiceError) as raised:
        updated(text, {**BEFORE, "big": Decimal("1e50")}, **values)
    assert (raised.value.code, raised.value.message) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("ADD n :v", {"v": "x"}, OPERAND + "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("ADD n :v", {"v": [1]}, OPERAND + "operator: ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        (
            "DELETE n :v",
            {"v": 1},
            OPERAND + "operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
        ),
        ("SET n = n + :v", {"v": "x"}, OPERAND + "operator or function: +, operand type: S"),
        ("SET n = :v - n", {"v": {1}}, OPERAND + "operator or function: -, operand type: NS"),
        ("SET l = list_append(l, :v)", {"v": 1}, OPERAND + "operator or function: list_append, operand type: N"),
        (
            "SET n = if_not_exists(:v, n)",
            {"v": 1},
            "Invalid UpdateExpression: Operator or function requires a document path; "
            "operator or function: if_not_exists",
        ),
        (
            "SET l = list_append(l)",
            {},
            "Invalid UpdateExpression: Incorrect number of operands for operator or function; "
            "operator or function: list_append, number of operands: 1",
        ),
        (
            "SET n = :missing",
            {"v": 1},
            "Invalid UpdateExpression: An expression attribute value used in expression is not defined; "
            "attribute value: :missing",
        ),
    ],
)
def test_an_update_that_no_item_could_take_is_refused(text: str, values: dict[str, Any], message: str) -> None:
    """A value of the request that cannot be used so is an error, before any item is read."""
    with pytest.raises(ServiceError) as raised:
        read(text, **values)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("text", "how", "first", "second"),
    [
        ("SET a = :v, a = :v", "overlap", "[a]", "[a]"),
        ("SET a = :v REMOVE a", "overlap", "[a]", "[a]"),
        ("SET a = :v, a.b = :v", "overlap", "[a]", "[a, b]"),
        ("SET a.b.c = :v, a.b = :v", "overlap", "[a, b, c]", "[a, b]"),
        ("SET a[1] = :v, a[1][2] = :v", "overlap", "[a, [1]]", "[a, [1], [2]]"),
        ("SET a.b = :v, a[1] = :v", "conflict", "[a, b]", "[a, [1]]"),
        ("SET a.b.c = :v, a.b[2] = :v", "conflict", "[a, b, c]", "[a, b, [2]]"),
    ],
)
def test_two_paths_may_not_meet(text: str, how: str, first: str, second: str) -> None:
    """No two actions may change the same place, one a place inside the other's, or one place as list and map."""
    with pytest.raises(ServiceError) as raised:
        read(text, v=1)
    assert raised.value.message == (
        f"Invalid UpdateExpression: Two document paths {how} with each other; "
        f"must remove or rewrite one of these paths; path one: {first}, path two: {second}"
    )


def test_paths_that_share_a_beginning_do_not_meet() -> None:
    """Different members of one map, and different elements of one list, can be changed together."""
    read("SET a.b = :v, a.c.d = :v, e[0] = :v, e[1] = :v REMOVE a.c.x", v=1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SET m.x = :v", {"m": {"x": 9}}),
        ("SET l[1] = :v, m.y.z = :v", {"l": [9], "m": {"y": {"z": 9}}}),
        ("SET l[9] = :v", {}),
        ("REMOVE n SET s = :v", {"s": 9}),
    ],
)
def test_the_changed_paths_show_what_was_set(text: str, shown: dict[str, Any]) -> None:
    """UPDATED_NEW shows the paths that were named; an element appended past the end is not at its path."""
    expressions = read(text, v=9)
    assert expressions.changed is not None
    assert plain(project(typed(updated(text, v=9)), expressions.changed)) == shown


@given(
    st.lists(st.integers(0, 9), max_size=5),
    st.dictionaries(st.integers(0, 7), st.integers(10, 99), max_size=4),
    st.sets(st.integers(0, 7), max_size=4),
)
def test_lists_are_set_then_shortened(before: list[int], sets: dict[int, int], removes: set[int]) -> None:
    """Whatever elements are set and removed at once, all positions mean the list as it was."""
    removes -= sets.keys()
    if not sets and not removes:
        return
    text = " ".join(
        [f"SET {', '.join(f'l[{index}] = :v{index}' for index in sets)}"] * bool(sets)
        + [f"REMOVE {', '.join(f'l[{index}]' for index in removes)}"] * bool(removes)
    )
    model: list[int | None] = [sets.get(index, value) for index, value in enumerate(before)]
    model += [sets[index] for index in sorted(sets) if index >= len(before)]
    for index in removes:
        if index < len(before):
            model[index] = None
    values = {f"v{index}": value for index, value in sets.items()}
    assert updated(text, {"l": before}, **values) == {"l": [value for value in model if value is not None]}


def test_only_setting_and_adding_creates_an_item() -> None:
    """An update that only takes away makes no item where there is none."""
    for text, creates in {"SET a = :v": True, "ADD a :v": True, "REMOVE a": False}.items():
        expressions = read(text, **({"v": 1} if ":v" in text else {}))
        assert expressions.update is not None
        assert updates.creates_item(expressions.update) is creates
