"""What CloudFormation tells of stacks and templates without changing any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from iotauth_cli.emulator.control.cloudformation import parameters as stack_parameters
from iotauth_cli.emulator.control.cloudformation import shown, sources, syntax, template
from iotauth_cli.emulator.control.cloudformation.errors import invalid, unknown_stack
from iotauth_cli.emulator.control.cloudformation.store import Resource, Source, Stack, StackStore
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result

Item = TypeVar("Item")

PAGE = 100  # items; what CloudFormation returns at a time
ALL_STAGES = ["Original", "Processed"]


class Queries:
    def __init__(self, store: StackStore) -> None:
        self._store = store
        self.operations: Mapping[str, Handler] = {
            "DescribeStacks": self.describe_stacks,
            "ListStacks": self.list_stacks,
            "DescribeStackEvents": self.describe_stack_events,
            "DescribeStackResources": self.describe_stack_resources,
            "DescribeStackResource": self.describe_stack_resource,
            "ListStackResources": self.list_stack_resources,
            "ListExports": self.list_exports,
            "ListImports": self.list_imports,
            "GetTemplate": self.get_template,
            "GetTemplateSummary": self.get_template_summary,
            "ValidateTemplate": self.validate_template,
        }

    def existing(self, name_or_id: str, context: Context) -> Stack:
        """Return the stack; a deleted one only by its id.

        Raises:
            ServiceError: ValidationError; there is none.
        """
        stack = self._store.find(context.region, name_or_id)
        if stack is None:
            raise unknown_stack(name_or_id)
        return stack

    def describe_stacks(self, parameters: Parameters, context: Context) -> Result:
        if "StackName" in parameters:
            return {"Stacks": [shown.stack(self.existing(parameters["StackName"], context))]}
        found, token = _page(self._store.live(context.region), parameters)
        return {"Stacks": [shown.stack(stack) for stack in found], "NextToken": token}

    def list_stacks(self, parameters: Parameters, context: Context) -> Result:
        wanted = parameters.get("StackStatusFilter")
        stacks = [stack for stack in self._store.all(context.region) if not wanted or stack.status in wanted]
        found, token = _page(stacks, parameters)
        return {"StackSummaries": [shown.summary(stack) for stack in found], "NextToken": token}

    def describe_stack_events(self, parameters: Parameters, context: Context) -> Result:
        stack = self.existing(parameters["StackName"], context)
        found, token = _page(self._store.events(stack), parameters)
        return {"StackEvents": [shown.event(event, stack) for event in found], "NextToken": token}

    def describe_stack_resources(self, parameters: Parameters, context: Context) -> Result:
        if "StackName" in parameters:
            stacks = [self.existing(parameters["StackName"], context)]
        else:
            stacks = self._owners(parameters.get("PhysicalResourceId"), context)
        wanted = parameters.get("LogicalResourceId")
        found = [
            shown.resource(resource, stack)
            for stack in stacks
            for resource in self._store.resources(stack).values()
            if wanted in (None, resource.logical_id)
        ]
        if wanted is not None and not found:
            raise _unknown_resource(wanted, stacks[0])
        return {"StackResources": found}

    def describe_stack_resource(self, parameters: Parameters, context: Context) -> Result:
        stack = self.existing(parameters["StackName"], context)
        resource = self._store.resources(stack).get(parameters["LogicalResourceId"])
        if resource is None:
            raise _unknown_resource(parameters["LogicalResourceId"], stack)
        return {"StackResourceDetail": shown.resource_detail(resource, stack)}

    def list_stack_resources(self, parameters: Parameters, context: Context) -> Result:
        stack = self.existing(parameters["StackName"], context)
        resources: list[Resource] = list(self._store.resources(stack).values())
        found, token = _page(resources, parameters)
        return {"StackResourceSummaries": [shown.resource_summary(each) for each in found], "NextToken": token}

    def list_exports(self, parameters: Parameters, context: Context) -> Result:
        exports = self._store.exports(context.region)
        found = [
            {"ExportingStackId": stack.id, "Name": name, "Value": output.value}
            for name, (stack, output) in sorted(exports.items())
        ]
        return {"Exports": found}

    def list_imports(self, parameters: Parameters, context: Context) -> Result:
        name = parameters["ExportName"]
        importing = [stack.name for stack in self._store.live(context.region) if name in stack.imports]
        if not importing:
            raise invalid(f"Export '{name}' is not imported by any stack.")
        return {"Imports": importing}

    def get_template(self, parameters: Parameters, context: Context) -> Result:
        source = self._source(parameters, context)
        body = shown.source_template(source, parameters.get("TemplateStage", "Original"))
        return {"TemplateBody": body, "StagesAvailable": ALL_STAGES}

    def get_template_summary(self, parameters: Parameters, context: Context) -> Result:
        text = self._source(parameters, context).text if "StackName" in parameters else sources.body(parameters)
        return described(syntax.parse(text))

    def validate_template(self, parameters: Parameters, context: Context) -> Result:
        document = syntax.parse(sources.body(parameters))
        template.check_sections(document)
        stack_parameters.check_declarations(shown.declared(document))
        if document.get("Transform"):  # its references may be to what the transform adds
            template.transforms(document["Transform"])
        else:
            template.parse(document)
        return {"Parameters": shown.template_parameters(document), **_common(document)}

    def _source(self, parameters: Parameters, context: Context) -> Source:
        stack = self.existing(parameters["StackName"], context)
        change_sets = self._store.change_sets(stack.id)
        waiting = next(
            (each.source for each in change_sets if parameters.get("ChangeSetName") in (each.name, each.id)), None
        )
        source = waiting or stack.source
        if source is None:
            raise unknown_stack(stack.name)
        return source

    def _owners(self, physical_id: str | None, context: Context) -> list[Stack]:
        for stack in self._store.live(context.region):
            resources = self._store.resources(stack).values()
            if physical_id and any(each.physical_id == physical_id and each.exists for each in resources):
                return [stack]
        raise invalid(f"Stack for {physical_id} does not exist")


def _page(items: Sequence[Item], parameters: Parameters) -> tuple[list[Item], str | None]:
    """Return a page of a listing whose order is its own, so that an item is found by its place."""
    numbered = [(f"{number:08}", item) for number, item in enumerate(items)]
    found, token = page("cloudformation", numbered, lambda pair: pair[0], parameters.get("NextToken"), PAGE)
    return [item for _, item in found], token


def described(document: Mapping[str, Any]) -> Result:
    """Return what GetTemplateSummary tells of a template.

    Raises:
        ServiceError: ValidationError; a section is malformed.
    """
    template.check_sections(document)
    stack_parameters.check_declarations(shown.declared(document))
    return {
        "Parameters": shown.parameter_declarations(document),
        "ResourceTypes": shown.resource_types(document),
        "Version": document.get("AWSTemplateFormatVersion"),
        "Metadata": syntax.build(document["Metadata"]) if "Metadata" in document else None,
        **_common(document),
    }


def _common(document: Mapping[str, Any]) -> Result:
    """Return what both descriptions of a template have."""
    capabilities = list(shown.needed_capabilities(document))
    types = sorted({kind for kind in shown.resource_types(document) if kind.startswith("AWS::IAM::")})
    reason = f"The following resource(s) require capabilities: [{', '.join(types)}]" if types else None
    return {
        "Description": document.get("Description"),
        "Capabilities": capabilities,
        "CapabilitiesReason": reason,
        "DeclaredTransforms": shown.transforms(document),
    }


def _unknown_resource(logical_id: str, stack: Stack) -> Exception:
    return invalid(f"Resource {logical_id} does not exist for stack {stack.name}")
