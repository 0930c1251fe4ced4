"""Bringing a stack to what its template says, resource by resource, and back again when one fails.

Making is the same for a new stack and for one that changes; only the words differ. Each step that was done is
remembered with what was there before, and a failure walks the steps backwards. What a replaced or removed
resource leaves behind goes last, when nothing can fail any more that would need it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from iotauth_cli.emulator.control.cloudformation import graph, plan
from iotauth_cli.emulator.control.cloudformation.calls import Calls
from iotauth_cli.emulator.control.cloudformation.errors import invalid
from iotauth_cli.emulator.control.cloudformation.intrinsics import Made, Pending, resolve, text_of
from iotauth_cli.emulator.control.cloudformation.kinds import Kind
from iotauth_cli.emulator.control.cloudformation.kinds.kind import Site
from iotauth_cli.emulator.control.cloudformation.plan import Wanted
from iotauth_cli.emulator.control.cloudformation.store import (
    DELETED,
    Event,
    Output,
    Resource,
    Source,
    Stack,
    StackStore,
)
from iotauth_cli.emulator.control.cloudformation.template import Declaration
from iotauth_cli.emulator.control.service import Context, NotImplementedHere, ServiceError

STACK_TYPE = "AWS::CloudFormation::Stack"
# What a kind runs into when a list stands in place of a mapping, and the like; there is no schema here to ask first.
MALFORMED = (TypeError, KeyError, AttributeError, ValueError)
KEPT = ("Retain", "RetainExceptOnCreate")


@dataclass(frozen=True)
class World:
    """What every deployment works with."""

    store: StackStore
    kinds: Mapping[str, Kind]
    calls: Calls
    clock: Callable[[], float]


@dataclass(frozen=True)
class Words:
    """The states of one kind of operation, for the stack."""

    done: str
    undoing: str
    undone: str
    not_undone: str


CREATING = Words("CREATE_COMPLETE", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
UPDATING = Words("UPDATE_COMPLETE", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED")
CLEANING_UP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


@dataclass(frozen=True)
class Step:
    """A resource that was touched, and what it was before."""

    logical_id: str
    before: Resource | None


class StepFailed(Exception):
    """A resource, or the stack itself if *logical_id* is None, could not be brought to what is wanted."""

    def __init__(self, logical_id: str | None, reason: str) -> None:
        super().__init__(reason)
        self.logical_id = logical_id
        self.reason = reason


class Deployment:
    """One operation on one *stack*. *token* is the caller's, for its events."""

    def __init__(self, world: World, stack: Stack, context: Context, token: str | None = None) -> None:
        self._world = world
        self._stack = stack
        self._context = context
        self._token = token
        self._resources = world.store.resources(stack)
        self._steps: list[Step] = []
        self._left_behind: list[Resource] = []

    async def create(self) -> None:
        """Make the stack's resources; when one fails, do what its *on_failure* says."""
        try:
            await self._bring()
        except StepFailed as failure:
            await self._give_up(failure)
        else:
            self._set_status(CREATING.done)

    async def adopt(self, imported: Mapping[str, str]) -> None:
        """Take what exists into the stack, by the names in *imported*; when one is not there, take none."""
        try:
            source = self._stack.source
            assert source is not None  # whoever starts an operation has set it
            wanted = self._wanted(source)
            for declaration in wanted.active:
                await self._adopt_one(declaration, wanted, imported[declaration.logical_id])
        except StepFailed as failure:
            for logical_id in list(self._resources):
                self._world.store.remove_resource(self._stack, logical_id)
            self._set_status("IMPORT_ROLLBACK_COMPLETE", _failed_resources("import", failure))
        else:
            self._set_status("IMPORT_COMPLETE")

    async def update(self, before: Stack) -> None:
        """Change the stack's resources; when one fails, change them back. *before* is the stack until now."""
        try:
            await self._bring()
        except StepFailed as failure:
            self._set_status(UPDATING.undoing, _failed_resources("update", failure))
            is_undone = await self._undo()
            self._forget_what_never_was()
            self._stack = replace(self._stack, source=before.source, outputs=before.outputs, imports=before.imports)
            self._set_status(UPDATING.undone if is_undone else UPDATING.not_undone)
        else:
            self._set_status(CLEANING_UP)
            await self._clean_up()
            self._set_status(UPDATING.done)

    async def delete(self, retained: Iterable[str] = ()) -> None:
        """Remove the stack's resources, those last that others need; *retained* stay."""
        failed: list[str] = []
        needed: set[str] = set()  # by what could not be removed
        for logical_id in self._backwards(self._resources):
            resource = self._resources[logical_id]
            keep = logical_id in retained or resource.deletion_policy in KEPT
            if logical_id in needed:
                needed.update(resource.needs)
            elif resource.exists and not await self._remove(resource, keep=keep):
                failed.append(logical_id)
                needed.update(resource.needs)
            await asyncio.sleep(0)
        if failed:
            self._set_status("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")
            return
        self._stack = replace(self._stack, deleted=self._world.clock(), outputs=(), imports=())
        self._set_status(DELETED)

    async def _bring(self) -> None:
        """Bring every resource to what is wanted, then work out the outputs.

        Raises:
            StepFailed: and `_steps` tells how far it came.
        """
        source = self._stack.source
        assert source is not None  # whoever starts an operation has set it
        wanted = self._wanted(source)
        for declaration in wanted.active:
            if declaration.type not in self._world.kinds:
                reason = NotImplementedHere(f"resources of type {declaration.type}").message
                self._note_failure(declaration, "CREATE_FAILED", reason)
                raise StepFailed(declaration.logical_id, reason)
        for declaration in wanted.active:
            await self._bring_one(declaration, wanted)
            await asyncio.sleep(0)  # others are served between two resources
        self._find_removed(wanted)
        self._set_outputs(wanted)

    def _wanted(self, source: Source) -> Wanted:
        exports = self._world.store.exports(self._context.region)
        values = {name: output.value for name, (_, output) in exports.items()}
        try:
            return plan.wanted(source, self._stack, self._context, values)
        except ServiceError as error:
            raise StepFailed(None, error.message) from error

    async def _bring_one(self, declaration: Declaration, wanted: Wanted) -> None:
        kind, before = self._world.kinds[declaration.type], self._resources.get(declaration.logical_id)
        is_there = before is not None and before.exists
        verb = "UPDATE" if is_there else "CREATE"
        scope = replace(wanted.scope, made=self._made())
        try:
            properties = plan.properties_of(declaration, wanted, scope, kind)
            kind.check(properties)
            resource = Resource(
                logical_id=declaration.logical_id,
                type=declaration.type,
                status=f"{verb}_IN_PROGRESS",
                at=self._world.clock(),
                properties=properties,
                needs=plan.needs(declaration, wanted),
                deletion_policy=declaration.deletion_policy,
                replace_policy=declaration.replace_policy,
            )
            self._steps.append(Step(declaration.logical_id, before if is_there else None))
            if before is None or not is_there:
                await self._create(resource)
            else:
                await self._change(before, resource)
        except (ServiceError, *MALFORMED) as error:
            self._note_failure(declaration, f"{verb}_FAILED", _reason(error))
            raise StepFailed(declaration.logical_id, _reason(error)) from error

    async def _adopt_one(self, declaration: Declaration, wanted: Wanted, name: str) -> None:
        """Find the resource of that *name*; it is not compared with what the template says, as on AWS."""
        logical_id, kind = declaration.logical_id, self._world.kinds.get(declaration.type)
        resource = Resource(logical_id, declaration.type, "IMPORT_IN_PROGRESS", self._world.clock(), name)
        try:
            if kind is None or kind.identifier is None:
                raise NotImplementedHere(f"importing resources of type {declaration.type}")
            self._refuse_of_another_stack(resource)
            properties = plan.properties_of(declaration, wanted, replace(wanted.scope, made=self._made()), kind)
            if properties.get(kind.identifier) != name:
                raise invalid(f"The resource {logical_id} is {kind.identifier} {name}, and the template says otherwise")
            self._note(resource)
            made = await kind.find(self._site(resource), name)
        except (ServiceError, *MALFORMED) as error:
            self._note_failure(declaration, "IMPORT_FAILED", _reason(error))
            raise StepFailed(logical_id, _reason(error)) from error
        adopted = replace(
            resource,
            attributes=made.attributes,
            properties=properties,
            needs=plan.needs(declaration, wanted),
            deletion_policy=declaration.deletion_policy,
            replace_policy=declaration.replace_policy,
        )
        self._note(self._done(adopted))

    def _refuse_of_another_stack(self, resource: Resource) -> None:
        for stack in self._world.store.live(self._context.region):
            for other in self._world.store.resources(stack).values():
                if (other.type, other.physical_id) == (resource.type, resource.physical_id) and other.exists:
                    raise invalid(f"Resource {resource.physical_id} already exists in stack {stack.id}")

    async def _create(self, resource: Resource) -> None:
        kind, site = self._world.kinds[resource.type], self._site(resource)
        self._note(resource)
        made = await kind.create(site, resource.properties)
        resource = replace(resource, physical_id=made.ref, attributes=made.attributes)
        self._save(resource)  # from here on it is there, whatever comes
        await kind.settle(site, made, {}, resource.properties)
        self._note(self._done(resource))

    async def _change(self, before: Resource, after: Resource) -> None:
        kind = self._world.kinds[after.type]
        names = plan.changed(before.properties, after.properties)
        if not names:
            kept = replace(after, physical_id=before.physical_id, attributes=before.attributes)
            self._save(replace(kept, status=before.status, at=before.at, reason=before.reason))
            return
        if kind.must_be_replaced(names):
            reason = "Requested update requires the creation of a new physical resource; hence creating one."
            self._note(replace(after, physical_id=before.physical_id, reason=reason))
            await self._create(after)
            self._left_behind.append(before)
            return
        self._note(replace(after, physical_id=before.physical_id, attributes=before.attributes))
        self._note(self._done(await self._updated(before, after)))

    async def _updated(self, before: Resource, after: Resource) -> Resource:
        """Change a resource in place and return it as it is then."""
        kind, site = self._world.kinds[after.type], self._site(after)
        made = Made(str(before.physical_id), before.attributes)
        made = await kind.update(site, made, before.properties, after.properties)
        await kind.settle(site, made, before.properties, after.properties)
        return replace(after, physical_id=made.ref, attributes=made.attributes)

    def _find_removed(self, wanted: Wanted) -> None:
        names = {declaration.logical_id for declaration in wanted.active}
        gone = (each for each in self._resources.values() if each.exists and each.logical_id not in names)
        self._left_behind.extend(gone)

    async def _clean_up(self) -> None:
        """Remove what was replaced or is no longer declared. A failure is told and does not undo the update."""
        order = {name: number for number, name in enumerate(self._backwards(self._resources))}
        for resource in sorted(self._left_behind, key=lambda each: order[each.logical_id]):
            current = self._resources[resource.logical_id]
            is_replaced = current.physical_id != resource.physical_id
            policy = resource.replace_policy if is_replaced else resource.deletion_policy
            await self._remove(resource, keep=policy in KEPT)
            if is_replaced:
                self._save(current)
            else:
                self._world.store.remove_resource(self._stack, resource.logical_id)
                del self._resources[resource.logical_id]

    def _forget_what_never_was(self) -> None:
        for resource in [each for each in self._resources.values() if not each.exists]:
            self._world.store.remove_resource(self._stack, resource.logical_id)

    async def _give_up(self, failure: StepFailed) -> None:
        """Do what is to be done when a new stack fails: nothing, remove what was made, or remove the stack."""
        reason = _failed_resources("create", failure)
        if self._stack.on_failure == "DO_NOTHING":
            self._set_status("CREATE_FAILED", reason)
            return
        self._set_status(CREATING.undoing, f"{reason}Rollback requested by user.")
        is_undone = await self._undo()
        self._set_status(CREATING.undone if is_undone else CREATING.not_undone)
        if is_undone and self._stack.on_failure == "DELETE":
            await self.delete()

    async def _undo(self) -> bool:
        """Walk the steps back; tell whether everything is as before."""
        results = [await self._undo_step(step) for step in reversed(self._steps)]
        return all(results)

    async def _undo_step(self, step: Step) -> bool:
        current, before = self._resources[step.logical_id], step.before
        if before is None:
            return not current.exists or await self._remove(current, keep=current.deletion_policy == "Retain")
        if before.physical_id != current.physical_id:
            is_removed = not current.exists or await self._remove(current, keep=False)
            self._save(before)
            return is_removed
        if before == current:
            return True
        try:
            await self._updated(current, before)
        except ServiceError as error:
            self._note(replace(current, status="UPDATE_FAILED", reason=_reason(error)))
            return False
        self._note(replace(before, status="UPDATE_COMPLETE", at=self._world.clock(), reason=None))
        return True

    async def _remove(self, resource: Resource, *, keep: bool) -> bool:
        """Remove a resource, or only take leave of it; tell whether it is out of the stack."""
        kind = self._world.kinds.get(resource.type)
        if keep or kind is None:
            self._note(replace(resource, status="DELETE_SKIPPED", at=self._world.clock(), reason=None))
            return True
        self._note(replace(resource, status="DELETE_IN_PROGRESS", at=self._world.clock(), reason=None))
        try:
            made = Made(str(resource.physical_id), resource.attributes)
            await kind.delete(self._site(resource), made, resource.properties)
        except ServiceError as error:
            self._note(replace(resource, status="DELETE_FAILED", at=self._world.clock(), reason=_reason(error)))
            return False
        self._note(replace(resource, status=DELETED, at=self._world.clock(), reason=None))
        return True

    def _set_outputs(self, wanted: Wanted) -> None:
        scope = replace(wanted.scope, made=self._made())
        exports = self._world.store.exports(self._context.region)
        try:
            found = tuple(_output(key, resolve(dict(each), scope)) for key, each in plan.outputs(wanted))
            imports = plan.imports(wanted.template, scope)
        except Pending as pending:
            raise StepFailed(
                None, f"Unresolved resource dependencies [{pending.logical_id}] in the Outputs"
            ) from pending
        except ServiceError as error:
            raise StepFailed(None, error.message) from error
        for output in found:
            owner = exports.get(output.export or "", (self._stack, output))[0]
            if owner.id != self._stack.id:
                message = f"Export with name {output.export} is already exported by stack {owner.name}"
                raise StepFailed(None, message)
        self._stack = replace(self._stack, outputs=found, imports=imports)

    def _made(self) -> dict[str, Made]:
        return {
            name: Made(str(each.physical_id), each.attributes) for name, each in self._resources.items() if each.exists
        }

    def _backwards(self, resources: Mapping[str, Resource]) -> list[str]:
        return list(reversed(graph.order({name: each.needs for name, each in resources.items()})))

    def _site(self, resource: Resource) -> Site:
        return Site(self._stack.name, resource.logical_id, self._context, self._world.calls, self._stack.id)

    def _done(self, resource: Resource) -> Resource:
        status = resource.status.replace("_IN_PROGRESS", "_COMPLETE")
        return replace(resource, status=status, at=self._world.clock(), reason=None)

    def _save(self, resource: Resource) -> None:
        self._resources[resource.logical_id] = resource
        self._world.store.save_resource(self._stack, resource)

    def _note(self, resource: Resource) -> None:
        """Save a resource and tell of it in an event."""
        self._save(resource)
        self._tell(resource.logical_id, resource.physical_id, resource.type, resource.status, resource.reason)

    def _note_failure(self, declaration: Declaration, status: str, reason: str) -> None:
        known = self._resources.get(declaration.logical_id)
        blank = Resource(declaration.logical_id, declaration.type, status, self._world.clock())
        self._note(replace(known or blank, status=status, at=self._world.clock(), reason=reason))

    def _set_status(self, status: str, reason: str | None = None) -> None:
        self._stack = self._world.store.save(replace(self._stack, status=status, reason=reason))
        self._tell(self._stack.name, self._stack.id, STACK_TYPE, status, reason)

    def _tell(self, logical_id: str, physical_id: str | None, kind: str, status: str, reason: str | None) -> None:
        now = self._world.clock()
        event = Event(str(uuid.uuid4()), logical_id, physical_id, kind, status, now, reason, self._token)
        self._world.store.add_event(self._stack, event)


def _output(key: str, resolved: Mapping[str, object]) -> Output:
    export = resolved.get("Export")
    name = export.get("Name") if isinstance(export, Mapping) else None
    description = resolved.get("Description")
    value = resolved["Value"]
    if not isinstance(value, (str, int, float)):
        raise invalid(f"Template format error: Output {key} is malformed; its value must be a text")
    return Output(key, text_of(value), str(description) if description else None, str(name) if name else None)


def _failed_resources(verb: str, failure: StepFailed) -> str:
    if failure.logical_id is None:
        return f"{failure.reason}. "
    return f"The following resource(s) failed to {verb}: [{failure.logical_id}]. "


def _reason(error: Exception) -> str:
    """Word a refusal as CloudFormation passes on what a service said."""
    if not isinstance(error, ServiceError):
        return "Properties validation failed: a value in them is not of the form that this type of resource has"
    return f'Resource handler returned message: "{error.message}" (HandlerErrorCode: {error.code})'
