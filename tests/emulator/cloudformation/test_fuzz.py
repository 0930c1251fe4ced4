"""Templates that nobody would write: refused in words, whatever stands where; never a failure of the emulator."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.control.cloudformation import parameters, plan, queries, shown, syntax
from iotauth_cli.emulator.control.cloudformation.kinds import all_kinds
from iotauth_cli.emulator.control.cloudformation.store import Source, Stack
from iotauth_cli.emulator.control.service import Context, ServiceError
from support_cloudformation import StackControl, authorizer, function, group, resources, role, table

TEMPLATE: dict[str, Any] = {
    "Description": "All that a template may have",
    "Parameters": {
        "Name": {"Type": "String", "Default": "doors", "AllowedPattern": "[a-z]+", "MaxLength": 9, "NoEcho": False},
        "Days": {"Type": "Number", "Default": 7, "MinValue": 1, "AllowedValues": [7, 30]},
        "Hosts": {"Type": "CommaDelimitedList", "Default": "a,b"},
    },
    "Mappings": {"Sizes": {"us-east-1": {"memory": 256}}},
    "Conditions": {
        "Is": {"Fn::Equals": [{"Ref": "Name"}, "doors"]},
        "Both": {"Fn::And": [{"Condition": "Is"}, {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}]},
    },
    **resources(
        Role=role(Policies=[{"PolicyName": "p", "PolicyDocument": {"Statement": []}}]),
        Function=function(
            MemorySize={"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "memory"]},
            Environment={"Variables": {"MODE": {"Fn::Sub": ["${Name}-${B}", {"B": {"Ref": "Days"}}]}}},
            Tags=[{"Key": "k", "Value": {"Fn::Select": [0, {"Ref": "Hosts"}]}}],
        ),
        Authorizer=authorizer(Status={"Fn::If": ["Is", "ACTIVE", {"Ref": "AWS::NoValue"}]}),
        Table={**table(Tags=[{"Key": "a", "Value": "b"}]), "DependsOn": ["Role"], "DeletionPolicy": "Retain"},
        Logs={**group(RetentionInDays={"Ref": "Days"}), "Condition": "Both"},
    ),
    "Outputs": {
        "Joined": {"Value": {"Fn::Join": ["-", [{"Ref": "Name"}, {"Fn::GetAtt": ["Function", "Arn"]}]]}},
        "Maybe": {
            "Condition": "Is",
            "Value": {"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]},
            "Export": {"Name": {"Ref": "Name"}},
        },
    },
}
PLAIN: list[Any] = [None, True, 7, -1.5, "", "x", "Role", [], {}, [[]], [None], ["a", "b"], {"x": "y"}]
CALLS: list[Any] = [{"Ref": []}, {"Ref": "Role"}, {"Fn::Sub": 1}, {"Fn::GetAtt": 1}, {"Fn::If": []}, {"Fn::Join": "a"}]
CONTEXT = Context("us-east-1", "123456789012", "1")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value inside of *value*."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in children:
        yield (*path, key)
        yield from places(each, (*path, key))


PLACES = list(places(TEMPLATE))


def with_junk(path: tuple[Any, ...], junk: Any) -> dict[str, Any]:
    changed = copy.deepcopy(TEMPLATE)
    holder: Any = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = junk
    return changed


def consider(document: dict[str, Any]) -> None:
    """Do all that happens to a template before the first resource is made."""
    text = syntax.build(document)
    document = syntax.parse(text)
    queries.described(document)
    parameters.check_declarations(shown.declared(document))
    texts = parameters.texts(shown.declared(document), ())
    stack = Stack("arn:stack", "doors", "us-east-1", "REVIEW_IN_PROGRESS", 0.0)
    wanted = plan.wanted(Source(text, text, texts), stack, CONTEXT, {})
    plan.changes(wanted, {}, all_kinds(None))  # type: ignore[arg-type]  # no package is looked for
    plan.known_outputs(wanted)


def test_the_template_that_is_broken_below_is_whole(control: StackControl) -> None:
    consider(TEMPLATE)
    assert control.create(TEMPLATE)["StackStatus"] == "CREATE_COMPLETE", control.events()


@settings(max_examples=400)
@given(path=st.sampled_from(PLACES), junk=st.sampled_from(PLAIN + CALLS))
def test_junk_anywhere_is_refused_in_words_or_has_a_meaning(path: tuple[Any, ...], junk: Any) -> None:
    """Every place of a template, with anything in it: CloudFormation's ValidationError, or it is fine."""
    with contextlib.suppress(ServiceError):
        consider(with_junk(path, junk))


def test_properties_of_another_form_fail_their_resource(control: StackControl) -> None:
    """Lists for mappings, mappings for lists: the stack ends, with the resource named, and can be deleted."""
    forms: list[dict[str, Any]] = [
        {"Tags": "x"},
        {"Tags": [1]},
        {"Policies": {"a": 1}},
        {"Policies": [{"PolicyName": "p"}]},
    ]
    for properties in [*forms, {"ManagedPolicyArns": "arn"}, {"Path": ["/"]}]:
        assert control.create(resources(Role=role(**properties)))["StackStatus"] == "ROLLBACK_COMPLETE"
        assert "Properties validation failed" in control.reason("Role")
        assert control.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_aliases_that_mean_gigabytes_are_refused(control: StackControl) -> None:
    """CloudFormation takes no YAML aliases; expanded, these few lines would fill the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ClientError, match="YAML not well-formed"):
        control.cloudformation.validate_template(TemplateBody="\n".join(lines))


@pytest.mark.parametrize("text", ["A: " + "[" * 500 + "]" * 500, '{"a":' * 500 + "1" + "}" * 500], ids=["YAML", "JSON"])
def test_a_template_of_five_hundred_levels_is_refused(text: str) -> None:
    """Whoever walks it later would otherwise run out of stack."""
    with pytest.raises(ServiceError, match="Template format error"):
        syntax.parse(text)
