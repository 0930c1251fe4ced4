"""A template's parameters: defaults, rules, and what stays hidden."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.emulator.control.cloudformation import parameters, rules
from iotauth_cli.emulator.control.service import ServiceError

DECLARED: dict[str, dict[str, Any]] = {
    "Name": {"Type": "String", "AllowedPattern": "[a-z]+", "MaxLength": 5, "Default": "doors"},
    "Memory": {"Type": "Number", "MinValue": 128, "MaxValue": 512, "Default": 256},
    "Mode": {"Type": "String", "AllowedValues": ["on", "off"], "Default": "on"},
    "Hosts": {"Type": "CommaDelimitedList", "Default": "a, b"},
    "Secret": {"Type": "String", "NoEcho": True, "MinLength": 3},
}


def given(**values: str) -> list[dict[str, Any]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


def test_what_is_not_given_is_the_default() -> None:
    """A number's default is text like every parameter, and a list's is a list where it is used."""
    found = parameters.texts(DECLARED, given(Secret="abc", Mode="off"))
    assert found == {"Name": "doors", "Memory": "256", "Mode": "off", "Hosts": "a, b", "Secret": "abc"}
    assert parameters.values(DECLARED, found)["Hosts"] == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"Name": "Doors"}, "Parameter Name must match pattern [a-z]+"),
        ({"Name": "doorsdoors"}, "Parameter Name must contain at most 5 characters"),
        ({"Memory": "64"}, "Parameter Memory must be a number not less than 128"),
        ({"Memory": "1024"}, "Parameter Memory must be a number not greater than 512"),
        ({"Memory": "much"}, "Parameter Memory must be a number"),
        ({"Mode": "maybe"}, "Parameter Mode must be one of: [on, off]"),
        ({"Other": "x"}, "Parameters: [Other] do not exist in the template"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_is_held_to_its_rules(values: dict[str, str], said: str) -> None:
    """The refusal names the parameter and the rule."""
    with pytest.raises(ServiceError) as refused:
        parameters.texts(DECLARED, given(Secret="abc") + given(**values))
    assert said in refused.value.message


def test_a_hidden_value_is_in_no_refusal() -> None:
    """Not even when it breaks a rule."""
    with pytest.raises(ServiceError) as refused:
        parameters.texts(DECLARED, given(Secret="x7"))
    assert "x7" not in refused.value.message


def test_what_has_no_value_is_named() -> None:
    with pytest.raises(ServiceError, match=r"Parameters: \[Secret\] must have values"):
        parameters.texts(DECLARED, [])


def test_a_previous_value_is_used_only_where_there_is_one() -> None:
    """UsePreviousValue at an update keeps a secret that the caller does not know any more."""
    asked = [{"ParameterKey": "Secret", "UsePreviousValue": True}]
    assert parameters.texts(DECLARED, asked, {"Secret": "abc"})["Secret"] == "abc"
    with pytest.raises(ServiceError, match="no previous value"):
        parameters.texts(DECLARED, asked)


def test_a_hidden_value_is_shown_as_stars() -> None:
    shown = parameters.shown(DECLARED, {"Name": "doors", "Secret": "abc"})
    assert {each["ParameterKey"]: each["ParameterValue"] for each in shown} == {"Name": "doors", "Secret": "****"}


def test_parameters_from_elsewhere_are_refused_by_name() -> None:
    """There is no Systems Manager here to ask."""
    with pytest.raises(ServiceError, match="parameters from Systems Manager, as Image would be") as refused:
        parameters.check_declarations({"Image": {"Type": "AWS::SSM::Parameter::Value<String>"}})
    assert refused.value.status == 501


BOTH_OFF = {"Fn::And": [{"Fn::Equals": [{"Ref": "Mode"}, "off"]}, {"Fn::Equals": [{"Ref": "Name"}, ""]}]}
NOT_BOTH = {"Assertions": [{"Assert": {"Fn::Not": [BOTH_OFF]}, "AssertDescription": "one must be on"}]}
IN_THE_EAST = {"Assertions": [{"Assert": {"Fn::Contains": [["us-east-1", "us-east-2"], {"Ref": "AWS::Region"}]}}]}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (NOT_BOTH, "Rule Any failed: one must be on"),
        ({"RuleCondition": {"Fn::Equals": [{"Ref": "Mode"}, "on"]}, **NOT_BOTH}, None),
        (IN_THE_EAST, "Rule Any failed: an assertion does not hold"),
        ({"Assertions": [{"Assert": {"Fn::Contains": [["off", "on"], {"Ref": "Mode"}]}}]}, None),
        ({"Assertions": "x"}, "must have a list of Assertions"),
        ({"Assertions": [{}]}, "must have an Assert member"),
        ({"Assertions": [{"Assert": {"Fn::RefAll": "x"}}]}, "does not implement the function Fn::RefAll of a rule"),
    ],
)
def test_rules_hold_parameters_to_each_other(rule: dict[str, Any], said: str | None) -> None:
    """An assertion, under a condition or always; and what is no rule is said."""
    values = {"Mode": "off", "Name": "", "AWS::Region": "eu-west-1"}
    if said is None:
        rules.check({"Any": rule}, values)
        return
    with pytest.raises(ServiceError) as refused:
        rules.check({"Any": rule}, values)
    assert said in refused.value.message
