"""Holding a condition or an update against the names and values of its request, before any item is read.

AWS checks operand types only where it can see them: in the request's values. An attribute of the
wrong type makes a condition false, a value of the wrong type makes the request invalid.
"""

from __future__ import annotations

from collections.abc import Callable

from iotauth_cli.emulator.control.dynamodb.expressions.projection import PathTree
from iotauth_cli.emulator.control.dynamodb.expressions.scope import Scope, written
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
    Action,
    AddAction,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    DeleteAction,
    In,
    Operand,
    Path,
    Reference,
    SetAction,
    Test,
    Update,
    operands,
    tests,
)
from iotauth_cli.emulator.control.dynamodb.expressions.tokens import ExpressionError
from iotauth_cli.emulator.control.dynamodb.values import SETS, TYPES, Value, encode_blob, kind_of, ordinal

TEXT = frozenset({"S"})
NUMBER = frozenset({"N"})
LIST = frozenset({"L"})
PREFIXED = frozenset({"S", "B"})
ORDERED = frozenset({"S", "N", "B"})
SIZED = frozenset({"S", "B", "SS", "NS", "BS", "L", "M"})
ADDED = frozenset({"N", *SETS})
DELETED = frozenset(SETS)

MAX_IN_OPERANDS = 100  # its subject counted

# Every type, in the two orders in which AWS happens to list them.
ANY_TYPE = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
VALID_TYPES = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"

# ADD and DELETE name types in full; everything else by their letters.
TYPE_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
}


def check_condition(condition: Condition, scope: Scope) -> None:
    """Refuse *condition* if it cannot be applied to any item, for the first reason in reading order.

    Raises:
        ExpressionError: a placeholder is not defined, or an operand cannot be what it is used as.
    """
    for test in tests(condition):
        for operand in operands(test):
            scope.check_defined(operand)
            _check_calls(operand, scope)
        _check_test(test, scope)


def check_update(update: Update, scope: Scope) -> PathTree:
    """Return the paths that *update* changes, once it is known to fit the request's names and values.

    Raises:
        ExpressionError: a placeholder is not defined, two paths overlap, or an operand has a wrong type.
    """
    for action in update.actions:
        for operand in operands(action):
            scope.check_defined(operand)
    changed = PathTree.build(scope.steps(action.path) for action in update.actions)
    for action in update.actions:
        _check_action(action, scope)
    return changed


def _check_test(test: Test, scope: Scope) -> None:
    if isinstance(test, Call):
        _check_call(test, scope)
        _check_distinct(test.function, test.operands, scope)
    elif isinstance(test, Comparison):
        _check_distinct(test.operator, (test.left, test.right), scope)
        if test.operator not in ("=", "<>"):
            _check_types(test.operator, (test.left, test.right), ORDERED, scope)
    elif isinstance(test, Between):
        _check_types("BETWEEN", (test.subject, test.low, test.high), ORDERED, scope)
        _check_bounds(test, scope)
    else:
        _check_length(test)


def _check_distinct(operator: str, compared: tuple[Operand, ...], scope: Scope) -> None:
    first = compared[0]
    if not isinstance(first, Path):
        return
    steps = scope.steps(first)
    if any(isinstance(other, Path) and scope.steps(other) == steps for other in compared[1:]):
        raise ExpressionError(
            "The first operand must be distinct from the remaining operands for this operator or function; "
            f"operator: {operator}, first operand: {written(steps)}"
        )


def _check_bounds(test: Between, scope: Scope) -> None:
    if not (isinstance(test.low, Reference) and isinstance(test.high, Reference)):
        return
    low, high = scope.value(test.low), scope.value(test.high)
    if kind_of(low) != kind_of(high):
        rule = "requires same data type for lower and upper bounds"
    elif ordinal(low) > ordinal(high):  # type: ignore[operator]  # both of one ordered type
        rule = "requires upper bound to be greater than or equal to lower bound"
    else:
        return
    raise ExpressionError(
        f"The BETWEEN operator {rule}; lower bound operand: AttributeValue: {_shown(low)}, "
        f"upper bound operand: AttributeValue: {_shown(high)}"
    )


