"""Stacks: made in order, undone when something fails, removed again, and shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support_cloudformation import StackControl, authorizer, function, group, parameters, resources, role, table
from support_control import code_of, message_of

AUTHORIZER = resources(
    Permission={
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Action": "lambda:InvokeFunction",
            "Principal": "iot.amazonaws.com",
            "SourceArn": {"Fn::GetAtt": ["Authorizer", "Arn"]},
        },
    },
    Authorizer=authorizer(AuthorizerName="doors"),
    Function=function(),
    Role=role(Policies=[{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}]),
)


def test_resources_are_made_after_what_they_need_and_removed_before_it(control: StackControl) -> None:
    """Whatever the order in the template; the other way round at the end, and then nothing is left."""
    stack = control.create(AUTHORIZER)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = [name for name, status in control.told() if status == "CREATE_COMPLETE"]
    assert made == ["Role", "Function", "Authorizer", "Permission", "doors"]
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"
    told = control.told(stack["StackId"])
    assert [name for name, status in told if status == "DELETE_COMPLETE"] == [*reversed(made[:-1]), "doors"]
    assert control.client("iot").list_authorizers()["authorizers"] == []
    assert control.client("lambda").list_functions()["Functions"] == []
    assert control.client("iam").list_roles()["Roles"] == []


def test_the_permission_lets_iot_call_for_this_authorizer(control: StackControl) -> None:
    """Ref, GetAtt and the account come out as the ARNs that the other services know."""
    control.create(AUTHORIZER)
    described = control.client("iot").describe_authorizer(authorizerName="doors")["authorizerDescription"]
    allowed = control.server.call(
        lambda: control.functions.may_invoke(
            described["authorizerFunctionArn"],
            principal="iot.amazonaws.com",
            source_arn=described["authorizerArn"],
            source_account="123456789012",
        )
    )
    assert allowed


def test_a_failure_undoes_what_was_made(control: StackControl) -> None:
    """The stack ends in ROLLBACK_COMPLETE, the event has the service's own reason, and nothing is left."""
    control.client("logs").create_log_group(logGroupName="taken")
    stack = control.create(resources(Table=table("fine"), Logs=group("taken"), After=group("after")))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "The specified log group already exists" in control.reason("Logs")
    assert ("Table", "DELETE_COMPLETE") in control.told()
    assert "After" not in [name for name, _ in control.told()]
    assert control.client("dynamodb").list_tables()["TableNames"] == []
    assert len(control.client("logs").describe_log_groups()["logGroups"]) == 1, "somebody else's stays"


def test_half_a_resource_is_removed_too(control: StackControl) -> None:
    """A table that was made and then could not be set to expire its items does not stay behind."""
    broken = table("half", TimeToLiveSpecification={"Enabled": True})
    assert control.create(resources(Table=broken))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert control.client("dynamodb").list_tables()["TableNames"] == []


