"""Updates: nothing, in place or anew, and back again when something fails."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli.emulator.control.cloudformation.kinds.authorizer import AuthorizerKind
from support_cloudformation import (
    SOURCE,
    TRUST,
    StackControl,
    authorizer,
    function,
    group,
    parameters,
    resources,
    role,
    table,
)
from support_control import message_of

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
MANAGED = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def physical(control: StackControl, logical_id: str) -> str:
    found = control.cloudformation.describe_stack_resource(StackName="doors", LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


@cache
def signed_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = rsa.generate_private_key(65537, 2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signed() -> dict[str, Any]:
    """Return the properties of an authorizer that wants signed tokens: only such a one can be updated."""
    keys = {"current": signed_key()}
    return {"SigningDisabled": False, "TokenKeyName": "token", "TokenSigningPublicKeys": keys}


def test_nothing_to_do_is_said(control: StackControl) -> None:
    """The same again, or with another unused parameter: refused as on AWS, and no event is told."""
    template = {
        "Parameters": {"Note": {"Type": "String", "Default": "a"}},
        **resources(Table=table("doors"), Logs=group(Tags=[{"Key": "of", "Value": {"Ref": "Table"}}])),
    }
    control.create(template)
    told = control.told()
    requests: list[dict[str, Any]] = [{}, {"Parameters": parameters(Note="b")}]
    for request in requests:
        with pytest.raises(ClientError) as refused:
            control.update(template, **request)
        assert message_of(refused) == "No updates are to be performed."
    assert control.told() == told


def test_what_can_be_changed_in_place_keeps_its_identity(control: StackControl) -> None:
    """Every kind: its settings change through the operations that change them, and its name stays."""
    template = resources(
        Role=role(Policies=[{"PolicyName": "a", "PolicyDocument": POLICY}], ManagedPolicyArns=[MANAGED]),
        Function=function(Timeout=5, Environment={"Variables": {"MODE": "a"}}, ReservedConcurrentExecutions=2),
        Authorizer=authorizer(Status="ACTIVE", **signed()),
        Table=table(TimeToLiveSpecification={"AttributeName": "Expires", "Enabled": True}),
        Logs=group(RetentionInDays=30),
    )
    control.create(template)
    names = {name: physical(control, name) for name in template["Resources"]}
    changed = resources(
        Role=role(Policies=[{"PolicyName": "b", "PolicyDocument": POLICY}], Tags=[{"Key": "a", "Value": "b"}]),
        Function=function(Environment={"Variables": {"MODE": "b"}}, Code={"ZipFile": SOURCE + "# changed\n"}),
        Authorizer=authorizer(Status="INACTIVE", EnableCachingForHttp="true", **signed()),
        Table=table(DeletionProtectionEnabled=False, Tags=[{"Key": "site", "Value": "east"}]),
        Logs=group(RetentionInDays="7"),
    )
    assert control.update(changed)["StackStatus"] == "UPDATE_COMPLETE"
    assert {name: physical(control, name) for name in names} == names
    assert control.client("iam").list_role_policies(RoleName=names["Role"])["PolicyNames"] == ["b"]
    assert control.client("iam").list_attached_role_policies(RoleName=names["Role"])["AttachedPolicies"] == []
    configuration = control.client("lambda").get_function_configuration(FunctionName=names["Function"])
    assert configuration["Environment"]["Variables"] == {"MODE": "b"}
    assert configuration["Timeout"] == 3, "what is taken out of the template is the default again"
    assert "Concurrency" not in control.client("lambda").get_function(FunctionName=names["Function"])
    described = control.client("iot").describe_authorizer(authorizerName=names["Authorizer"])
    assert described["authorizerDescription"]["status"] == "INACTIVE"
    assert described["authorizerDescription"]["enableCachingForHttp"] is True
    expiry = control.client("dynamodb").describe_time_to_live(TableName=names["Table"])
    assert expiry["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
    assert control.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 7


def test_what_cannot_change_is_made_anew_and_the_old_one_goes_last(control: StackControl) -> None:
    """And whatever refers to it follows: here the authorizer, in place, to the new function."""
    template = resources(Role=role(), Function=function(FunctionName="old"), Authorizer=authorizer(**signed()))
    control.create(template)
    authorizer_name = physical(control, "Authorizer")
    template["Resources"]["Function"] = function(FunctionName="new")
    assert control.update(template)["StackStatus"] == "UPDATE_COMPLETE"
    assert [each["FunctionName"] for each in control.client("lambda").list_functions()["Functions"]] == ["new"]
    described = control.client("iot").describe_authorizer(authorizerName=authorizer_name)["authorizerDescription"]
    assert described["authorizerFunctionArn"].endswith(":function:new")
    told = control.told()
    assert told.index(("Function", "DELETE_COMPLETE")) > told.index(("Authorizer", "UPDATE_COMPLETE"))


@pytest.mark.parametrize("property_name", ["AuthorizerName", "SigningDisabled"])
def test_an_authorizer_is_made_anew_for_its_name_and_its_signing(control: StackControl, property_name: str) -> None:
    """CloudFormation's table for AWS::IoT::Authorizer; everything else changes in place."""
    template = resources(Role=role(), Function=function(), Authorizer=authorizer())
    control.create(template)
    before = physical(control, "Authorizer")
    changes: dict[str, dict[str, Any]] = {
        "AuthorizerName": {"AuthorizerName": "gates"},
        "SigningDisabled": signed(),
    }
    template["Resources"]["Authorizer"] = authorizer(**changes[property_name])
    assert control.update(template)["StackStatus"] == "UPDATE_COMPLETE"
    left = [each["authorizerName"] for each in control.client("iot").list_authorizers()["authorizers"]]
    assert left == [physical(control, "Authorizer")]
    assert left != [before]


