"""Existing resources taken into a new stack by a change set of the type IMPORT."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support_cloudformation import ALL, StackControl, group, resources, table
from support_control import message_of

KEPT = {"DeletionPolicy": "Retain"}


def template() -> dict[str, Any]:
    return resources(Table={**table("doors"), **KEPT}, Logs={**group("logs", RetentionInDays=7), **KEPT})


def identified(**names: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Return ResourcesToImport of logical id: (type, identifier, name)."""
    return [
        {"LogicalResourceId": logical_id, "ResourceType": kind, "ResourceIdentifier": {identifier: name}}
        for logical_id, (kind, identifier, name) in names.items()
    ]


BOTH = identified(
    Table=("AWS::DynamoDB::Table", "TableName", "doors"), Logs=("AWS::Logs::LogGroup", "LogGroupName", "logs")
)


def bring(control: StackControl, body: dict[str, Any], listed: list[dict[str, Any]], name: str = "doors") -> str:
    """Import, and return how it ended."""
    control.cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="adopt",
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(body),
        ResourcesToImport=listed,
        Capabilities=ALL,
    )
    changes = control.cloudformation.describe_change_set(StackName=name, ChangeSetName="adopt")["Changes"]
    assert {each["ResourceChange"]["Action"] for each in changes} == {"Import"}
    control.cloudformation.execute_change_set(StackName=name, ChangeSetName="adopt")
    return str(control.stack(name)["StackStatus"])


@pytest.fixture
def there(control: StackControl) -> StackControl:
    """What the template says exists, made by hand."""
    control.client("dynamodb").create_table(
        TableName="doors",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
    )
    control.client("logs").create_log_group(logGroupName="logs")
    return control


def test_what_exists_becomes_the_stacks_and_is_made_no_second_time(there: StackControl) -> None:
    """The stack can then be updated, and what its template says later comes to be."""
    made = there.client("dynamodb").describe_table(TableName="doors")["Table"]["TableId"]
    assert bring(there, template(), BOTH) == "IMPORT_COMPLETE"
    assert there.told()[-2:] == [("Logs", "IMPORT_COMPLETE"), ("doors", "IMPORT_COMPLETE")]
    later = resources(Table=table("doors"), Logs=group("logs", RetentionInDays=30), More=group("more"))
    assert there.update({**later, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Table", "Arn"]}}}})
    assert there.stack()["StackStatus"] == "UPDATE_COMPLETE"
    assert there.outputs()["Arn"].endswith(":table/doors")
    assert there.client("dynamodb").describe_table(TableName="doors")["Table"]["TableId"] == made
    groups = {each["logGroupName"]: each for each in there.client("logs").describe_log_groups()["logGroups"]}
    assert (groups["logs"]["retentionInDays"], sorted(groups)) == (30, ["logs", "more"])


def test_nothing_is_taken_where_one_thing_is_missing(control: StackControl) -> None:
    control.client("logs").create_log_group(logGroupName="logs")
    assert bring(control, template(), BOTH) == "IMPORT_ROLLBACK_COMPLETE"
    assert "doors" in control.reason("Table")
    assert control.cloudformation.describe_stack_resources(StackName="doors")["StackResources"] == []
    assert [each["logGroupName"] for each in control.client("logs").describe_log_groups()["logGroups"]] == ["logs"]


def test_a_resource_has_one_stack(there: StackControl) -> None:
    bring(there, template(), BOTH)
    assert bring(there, template(), BOTH, "gates") == "IMPORT_ROLLBACK_COMPLETE"
    assert "already exists in stack" in there.reason("Table", "gates")


@pytest.mark.parametrize(
    ("body", "listed", "said"),
    [
        ({**template(), "Outputs": {"A": {"Value": "a"}}}, BOTH, r"cannot modify or add \[Outputs\]"),
        (resources(Table={**table("doors"), **KEPT}), BOTH, r"modified resources \[Logs\]"),
        (template(), BOTH[:1], r"modified resources \[Logs\]"),
        (resources(Table=table("doors"), Logs={**group("logs"), **KEPT}), BOTH, r"\[Table\] must have DeletionPolicy"),
    ],
    ids=["outputs", "not in the template", "not listed", "no policy"],
)
def test_an_import_does_nothing_else(
    control: StackControl, body: dict[str, Any], listed: list[dict[str, Any]], said: str
) -> None:
    """And it keeps what it imports: AWS asks for both before it begins."""
    with pytest.raises(ClientError, match=said):
        bring(control, body, listed)


def test_another_name_than_the_templates_is_refused(there: StackControl) -> None:
    other = identified(Table=("AWS::DynamoDB::Table", "TableName", "others"))
    assert bring(there, resources(Table={**table("doors"), **KEPT}), other) == "IMPORT_ROLLBACK_COMPLETE"
    assert "the template says otherwise" in there.reason("Table")


def test_a_stack_that_exists_takes_nothing_in(there: StackControl) -> None:
    """Not here: AWS would."""
    there.create(resources(More=group("more")))
    with pytest.raises(ClientError) as refused:
        bring(there, template(), BOTH)
    assert "importing resources into a stack that exists" in message_of(refused)
