"""Which words may stand where: functions in their place, no reserved word as an attribute name.

All of it can be told from the text alone, so a text is checked once, when it is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable

from iotauth_cli.emulator.control.dynamodb.expressions.reserved import is_reserved
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
    Call,
    Condition,
    Operand,
    Path,
    Projection,
    Update,
    operands,
    paths,
    tests,
)
from iotauth_cli.emulator.control.dynamodb.expressions.tokens import ExpressionError

TEST_FUNCTIONS = frozenset({"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"})
CONDITION_FUNCTIONS = TEST_FUNCTIONS | {"size"}
UPDATE_FUNCTIONS = frozenset({"if_not_exists", "list_append"})


def check_condition_words(condition: Condition) -> None:
    """Refuse a condition with a function or a name that may not stand where it does.

    Raises:
        ExpressionError: for the first of them.
    """
    for test in tests(condition):
        if isinstance(test, Call):
            _check_condition_function(test, TEST_FUNCTIONS)
        for operand in operands(test):
            _check_computed_operand(operand)
    _check_names(paths(condition))


def check_update_words(update: Update) -> None:
    """Refuse an update as `check_condition_words` does a condition, or for using a section twice."""
    _check_names(paths(update))
    for action in update.actions:
        for operand in operands(action):
            _check_update_function(operand)
    for section in update.sections:
        if update.sections.count(section) > 1:
            raise ExpressionError(f'The "{section}" section can only be used once in an update expression;')


def check_projection_words(projection: Projection) -> None:
    _check_names(paths(projection))


def _check_computed_operand(operand: Operand) -> None:
    """Only ``size`` makes a value; the other functions are conditions themselves."""
    if isinstance(operand, Call):
        _check_condition_function(operand, frozenset({"size"}))
        for inner in operand.operands:
            _check_computed_operand(inner)


def _check_condition_function(call: Call, expected: frozenset[str]) -> None:
    name = call.function
    if name in UPDATE_FUNCTIONS:
        raise ExpressionError(f"The function is not allowed in a condition expression; function: {name}")
    if name not in CONDITION_FUNCTIONS:
        raise ExpressionError(f"Invalid function name; function: {name}")
    if name not in expected:
        raise _misplaced(name)


def _check_update_function(operand: Operand) -> None:
    if not isinstance(operand, Call):
        return
    name = operand.function
    if name in CONDITION_FUNCTIONS:
        raise ExpressionError(f"The function is not allowed in an update expression; function: {name}")
    if name not in UPDATE_FUNCTIONS:
        raise ExpressionError(f"Invalid function name; function: {name}")
    for inner in operand.operands:
        if isinstance(inner, Call) and inner.function == "list_append":
            raise _misplaced("list_append")  # AWS nests if_not_exists, but not this one
        _check_update_function(inner)


def _misplaced(function: str) -> ExpressionError:
    return ExpressionError(f"The function is not allowed to be used this way in an expression; function: {function}")


def _check_names(named: Iterable[Path]) -> None:
    for path in named:
        for step in path.steps:
            if isinstance(step, str) and is_reserved(step):
                raise ExpressionError(f"Attribute name is a reserved keyword; reserved keyword: {step}")