def test_an_authorizer_without_signing_cannot_be_updated(control: StackControl) -> None:
    """AWS's handler sends the signing fields with every update: the update fails, and all is as before."""
    template = resources(Role=role(), Function=function(), Authorizer=authorizer(Status="ACTIVE"))
    control.create(template)
    template["Resources"]["Authorizer"] = authorizer(Status="INACTIVE")
    assert control.update(template)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Token signing is disabled" in control.reason("Authorizer")
    described = control.client("iot").describe_authorizer(authorizerName=physical(control, "Authorizer"))
    assert described["authorizerDescription"]["status"] == "ACTIVE"


def test_that_choice_can_be_flipped(control: StackControl) -> None:
    """For whoever has seen AWS do better."""
    kind = AuthorizerKind(is_updated_unsigned=True)
    control.stacks._world = replace(control.stacks._world, kinds={**control.stacks._world.kinds, kind.type: kind})
    template = resources(Role=role(), Function=function(), Authorizer=authorizer(Status="ACTIVE"))
    control.create(template)
    template["Resources"]["Authorizer"] = authorizer(Status="INACTIVE")
    assert control.update(template)["StackStatus"] == "UPDATE_COMPLETE"


def test_a_function_says_whose_it_is(control: StackControl) -> None:
    """By tags that AWS sets beside the template's own, and that no update takes away."""
    template = resources(Role=role(), Function=function(FunctionName="ask", Tags=[{"Key": "a", "Value": "b"}]))
    stack = control.create(template)
    template["Resources"]["Function"] = function(FunctionName="ask")
    control.update(template)
    arn = control.client("lambda").get_function_configuration(FunctionName="ask")["FunctionArn"]
    assert control.client("lambda").list_tags(Resource=arn)["Tags"] == {
        "aws:cloudformation:stack-name": "doors",
        "aws:cloudformation:stack-id": stack["StackId"],
        "aws:cloudformation:logical-id": "Function",
    }


def test_signing_under_a_fixed_name_meets_itself(control: StackControl) -> None:
    """The replacement has the name of what it replaces: the update fails, and all is as before."""
    template = resources(Role=role(), Function=function(), Authorizer=authorizer(AuthorizerName="doors"))
    control.create(template)
    named = authorizer(AuthorizerName="doors", **signed())
    stack = control.update(resources(Role=role(), Function=function(), Authorizer=named))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Authorizer doors already exists" in control.reason("Authorizer")
    described = control.client("iot").describe_authorizer(authorizerName="doors")["authorizerDescription"]
    assert described["signingDisabled"] is True
    assert physical(control, "Authorizer") == "doors"


def test_a_failed_update_goes_back_in_every_way(control: StackControl) -> None:
    """Changed, replaced, added: each as it was. And the stack can be updated again."""
    before = {
        **resources(Logs=group("logs", RetentionInDays=30), Table=table("doors"), Gone=group("gone")),
        "Outputs": {"Table": {"Value": {"Ref": "Table"}}},
    }
    control.create(before)
    control.client("logs").create_log_group(logGroupName="taken")
    failing = {
        **resources(
            Logs=group("logs", RetentionInDays=7),
            Table=table("other"),
            Added=group("added"),
            Last={**group("taken"), "DependsOn": ["Logs", "Table", "Added"]},
        ),
        "Outputs": {"Table": {"Value": "nothing"}},
    }
    stack = control.update(failing)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    found = {each["logGroupName"]: each for each in control.client("logs").describe_log_groups()["logGroups"]}
    assert sorted(found) == ["gone", "logs", "taken"]
    assert found["logs"]["retentionInDays"] == 30
    assert control.client("dynamodb").list_tables()["TableNames"] == ["doors"]
    assert control.outputs() == {"Table": "doors"}
    listed = control.cloudformation.list_stack_resources(StackName="doors")["StackResourceSummaries"]
    assert sorted(each["LogicalResourceId"] for each in listed) == ["Gone", "Logs", "Table"]
    with pytest.raises(ClientError, match="No updates are to be performed"):
        control.update(before)


