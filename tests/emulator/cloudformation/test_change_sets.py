"""Change sets, as scripts and the AWS CLI use them, with boto3's own waiters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support_cloudformation import ALL, StackControl, function, group, resources, role, table
from support_control import code_of

AT_ONCE = {"Delay": 1, "MaxAttempts": 3}


def propose(control: StackControl, template: dict[str, Any], kind: str, name: str = "change") -> dict[str, Any]:
    """Create a change set and return it described."""
    made = control.cloudformation.create_change_set(
        StackName="doors", ChangeSetName=name, ChangeSetType=kind, TemplateBody=json.dumps(template), Capabilities=ALL
    )
    described: dict[str, Any] = control.cloudformation.describe_change_set(ChangeSetName=made["Id"])
    return described


def changes(change_set: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    found = [each["ResourceChange"] for each in change_set["Changes"]]
    return [(each["LogicalResourceId"], each["Action"], each.get("Replacement")) for each in found]


def test_a_stack_is_made_by_its_first_change_set(control: StackControl) -> None:
    """In review until it is executed; then boto3's waiters see it become what it is to be."""
    change_set = propose(control, resources(Table=table("doors"), Logs=group()), "CREATE")
    assert changes(change_set) == [("Table", "Add", None), ("Logs", "Add", None)]
    assert control.stack()["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert control.client("dynamodb").list_tables()["TableNames"] == []
    control.cloudformation.get_waiter("change_set_create_complete").wait(
        StackName="doors", ChangeSetName="change", WaiterConfig=AT_ONCE
    )
    control.cloudformation.execute_change_set(StackName="doors", ChangeSetName="change")
    control.cloudformation.get_waiter("stack_create_complete").wait(StackName="doors", WaiterConfig=AT_ONCE)
    assert control.client("dynamodb").list_tables()["TableNames"] == ["doors"]
    control.cloudformation.delete_stack(StackName="doors")
    control.cloudformation.get_waiter("stack_delete_complete").wait(StackName="doors", WaiterConfig=AT_ONCE)


def test_a_change_set_tells_what_would_become_of_each_resource(control: StackControl) -> None:
    """Changed in place, made anew, removed, added; and what hangs on something that is made anew may be either."""
    control.create(
        resources(
            Logs=group("logs", RetentionInDays=7),
            Table=table("old"),
            Gone=group("gone"),
            Role=role(),
            Function=function(Environment={"Variables": {"TABLE": {"Ref": "Table"}}}),
            Named=group({"Fn::Sub": "/of/${Table}"}),  # type: ignore[arg-type]
        )
    )
    proposed = propose(
        control,
        resources(
            Logs=group("logs", RetentionInDays=30),
            Table=table("new"),
            Added=group(),
            Role=role(),
            Function=function(Environment={"Variables": {"TABLE": {"Ref": "Table"}}}),
            Named=group({"Fn::Sub": "/of/${Table}"}),  # type: ignore[arg-type]
        ),
        "UPDATE",
    )
    assert sorted(changes(proposed), key=str) == [
        ("Added", "Add", None),
        ("Function", "Modify", "False"),
        ("Gone", "Remove", None),
        ("Logs", "Modify", "False"),
        ("Named", "Modify", "Conditional"),
        ("Table", "Modify", "True"),
    ]
    details = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in proposed["Changes"]}
    assert details["Table"]["Details"][0]["Target"] == {
        "Attribute": "Properties",
        "Name": "TableName",
        "RequiresRecreation": "Always",
    }
    assert control.client("dynamodb").list_tables()["TableNames"] == ["old"], "nothing has happened yet"
    control.cloudformation.execute_change_set(ChangeSetName=proposed["ChangeSetId"])
    assert control.stack()["StackStatus"] == "UPDATE_COMPLETE"
    assert control.cloudformation.list_change_sets(StackName="doors")["Summaries"] == []


def test_a_change_set_without_changes_has_failed(control: StackControl) -> None:
    """Its reason is the one that `aws cloudformation deploy` looks for; it cannot be executed."""
    template = resources(Logs=group("logs"))
    control.create(template)
    change_set = propose(control, template, "UPDATE")
    assert change_set["Status"] == "FAILED"
    assert change_set["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(ClientError) as refused:
        control.cloudformation.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert code_of(refused)[0] == "InvalidChangeSetStatus"


def test_change_sets_are_listed_and_dropped(control: StackControl) -> None:
    control.create(resources(Logs=group("logs")))
    for name in ("first", "second"):
        propose(control, resources(Logs=group("logs", RetentionInDays=7)), "UPDATE", name)
    control.cloudformation.delete_change_set(StackName="doors", ChangeSetName="first")
    listed = control.cloudformation.list_change_sets(StackName="doors")["Summaries"]
    assert [each["ChangeSetName"] for each in listed] == ["second"]
    with pytest.raises(ClientError) as refused:
        control.cloudformation.describe_change_set(StackName="doors", ChangeSetName="first")
    assert code_of(refused) == ("ChangeSetNotFound", 404)


def test_a_change_set_for_no_stack_is_refused(control: StackControl) -> None:
    """An update needs a stack; a creation needs that there is none."""
    with pytest.raises(ClientError, match="Stack with id doors does not exist"):
        propose(control, resources(Logs=group()), "UPDATE")
    control.create(resources(Logs=group()))
    with pytest.raises(ClientError, match="already exists and cannot be created again"):
        propose(control, resources(Logs=group()), "CREATE")
