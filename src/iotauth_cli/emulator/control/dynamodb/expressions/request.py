"""All the expressions of one request, read and checked together.

They share the request's names and values, and together must use every one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from iotauth_cli.emulator.control.dynamodb.errors import invalid
from iotauth_cli.emulator.control.dynamodb.expressions.check import check_condition, check_update
from iotauth_cli.emulator.control.dynamodb.expressions.parse import (
    parse_condition,
    parse_projection,
    parse_update,
)
from iotauth_cli.emulator.control.dynamodb.expressions.projection import PathTree, check_projection
from iotauth_cli.emulator.control.dynamodb.expressions.scope import Scope
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
    Condition,
    Parsed,
    Projection,
    Steps,
    Update,
    paths,
)
from iotauth_cli.emulator.control.dynamodb.expressions.tokens import ExpressionError
from iotauth_cli.emulator.control.dynamodb.values import Value, normalise
from iotauth_cli.emulator.control.service import ServiceError

# In the order AWS reads them. A projection takes no values.
WITH_VALUES = ("UpdateExpression", "ConditionExpression", "KeyConditionExpression", "FilterExpression")
EXPRESSIONS = (*WITH_VALUES, "ProjectionExpression")

NAME = re.compile(r"#[0-9a-zA-Z_]+")
VALUE = re.compile(r":[0-9a-zA-Z_]+")

Tree = TypeVar("Tree")
Checked = TypeVar("Checked")


@dataclass(frozen=True)
class Expressions:
    """What a request's expressions say, ready to be applied. *changed* holds the paths of *update*."""

    scope: Scope = field(default_factory=Scope)
    update: Update | None = None
    changed: PathTree | None = None
    condition: Condition | None = None
    key_condition: Condition | None = None
    filter: Condition | None = None
    projection: PathTree | None = None

    def paths_of(self, node: Condition | Update | Projection | None) -> Iterator[Steps]:
        return iter(()) if node is None else (self.scope.steps(path) for path in paths(node))


NO_EXPRESSIONS = Expressions()


def read_expressions(parameters: Mapping[str, Any]) -> Expressions:
    """Read whichever expressions *parameters* hold.

    Raises:
        ServiceError: an expression is not valid, a name or value is malformed or not used.
    """
    if not any("Expression" in name for name in parameters):
        return NO_EXPRESSIONS
    reader = _Reader(parameters, _read_scope(parameters))
    update, changed = reader.read("UpdateExpression", parse_update, check_update) or (None, None)
    condition, _ = reader.read("ConditionExpression", parse_condition, check_condition) or (None, None)
    key_condition, _ = reader.read("KeyConditionExpression", parse_condition, check_condition) or (None, None)
    filter_, _ = reader.read("FilterExpression", parse_condition, check_condition) or (None, None)
    _, projection = reader.read("ProjectionExpression", parse_projection, check_projection) or (None, None)
    reader.check_all_used()
    return Expressions(reader.scope, update, changed, condition, key_condition, filter_, projection)


class _Reader:
    def __init__(self, parameters: Mapping[str, Any], scope: Scope) -> None:
        self.parameters = parameters
        self.scope = scope
        self.used: set[str] = set()

    def read(
        self,
        name: str,
        parse: Callable[[str], Parsed[Tree]],
        check: Callable[[Tree, Scope], Checked],
    ) -> tuple[Tree, Checked] | None:
        text = self.parameters.get(name)
        if text is None:
            return None
        try:
            parsed = parse(text)
            checked = check(parsed.tree, self.scope)
        except ExpressionError as error:
            raise invalid(f"Invalid {name}: {error}") from error
        self.used |= parsed.placeholders
        return parsed.tree, checked

    def check_all_used(self) -> None:
        for parameter, defined in (
            ("ExpressionAttributeNames", self.scope.names),
            ("ExpressionAttributeValues", self.scope.values),
        ):
            unused = [name for name in defined if name not in self.used]
            if unused:
                raise invalid(f"Value provided in {parameter} unused in expressions: keys: {{{', '.join(unused)}}}")


def _read_scope(parameters: Mapping[str, Any]) -> Scope:
    names, values = parameters.get("ExpressionAttributeNames"), parameters.get("ExpressionAttributeValues")
    if names is not None:
        _check_map("ExpressionAttributeNames", names, NAME, EXPRESSIONS, parameters)
        for placeholder, name in names.items():
            if not name:
                raise invalid(
                    f"ExpressionAttributeNames contains invalid value: Empty attribute name for key {placeholder}"
                )
    if values is not None:
        _check_map("ExpressionAttributeValues", values, VALUE, WITH_VALUES, parameters)
        values = {placeholder: _read_value(placeholder, value) for placeholder, value in values.items()}
    return Scope(names or {}, values or {})


def _check_map(
    parameter: str,
    entries: Mapping[str, Any],
    placeholder: re.Pattern[str],
    expressions: tuple[str, ...],
    parameters: Mapping[str, Any],
) -> None:
    if not any(name in parameters for name in expressions):
        raise invalid(f"{parameter} can only be specified when using expressions")
    if not entries:
        raise invalid(f"{parameter} must not be empty")
    for key in entries:
        if not placeholder.fullmatch(key):
            raise invalid(f'{parameter} contains invalid key: Syntax error; key: "{key}"')


def _read_value(placeholder: str, value: Value) -> Value:
    try:
        return normalise(value)
    except ServiceError as error:
        raise invalid(
            f"ExpressionAttributeValues contains invalid value: {error.message} for key {placeholder}"
        ) from error