def test_what_is_no_longer_declared_goes_unless_it_is_retained(control: StackControl) -> None:
    control.create(
        resources(Stays=group("stays"), Goes=group("goes"), Kept={**table("kept"), "DeletionPolicy": "Retain"})
    )
    assert control.update(resources(Stays=group("stays")))["StackStatus"] == "UPDATE_COMPLETE"
    assert [each["logGroupName"] for each in control.client("logs").describe_log_groups()["logGroups"]] == ["stays"]
    assert control.client("dynamodb").list_tables()["TableNames"] == ["kept"]
    assert ("Kept", "DELETE_SKIPPED") in control.told()


def test_a_replaced_table_may_stay(control: StackControl) -> None:
    """UpdateReplacePolicy is for what an update replaces, DeletionPolicy for what it removes."""
    control.create(resources(Table={**table("old"), "UpdateReplacePolicy": "Retain"}))
    control.update(resources(Table={**table("new"), "UpdateReplacePolicy": "Retain"}))
    assert control.client("dynamodb").list_tables()["TableNames"] == ["new", "old"]
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"
    assert control.client("dynamodb").list_tables()["TableNames"] == ["old"]


def test_the_previous_template_and_values_can_be_used_again(control: StackControl) -> None:
    """The way in which scripts change one parameter of many."""
    template: dict[str, Any] = {
        "Parameters": {"Days": {"Type": "Number"}, "Name": {"Type": "String"}},
        **resources(Logs=group({"Ref": "Name"}, RetentionInDays={"Ref": "Days"})),  # type: ignore[arg-type]
    }
    control.create(template, Parameters=parameters(Days="7", Name="logs"))
    control.cloudformation.update_stack(
        StackName="doors",
        UsePreviousTemplate=True,
        Parameters=[*parameters(Days="30"), {"ParameterKey": "Name", "UsePreviousValue": True}],
    )
    assert control.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 30


def test_a_stack_that_was_rolled_back_can_only_be_deleted(control: StackControl) -> None:
    control.create(resources(Bucket={"Type": "AWS::S3::Bucket"}))
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        control.update(resources(Logs=group()))
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_a_version_and_its_alias_follow_the_function(control: StackControl) -> None:
    """A new version for new code, and the alias moves to it."""

    def template(number: int) -> dict[str, Any]:
        return resources(
            Role=role(),
            Function=function(Code={"ZipFile": f"{SOURCE}# {number}\n"}),
            **{
                f"Version{number}": {
                    "Type": "AWS::Lambda::Version",
                    "Properties": {"FunctionName": {"Ref": "Function"}},
                }
            },
            Alias={
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": {"Fn::GetAtt": [f"Version{number}", "Version"]},
                    "Name": "live",
                },
            },
        )

    control.create(template(1))
    assert control.update(template(2))["StackStatus"] == "UPDATE_COMPLETE"
    alias = control.client("lambda").get_alias(FunctionName=physical(control, "Function"), Name="live")
    assert alias["FunctionVersion"] == "2"
    assert physical(control, "Alias").endswith(":live")
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_a_roles_trust_changes_in_place(control: StackControl) -> None:
    control.create(resources(Role=role(RoleName="doors")))
    wider = {**TRUST, "Id": "wider"}
    control.update(resources(Role=role(RoleName="doors", AssumeRolePolicyDocument=wider)))
    assert control.client("iam").get_role(RoleName="doors")["Role"]["AssumeRolePolicyDocument"]["Id"] == "wider"


def test_a_domain_has_its_default_authorizer(control: StackControl) -> None:
    """Made with it, changed in place, and set DISABLED when the stack wants it gone."""
    config = {"DefaultAuthorizerName": {"Ref": "Authorizer"}, "AllowAuthorizerOverride": "false"}
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/8f7e0a1c-0000-4000-8000-000000000000"
    own_name = {"DomainName": "doors.localhost", "ServerCertificateArns": [certificate]}
    properties = {"DomainConfigurationName": "doors", **own_name, "AuthorizerConfig": config}
    domain = {"Type": "AWS::IoT::DomainConfiguration", "Properties": properties}
    template = resources(Role=role(), Function=function(), Authorizer=authorizer(), Domain=domain)
    assert control.create(template)["StackStatus"] == "CREATE_COMPLETE", control.events()
    described = control.client("iot").describe_domain_configuration(domainConfigurationName="doors")
    assert described["authorizerConfig"]["allowAuthorizerOverride"] is False
    del properties["AuthorizerConfig"]
    assert control.update(template)["StackStatus"] == "UPDATE_COMPLETE"
    described = control.client("iot").describe_domain_configuration(domainConfigurationName="doors")
    assert "authorizerConfig" not in described
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"
