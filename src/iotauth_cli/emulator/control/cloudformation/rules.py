"""Rules: what a template asks of its parameters together, before anything is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from iotauth_cli.emulator.control.cloudformation.errors import invalid, template_error
from iotauth_cli.emulator.control.cloudformation.intrinsics import Scope, evaluate_conditions
from iotauth_cli.emulator.control.service import NotImplementedHere

# Functions that only rules have. What conditions have too, and `Fn::Contains`, is here.
UNAVAILABLE = ("Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll")


def check(rules: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Hold the parameters' *values* to a template's *rules*.

    Raises:
        ServiceError: ValidationError; an assertion does not hold (AWS's wording for that is not documented).
    """
    for name, rule in rules.items():
        if not isinstance(rule, dict) or not isinstance(rule.get("Assertions"), list):
            raise template_error(f"[/Rules/{name}] every rule must have a list of Assertions.")
        if "RuleCondition" not in rule or _holds(rule["RuleCondition"], values):
            for said in _broken(rule["Assertions"], values):
                raise invalid(f"Rule {name} failed: {said}")


def _broken(assertions: list[Any], values: Mapping[str, Any]) -> Iterator[str]:
    for each in assertions:
        if not isinstance(each, dict) or "Assert" not in each:
            raise template_error("Every assertion of a rule must have an Assert member.")
        if not _holds(each["Assert"], values):
            yield str(each.get("AssertDescription", "an assertion does not hold"))


def _holds(claim: Any, values: Mapping[str, Any]) -> bool:
    """Evaluate *claim* as a condition: that is what it is, but for the functions of its own."""
    return evaluate_conditions({"Rule": _plain(claim)}, Scope(values, {}))["Rule"]


def _plain(claim: Any) -> Any:
    """Return *claim* in the functions that conditions have: a list contains what equals one of its members."""
    if isinstance(claim, list):
        return [_plain(each) for each in claim]
    if not isinstance(claim, dict):
        return claim
    for name in UNAVAILABLE:
        if name in claim:
            raise NotImplementedHere(f"the function {name} of a rule")
    if "Fn::Contains" not in claim:
        return {name: _plain(each) for name, each in claim.items()}
    argument = claim["Fn::Contains"]
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], list):
        raise template_error("Fn::Contains requires a list of texts and a text")
    members, wanted = argument
    never = {"Fn::Equals": ["", "no member"]}  # Fn::Or wants two at least
    return {"Fn::Or": [never, never, *({"Fn::Equals": [member, wanted]} for member in members)]}
