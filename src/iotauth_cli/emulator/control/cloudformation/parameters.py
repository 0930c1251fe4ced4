"""A template's parameters: what it declares, what a caller gives, and what the stack then has.

A parameter with NoEcho is used and kept, and never shown again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iotauth_cli.emulator.control.cloudformation.errors import invalid, template_error
from iotauth_cli.emulator.control.cloudformation.intrinsics import text_of
from iotauth_cli.emulator.control.service import NotImplementedHere

Declared = Mapping[str, Mapping[str, Any]]

MASK = "****"  # what CloudFormation shows in place of a NoEcho value
SCALARS = ("String", "Number")
LISTS = ("CommaDelimitedList", "List<Number>")
NUMERIC = ("Number", "List<Number>")
NUMERIC_RULES = ("MinLength", "MaxLength", "MinValue", "MaxValue")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def texts(
    declared: Declared, given: Iterable[Mapping[str, Any]], previous: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return every declared parameter's text: given, else of the stack before, if asked for, else the default.

    Raises:
        ServiceError: ValidationError; one is not declared, has no value, or a value that is not allowed.
    """
    given = list(given)
    unknown = [each["ParameterKey"] for each in given if each["ParameterKey"] not in declared]
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    found = {name: text_of(each["Default"]) for name, each in declared.items() if "Default" in each}
    found.update(dict(_given(given, previous or {})))
    missing = [name for name in declared if name not in found]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, each in declared.items():
        _check(name, each, found[name])
    return {name: found[name] for name in declared}


def _given(given: Iterable[Mapping[str, Any]], previous: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for each in given:
        name = each["ParameterKey"]
        if each.get("UsePreviousValue"):
            if name not in previous:
                raise invalid(f"Invalid input for parameter key {name}. There is no previous value to use")
            yield name, previous[name]
        elif "ParameterValue" in each:
            yield name, each["ParameterValue"]


def values(declared: Declared, found: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``Ref`` gives for each parameter: lists for those that are lists."""
    return {name: _items(text) if is_list(declared[name]) else text for name, text in found.items()}


def shown(declared: Declared, found: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the parameters as DescribeStacks shows them."""
    return [
        {"ParameterKey": name, "ParameterValue": MASK if is_hidden(declared.get(name, {})) else text}
        for name, text in found.items()
    ]


def is_hidden(declaration: Mapping[str, Any]) -> bool:
    return text_of(declaration.get("NoEcho", False)) == "true"


def is_list(declaration: Mapping[str, Any]) -> bool:
    return declaration["Type"] in LISTS or declaration["Type"].startswith("List<")


def check_declarations(declared: Declared) -> None:
    """Hold what a template declares to a type that exists.

    Raises:
        ServiceError: ValidationError; 501 for values that would have to come from other services.
    """
    for name, each in declared.items():
        kind = each.get("Type")
        if not isinstance(kind, str):
            raise template_error("Every Parameters object must contain a Type member.")
        if kind.startswith("AWS::SSM::"):
            raise NotImplementedHere(f"parameters from Systems Manager, as {name} would be")
        if kind not in (*SCALARS, *LISTS) and not kind.startswith(("AWS::", "List<AWS::")):
            raise template_error(f"Unrecognized parameter type: {kind}")
        _check_rules(name, each)


def _check_rules(name: str, declaration: Mapping[str, Any]) -> None:
    """Hold the rules for a parameter to a form in which they can be asked."""
    if not isinstance(declaration.get("AllowedValues", []), list):
        raise template_error(f"[/Parameters/{name}/AllowedValues] must be a list.")
    for rule in NUMERIC_RULES:
        if not NUMBER.fullmatch(text_of(declaration.get(rule, 0))):
            raise template_error(f"[/Parameters/{name}/{rule}] must be a number.")
    try:
        re.compile(text_of(declaration.get("AllowedPattern", "")))
    except re.error as error:
        raise template_error(f"[/Parameters/{name}/AllowedPattern] is not a regular expression: {error}.") from error


def _check(name: str, declaration: Mapping[str, Any], text: str) -> None:
    for value in _items(text) if is_list(declaration) else [text]:
        broken = _broken_rule(declaration, value)
        if broken:
            said = declaration.get("ConstraintDescription")
            why = f"failed to satisfy constraint: {said}" if said else broken
            raise invalid(f"Parameter {name} {why}")


def _broken_rule(declaration: Mapping[str, Any], value: str) -> str | None:
    """Say which of its rules *value* breaks; the value itself, which may be a secret, is not repeated."""
    if declaration["Type"] in NUMERIC and not NUMBER.fullmatch(value):
        return "must be a number"
    allowed = declaration.get("AllowedValues")
    if allowed is not None and value not in [text_of(each) for each in allowed]:
        return f"must be one of: [{', '.join(map(text_of, allowed))}]"
    pattern = declaration.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(text_of(pattern), value):
        return f"must match pattern {pattern}"
    return next(_broken_limits(declaration, value), None)


def _broken_limits(declaration: Mapping[str, Any], value: str) -> Iterator[str]:
    if len(value) < float(declaration.get("MinLength", 0)):
        yield f"must contain at least {declaration['MinLength']} characters"
    if "MaxLength" in declaration and len(value) > float(declaration["MaxLength"]):
        yield f"must contain at most {declaration['MaxLength']} characters"
    if declaration["Type"] not in NUMERIC:
        return
    if "MinValue" in declaration and float(value) < float(declaration["MinValue"]):
        yield f"must be a number not less than {declaration['MinValue']}"
    if "MaxValue" in declaration and float(value) > float(declaration["MaxValue"]):
        yield f"must be a number not greater than {declaration['MaxValue']}"


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")] if text else []
