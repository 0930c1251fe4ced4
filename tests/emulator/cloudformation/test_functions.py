"""CloudFormation's functions, as values."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.emulator.control.cloudformation import graph
from iotauth_cli.emulator.control.cloudformation.intrinsics import (
    Made,
    Pending,
    Scope,
    evaluate_conditions,
    references,
    resolve,
)
from iotauth_cli.emulator.control.service import ServiceError

SCOPE = Scope(
    values={"Name": "doors", "List": ["a", "b"], "AWS::Region": "eu-west-1", "AWS::StackName": "site"},
    mappings={"Sizes": {"eu-west-1": {"memory": 256}}},
    conditions={"Yes": True, "No": False},
    made={"Table": Made("doors-table", {"Arn": "arn:table"})},
    exports={"shared": "arn:shared"},
)

RESOLVED: list[tuple[Any, Any]] = [
    ({"Ref": "Name"}, "doors"),
    ({"Ref": "Table"}, "doors-table"),
    ({"Ref": "List"}, ["a", "b"]),
    ({"Ref": "AWS::Region"}, "eu-west-1"),
    ({"Fn::GetAtt": ["Table", "Arn"]}, "arn:table"),
    ({"Fn::GetAtt": "Table.Arn"}, "arn:table"),
    ({"Fn::Sub": "${Name}-${Table.Arn}-${AWS::Region}"}, "doors-arn:table-eu-west-1"),
    ({"Fn::Sub": "${!Name} ${ Name }"}, "${Name} doors"),
    ({"Fn::Sub": ["${Own}/${Name}", {"Own": {"Ref": "Table"}}]}, "doors-table/doors"),
    ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 7]]}, "a-doors-7"),
    ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b"),
    ({"Fn::Select": [1, {"Ref": "List"}]}, "b"),
    ({"Fn::Select": ["0", {"Fn::Split": ["/", "x/y"]}]}, "x"),
    ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "memory"]}, 256),
    ({"Fn::If": ["Yes", "a", "b"]}, "a"),
    ({"Fn::If": ["No", {"Ref": "Missing"}, "b"]}, "b"),
    ({"Fn::Base64": "text"}, "dGV4dA=="),
    ({"Fn::ImportValue": {"Fn::Sub": "shared"}}, "arn:shared"),
    ({"Fn::Equals": [1, "1"]}, True),
    ({"Fn::Or": [{"Condition": "No"}, {"Condition": "Yes"}]}, True),
    ({"Fn::And": [{"Condition": "No"}, {"Condition": "Yes"}]}, False),
    ({"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}, True),
    ({"a": 1, "b": {"Ref": "AWS::NoValue"}}, {"a": 1}),
    ([1, {"Fn::If": ["No", 2, {"Ref": "AWS::NoValue"}]}, 3], [1, 3]),
    ({"Condition": {"StringEquals": {"aws:x": "y"}}}, {"Condition": {"StringEquals": {"aws:x": "y"}}}),
]


@pytest.mark.parametrize(("value", "result"), RESOLVED, ids=lambda value: str(value)[:50])
def test_a_function_gives_its_value(value: Any, result: Any) -> None:
    """Parameters, made resources, maps and conditions come out as plain values."""
    assert resolve(value, SCOPE) == result


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"Fn::GetAtt": ["Table", "Colour"]}, "resource Table does not support attribute type Colour"),
        ({"Fn::Join": ["-"]}, "Fn::Join object requires a list of 2 values"),
        ({"Fn::Select": [5, ["a"]]}, "cannot select nonexistent value at index 5"),
        ({"Fn::FindInMap": ["Sizes", "mars", "memory"]}, "Unable to get mapping for Sizes::mars::memory"),
        ({"Fn::If": ["Maybe", 1, 2]}, "Unresolved condition dependency Maybe"),
        ({"Fn::ImportValue": "nowhere"}, "No export named nowhere found."),
        ({"Fn::Magic": 1}, "Encountered unsupported function: Fn::Magic"),
        ({"Fn::Cidr": ["10.0.0.0/16", 2]}, "does not implement Fn::Cidr"),
        ({"Fn::Sub": "${List}"}, "a text was expected"),
        ({"Fn::And": [{"Condition": "Yes"}]}, "requires a list of 2 to 10 conditions"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_broken_call_is_named(value: Any, said: str) -> None:
    """The refusal says which function, and what about it."""
    with pytest.raises(ServiceError) as refused:
        resolve(value, SCOPE)
    assert said in refused.value.message


def test_what_is_not_made_yet_is_pending() -> None:
    """A change set asks before anything is made, and learns what the value waits for."""
    with pytest.raises(Pending) as pending:
        resolve({"Fn::Join": ["", ["x", {"Fn::GetAtt": ["Function", "Arn"]}]]}, SCOPE)
    assert pending.value.logical_id == "Function"


def test_references_are_found_wherever_they_stand() -> None:
    """In Ref, GetAtt and Sub, but not in a Sub's own names nor in what is written literally."""
    value = [{"Ref": "A"}, {"x": {"Fn::GetAtt": "B.Arn"}}, {"Fn::Sub": ["${C} ${Own} ${!D}", {"Own": {"Ref": "E"}}]}]
    assert references(value) == {"A", "B", "C", "E"}


def test_conditions_may_name_each_other() -> None:
    """Their order in the template does not matter."""
    declared = {
        "Both": {"Fn::And": [{"Condition": "Named"}, {"Fn::Not": [{"Condition": "Far"}]}]},
        "Named": {"Fn::Equals": [{"Ref": "Name"}, "doors"]},
        "Far": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
    }
    assert evaluate_conditions(declared, SCOPE) == {"Named": True, "Far": False, "Both": True}


def test_conditions_in_a_circle_are_refused() -> None:
    """Each waits for the other, so neither is true or false."""
    declared = {"A": {"Fn::Not": [{"Condition": "B"}]}, "B": {"Fn::Not": [{"Condition": "A"}]}}
    with pytest.raises(ServiceError, match=r"Circular dependency between conditions: \[A, B\]"):
        evaluate_conditions(declared, SCOPE)


def test_resources_are_ordered_by_what_they_need() -> None:
    """What is needed comes first; what needs nothing stays where the template has it."""
    assert graph.order({"C": ["A", "B"], "A": [], "B": ["A", "Parameter"]}) == ("A", "B", "C")


def test_a_circle_of_resources_is_named() -> None:
    """Only those that are in the circle, in its order."""
    with pytest.raises(ServiceError, match=r"Circular dependency between resources: \[A, C, B\]"):
        graph.order({"Outside": ["A"], "A": ["C"], "B": ["A"], "C": ["B"]})
