"""Stacks in the tests: the control plane with tables and CloudFormation behind it, and how a stack ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iotauth_cli.emulator.control.cloudformation.packages import Packages
from iotauth_cli.emulator.control.cloudformation.service import CloudFormationService
from iotauth_cli.emulator.control.dynamodb.service import DynamoDb
from iotauth_cli.emulator.control.service import Service
from iotauth_cli.emulator.model import ACCOUNT
from support_control import Control, ControlServer

ALL = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
SOURCE = "def handler(event, context):\n    return {'isAuthenticated': False}\n"


class StackControl(Control):
    def __init__(self, server: ControlServer, directory: Path) -> None:
        super().__init__(server, directory)

    def _build(self) -> Sequence[Service]:
        others = super()._build()
        tables = DynamoDb(self.state, account=ACCOUNT, clock=lambda: 1_800_000_000.0)
        self.packages = Packages(self.state)
        self.stacks = CloudFormationService(self.state, [*others, tables], self.packages)
        return [*others, tables, self.stacks]

    def close(self) -> None:
        self.server.run(self.stacks.close())
        super().close()

    @property
    def cloudformation(self) -> Any:
        return self.client("cloudformation")

    def create(self, template: dict[str, Any] | str, name: str = "doors", **request: Any) -> dict[str, Any]:
        """Create a stack, and return it as it is when the operation has ended."""
        return self._deploy("create", template, name, request)

    def update(self, template: dict[str, Any] | str, name: str = "doors", **request: Any) -> dict[str, Any]:
        return self._deploy("update", template, name, request)

    def delete(self, name: str = "doors", **request: Any) -> dict[str, Any]:
        stack_id = self.stack(name)["StackId"]
        self.cloudformation.delete_stack(StackName=name, **request)
        return self.stack(stack_id)

    def stack(self, name: str = "doors") -> dict[str, Any]:
        stack: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return stack

    def outputs(self, name: str = "doors") -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self.stack(name).get("Outputs", ())}

    def told(self, name: str = "doors") -> list[tuple[str, str]]:
        """Return what the events tell, in their order: logical id and status."""
        return [(each["LogicalResourceId"], each["ResourceStatus"]) for each in self.events(name)]

    def events(self, name: str = "doors") -> list[dict[str, Any]]:
        newest_first = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return list(reversed(newest_first))

    def reason(self, logical_id: str, name: str = "doors") -> str:
        """Return why *logical_id* failed."""
        failed = [each for each in self.events(name) if each["ResourceStatus"].endswith("_FAILED")]
        return str(next(each["ResourceStatusReason"] for each in failed if each["LogicalResourceId"] == logical_id))

    def _deploy(self, verb: str, template: dict[str, Any] | str, name: str, request: dict[str, Any]) -> dict[str, Any]:
        body = template if isinstance(template, str) else json.dumps(template)
        call = getattr(self.cloudformation, f"{verb}_stack")
        stack_id = call(StackName=name, TemplateBody=body, Capabilities=ALL, **request)["StackId"]
        return self.stack(stack_id)


def parameters(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


def table(name: str | None = None, key: str = "Client_ID", **properties: Any) -> dict[str, Any]:
    """Return a table's declaration."""
    named = {"TableName": name} if name else {}
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            **named,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            **properties,
        },
    }


def group(name: str | None = None, **properties: Any) -> dict[str, Any]:
    named = {"LogGroupName": name} if name else {}
    return {"Type": "AWS::Logs::LogGroup", "Properties": {**named, **properties}}


def role(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **properties}}


def function(**properties: Any) -> dict[str, Any]:
    """Return the declaration of a function whose role is `Role`."""
    settings = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": SOURCE},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": {**settings, **properties}}


def authorizer(**properties: Any) -> dict[str, Any]:
    """Return the declaration of an authorizer that asks `Function`."""
    settings = {"AuthorizerFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]}, "SigningDisabled": True}
    return {"Type": "AWS::IoT::Authorizer", "Properties": {**settings, **properties}}


def resources(**declared: Any) -> dict[str, Any]:
    return {"Resources": declared}
