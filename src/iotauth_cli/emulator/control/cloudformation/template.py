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
UNAVAILABLE_SECTIONS = ("Hooks",)
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
    metadata: Any = None

    @property
    def needs(self) -> frozenset[str]:
        """What it refers to, in properties, metadata and DependsOn, parameters included."""
        return references(self.properties) | references(self.metadata) | frozenset(self.depends_on)


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
    check_sections(document)
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


def check_sections(document: Mapping[str, Any]) -> None:
    """Hold a template, before or after its transform, to sections of the right form.

    Raises:
        ServiceError: ValidationError; one is not a mapping of mappings, or the description no text.
    """
    for name in ("Parameters", "Rules", "Mappings", "Conditions", "Resources", "Outputs"):
        _section(document, name)
    for name, resource in _section(document, "Resources").items():
        if not isinstance(resource.get("Type"), str):
            raise template_error(f"[/Resources/{name}] Every Resources object must contain a Type member.")
        if not isinstance(resource.get("Properties") or {}, dict):
            raise template_error(f"[/Resources/{name}/Properties] 'Properties' must be an object.")
    if not isinstance(document.get("Description", ""), str):
        raise template_error("[/Description] 'Description' must be a text.")


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
    depends_on = body.get("DependsOn", [])
    depends_on = [depends_on] if isinstance(depends_on, str) else depends_on
    if not isinstance(depends_on, list) or not all(isinstance(each, str) for each in depends_on):
        raise template_error(f"[/Resources/{name}/DependsOn] 'DependsOn' must be a text or a list of texts.")
    return Declaration(
        logical_id=name,
        type=body["Type"],
        properties=body.get("Properties") or {},
        depends_on=tuple(depends_on),
        condition=_condition(f"/Resources/{name}", body),
        deletion_policy=_policy(name, body, "DeletionPolicy"),
        replace_policy=_policy(name, body, "UpdateReplacePolicy"),
        metadata=body.get("Metadata"),
    )


def _condition(path: str, body: Mapping[str, Any]) -> str | None:
    condition = body.get("Condition")
    if condition is not None and not isinstance(condition, str):
        raise template_error(f"[{path}/Condition] 'Condition' must be a text.")
    return condition


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
    made = sorted(references(dict(template.conditions)) - {*template.parameters, *PSEUDO_PARAMETERS})
    if made:
        found = ", ".join(made)
        raise template_error(f"Unresolved dependencies [{found}]. Cannot reference resources in the Conditions block")
    conditions = [resource.condition for resource in template.resources.values()]
    for condition in [*conditions, *(output.get("Condition") for output in template.outputs.values())]:
        if condition is not None and condition not in template.conditions:
            raise template_error(f"Condition {condition} is not defined")
    graph.order({name: resource.needs for name, resource in template.resources.items()})


def _needs(template: Template) -> Iterator[tuple[str, frozenset[str]]]:
    for resource in template.resources.values():
        yield "Resources", resource.needs
    for name, output in template.outputs.items():
        if "Value" not in output:
            raise template_error("Every Outputs member must contain a Value object")
        _condition(f"/Outputs/{name}", output)
        yield "Outputs", references(output)
