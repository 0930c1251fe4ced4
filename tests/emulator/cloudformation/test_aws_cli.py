"""The AWS CLI with stacks: its own `deploy`, its waiters and its tables."""

from __future__ import annotations

import json
from pathlib import Path

from support_cloudformation import StackControl, group, resources, role


def test_deploy_makes_changes_and_leaves_a_stack_alone(control: StackControl, tmp_path: Path) -> None:
    """`aws cloudformation deploy` creates, updates, and says when there is nothing to do."""
    file = tmp_path / "template.json"

    def deploy(days: int) -> str:
        template = {
            **resources(Logs=group("logs", RetentionInDays=days), Role=role()),
            "Outputs": {"Logs": {"Value": {"Ref": "Logs"}}},
        }
        file.write_text(json.dumps(template))
        options = (
            "--stack-name",
            "doors",
            "--capabilities",
            "CAPABILITY_IAM",
            "--tags",
            "team=doors",
            "--no-fail-on-empty-changeset",
        )
        done = control.server.aws("cloudformation", "deploy", "--template-file", str(file), *options)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    assert "Successfully created/updated stack - doors" in deploy(7)
    assert "Successfully created/updated stack - doors" in deploy(30)
    assert "No changes to deploy. Stack doors is up to date" in deploy(30)
    assert control.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 30


def test_a_stack_is_described_and_deleted(control: StackControl) -> None:
    """`describe-stacks` with a query, `delete-stack`, and the waiter after it."""
    control.create({**resources(Logs=group("logs")), "Outputs": {"Logs": {"Value": {"Ref": "Logs"}}}})
    named = ("--stack-name", "doors")
    query = ("--query", "Stacks[0].Outputs[0].OutputValue", "--output", "text")
    assert control.server.aws("cloudformation", "describe-stacks", *named, *query).stdout == "logs\n"
    assert control.server.aws("cloudformation", "delete-stack", *named).returncode == 0
    assert control.server.aws("cloudformation", "wait", "stack-delete-complete", *named).returncode == 0
    gone = control.server.aws("cloudformation", "describe-stacks", *named)
    assert "Stack with id doors does not exist" in gone.stderr
