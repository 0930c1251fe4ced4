"""SAM templates: AWS's own translator makes CloudFormation of them, and the emulator makes a stack of that."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli.emulator.control.cloudformation import sam, syntax
from support_cloudformation import SOURCE, StackControl
from support_control import message_of

TEMPLATE: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Globals": {"Function": {"Runtime": "python3.13", "Timeout": 5}},
    "Parameters": {"Mode": {"Type": "String", "Default": "on"}},
    "Resources": {
        "Ask": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "InlineCode": SOURCE,
                "Handler": "index.handler",
                "AutoPublishAlias": "live",
                "Environment": {"Variables": {"MODE": {"Ref": "Mode"}, "TABLE": {"Ref": "Clients"}}},
                "Policies": [{"DynamoDBReadPolicy": {"TableName": {"Ref": "Clients"}}}],
            },
        },
        "Clients": {
            "Type": "AWS::Serverless::SimpleTable",
            "Properties": {"PrimaryKey": {"Name": "Client_ID", "Type": "String"}},
        },
        "Doors": {
            "Type": "AWS::IoT::Authorizer",
            "Properties": {"AuthorizerFunctionArn": {"Ref": "Ask.Alias"}, "SigningDisabled": True},
        },
    },
    "Outputs": {"Role": {"Value": {"Ref": "AskRole"}}, "Alias": {"Value": {"Ref": "Ask.Alias"}}},
}


def test_a_sam_template_becomes_a_stack(control: StackControl) -> None:
    """With the role, the version and the alias that SAM adds, which the template may refer to."""
    stack = control.create(TEMPLATE)
    assert stack["StackStatus"] == "CREATE_COMPLETE", control.events()
    kinds = [
        each["ResourceType"]
        for each in control.cloudformation.list_stack_resources(StackName="doors")["StackResourceSummaries"]
    ]
    assert sorted(kinds) == [
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::IoT::Authorizer",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Function",
        "AWS::Lambda::Version",
    ]
    authorizer = control.client("iot").list_authorizers()["authorizers"][0]["authorizerName"]
    described = control.client("iot").describe_authorizer(authorizerName=authorizer)["authorizerDescription"]
    assert described["authorizerFunctionArn"] == control.outputs()["Alias"]
    assert described["authorizerFunctionArn"].endswith(":live")
    original = control.cloudformation.get_template(StackName="doors")["TemplateBody"]
    processed = control.cloudformation.get_template(StackName="doors", TemplateStage="Processed")["TemplateBody"]
    assert original["Transform"] == TEMPLATE["Transform"]
    assert "Transform" not in processed
    with pytest.raises(ClientError, match="No updates are to be performed"):
        control.update(TEMPLATE)
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_a_transform_wants_a_word(control: StackControl) -> None:
    """CAPABILITY_AUTO_EXPAND, beside what the roles want that SAM adds."""
    with pytest.raises(ClientError) as refused:
        control.cloudformation.create_stack(StackName="doors", TemplateBody=syntax.build(TEMPLATE))
    assert message_of(refused) == "Requires capabilities : [CAPABILITY_IAM, CAPABILITY_AUTO_EXPAND]"


def test_what_the_translator_refuses_is_passed_on(control: StackControl) -> None:
    """In its own words, with the resource's name."""
    broken = {
        "Transform": TEMPLATE["Transform"],
        "Resources": {"Ask": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "src", "Handler": "a.b"}}},
    }
    with pytest.raises(ClientError) as refused:
        control.create(broken)
    assert "Transform AWS::Serverless-2016-10-31 failed with: Resource with id [Ask] is invalid" in message_of(refused)


def test_a_sam_template_is_described_without_being_translated(control: StackControl) -> None:
    """Its references may be to what SAM would add."""
    validated = control.cloudformation.validate_template(TemplateBody=syntax.build(TEMPLATE))
    assert validated["DeclaredTransforms"] == ["AWS::Serverless-2016-10-31"]
    assert validated["Capabilities"] == ["CAPABILITY_AUTO_EXPAND"]


def test_without_the_translator_it_is_said_how_to_get_it(
    control: StackControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam, "PACKAGE", "no_such_package")
    with pytest.raises(ClientError) as refused:
        control.create(TEMPLATE)
    assert "pip install 'iotauth[sam]'" in message_of(refused)
