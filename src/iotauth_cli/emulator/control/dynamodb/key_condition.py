"""What a KeyConditionExpression asks for: one partition, and perhaps a range of its sort keys.

It is an ordinary condition by its grammar; here it is held to what can be searched: equality on
the partition key and at most one test of the sort key, both against values of the request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iotauth_cli.emulator.control.dynamodb.errors import invalid, invalid_value
from iotauth_cli.emulator.control.dynamodb.expressions.scope import Scope
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
    And,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
    Reference,
    operands,
)
from iotauth_cli.emulator.control.dynamodb.items import SortRange
from iotauth_cli.emulator.control.dynamodb.schema import KeyAttribute, KeySchema, Place, key_bytes, slot_of
from iotauth_cli.emulator.control.dynamodb.values import Value, kind_of
from iotauth_cli.emulator.control.service import ServiceError

MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
UNSEARCHABLE = "Query key condition not supported"


@dataclass(frozen=True)
class KeyTest:
    """One attribute held against one value, or two for BETWEEN."""

    attribute: str
    operator: str  # = < <= > >= BETWEEN begins_with
    values: tuple[Value, ...]


@dataclass(frozen=True)
class KeySearch:
    """The partition that a query reads (its place has no sort key), and what it wants of it."""

    partition: Place
    sort: SortRange


def search(condition: Condition, scope: Scope, keys: KeySchema) -> KeySearch:
    """Return what *condition* asks for in a table with *keys*.

    Raises:
        ServiceError: it asks for something that a key cannot be searched for.
    """
    tests = read_tests(condition, scope)
    if len(tests) > len(keys.attributes):
        raise _too_many(tests, keys)
    partition = _partition_test(tests, keys)
    place = Place(slot_of(partition), partition)
    if keys.sort is None or len(tests) == 1:
        return KeySearch(place, SortRange())
    test = tests.get(keys.sort.name)
    if test is None:
        raise invalid(f"Query condition missed key schema element: {keys.sort.name}")
    _check_types(test, keys.sort)
    return KeySearch(place, _sort_range(test, keys.sort))


def read_tests(condition: Condition, scope: Scope) -> dict[str, KeyTest]:
    """Return the tests that *condition* joins with AND, by attribute.

    Raises:
        ServiceError: it holds anything else, or two tests of one attribute.
    """
    tests: dict[str, KeyTest] = {}
    for part in _conjuncts(condition):
        test = _read_test(part, scope)
        if test.attribute in tests:
            raise _invalid("KeyConditionExpressions must only contain one condition per key")
        tests[test.attribute] = test
    return tests


def _invalid(message: str) -> ServiceError:
    return invalid(f"Invalid KeyConditionExpression: {message}")


def _conjuncts(condition: Condition) -> Iterator[Comparison | Between | Call]:
    if isinstance(condition, And):
        for part in condition.conditions:
            yield from _conjuncts(part)
    elif isinstance(condition, (Or, Not, In)):
        raise invalid(f"Invalid operator used in KeyConditionExpression: {type(condition).__name__.upper()}")
    else:
        yield condition


def _read_test(test: Comparison | Between | Call, scope: Scope) -> KeyTest:
    operator, parts = _operator(test), operands(test)
    path = _tested_path(operator, parts)
    if isinstance(parts[0], Reference):
        operator = MIRRORED[operator]
    values = tuple(scope.value(part) for part in parts if isinstance(part, Reference))
    return KeyTest(scope.head(path), operator, values)


def _tested_path(operator: str, parts: tuple[Operand, ...]) -> Path:
    """Return the one path among the operands of a test.

    Raises:
        ServiceError: there is no or more than one, or it does not stand where it must or name a whole attribute.
    """
    if any(isinstance(part, Call) for part in parts):
        raise _invalid("KeyConditionExpressions cannot contain nested operations")
    named = [part for part in parts if isinstance(part, Path)]
    if len(named) > 1:
        raise invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
    if not named:
        raise invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
    if operator not in MIRRORED and not isinstance(parts[0], Path):
        raise invalid(
            f"Invalid condition in KeyConditionExpression: {operator} operator must have the key attribute "
            "as its first operand"
        )
    if len(named[0].steps) > 1:
        raise _invalid("KeyConditionExpressions cannot have conditions on nested attributes")
    return named[0]


def _operator(test: Comparison | Between | Call) -> str:
    if isinstance(test, Between):
        return "BETWEEN"
    operator = test.function if isinstance(test, Call) else test.operator
    if operator not in MIRRORED and operator != "begins_with":
        raise invalid(f"Invalid operator used in KeyConditionExpression: {operator}")
    return operator


def _too_many(tests: dict[str, KeyTest], keys: KeySchema) -> ServiceError:
    if len(keys.attributes) == 1 and len(tests) == 2:
        return invalid(UNSEARCHABLE)
    return invalid(
        f"The number of query conditions ({len(tests)}) exceeds the number of key attributes "
        f"defined in the schema ({len(keys.attributes)})"
    )


def _partition_test(tests: dict[str, KeyTest], keys: KeySchema) -> bytes:
    test = tests.get(keys.partition.name)
    if test is None:
        raise invalid(f"Query condition missed key schema element: {keys.partition.name}")
    _check_types(test, keys.partition)
    if test.operator != "=":
        raise invalid(UNSEARCHABLE)
    return key_bytes(keys.partition, test.values[0])


def _check_types(test: KeyTest, attribute: KeyAttribute) -> None:
    if any(kind_of(value) != attribute.kind for value in test.values):
        raise invalid_value("Condition parameter type does not match schema type")


def _sort_range(test: KeyTest, attribute: KeyAttribute) -> SortRange:
    low, *_, high = (key_bytes(attribute, value) for value in (test.values[0], test.values[-1]))
    if test.operator in ("=", "BETWEEN"):
        return SortRange(low, high)
    if test.operator == "begins_with":
        return SortRange(low, _after_prefix(low), includes_high=False)
    if test.operator in ("<", "<="):
        return SortRange(None, high, includes_high=test.operator == "<=")
    return SortRange(low, None, includes_low=test.operator == ">=")


def _after_prefix(prefix: bytes) -> bytes | None:
    """Return the first bytes behind everything that begins with *prefix*, or None if nothing can be."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None
