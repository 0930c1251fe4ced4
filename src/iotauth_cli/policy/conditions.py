"""Does a statement's Condition hold for this connection and action?

All keys of all operators must hold; of a key's values one suffices, and for a negated operator
none may fit. A key without a value in this request fails, and passes where the operator is
negated, ends in ``IfExists`` or begins with ``ForAllValues:``.
Sources: IAM user guide, "Condition operators" and "Multivalued context keys"; AWS IoT developer
guide, "Connect policy examples" for ``iot:ConnectAttributes`` and ``iot:LastWillTopic``.

Some conditions cannot be told: an operator or a key that is not known here, a thing's or a
certificate's key, a variable without a value. These are `Outcome.UNKNOWN`, and the caller takes
the safe side: such an Allow gives nothing, such a Deny takes away. A policy that works here can
then be trusted not to have worked by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from iotauth_cli.policy.context import CONDITION_KEYS, MULTI_VALUED, Context
from iotauth_cli.policy.document import Condition
from iotauth_cli.policy.match import Literal, compile_pattern
from iotauth_cli.policy.variables import NoValue, expand

ARN_PARTS = 6  # arn:partition:service:region:account:resource; the last may hold colons


class Outcome(Enum):
    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """The outcome for one condition, or for all of a statement's, with the reason in words."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Operator:
    """An operator's name taken apart. *compare* is None for ``Null``, which asks for presence."""

    compare: Callable[[Sequence[str], str], bool] | None
    is_negated: bool
    quantifier: str  # "forallvalues", "foranyvalue" or ""
    if_exists: bool


def check(conditions: Sequence[Condition], context: Context, action: str, variables: Mapping[str, str]) -> Check:
    """Return the joint outcome of *conditions*, whose values may name *variables*.

    One that fails settles it, whatever else is unknown.
    """
    checks = [_check(condition, context, action, variables) for condition in conditions]
    for outcome in (Outcome.FAILS, Outcome.UNKNOWN):
        for each in checks:
            if each.outcome is outcome:
                return each
    return Check(Outcome.HOLDS, "its conditions hold" if checks else "")


def read_operator(name: str) -> Operator | None:
    """Take an operator's name apart; None for one that is not known. Case does not count."""
    quantifier, _, rest = name.lower().rpartition(":")
    if quantifier not in ("", "forallvalues", "foranyvalue"):
        return None
    base = rest.removesuffix("ifexists")
    if base == "null" and base == rest:
        return Operator(None, False, quantifier, False)
    if base not in _COMPARISONS:
        return None
    compare, is_negated = _COMPARISONS[base]
    return Operator(compare, is_negated, quantifier, base != rest)


def _check(condition: Condition, context: Context, action: str, variables: Mapping[str, str]) -> Check:
    operator = read_operator(condition.operator)
    key, actual = condition.key.lower(), context.values(condition.key, action)
    if operator is None:
        return _unknown(condition, "the operator is not known")
    if key not in CONDITION_KEYS:
        return _unknown(condition, f"key {condition.key} is not known")
    if key in context.unknown:
        return _unknown(condition, f"only the connection itself has {condition.key}")
    if key in MULTI_VALUED and not operator.quantifier and operator.compare is not None:
        return _unknown(condition, f"{condition.key} has many values and needs ForAllValues or ForAnyValue")
    try:
        holds = _holds(operator, condition.values, actual, variables)
    except NoValue as error:
        return _unknown(condition, f"variable {error.name} has no value")
    except ValueError as error:
        return _unknown(condition, str(error))
    return Check(Outcome.HOLDS) if holds else Check(Outcome.FAILS, _failure(condition, actual))


def _holds(operator: Operator, wanted: Sequence[str], actual: Sequence[str], variables: Mapping[str, str]) -> bool:
    compare = operator.compare
    if compare is None:
        return any((value.lower() == "true") == (not actual) for value in wanted)
    if not actual:
        return _holds_without_value(operator)
    patterns = [expand(value, variables) for value in wanted]
    fits = [any(compare(pattern, value) for pattern in patterns) != operator.is_negated for value in actual]
    return all(fits) if operator.quantifier == "forallvalues" else any(fits)


def _holds_without_value(operator: Operator) -> bool:
    if operator.quantifier:
        return operator.quantifier == "forallvalues" or operator.if_exists
    return operator.is_negated or operator.if_exists


def _unknown(condition: Condition, why: str) -> Check:
    return Check(Outcome.UNKNOWN, f"condition {condition.operator} cannot be told: {why}")


def _failure(condition: Condition, actual: Sequence[str]) -> str:
    wanted = ", ".join(condition.values) or "nothing"
    found = ", ".join(actual) or "absent"
    return f"condition {condition.operator} does not hold: {condition.key} is {found}, the policy says {wanted}"


def _equals(pattern: Sequence[str], value: str) -> bool:
    return "".join(pattern) == value


def _equals_ignoring_case(pattern: Sequence[str], value: str) -> bool:
    return "".join(pattern).casefold() == value.casefold()


def _like(pattern: Sequence[str], value: str) -> bool:
    return compile_pattern(pattern).matches(value)


def _arn_like(pattern: Sequence[str], value: str) -> bool:
    """Compare the six parts of an ARN one by one, so that no wildcard reaches into the next part."""
    wanted, found = _arn_parts(pattern), value.split(":", ARN_PARTS - 1)
    if len(wanted) != ARN_PARTS or len(found) != ARN_PARTS:
        return False
    return all(_like(part, text) for part, text in zip(wanted, found, strict=True))


def _arn_parts(pieces: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for piece in pieces:
        # A colon inside a variable's value belongs to the value: it ends no part of the ARN.
        splits = 0 if isinstance(piece, Literal) else ARN_PARTS - len(parts)
        first, *others = piece.split(":", splits)
        parts[-1].append(Literal(first) if isinstance(piece, Literal) else first)
        parts.extend([other] for other in others)
    return parts


def _in_address_range(pattern: Sequence[str], value: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(value) in ipaddress.ip_network("".join(pattern), strict=False)


_COMPARISONS: Mapping[str, tuple[Callable[[Sequence[str], str], bool], bool]] = {
    "stringequals": (_equals, False),
    "stringnotequals": (_equals, True),
    "stringequalsignorecase": (_equals_ignoring_case, False),
    "stringnotequalsignorecase": (_equals_ignoring_case, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    # IAM gives ArnEquals and ArnLike the same meaning.
    "arnequals": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnlike": (_arn_like, False),
    "arnnotlike": (_arn_like, True),
    "ipaddress": (_in_address_range, False),
    "notipaddress": (_in_address_range, True),
    "bool": (_equals_ignoring_case, False),
}
