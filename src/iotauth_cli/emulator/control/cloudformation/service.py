"""The CloudFormation service: stacks made, changed, removed and shown.

An operation on a stack goes on after the answer, as on AWS. But the answer waits for it a moment, because here
most are done in milliseconds, and AWS's waiters look again only after thirty seconds.

An operation that the end of the process cut short is marked as failed at the next start; its stack can then be
updated or deleted.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.cloudformation import plan, sources
from iotauth_cli.emulator.control.cloudformation.calls import Calls
from iotauth_cli.emulator.control.cloudformation.change_sets import ChangeSets
from iotauth_cli.emulator.control.cloudformation.deployment import STACK_TYPE, Deployment, World
from iotauth_cli.emulator.control.cloudformation.errors import already_exists, invalid
from iotauth_cli.emulator.control.cloudformation.kinds import all_kinds
from iotauth_cli.emulator.control.cloudformation.packages import Packages
from iotauth_cli.emulator.control.cloudformation.queries import Queries
from iotauth_cli.emulator.control.cloudformation.store import DELETED, IN_REVIEW, Event, Source, Stack, StackStore
from iotauth_cli.emulator.control.service import Context, Handler, NotImplementedHere, Parameters, Result, Service
from iotauth_cli.emulator.lambda_runtime.background import Background
from iotauth_cli.emulator.own_faults import way_to
from iotauth_cli.emulator.state import State

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
PATIENCE_S = 2.0  # how long an answer waits for the operation that it starts
BROKEN = "the iotauth emulator failed; its log says where"
INTERRUPTED = "the emulator was stopped in the middle of the operation"
# What a stack is whose operation was interrupted, by what it was.
AFTER_INTERRUPTION = {
    "IMPORT_IN_PROGRESS": "IMPORT_ROLLBACK_FAILED",
    "CREATE_IN_PROGRESS": "CREATE_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
}
UPDATABLE = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
    "IMPORT_COMPLETE",
)
NO_UPDATES = "No updates are to be performed."

log = logging.getLogger(__name__)


class CloudFormationService:
    """Stacks of one account, made of the other *services*."""

    name = "cloudformation"

    def __init__(
        self,
        state: State,
        services: Sequence[Service],
        packages: Packages,
        clock: Callable[[], float] = time.time,
        behaviour: Behaviour | None = None,
    ) -> None:
        self._store = StackStore(state)
        packages.keep_only(self._store.texts())
        self._world = World(self._store, all_kinds(packages, behaviour), Calls(services), clock)
        self._clock = clock
        self._background = Background()
        queries = Queries(self._store)
        self._existing = queries.existing
        self.operations: Mapping[str, Handler] = {
            "CreateStack": self.create_stack,
            "UpdateStack": self.update_stack,
            "DeleteStack": self.delete_stack,
            "UpdateTerminationProtection": self.update_termination_protection,
            **queries.operations,
            **ChangeSets(self._world, self, queries).operations,
        }
        self._mark_failed(self._store.live(), INTERRUPTED)

    async def close(self) -> None:
        """End what is under way; at the next start it is marked as interrupted."""
        self._background.cancel()
        await self._background.finish()

    async def create_stack(self, parameters: Parameters, context: Context) -> Result:
        name = parameters["StackName"]
        source = await sources.read(parameters, context)
        if self._store.find(context.region, name) is not None:
            raise already_exists(name)
        default = "DO_NOTHING" if parameters.get("DisableRollback") else "ROLLBACK"
        stack = replace(
            self.new_stack(name, context),
            on_failure=parameters.get("OnFailure", default),
            is_protected=parameters.get("EnableTerminationProtection", False),
        )
        plan.wanted(source, stack, context, self.export_values(context))
        self._store.save(stack)
        await self.start_creation(stack, source, context, parameters.get("ClientRequestToken"))
        return {"StackId": stack.id}

    async def update_stack(self, parameters: Parameters, context: Context) -> Result:
        if parameters.get("DisableRollback"):
            raise NotImplementedHere("updates that are not rolled back")
        previous = self.updatable(parameters["StackName"], context).source
        source = await sources.read(parameters, context, previous)
        stack = self.updatable(parameters["StackName"], context)  # a transform takes its time
        if not self.differs(stack, source, context):
            raise invalid(NO_UPDATES)
        await self.start_update(stack, source, context, parameters.get("ClientRequestToken"))
        return {"StackId": stack.id}

    async def delete_stack(self, parameters: Parameters, context: Context) -> Result:
        stack = self._store.find(context.region, parameters["StackName"])
        if stack is None or stack.status == DELETED:
            return {}  # as on AWS
        self._require_idle(stack, "deleted")
        if stack.is_protected:
            message = f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            raise invalid(message)
        self._require_unused_exports(stack, context)
        self._store.remove_change_sets(stack.id)
        stack = self._begin(stack, "DELETE_IN_PROGRESS", parameters.get("ClientRequestToken"))
        deployment = Deployment(self._world, stack, context, parameters.get("ClientRequestToken"))
        await self._run(stack, deployment.delete(parameters.get("RetainResources", ())))
        return {}

    async def update_termination_protection(self, parameters: Parameters, context: Context) -> Result:
        stack = self._existing(parameters["StackName"], context)
        self._store.save(replace(stack, is_protected=parameters["EnableTerminationProtection"]))
        return {"StackId": stack.id}

    def new_stack(self, name: str, context: Context) -> Stack:
        """Return a stack that is not yet anything.

        Raises:
            ServiceError: ValidationError; *name* cannot be a stack's.
        """
        if not NAME.fullmatch(name):
            raise invalid(
                f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {NAME.pattern}"
            )
        stack_id = arns.build("cloudformation", context.region, context.account, f"stack/{name}/{uuid.uuid4()}")
        return Stack(stack_id, name, context.region, IN_REVIEW, self._clock())

    async def start_creation(self, stack: Stack, source: Source, context: Context, token: str | None) -> None:
        stack = self._begin(replace(stack, source=source), "CREATE_IN_PROGRESS", token, "User Initiated")
        await self._run(stack, Deployment(self._world, stack, context, token).create())

    async def start_import(
        self, stack: Stack, source: Source, context: Context, imported: Mapping[str, str], token: str | None
    ) -> None:
        stack = self._begin(replace(stack, source=source), "IMPORT_IN_PROGRESS", token, "User Initiated")
        await self._run(stack, Deployment(self._world, stack, context, token).adopt(imported))

    async def start_update(self, stack: Stack, source: Source, context: Context, token: str | None) -> None:
        self._store.remove_change_sets(stack.id)  # they were worked out for what the stack was
        changing = replace(stack, source=source, updated=self._clock())
        changing = self._begin(changing, "UPDATE_IN_PROGRESS", token, "User Initiated")
        await self._run(changing, Deployment(self._world, changing, context, token).update(stack))

    def updatable(self, name_or_id: str, context: Context) -> Stack:
        """Return the stack.

        Raises:
            ServiceError: ValidationError; there is none, or it is in a state from which it cannot be updated.
        """
        stack = self._existing(name_or_id, context)
        if stack.status not in UPDATABLE:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        return stack

    def differs(self, stack: Stack, source: Source, context: Context) -> bool:
        """Tell whether bringing *stack* to *source* would change a resource, a tag or an output."""
        assert stack.source is not None  # it was updatable
        if stack.status in ("UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED") or source.tags != stack.source.tags:
            return True
        wanted = plan.wanted(source, stack, context, self.export_values(context))
        before = plan.wanted(stack.source, stack, context, self.export_values(context))
        if plan.changes(wanted, self._store.resources(stack), self._world.kinds):
            return True
        return plan.known_outputs(wanted) != plan.known_outputs(before)

    def export_values(self, context: Context) -> dict[str, str]:
        return {name: output.value for name, (_, output) in self._store.exports(context.region).items()}

    def _require_idle(self, stack: Stack, verb: str) -> None:
        if stack.is_busy:
            raise invalid(f"Stack [{stack.name}] cannot be {verb} while in status {stack.status}")

    def _require_unused_exports(self, stack: Stack, context: Context) -> None:
        own = {output.export for output in stack.outputs if output.export}
        for other in self._store.live(context.region):
            used = own.intersection(other.imports)
            if used and other.id != stack.id:
                raise invalid(f"Export {min(used)} cannot be deleted as it is in use by {other.name}")

    def _begin(self, stack: Stack, status: str, token: str | None, reason: str | None = None) -> Stack:
        stack = self._store.save(replace(stack, status=status, reason=reason))
        self._tell(stack, reason, token)
        return stack

    def _tell(self, stack: Stack, reason: str | None, token: str | None = None) -> None:
        event_id, now = str(uuid.uuid4()), self._clock()
        event = Event(event_id, stack.name, stack.id, STACK_TYPE, stack.status, now, reason, token)
        self._store.add_event(stack, event)

    async def _run(self, stack: Stack, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.wait({self._background.start(self._guarded(stack.id, work))}, timeout=PATIENCE_S)

    async def _guarded(self, stack_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Do *work*; should it fail as nothing should, the stack has failed and is not busy for ever."""
        try:
            await work
        except Exception as error:
            log.error("an operation on %s failed: %s", stack_id, way_to(error))
            self._mark_failed([stack for stack in self._store.live() if stack.id == stack_id], BROKEN)

    def _mark_failed(self, stacks: Iterable[Stack], reason: str) -> None:
        for stack in stacks:
            if stack.is_busy:
                failed = replace(stack, status=AFTER_INTERRUPTION[stack.status], reason=reason)
                self._tell(self._store.save(failed), reason)
