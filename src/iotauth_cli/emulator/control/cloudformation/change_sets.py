"""Change sets: a change worked out, looked at, and then executed or dropped. `aws cloudformation deploy` uses them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.cloudformation import plan, shown, sources, syntax
from iotauth_cli.emulator.control.cloudformation.deployment import World
from iotauth_cli.emulator.control.cloudformation.errors import (
    already_exists,
    invalid,
    unknown_change_set,
)
from iotauth_cli.emulator.control.cloudformation.queries import Queries
from iotauth_cli.emulator.control.cloudformation.store import DELETED, IN_REVIEW, ChangeSet, Source, Stack
from iotauth_cli.emulator.control.service import Context, Handler, NotImplementedHere, Parameters, Result, ServiceError

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
COMPLETE, AVAILABLE, FAILED, UNAVAILABLE = "CREATE_COMPLETE", "AVAILABLE", "FAILED", "UNAVAILABLE"


class Stacks(Protocol):
    """What change sets need of the service that makes stacks."""

    def new_stack(self, name: str, context: Context) -> Stack: ...

    def updatable(self, name_or_id: str, context: Context) -> Stack: ...

    def differs(self, stack: Stack, source: Source, context: Context) -> bool: ...

    def export_values(self, context: Context) -> dict[str, str]: ...

    async def start_creation(self, stack: Stack, source: Source, context: Context, token: str | None) -> None: ...

    async def start_update(self, stack: Stack, source: Source, context: Context, token: str | None) -> None: ...

    async def start_import(
        self, stack: Stack, source: Source, context: Context, imported: Mapping[str, str], token: str | None
    ) -> None: ...


class ChangeSets:
    def __init__(self, world: World, stacks: Stacks, queries: Queries) -> None:
        self._world = world
        self._store = world.store
        self._stacks = stacks
        self._queries = queries
        self.operations: Mapping[str, Handler] = {
            "CreateChangeSet": self.create_change_set,
            "DescribeChangeSet": self.describe_change_set,
            "ExecuteChangeSet": self.execute_change_set,
            "DeleteChangeSet": self.delete_change_set,
            "ListChangeSets": self.list_change_sets,
        }

    async def create_change_set(self, parameters: Parameters, context: Context) -> Result:
        """Work a change out. For a stack that is to be created, the stack is there from now on, in review."""
        previous = self._stack(parameters, context).source
        source = await sources.read(parameters, context, previous)
        stack = self._stack(parameters, context)  # a transform takes its time
        name = parameters["ChangeSetName"]
        if any(each.name == name for each in self._store.change_sets(stack.id)):
            raise already_exists(name)
        found = plan.wanted(source, stack, context, self._stacks.export_values(context))
        changes = plan.changes(found, self._store.resources(stack), self._world.kinds)
        imported = _imported(parameters, source) if parameters.get("ChangeSetType") == "IMPORT" else {}
        if imported:
            changes = [replace(each, action="Import", physical_id=imported[each.logical_id]) for each in changes]
        is_empty = stack.source is not None and not self._stacks.differs(stack, source, context)
        change_set = ChangeSet(
            id=arns.build("cloudformation", context.region, context.account, f"changeSet/{name}/{uuid.uuid4()}"),
            name=name,
            stack_id=stack.id,
            status=FAILED if is_empty else COMPLETE,
            execution_status=UNAVAILABLE if is_empty else AVAILABLE,
            reason=NO_CHANGES if is_empty else None,
            created=self._world.clock(),
            source=source,
            description=parameters.get("Description"),
            on_failure=parameters.get("OnStackFailure", "ROLLBACK"),
            changes=tuple(shown.change(each) for each in changes),
            imported=imported,
        )
        self._store.save(stack)
        self._store.save_change_set(change_set)
        return {"Id": change_set.id, "StackId": stack.id}

    def describe_change_set(self, parameters: Parameters, context: Context) -> Result:
        change_set, stack = self._find(parameters, context)
        return shown.change_set(change_set, stack)

    async def execute_change_set(self, parameters: Parameters, context: Context) -> Result:
        change_set, stack = self._find(parameters, context)
        if change_set.execution_status != AVAILABLE:
            message = f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]"
            raise ServiceError("InvalidChangeSetStatus", message)
        token = parameters.get("ClientRequestToken")
        on_failure = "DO_NOTHING" if parameters.get("DisableRollback") else change_set.on_failure
        stack = replace(stack, change_set_id=change_set.id, on_failure=on_failure)
        if change_set.imported:
            self._store.remove_change_sets(stack.id)
            await self._stacks.start_import(stack, change_set.source, context, change_set.imported, token)
        elif stack.status == IN_REVIEW:
            self._store.remove_change_sets(stack.id)
            await self._stacks.start_creation(stack, change_set.source, context, token)
        else:
            if on_failure == "DO_NOTHING":
                raise NotImplementedHere("updates that are not rolled back")
            self._stacks.updatable(stack.id, context)
            await self._stacks.start_update(stack, change_set.source, context, token)
        return {}

    def delete_change_set(self, parameters: Parameters, context: Context) -> Result:
        try:
            change_set, _ = self._find(parameters, context)
        except ServiceError as error:
            if error.code == "ChangeSetNotFound":
                return {}  # as on AWS
            raise
        self._store.remove_change_set(change_set)
        return {}

    def list_change_sets(self, parameters: Parameters, context: Context) -> Result:
        stack = self._queries.existing(parameters["StackName"], context)
        found = self._store.change_sets(stack.id)
        return {"Summaries": [shown.change_set_summary(each, stack) for each in found]}

    def _stack(self, parameters: Parameters, context: Context) -> Stack:
        """Return the stack that a change set is for; for a creation one that is in review, or not there yet."""
        name = parameters["StackName"]
        if not _creates(parameters):
            return self._stacks.updatable(name, context)
        known = self._store.find(context.region, name)
        if known is None or known.status == DELETED:
            return self._stacks.new_stack(name, context)
        if known.status != IN_REVIEW and parameters.get("ChangeSetType") == "IMPORT":
            raise NotImplementedHere("importing resources into a stack that exists")
        if known.status != IN_REVIEW:
            raise invalid(f"Stack [{known.name}] already exists and cannot be created again with the changeSet")
        return known

    def _find(self, parameters: Parameters, context: Context) -> tuple[ChangeSet, Stack]:
        """Return the change set that a request names, by its ARN or by its name and its stack."""
        name = parameters["ChangeSetName"]
        by_id = self._store.find_change_set(name)
        if by_id is not None:
            return by_id, self._queries.existing(by_id.stack_id, context)
        if "StackName" not in parameters:
            raise invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
        stack = self._queries.existing(parameters["StackName"], context)
        found = next((each for each in self._store.change_sets(stack.id) if each.name == name), None)
        if found is None:
            raise unknown_change_set(name)
        return found, stack


def _creates(parameters: Parameters) -> bool:
    return parameters.get("ChangeSetType", "UPDATE") in ("CREATE", "IMPORT")


def _imported(parameters: Parameters, source: Source) -> dict[str, str]:
    """Return what is to be imported, by logical id, held to what AWS asks of an import.

    Raises:
        ServiceError: ValidationError; the template does more than import, or would delete what it imports.
    """
    document = syntax.parse(source.processed)
    resources = document["Resources"]
    listed = {each["LogicalResourceId"]: each["ResourceIdentifier"] for each in parameters.get("ResourcesToImport", ())}
    if document.get("Outputs"):
        raise invalid("As part of the import operation, you cannot modify or add [Outputs]")
    others = sorted(set(resources) ^ set(listed))
    if others:
        raise invalid(
            f"You have modified resources [{', '.join(others)}] in your template that are not being imported. "
            "Update, create or delete operations cannot be executed during import operations."
        )
    unkept = [name for name in listed if "DeletionPolicy" not in resources[name]]
    if unkept:
        raise invalid(f"Resources [{', '.join(unkept)}] must have DeletionPolicy attribute specified in the template.")
    return {name: ",".join(identifier.values()) for name, identifier in listed.items()}