def test_a_type_that_is_not_there_fails_the_stack_by_its_name(control: StackControl) -> None:
    """Before anything else is made."""
    stack = control.create(resources(Table=table("fine"), Bucket={"Type": "AWS::S3::Bucket"}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "does not implement resources of type AWS::S3::Bucket" in control.reason("Bucket")
    assert "Table" not in [name for name, _ in control.told()]


def test_a_property_that_is_not_there_is_named(control: StackControl) -> None:
    """Nothing in a template is silently ignored."""
    control.create(resources(Table=table(KinesisStreamSpecification={"StreamArn": "arn"})))
    assert "the property KinesisStreamSpecification of AWS::DynamoDB::Table" in control.reason("Table")


def test_a_failed_stack_stays_if_that_is_asked_for(control: StackControl) -> None:
    """DisableRollback leaves what was made, to be looked at."""
    broken = resources(Table=table("stays"), Logs=group("taken", RetentionInDays=2))
    stack = control.create(broken, DisableRollback=True)
    assert stack["StackStatus"] == "CREATE_FAILED"
    assert control.client("dynamodb").list_tables()["TableNames"] == ["stays"]
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_a_failed_stack_goes_if_that_is_asked_for(control: StackControl) -> None:
    """OnFailure DELETE leaves no stack either."""
    stack = control.create(resources(Bucket={"Type": "AWS::S3::Bucket"}), OnFailure="DELETE")
    assert stack["StackStatus"] == "DELETE_COMPLETE"


def test_a_retained_resource_outlives_its_stack(control: StackControl) -> None:
    """DeletionPolicy Retain: DELETE_SKIPPED, and the table is still there."""
    stack_id = control.create(resources(Table={**table("kept"), "DeletionPolicy": "Retain"}))["StackId"]
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"
    assert ("Table", "DELETE_SKIPPED") in control.told(stack_id)
    assert control.client("dynamodb").list_tables()["TableNames"] == ["kept"]


def test_what_cannot_be_removed_keeps_the_stack(control: StackControl) -> None:
    """DELETE_FAILED with the reason; what it does not need is gone, and the next attempt finishes."""
    template = resources(Table=table("guarded", DeletionProtectionEnabled=True), Logs=group("free"))
    control.create(template)
    assert control.delete()["StackStatus"] == "DELETE_FAILED"
    assert "protected against deletion" in control.reason("Table")
    assert control.client("logs").describe_log_groups()["logGroups"] == []
    control.client("dynamodb").update_table(TableName="guarded", DeletionProtectionEnabled=False)
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_conditions_leave_resources_and_outputs_out(control: StackControl) -> None:
    """What a condition leaves out is not made, not shown, and no hole where a Ref would have been."""
    template: dict[str, Any] = {
        "Parameters": {"Logged": {"Type": "String", "AllowedValues": ["yes", "no"]}},
        "Conditions": {"IsLogged": {"Fn::Equals": [{"Ref": "Logged"}, "yes"]}},
        **resources(Table=table("doors"), Logs={**group("doors"), "Condition": "IsLogged"}),
        "Outputs": {
            "Logs": {"Condition": "IsLogged", "Value": {"Ref": "Logs"}},
            "Table": {"Value": {"Ref": "Table"}, "Description": "The table"},
        },
    }
    control.create(template, Parameters=parameters(Logged="no"))
    assert control.outputs() == {"Table": "doors"}
    control.update(template, Parameters=parameters(Logged="yes"))
    assert control.outputs() == {"Table": "doors", "Logs": "doors"}


def test_a_reference_to_what_a_condition_left_out_fails_the_stack(control: StackControl) -> None:
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        **resources(
            Logs={**group(), "Condition": "Never"},
            Table=table(Tags=[{"Key": "logs", "Value": {"Ref": "Logs"}}]),
        ),
    }
    assert control.create(template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Unresolved resource dependencies [Logs]" in control.reason("Table")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ({}, "At least one Resources member must be defined."),
        ({"Resource": {}}, "Invalid template property or properties [Resource]"),
        (resources(A={"Properties": {}}), "Every Resources object must contain a Type member."),
        (resources(A=group({"Ref": "B"})), "Unresolved resource dependencies [B] in the Resources block"),  # type: ignore[arg-type]
        (resources(A={**group(), "DependsOn": "B"}), "Unresolved resource dependencies [B]"),
        (resources(A={**group(), "Condition": "C"}), "Condition C is not defined"),
        (resources(A={**group(), "DependsOn": "B"}, B={**group(), "DependsOn": ["A"]}), "resources: [A, B]"),
        ({**resources(A=group()), "Outputs": {"X": {}}}, "Every Outputs member must contain a Value object"),
        ({**resources(A=group()), "Transform": "My::Macro"}, "does not implement the transform My::Macro"),
    ],
    ids=["empty", "section", "type", "reference", "dependency", "condition", "circle", "output", "macro"],
)
def test_a_template_that_cannot_be_makes_no_stack(control: StackControl, template: dict[str, Any], said: str) -> None:
    """The call fails with CloudFormation's words, and there is no stack to clear away."""
    with pytest.raises(ClientError) as refused:
        control.create(template)
    assert said in message_of(refused)
    assert control.cloudformation.describe_stacks()["Stacks"] == []


def test_roles_and_transforms_want_a_word(control: StackControl) -> None:
    """Without the capability nothing is made; a role with a name of its own wants the stronger one."""
    for properties, missing in (({}, "CAPABILITY_IAM"), ({"RoleName": "own"}, "CAPABILITY_NAMED_IAM")):
        body = json.dumps(resources(Role=role(**properties)))
        with pytest.raises(ClientError) as refused:
            control.cloudformation.create_stack(StackName="doors", TemplateBody=body)
        assert code_of(refused)[0] == "InsufficientCapabilitiesException"
        assert message_of(refused) == f"Requires capabilities : [{missing}]"


