"""CloudFormation's functions: from a value with ``Ref`` and ``Fn::…`` in it to a plain value.

All of them are pure. What is known at a point (parameters, conditions, resources already made) is a
`Scope`; who asks for what is not yet known gets a `Pending`, which is how a change set can be computed
before anything is made.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from iotauth_cli.emulator.control.cloudformation.errors import invalid, template_error
from iotauth_cli.emulator.control.service import NotImplementedHere

PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NotificationARNs",
        "NoValue",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)
PLACEHOLDER = re.compile(r"\$\{(!?)\s*([^}]*?)\s*\}")
UNAVAILABLE = ("Fn::Cidr", "Fn::GetAZs", "Fn::Transform", "Fn::Length", "Fn::ToJsonString", "Fn::GetStackOutput")


class Nothing:
    """``AWS::NoValue``: the member or element that has it is left out."""


NOTHING = Nothing()


class Pending(Exception):
    """A value that only the making of *logical_id* will show."""

    def __init__(self, logical_id: str) -> None:
        super().__init__(logical_id)
        self.logical_id = logical_id


@dataclass(frozen=True)
class Made:
    """A resource that exists: what ``Ref`` gives and what ``Fn::GetAtt`` gives."""

    ref: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scope:
    """What is known. *values* are parameters and pseudo parameters; *declared* all logical ids there are."""

    values: Mapping[str, Any]
    mappings: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    conditions: Mapping[str, bool] = field(default_factory=dict)
    made: Mapping[str, Made] = field(default_factory=dict)
    exports: Mapping[str, str] = field(default_factory=dict)


def resolve(value: Any, scope: Scope) -> Any:
    """Return *value* with every function in it carried out.

    Raises:
        ServiceError: a function is unknown, malformed, or asks for what does not exist.
        Pending: it needs a resource that is not made yet.
    """
    if isinstance(value, list):
        return [item for item in (resolve(each, scope) for each in value) if item is not NOTHING]
    if not isinstance(value, dict):
        return value
    function = function_of(value)
    if function is not None:
        return FUNCTIONS[function](value[function], scope)
    resolved = ((key, resolve(each, scope)) for key, each in value.items())
    return {key: each for key, each in resolved if each is not NOTHING}


def function_of(value: Mapping[str, Any]) -> str | None:
    """Return the function that *value* calls, if it is a call.

    Raises:
        ServiceError: it calls a function that there is none of.
    """
    if len(value) != 1:
        return None
    name = next(iter(value))
    if name in FUNCTIONS and (name != "Condition" or isinstance(value[name], str)):
        return name
    if name in UNAVAILABLE or name.startswith("Fn::ForEach"):
        raise NotImplementedHere(f"{name} in a template")
    if name.startswith("Fn::"):
        raise template_error(f"Encountered unsupported function: {name}")
    return None


def references(value: Any) -> frozenset[str]:
    """Return what *value* refers to: parameters, pseudo parameters and resources."""
    return frozenset(_references(value))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        if len(value) == 1:
            yield from _named(*next(iter(value.items())))
        for each in value.values():
            yield from _references(each)


def _named(function: str, argument: Any) -> Iterator[str]:
    if function == "Ref" and isinstance(argument, str):
        yield argument
    elif function == "Fn::GetAtt":
        yield _attribute(argument)[0]
    elif function == "Fn::Sub":
        text, own = _sub_arguments(argument)
        names = (name for literal, name in PLACEHOLDER.findall(text) if not literal)
        yield from (name.partition(".")[0] for name in names if name not in own)


def evaluate_conditions(declared: Mapping[str, Any], scope: Scope) -> dict[str, bool]:
    """Return every condition of a template; they may name each other.

    Raises:
        ServiceError: one is malformed, or they name each other in a circle.
    """
    known: dict[str, bool] = {}

    def evaluate(name: str, above: tuple[str, ...]) -> bool:
        if name in above:
            raise template_error(f"Circular dependency between conditions: [{', '.join(above)}]")
        if name not in declared:
            raise template_error(f"Unresolved condition dependency {name} in the Conditions block of the template")
        if name not in known:
            for other in _named_conditions(declared[name]):
                evaluate(other, (*above, name))
            inner = Scope(scope.values, scope.mappings, known)
            known[name] = _truth(resolve(declared[name], inner))
        return known[name]

    for name in declared:
        evaluate(name, ())
    return known


def _named_conditions(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _named_conditions(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "Condition" and isinstance(each, str):
                yield each
            elif key == "Fn::If" and isinstance(each, list) and each:
                yield str(each[0])
            yield from _named_conditions(each)


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise template_error("Conditions can only be boolean operations on parameters and other conditions")


def _ref(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, str):
        raise template_error("All References must be of type string")
    if argument == "AWS::NoValue":
        return NOTHING
    if argument in scope.values:
        return scope.values[argument]
    if argument in scope.made:
        return scope.made[argument].ref
    raise Pending(argument)


def _get_att(argument: Any, scope: Scope) -> Any:
    logical_id, name = _attribute(argument)
    if logical_id not in scope.made:
        raise Pending(logical_id)
    attributes = scope.made[logical_id].attributes
    if name not in attributes:
        raise template_error(f"resource {logical_id} does not support attribute type {name} in Fn::GetAtt")
    return attributes[name]


def _attribute(argument: Any) -> tuple[str, str]:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not (isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts)):
        raise template_error("Fn::GetAtt object requires two non-empty parameters, the resource name and the attribute")
    return parts[0], parts[1]


def _sub_arguments(argument: Any) -> tuple[str, dict[str, Any]]:
    text, own = (argument, {}) if isinstance(argument, str) else _arguments("Fn::Sub", argument, 2)
    if not isinstance(text, str) or not isinstance(own, dict):
        raise template_error("Fn::Sub requires a text, or a list of a text and a map of values")
    return text, own


def _sub(argument: Any, scope: Scope) -> str:
    text, own = _sub_arguments(argument)
    values = {name: resolve(value, scope) for name, value in own.items()}

    def replaced(found: re.Match[str]) -> str:
        literal, name = found.groups()
        if literal:
            return f"${{{name}}}"
        if name in values:
            return text_of(values[name])
        return text_of(_get_att(name, scope) if "." in name else _ref(name, scope))

    return PLACEHOLDER.sub(replaced, text)


def _join(argument: Any, scope: Scope) -> str:
    separator, items = _arguments("Fn::Join", argument, 2)
    items = resolve(items, scope)
    if not isinstance(separator, str) or not isinstance(items, list):
        raise template_error("Fn::Join object requires two parameters, a delimiter and a list of values")
    return separator.join(map(text_of, items))


def _select(argument: Any, scope: Scope) -> Any:
    index, items = (resolve(each, scope) for each in _arguments("Fn::Select", argument, 2))
    if not isinstance(items, list) or not str(index).isdigit():
        raise template_error("Fn::Select requires an index and a list of values")
    if int(index) >= len(items):
        raise template_error("Fn::Select cannot select nonexistent value at index " + str(index))
    return items[int(index)]


def _split(argument: Any, scope: Scope) -> list[str]:
    separator, text = (resolve(each, scope) for each in _arguments("Fn::Split", argument, 2))
    if not isinstance(separator, str) or not separator or not isinstance(text, str):
        raise template_error("Fn::Split object requires two parameters, a delimiter and a text")
    return text.split(separator)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    names = [text_of(resolve(each, scope)) for each in _arguments("Fn::FindInMap", argument, 3)]
    found: Any = scope.mappings
    for name in names:
        if not isinstance(found, Mapping) or name not in found:
            raise template_error(f"Unable to get mapping for {'::'.join(names)}")
        found = found[name]
    return found


def _if(argument: Any, scope: Scope) -> Any:
    condition, then, otherwise = _arguments("Fn::If", argument, 3)
    return resolve(then if _condition(condition, scope) else otherwise, scope)


def _condition(name: Any, scope: Scope) -> bool:
    if not isinstance(name, str) or name not in scope.conditions:
        raise template_error(f"Unresolved condition dependency {name} in the Resources block of the template")
    return scope.conditions[name]


def _equals(argument: Any, scope: Scope) -> bool:
    one, other = (resolve(each, scope) for each in _arguments("Fn::Equals", argument, 2))
    return bool(comparable(one) == comparable(other))


def _not(argument: Any, scope: Scope) -> bool:
    return not _truths("Fn::Not", argument, scope, 1, 1)[0]


def _and(argument: Any, scope: Scope) -> bool:
    return all(_truths("Fn::And", argument, scope, 2, 10))


def _or(argument: Any, scope: Scope) -> bool:
    return any(_truths("Fn::Or", argument, scope, 2, 10))


def _truths(function: str, argument: Any, scope: Scope, least: int, most: int) -> list[bool]:
    if not isinstance(argument, list) or not least <= len(argument) <= most:
        raise template_error(f"{function} object requires a list of {least} to {most} conditions")
    return [_truth(resolve(each, scope)) for each in argument]


def _base64(argument: Any, scope: Scope) -> str:
    return base64.b64encode(text_of(resolve(argument, scope)).encode()).decode("ascii")


def _import_value(argument: Any, scope: Scope) -> str:
    name = text_of(resolve(argument, scope))
    if name not in scope.exports:
        raise invalid(f"No export named {name} found.")
    return scope.exports[name]


def _arguments(function: str, argument: Any, count: int) -> list[Any]:
    if not isinstance(argument, list) or len(argument) != count:
        raise template_error(f"{function} object requires a list of {count} values")
    return argument


def comparable(value: Any) -> Any:
    """Return a value so that `true` and `"true"`, `7` and `"7"` are equal, as they are in templates."""
    return text_of(value) if isinstance(value, (str, int, float)) else value


def text_of(value: Any) -> str:
    """Return a scalar as CloudFormation writes it into text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise template_error(f"a text was expected, and there is {json.dumps(value, default=str)[:100]}")


FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Condition": _condition,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::FindInMap": _find_in_map,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::Not": _not,
    "Fn::And": _and,
    "Fn::Or": _or,
    "Fn::Base64": _base64,
    "Fn::ImportValue": _import_value,
}
