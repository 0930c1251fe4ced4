"""A template's sections as values, held to what CloudFormation asks before it makes anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from iotauth_cli.emulator.control.cloudformation import graph, syntax
from iotauth_cli.emulator.control.cloudformation.errors import template_error
from iotauth_cli.emulator.control.cloudformation.intrinsics import PSEUDO_PARAMETERS, references
from iotauth_cli.emulator.control.service import NotImplementedHere

SECTIONS = {
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Globals",
    "Resources",
    "Outputs",
    "Hooks",
}
UNAVAILABLE_SECTIONS = ("Rules", "Hooks")
ATTRIBUTES = {
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
}
POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")
LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")
SAM = "AWS::Serverless-2016-10-31"


@dataclass(frozen=True)
class Declaration:
    """A resource as the template declares it; *properties* still hold their functions."""

    logical_id: str
    type: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"

    @property
    def needs(self) -> frozenset[str]:
        """What it refers to, in properties and in DependsOn, parameters included."""
        return references(self.properties) | frozenset(self.depends_on)


@dataclass(frozen=True)
class Template:
    description: str | None
    transforms: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Mapping[str, Mapping[str, Any]]]
    conditions: Mapping[str, Any]
    resources: Mapping[str, Declaration]
    outputs: Mapping[str, Mapping[str, Any]]
    metadata: Any = None


def parse(document: Mapping[str, Any]) -> Template:
    """Read a template whose text `syntax.parse` has read.

    Raises:
        ServiceError: ValidationError; a section is unknown or malformed, or something it names is not there.
    """
    unknown = sorted(set(document) - SECTIONS)
    if unknown:
        raise template_error(f"Invalid template property or properties [{', '.join(unknown)}]")
    for section in UNAVAILABLE_SECTIONS:
        if document.get(section):
            raise NotImplementedHere(f"the section {section} of a template")
    resources = _section(document, "Resources")
    if not resources:
        raise template_error("At least one Resources member must be defined.")
    template = Template(
        description=document.get("Description"),
        transforms=transforms(document.get("Transform")),
        parameters=_section(document, "Parameters"),
        mappings=_section(document, "Mappings"),
        conditions=_section(document, "Conditions"),
        resources={name: _declaration(name, body) for name, body in resources.items()},
        outputs=_section(document, "Outputs"),
        metadata=document.get("Metadata"),
    )
    _check_names(template)
    return template


def read(text: str) -> Template:
    """Read template *text*; raises what `syntax.parse` and `parse` raise."""
    return parse(syntax.parse(text))


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name) or {}
    if not isinstance(section, dict):
        raise template_error(f"{name} section must be a mapping.")
    for key, body in section.items():
        if not isinstance(body, dict):
            raise template_error(f"[/{name}/{key}] every {name} member must be an object.")
    return section


def transforms(found: Any) -> tuple[str, ...]:
    names = found if isinstance(found, list) else [] if found is None else [found]
    for name in names:
        if name != SAM:
            raise NotImplementedHere(f"the transform {name if isinstance(name, str) else 'AWS::Include'}")
    return tuple(names)


def _declaration(name: str, body: Mapping[str, Any]) -> Declaration:
    if not LOGICAL_ID.fullmatch(name):
        raise template_error(f"Resource name {name} is non alphanumeric.")
    unknown = sorted(set(body) - ATTRIBUTES - {"Connectors"})
    if unknown:
        raise template_error(f"Invalid template resource property '{unknown[0]}'")
    if not isinstance(body.get("Type"), str):
        raise template_error(f"[/Resources/{name}] Every Resources object must contain a Type member.")
    properties = body.get("Properties") or {}
    if not isinstance(properties, dict):
        raise template_error(f"[/Resources/{name}/Properties] 'Properties' must be an object.")
    depends_on = body.get("DependsOn", [])
    return Declaration(
        logical_id=name,
        type=body["Type"],
        properties=properties,
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
        condition=body.get("Condition"),
        deletion_policy=_policy(name, body, "DeletionPolicy"),
        replace_policy=_policy(name, body, "UpdateReplacePolicy"),
    )


def _policy(name: str, body: Mapping[str, Any], attribute: str) -> str:
    policy = body.get(attribute, "Delete")
    if policy not in POLICIES:
        raise template_error(f"Unrecognized {attribute} {policy} for resource {name}")
    if policy == "Snapshot":
        raise NotImplementedHere(f"the {attribute} Snapshot; nothing that it makes can have one")
    return str(policy)


def _check_names(template: Template) -> None:
    """Hold every reference to something that is declared, and the resources to an order."""
    known = {*template.parameters, *template.resources, *PSEUDO_PARAMETERS}
    for section, needed in _needs(template):
        missing = sorted(needed - known)
        if missing:
            found = ", ".join(missing)
            raise template_error(f"Unresolved resource dependencies [{found}] in the {section} block of the template")
    for resource in template.resources.values():
        if resource.condition is not None and resource.condition not in template.conditions:
            raise template_error(f"Template error: Condition {resource.condition} is not defined")
    graph.order({name: resource.needs for name, resource in template.resources.items()})


def _needs(template: Template) -> Iterator[tuple[str, frozenset[str]]]:
    for resource in template.resources.values():
        yield "Resources", resource.needs
    for output in template.outputs.values():
        if "Value" not in output:
            raise template_error("Every Outputs member must contain a Value object")
        yield "Outputs", references(output)
