"""What a template asks for, compared with what a stack has: pure, so that a change set costs nothing.

A value that only the making of another resource will show is not known yet; a property that holds one counts
as changed, and whether that means a new resource is ``Conditional``, CloudFormation's word for "we shall see".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.cloudformation import graph, parameters
from iotauth_cli.emulator.control.cloudformation.errors import invalid, template_error
from iotauth_cli.emulator.control.cloudformation.intrinsics import (
    NOTHING,
    Made,
    Pending,
    Scope,
    evaluate_conditions,
    references,
    resolve,
)
from iotauth_cli.emulator.control.cloudformation.kinds import Kind
from iotauth_cli.emulator.control.cloudformation.store import Resource, Source, Stack
from iotauth_cli.emulator.control.cloudformation.template import Declaration, Template, read
from iotauth_cli.emulator.control.service import Context

UNKNOWN = object()  # a property whose value is still to come


@dataclass(frozen=True)
class Wanted:
    """A stack as its source describes it: what is active under its conditions, in the order of its making."""

    template: Template
    active: tuple[Declaration, ...]
    scope: Scope
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """One difference. *properties* are the names of those that differ."""

    action: str  # Add, Modify, Remove
    logical_id: str
    type: str
    physical_id: str | None = None
    replacement: str | None = None  # of a Modify: True, False, Conditional
    properties: tuple[str, ...] = ()


def wanted(source: Source, stack: Stack, context: Context, exports: Mapping[str, str]) -> Wanted:
    """Return what *source* describes for *stack*.

    Raises:
        ServiceError: ValidationError; conditions are malformed, or something names a resource that they leave out.
    """
    template = read(source.processed)
    values = {**_pseudo_parameters(stack, context), **parameters.values(template.parameters, source.parameters)}
    scope = Scope(values, template.mappings, exports=exports)
    scope = replace(scope, conditions=evaluate_conditions(template.conditions, scope))
    order = graph.order({name: each.needs for name, each in template.resources.items()})
    active = tuple(each for each in map(template.resources.__getitem__, order) if _is_active(each.condition, scope))
    return Wanted(template, active, scope, source.tags)


def outputs(found: Wanted) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield the outputs that the conditions leave."""
    for key, output in found.template.outputs.items():
        if _is_active(output.get("Condition"), found.scope):
            yield key, output


def known_outputs(found: Wanted) -> dict[str, Any]:
    """Return the outputs, each with its values as far as they do not hang on resources, and else as it is written."""
    return {key: {name: _known(value, found.scope) for name, value in each.items()} for key, each in outputs(found)}


def _known(value: Any, scope: Scope) -> Any:
    try:
        return resolve(value, scope)
    except Pending:
        return value


def needs(declaration: Declaration, among: Wanted) -> tuple[str, ...]:
    names = {each.logical_id for each in among.active}
    return tuple(sorted(declaration.needs & names))


def properties_of(declaration: Declaration, found: Wanted, scope: Scope, kind: Kind) -> dict[str, Any]:
    """Return a resource's properties as plain values, the stack's tags among its own.

    Raises:
        ServiceError: they ask for something that does not exist.
    """
    try:
        resolved = {name: resolve(value, scope) for name, value in declaration.properties.items()}
    except Pending as pending:  # its condition has left it out
        missing = f"Unresolved resource dependencies [{pending.logical_id}] in the Resources block of the template"
        raise template_error(missing) from pending
    return with_tags(_without_nothing(resolved), found.tags, kind)


def _without_nothing(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not NOTHING}


def with_tags(properties: dict[str, Any], tags: Mapping[str, str], kind: Kind) -> dict[str, Any]:
    """Lay a resource's own tags over those of its stack, which go to every resource that can have tags."""
    if not tags or "Tags" not in kind.properties:
        return properties
    own = properties.get("Tags", [])
    named = {tag["Key"] for tag in own}
    inherited = [{"Key": key, "Value": value} for key, value in tags.items() if key not in named]
    return {**properties, "Tags": [*own, *inherited]}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the properties that differ."""
    return tuple(sorted(name for name in {*before, *after} if before.get(name) != after.get(name)))


def changes(found: Wanted, existing: Mapping[str, Resource], kinds: Mapping[str, Kind]) -> list[Change]:
    """Return how *existing* would change.

    Raises:
        ServiceError: ValidationError; a resource would change its type.
    """
    known: dict[str, Made] = {}
    differences: list[Change] = []
    for declaration in found.active:
        change = _change(declaration, found, replace(found.scope, made=known), existing, kinds)
        if change is not None:
            differences.append(change)
        if change is None or change.replacement == "False":
            resource = existing[declaration.logical_id]
            known[declaration.logical_id] = Made(str(resource.physical_id), resource.attributes)
    names = {declaration.logical_id for declaration in found.active}
    gone = (each for each in existing.values() if each.exists and each.logical_id not in names)
    return [*differences, *(Change("Remove", each.logical_id, each.type, each.physical_id) for each in gone)]


def _change(
    declaration: Declaration,
    found: Wanted,
    scope: Scope,
    existing: Mapping[str, Resource],
    kinds: Mapping[str, Kind],
) -> Change | None:
    resource, kind = existing.get(declaration.logical_id), kinds.get(declaration.type)
    if resource is None or not resource.exists:
        return Change("Add", declaration.logical_id, declaration.type)
    if resource.type != declaration.type:
        raise invalid(
            f"Update of resource type is not permitted. The new template modifies resource type of the "
            f"following resources: [{declaration.logical_id}]"
        )
    if kind is None:
        return Change("Modify", declaration.logical_id, declaration.type, resource.physical_id, "False")
    after = _known_properties(declaration, scope)
    names = changed(resource.properties, with_tags(after, found.tags, kind))
    if not names:
        return None
    return Change(
        "Modify",
        declaration.logical_id,
        declaration.type,
        resource.physical_id,
        _replacement(kind, names, after),
        names,
    )


def _replacement(kind: Kind, names: Iterable[str], after: Mapping[str, Any]) -> str:
    decisive = [name for name in names if kind.must_be_replaced([name])]
    if not decisive:
        return "False"
    return "Conditional" if all(after.get(name) is UNKNOWN for name in decisive) else "True"


def _known_properties(declaration: Declaration, scope: Scope) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in declaration.properties.items():
        try:
            found[name] = resolve(value, scope)
        except Pending:
            found[name] = UNKNOWN
    return _without_nothing(found)


def imports(template: Template, scope: Scope) -> tuple[str, ...]:
    """Return the exports of other stacks that a template uses."""
    declared = [each.properties for each in template.resources.values()], list(template.outputs.values())
    return tuple(sorted(set(_imports(list(declared), scope))))


def _imports(value: Any, scope: Scope) -> Iterable[str]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _imports(each, scope)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name == "Fn::ImportValue" and not references(each) - scope.values.keys():
                yield str(resolve(each, scope))
            yield from _imports(each, scope)


def _is_active(condition: str | None, scope: Scope) -> bool:
    return condition is None or scope.conditions[condition]


def _pseudo_parameters(stack: Stack, context: Context) -> dict[str, Any]:
    partition = arns.partition(context.region)
    return {
        "AWS::AccountId": context.account,
        "AWS::NotificationARNs": [],
        "AWS::Partition": partition,
        "AWS::Region": context.region,
        "AWS::StackId": stack.id,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
    }