def _shown(value: Value) -> str:
    ((kind, content),) = value.items()
    return f"{{{kind}:{encode_blob(content) if kind == 'B' else content}}}"


def _check_length(test: In) -> None:
    count = 1 + len(test.options)
    if count > MAX_IN_OPERANDS:
        raise ExpressionError(
            "Too many operands for operator or function; "
            f"operator or function: IN, number of operands: {count}, maximum: {MAX_IN_OPERANDS}"
        )


def _check_action(action: Action, scope: Scope) -> None:
    if isinstance(action, SetAction):
        if isinstance(action.value, Arithmetic):
            _check_types(action.value.operator, operands(action.value), NUMBER, scope)
        for operand in operands(action):
            _check_calls(operand, scope)
    elif isinstance(action, AddAction):
        _check_section_value("ADD", action.value, ADDED, scope)
    elif isinstance(action, DeleteAction):
        _check_section_value("DELETE", action.value, DELETED, scope)


def _check_section_value(section: str, value: Reference, allowed: frozenset[str], scope: Scope) -> None:
    kind = kind_of(scope.value(value))
    if kind not in allowed:
        raise ExpressionError(
            f"Incorrect operand type for operator or function; operator: {section}, "
            f"operand type: {TYPE_NAMES.get(kind, kind)}, typeSet: ALLOWED_FOR_{section}_OPERAND"
        )


def _check_calls(operand: Operand, scope: Scope) -> None:
    if isinstance(operand, Call):
        _check_call(operand, scope)
        for inner in operand.operands:
            _check_calls(inner, scope)


def _check_call(call: Call, scope: Scope) -> None:
    count, check = FUNCTIONS[call.function]
    if len(call.operands) != count:
        raise ExpressionError(
            "Incorrect number of operands for operator or function; "
            f"operator or function: {call.function}, number of operands: {len(call.operands)}"
        )
    check(call, scope)


def _takes(allowed: frozenset[str]) -> Callable[[Call, Scope], None]:
    def check(call: Call, scope: Scope) -> None:
        _check_types(call.function, call.operands, allowed, scope)

    return check


def _takes_a_path(call: Call, scope: Scope) -> None:
    if not isinstance(call.operands[0], Path):
        raise ExpressionError(f"Operator or function requires a document path; operator or function: {call.function}")


def _takes_a_type_name(call: Call, scope: Scope) -> None:
    operand = call.operands[1]
    if not isinstance(operand, Reference):
        raise _wrong_type(call.function, ANY_TYPE)
    _check_types(call.function, (operand,), TEXT, scope)
    name = scope.value(operand)["S"]
    if name not in TYPES:
        raise ExpressionError(f"Invalid attribute type name found; type: {name}, valid types: {VALID_TYPES}")


FUNCTIONS: dict[str, tuple[int, Callable[[Call, Scope], None]]] = {
    "attribute_exists": (1, _takes_a_path),
    "attribute_not_exists": (1, _takes_a_path),
    "attribute_type": (2, _takes_a_type_name),
    "begins_with": (2, _takes(PREFIXED)),
    "contains": (2, _takes(frozenset(TYPES))),
    "size": (1, _takes(SIZED)),
    "if_not_exists": (2, _takes_a_path),
    "list_append": (2, _takes(LIST)),
}


def _check_types(operator: str, checked: tuple[Operand, ...], allowed: frozenset[str], scope: Scope) -> None:
    for operand in checked:
        kind = scope.kind(operand)
        if kind is not None and kind not in allowed:
            raise _wrong_type(operator, kind)


def _wrong_type(operator: str, kind: str) -> ExpressionError:
    return ExpressionError(
        f"Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}"
    )