def test_a_name_is_taken_until_its_stack_is_deleted(control: StackControl) -> None:
    """Afterwards the name is free, and the deleted stack is found by its id alone."""
    first = control.create(resources(Logs=group()))
    with pytest.raises(ClientError) as refused:
        control.create(resources(Logs=group()))
    assert code_of(refused)[0] == "AlreadyExistsException"
    control.delete()
    with pytest.raises(ClientError) as unknown:
        control.stack("doors")
    assert code_of(unknown) == ("ValidationError", 400)
    assert message_of(unknown) == "Stack with id doors does not exist"
    assert control.create(resources(Logs=group()))["StackId"] != first["StackId"]
    assert control.stack(first["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    statuses = [each["StackStatus"] for each in control.cloudformation.list_stacks()["StackSummaries"]]
    assert sorted(statuses) == ["CREATE_COMPLETE", "DELETE_COMPLETE"]


def test_one_stack_imports_what_another_exports(control: StackControl) -> None:
    """And while it does, the other cannot be deleted."""
    exporting = {
        **resources(Table=table("shared")),
        "Outputs": {"Table": {"Value": {"Ref": "Table"}, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-table"}}}},
    }
    importing = resources(Logs=group({"Fn::Sub": ["/of/${T}", {"T": {"Fn::ImportValue": "base-table"}}]}))  # type: ignore[arg-type]
    control.create(exporting, "base")
    control.create(importing, "doors")
    groups = control.client("logs").describe_log_groups()["logGroups"]
    assert [each["logGroupName"] for each in groups] == ["/of/shared"]
    assert control.cloudformation.list_exports()["Exports"][0]["Value"] == "shared"
    assert control.cloudformation.list_imports(ExportName="base-table")["Imports"] == ["doors"]
    with pytest.raises(ClientError, match="Export base-table cannot be deleted as it is in use by doors"):
        control.delete("base")
    control.delete("doors")
    assert control.delete("base")["StackStatus"] == "DELETE_COMPLETE"


def test_a_protected_stack_is_not_deleted(control: StackControl) -> None:
    control.create(resources(Logs=group()), EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="while TerminationProtection is enabled"):
        control.delete()
    control.cloudformation.update_termination_protection(StackName="doors", EnableTerminationProtection=False)
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_a_stacks_tags_go_to_its_resources(control: StackControl) -> None:
    """A resource's own tag of the same key wins."""
    own = [{"Key": "site", "Value": "east"}]
    tags = [{"Key": "site", "Value": "west"}, {"Key": "team", "Value": "doors"}]
    control.create(resources(Logs=group("logs", Tags=own)), Tags=tags)
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:logs"
    found = control.client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
    assert found == {"site": "east", "team": "doors"}
    assert control.stack()["Tags"] == tags


def test_a_hidden_parameter_is_used_and_not_shown(control: StackControl) -> None:
    """Not by DescribeStacks, and not in any event."""
    template = {
        "Parameters": {"Key": {"Type": "String", "NoEcho": True}},
        **resources(Role=role(), Function=function(Environment={"Variables": {"KEY": {"Ref": "Key"}}})),
    }
    control.create(template, Parameters=parameters(Key="open sesame"))
    name = control.cloudformation.describe_stack_resource(StackName="doors", LogicalResourceId="Function")
    physical_id = name["StackResourceDetail"]["PhysicalResourceId"]
    configuration = control.client("lambda").get_function_configuration(FunctionName=physical_id)
    assert configuration["Environment"]["Variables"] == {"KEY": "open sesame"}
    assert control.stack()["Parameters"] == [{"ParameterKey": "Key", "ParameterValue": "****"}]
    assert "open sesame" not in str(control.events())


def test_resources_are_found_by_stack_and_by_their_own_name(control: StackControl) -> None:
    control.create(resources(Table=table("doors-table"), Logs=group("doors-logs")))
    by_stack = control.cloudformation.describe_stack_resources(StackName="doors")["StackResources"]
    assert [each["PhysicalResourceId"] for each in by_stack] == ["doors-table", "doors-logs"]
    by_name = control.cloudformation.describe_stack_resources(PhysicalResourceId="doors-logs")["StackResources"]
    assert [each["StackName"] for each in by_name] == ["doors", "doors"]
    listed = control.cloudformation.list_stack_resources(StackName="doors")["StackResourceSummaries"]
    assert {each["ResourceStatus"] for each in listed} == {"CREATE_COMPLETE"}
    with pytest.raises(ClientError, match="Resource Door does not exist for stack doors"):
        control.cloudformation.describe_stack_resource(StackName="doors", LogicalResourceId="Door")


def test_a_template_is_described_and_given_back(control: StackControl) -> None:
    """In the very text that was sent."""
    text = """
Description: Doors
Parameters:
  Name: {Type: String, Default: doors, Description: The name, AllowedValues: [doors, gates]}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}}
"""
    validated = control.cloudformation.validate_template(TemplateBody=text)
    assert validated["Parameters"][0] == {
        "ParameterKey": "Name",
        "DefaultValue": "doors",
        "NoEcho": False,
        "Description": "The name",
    }
    assert validated["Capabilities"] == ["CAPABILITY_IAM"]
    control.create(text)
    assert control.cloudformation.get_template(StackName="doors")["TemplateBody"] == text
    summary = control.cloudformation.get_template_summary(StackName="doors")
    assert summary["ResourceTypes"] == ["AWS::IAM::Role"]
    assert summary["Parameters"][0]["ParameterConstraints"]["AllowedValues"] == ["doors", "gates"]
    assert control.stack()["Description"] == "Doors"
