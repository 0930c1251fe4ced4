"""Applying a checked condition to an item.

Nothing here fails: an attribute that is missing or of another type makes a comparison false
(and ``<>`` true), as on AWS.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from iotauth_cli.emulator.control.dynamodb.expressions.scope import Scope
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
    And,
    Between,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
    Reference,
    Steps,
)
from iotauth_cli.emulator.control.dynamodb.values import SETS, Item, Value, equal, kind_of, ordinal

ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(condition: Condition, item: Item, scope: Scope) -> bool:
    """Tell whether *condition* is true of *item*; an item that does not exist is an empty one."""
    if isinstance(condition, And):
        return all(holds(part, item, scope) for part in condition.conditions)
    if isinstance(condition, Or):
        return any(holds(part, item, scope) for part in condition.conditions)
    if isinstance(condition, Not):
        return not holds(condition.condition, item, scope)
    if isinstance(condition, Comparison):
        left, right = evaluate(condition.left, item, scope), evaluate(condition.right, item, scope)
        return _compares(condition.operator, left, right)
    if isinstance(condition, Between):
        return _is_between(*(evaluate(each, item, scope) for each in _bounds(condition)))
    if isinstance(condition, In):
        subject = evaluate(condition.subject, item, scope)
        return any(_are_equal(subject, evaluate(option, item, scope)) for option in condition.options)
    return TESTS[condition.function](*(evaluate(each, item, scope) for each in condition.operands))


def evaluate(operand: Operand, item: Item, scope: Scope) -> Value | None:
    """Return the value of *operand* in *item*, or None if there is none."""
    if isinstance(operand, Path):
        return look_up(scope.steps(operand), item)
    if isinstance(operand, Reference):
        return scope.value(operand)
    return _size(evaluate(operand.operands[0], item, scope))


def look_up(steps: Steps, item: Item) -> Value | None:
    """Return what lies at *steps* in *item*, or None if nothing does."""
    value: Value | None = {"M": item}
    for step in steps:
        if value is None:
            return None
        if isinstance(step, int):
            elements = value.get("L", ())
            value = elements[step] if step < len(elements) else None
        else:
            value = value["M"].get(step) if "M" in value else None
    return value


def _bounds(test: Between) -> tuple[Operand, Operand, Operand]:
    return test.subject, test.low, test.high


def _compares(comparator: str, left: Value | None, right: Value | None) -> bool:
    if comparator == "=":
        return _are_equal(left, right)
    if comparator == "<>":
        return not _are_equal(left, right)
    if left is None or right is None or kind_of(left) != kind_of(right):
        return False
    first = ordinal(left)
    return first is not None and ORDERINGS[comparator](first, ordinal(right))


def _are_equal(left: Value | None, right: Value | None) -> bool:
    return left is not None and right is not None and equal(left, right)


def _is_between(subject: Value | None, low: Value | None, high: Value | None) -> bool:
    return _compares(">=", subject, low) and _compares("<=", subject, high)


def _size(value: Value | None) -> Value | None:
    """Return the length of a text in characters, of a blob in bytes, of a collection in elements."""
    if value is None:
        return None
    ((kind, content),) = value.items()
    return None if kind in ("N", "BOOL", "NULL") else {"N": str(len(content))}


def _begins_with(value: Value | None, prefix: Value | None) -> bool:
    if value is None or prefix is None:
        return False
    kind = kind_of(value)
    return kind in ("S", "B") and kind == kind_of(prefix) and value[kind].startswith(prefix[kind])


def _contains(container: Value | None, sought: Value | None) -> bool:
    """Look for a part of a text or blob, a member of a set, or an element of a list."""
    if container is None or sought is None:
        return False
    ((kind, content),) = container.items()
    wanted = kind_of(sought)
    if kind == "L":
        return any(equal(element, sought) for element in content)
    if kind in SETS:
        return kind == f"{wanted}S" and sought[wanted] in content
    return kind in ("S", "B") and kind == wanted and sought[wanted] in content


TESTS: dict[str, Callable[..., bool]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "attribute_type": lambda value, name: value is not None and kind_of(value) == name["S"],
    "begins_with": _begins_with,
    "contains": _contains,
}
