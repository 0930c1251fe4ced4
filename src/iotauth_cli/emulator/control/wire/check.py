"""The checks that every AWS service makes before it looks at a request, in AWS's wording.

    1 validation error detected: Value 'bad name!' at 'authorizerName' failed to satisfy
    constraint: Member must satisfy regular expression pattern: [\\w=,@-]+

botocore checks presence, type and minimum length before it sends; the rest is for the
server. Only the error's code differs from service to service.

What may be a secret is not repeated in an error: shapes that the model calls sensitive, bytes,
and the credentials that TestInvokeAuthorizer carries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from iotauth_cli.emulator.control.service import ServiceError
from iotauth_cli.emulator.control.wire.models import Shape
from iotauth_cli.emulator.control.wire.patterns import compile_pattern

CODES = {
    "iot": "InvalidRequestException",
    "iot-data": "InvalidRequestException",
    "logs": "InvalidParameterException",
    "iam": "ValidationError",
    "sts": "ValidationError",
    "cloudformation": "ValidationError",
}
DEFAULT_CODE = "ValidationException"  # lambda, dynamodb and most others

CREDENTIALS = frozenset({"token", "tokenSignature", "username", "password", "queryString", "headers"})
LONGEST_SHOWN = 1024  # characters of a value that an error repeats

NUMBERS = frozenset({"integer", "long", "float", "double"})
COLLECTIONS = frozenset({"structure", "list", "map"})
SIZED = frozenset({"string", "blob", "list", "map"})


def code_of(service: str) -> str:
    """Return the error code under which *service* refuses a bad parameter."""
    return CODES.get(service, DEFAULT_CODE)


def check(service: str, shape: Shape, parameters: dict[str, Any]) -> None:
    """Hold *parameters* against required members, ranges, patterns and enumerations.

    Raises:
        ServiceError: all violations in one sentence, with the service's own code.
    """
    if _holds(shape, parameters):  # the sentences take ten times as long, and nobody asks for them
        return
    found = list(_structure_violations(shape, parameters, ""))
    plural = "" if len(found) == 1 else "s"
    message = f"{len(found)} validation error{plural} detected: {'; '.join(found)}"
    raise ServiceError(code_of(service), message)


@dataclass(frozen=True)
class Rule:
    """A constraint as AWS says it, and the test for it."""

    sentence: str
    holds: Callable[[Any], bool]


@functools.cache
def rules(shape: Shape) -> tuple[Rule, ...]:
    """Return the constraints on a value of *shape* itself, not on what it holds."""
    return tuple(_rules(shape))


def _rules(shape: Shape) -> Iterator[Rule]:
    traits = shape.traits
    pattern = compile_pattern(traits["pattern"]) if "pattern" in traits and shape.type == "string" else None
    if pattern is not None:
        yield Rule(
            f"Member must satisfy regular expression pattern: {traits['pattern']}",
            lambda value: pattern.fullmatch(value) is not None,
        )
    if "enum" in traits:
        members = frozenset(traits["enum"])
        yield Rule(f"Member must satisfy enum value set: [{', '.join(traits['enum'])}]", lambda value: value in members)
    if shape.type in SIZED:
        yield from _range_rules(traits, "length", len)
    elif shape.type in NUMBERS:
        yield from _range_rules(traits, "value", lambda value: value)


def _range_rules(traits: dict[str, Any], what: str, measure: Callable[[Any], float]) -> Iterator[Rule]:
    if "max" in traits:
        most = traits["max"]
        yield Rule(f"Member must have {what} less than or equal to {most}", lambda value: measure(value) <= most)
    if "min" in traits:
        least = traits["min"]
        yield Rule(f"Member must have {what} greater than or equal to {least}", lambda value: measure(value) >= least)


def _holds(shape: Shape, value: Any) -> bool:
    """Tell whether *value* and all that it holds keep to the rules of *shape*."""
    # Plain loops, here and below: every item of every table write comes through, and a generator
    # for all() costs more than what it asks.
    for rule in rules(shape):
        if not rule.holds(value):
            return False
    if shape.type == "structure":
        return _structure_holds(shape, value)
    if shape.type == "list":
        return _is_free(shape.element) or _all_hold(shape.element, value)
    if shape.type == "map":
        keys_hold = _is_free(shape.key) or _all_hold(shape.key, value)
        return keys_hold and (_is_free(shape.value) or _all_hold(shape.value, value.values()))
    return True


def _all_hold(shape: Shape, items: Iterable[Any]) -> bool:
    for item in items:  # noqa: SIM110
        if not _holds(shape, item):
            return False
    return True


def _structure_holds(shape: Shape, value: dict[str, Any]) -> bool:
    if shape.traits.get("document"):
        return True
    for name in shape.required:
        if name not in value:
            return False
    ruled = _ruled_members(shape)
    for name, item in value.items():  # noqa: SIM110
        if name in ruled and not _holds(ruled[name], item):
            return False
    return True


@functools.cache
def _ruled_members(shape: Shape) -> dict[str, Shape]:
    """The members that have rules or may hold something that does."""
    return {name: member for name, member in shape.members.items() if not _is_free(member)}


@functools.cache
def _is_free(shape: Shape) -> bool:
    return shape.type not in COLLECTIONS and not rules(shape)


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for rule in rules(shape):
        if not rule.holds(value):
            yield _violation(shape, value, path, rule.sentence)
    if shape.type in COLLECTIONS:
        yield from _inner_violations(shape, value, path)


def _inner_violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if shape.type == "structure":
        yield from _structure_violations(shape, value, f"{path}.")
    elif shape.type == "list":
        yield from _content_violations(shape, value, path, "Member", shape.element, value)
        for number, item in enumerate(value, 1):
            yield from _inner_violations(shape.element, item, f"{path}.{number}.member")
    elif shape.type == "map":
        yield from _content_violations(shape, value, path, "Map keys", shape.key, value)
        yield from _content_violations(shape, value, path, "Map value", shape.value, value.values())
        for key, item in value.items():
            yield from _inner_violations(shape.value, item, f"{path}.{key}.member")


def _structure_violations(shape: Shape, value: dict[str, Any], prefix: str) -> Iterator[str]:
    if shape.traits.get("document"):
        return
    for name in shape.required:
        if value.get(name) is None:
            path = prefix + _lower_first(name)
            yield f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
    for name, member in value.items():
        if member is not None:
            yield from _violations(shape.members[name], member, prefix + _lower_first(name))


def _content_violations(
    shape: Shape, value: Any, path: str, who: str, content: Shape, items: Iterable[Any]
) -> Iterator[str]:
    """Judge what a list or map holds; AWS then names the collection and every rule of its content."""
    found = rules(content)
    if found and any(not rule.holds(item) for item in items for rule in found):
        sentences = ", ".join(rule.sentence for rule in found)
        yield _violation(shape, value, path, f"{who} must satisfy constraint: [{sentences}]")


def _violation(shape: Shape, value: Any, path: str, sentence: str) -> str:
    is_hidden = path.rpartition(".")[2] in CREDENTIALS or _may_hold_secret(shape)
    shown = "" if is_hidden else f" '{_java_text(value)[:LONGEST_SHOWN]}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {sentence}"


def _may_hold_secret(shape: Shape) -> bool:
    if shape.type == "list":
        return _may_hold_secret(shape.element)
    if shape.type == "map":
        return _may_hold_secret(shape.key) or _may_hold_secret(shape.value)
    return bool(shape.traits.get("sensitive")) or shape.type in ("blob", "structure")


def _java_text(value: Any) -> str:
    """Write a value as Java prints it, which is how AWS quotes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_java_text, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
