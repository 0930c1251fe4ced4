"""Stacks and what belongs to them as CloudFormation's answers show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iotauth_cli.emulator.control.cloudformation import parameters, syntax
from iotauth_cli.emulator.control.cloudformation.intrinsics import text_of
from iotauth_cli.emulator.control.cloudformation.plan import Change
from iotauth_cli.emulator.control.cloudformation.store import ChangeSet, Event, Output, Resource, Source, Stack
from iotauth_cli.emulator.control.cloudformation.template import SAM

Shown = dict[str, Any]
Document = Mapping[str, Any]

NO_DRIFT = {"StackDriftStatus": "NOT_CHECKED"}


def stack(found: Stack) -> Shown:
    source = found.source
    document = syntax.parse(source.text) if source else {}
    return {
        **summary(found),
        "ChangeSetId": found.change_set_id,
        "Description": document.get("Description"),
        "Parameters": parameters.shown(declared(document), source.parameters) if source else [],
        "DisableRollback": found.on_failure == "DO_NOTHING",
        "NotificationARNs": [],
        "Capabilities": list(source.capabilities) if source else [],
        "Outputs": [output(each) for each in found.outputs],
        "Tags": tags(source.tags) if source else [],
        "EnableTerminationProtection": found.is_protected,
        "RollbackConfiguration": {},
    }


def summary(found: Stack) -> Shown:
    return {
        "StackId": found.id,
        "StackName": found.name,
        "CreationTime": found.created,
        "LastUpdatedTime": found.updated,
        "DeletionTime": found.deleted,
        "StackStatus": found.status,
        "StackStatusReason": found.reason,
        "DriftInformation": NO_DRIFT,
    }


def output(found: Output) -> Shown:
    return {
        "OutputKey": found.key,
        "OutputValue": found.value,
        "Description": found.description,
        "ExportName": found.export,
    }


def event(found: Event, of: Stack) -> Shown:
    return {
        "StackId": of.id,
        "EventId": found.id,
        "StackName": of.name,
        "LogicalResourceId": found.logical_id,
        "PhysicalResourceId": found.physical_id or "",
        "ResourceType": found.type,
        "Timestamp": found.at,
        "ResourceStatus": found.status,
        "ResourceStatusReason": found.reason,
        "ClientRequestToken": found.token,
    }


def resource(found: Resource, of: Stack) -> Shown:
    return {"StackName": of.name, "StackId": of.id, "Timestamp": found.at, **_resource(found)}


def resource_summary(found: Resource) -> Shown:
    return {"LastUpdatedTimestamp": found.at, **_resource(found)}


def resource_detail(found: Resource, of: Stack) -> Shown:
    return {"StackName": of.name, "StackId": of.id, **resource_summary(found)}


def _resource(found: Resource) -> Shown:
    return {
        "LogicalResourceId": found.logical_id,
        "PhysicalResourceId": found.physical_id,
        "ResourceType": found.type,
        "ResourceStatus": found.status,
        "ResourceStatusReason": found.reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }


def change_set_summary(found: ChangeSet, of: Stack) -> Shown:
    return {
        "StackId": of.id,
        "StackName": of.name,
        "ChangeSetId": found.id,
        "ChangeSetName": found.name,
        "ExecutionStatus": found.execution_status,
        "Status": found.status,
        "StatusReason": found.reason,
        "CreationTime": found.created,
        "Description": found.description,
        "IncludeNestedStacks": False,
    }


def change_set(found: ChangeSet, of: Stack) -> Shown:
    document = syntax.parse(found.source.text)
    return {
        **change_set_summary(found, of),
        "Parameters": parameters.shown(declared(document), found.source.parameters),
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": list(found.source.capabilities),
        "Tags": tags(found.source.tags),
        "Changes": [dict(each) for each in found.changes],
    }


def change(found: Change) -> Shown:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": found.action,
            "LogicalResourceId": found.logical_id,
            "PhysicalResourceId": found.physical_id,
            "ResourceType": found.type,
            "Replacement": found.replacement,
            "Scope": sorted({"Tags" if name == "Tags" else "Properties" for name in found.properties}),
            "Details": [_detail(found, name) for name in found.properties],
        },
    }


def _detail(found: Change, name: str) -> Shown:
    recreation = {"True": "Always", "Conditional": "Conditionally"}.get(found.replacement or "", "Never")
    target = {"Attribute": "Tags"} if name == "Tags" else {"Attribute": "Properties", "Name": name}
    return {
        "Target": {**target, "RequiresRecreation": recreation},
        "Evaluation": "Dynamic" if found.replacement == "Conditional" else "Static",
        "ChangeSource": "DirectModification",
    }


def template_parameters(document: Document) -> list[Shown]:
    return [
        {
            "ParameterKey": name,
            "DefaultValue": _default(each),
            "NoEcho": parameters.is_hidden(each),
            "Description": each.get("Description"),
        }
        for name, each in declared(document).items()
    ]


def parameter_declarations(document: Document) -> list[Shown]:
    return [
        {
            **shown,
            "ParameterType": each["Type"],
            "ParameterConstraints": {"AllowedValues": [text_of(value) for value in each.get("AllowedValues", ())]},
        }
        for shown, each in zip(template_parameters(document), declared(document).values(), strict=True)
    ]


def transforms(document: Document) -> list[str]:
    return [SAM] if document.get("Transform") else []


def resource_types(document: Document) -> list[str]:
    return [str(each["Type"]) for each in resources(document)]


def needed_capabilities(document: Document) -> Iterator[str]:
    """Yield what a caller must acknowledge before a stack of this template is made: roles, and transforms."""
    roles = [each for each in resources(document) if each["Type"] == "AWS::IAM::Role"]
    if any("RoleName" in (each.get("Properties") or {}) for each in roles):
        yield "CAPABILITY_NAMED_IAM"
    elif roles:
        yield "CAPABILITY_IAM"
    if document.get("Transform"):
        yield "CAPABILITY_AUTO_EXPAND"


def tags(found: Mapping[str, str]) -> list[Shown]:
    return [{"Key": key, "Value": value} for key, value in found.items()]


def source_template(source: Source, stage: str) -> str:
    return source.processed if stage == "Processed" else source.text


def resources(document: Document) -> Iterable[Document]:
    found: Mapping[str, Document] = document.get("Resources") or {}
    return found.values()


def declared(document: Document) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = document.get("Parameters") or {}
    return found


def _default(declaration: Mapping[str, Any]) -> str | None:
    return text_of(declaration["Default"]) if "Default" in declaration else None
