"""CloudFormation stacks: made, changed, removed, and what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError

REFUSED = "ValidationError"  # CloudFormation's one code for nearly all that it refuses
UNKNOWN = "does not exist"
NOTHING_TO_DO = "No updates are to be performed"
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")


@dataclass(frozen=True)
class Output:
    key: str
    value: str
    description: str | None = None


@dataclass(frozen=True)
class Stack:
    """A stack; *parameters* are the names of those that it has."""

    id: str
    name: str
    status: str
    reason: str | None = None
    outputs: tuple[Output, ...] = ()
    parameters: frozenset[str] = frozenset()

    @property
    def is_busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True)
class StackEvent:
    """What happened to one resource, or to the stack itself."""

    id: str
    logical_id: str
    type: str
    status: str
    reason: str | None = None


@dataclass(frozen=True)
class Parameter:
    """A parameter of a stack; None keeps the value that the stack has."""

    key: str
    value: str | None = None


def find(session: Session, name: str) -> Stack | None:
    """Return the stack of that name or id, or None."""
    try:
        found = session.call("cloudformation", "describe_stacks", StackName=name)["Stacks"][0]
    except AwsError as problem:
        if problem.aws_code == REFUSED and UNKNOWN in problem.message:
            return None
        raise
    return Stack(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason"),
        outputs=tuple(map(_output, found.get("Outputs", ()))),
        parameters=frozenset(each["ParameterKey"] for each in found.get("Parameters", ())),
    )


def create(session: Session, name: str, template: str, parameters: Sequence[Parameter]) -> None:
    """Have a stack made, whatever its template may do: roles and transforms are acknowledged."""
    session.call("cloudformation", "create_stack", **_request(name, template, parameters))


def update(session: Session, name: str, template: str, parameters: Sequence[Parameter]) -> bool:
    """Have a stack changed; tell whether there was anything to change."""
    try:
        session.call("cloudformation", "update_stack", **_request(name, template, parameters))
    except AwsError as problem:
        if problem.aws_code == REFUSED and NOTHING_TO_DO in problem.message:
            return False
        raise
    return True


def delete(session: Session, name: str) -> None:
    session.call("cloudformation", "delete_stack", StackName=name)


def events(session: Session, stack_id: str) -> list[StackEvent]:
    """Return what happened to a stack, the oldest first."""
    pages = session.pages("cloudformation", "describe_stack_events", StackName=stack_id)
    newest_first = [_event(each) for page in pages for each in page["StackEvents"]]
    return newest_first[::-1]


def _request(name: str, template: str, parameters: Sequence[Parameter]) -> dict[str, Any]:
    return {
        "StackName": name,
        "TemplateBody": template,
        "Parameters": [_parameter(each) for each in parameters],
        "Capabilities": list(CAPABILITIES),
    }


def _parameter(found: Parameter) -> dict[str, Any]:
    value = {"UsePreviousValue": True} if found.value is None else {"ParameterValue": found.value}
    return {"ParameterKey": found.key, **value}


def _output(found: dict[str, Any]) -> Output:
    return Output(found["OutputKey"], found["OutputValue"], found.get("Description"))


def _event(found: dict[str, Any]) -> StackEvent:
    return StackEvent(
        id=found["EventId"],
        logical_id=found["LogicalResourceId"],
        type=found["ResourceType"],
        status=found["ResourceStatus"],
        reason=found.get("ResourceStatusReason"),
    )
