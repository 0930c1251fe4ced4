"""The Lambda service, put together, and the directory in which the data plane looks functions up."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping

from iotauth_cli.emulator.control.lambda_.code import CodeStore
from iotauth_cli.emulator.control.lambda_.functions import Functions, Roles
from iotauth_cli.emulator.control.lambda_.names import FunctionName, function_not_found, parse, parse_arn
from iotauth_cli.emulator.control.lambda_.permissions import Permissions
from iotauth_cli.emulator.control.lambda_.store import FunctionStore
from iotauth_cli.emulator.control.lambda_.versions import Versions
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result, ServiceError
from iotauth_cli.emulator.model import ACCOUNT, Function, FunctionRunner, Invocation
from iotauth_cli.emulator.state import State

LOG_TAIL = 4096  # bytes of log that Invoke returns


class LambdaService:
    """Functions of one account. *runner* runs them; *roles* knows which role Lambda may assume."""

    name = "lambda"

    def __init__(
        self,
        state: State,
        roles: Roles,
        runner: FunctionRunner,
        account: str = ACCOUNT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._runner = runner
        self._store = FunctionStore(state)
        self._code = CodeStore(state.directory / "code")
        self._code.keep_only(self._store.code_in_use())
        self._permissions = Permissions(state, self._store)
        self._background: set[asyncio.Task[Invocation]] = set()
        versions = Versions(self._store)
        self.operations: Mapping[str, Handler] = {
            **Functions(self._store, self._code, versions, roles, clock).operations,
            **versions.operations,
            **self._permissions.operations,
            "Invoke": self.invoke,
        }

    def find(self, function_arn: str) -> Function | None:
        """Return the function that an ARN (qualified or not) names, or None."""
        name = parse_arn(function_arn)
        return self._runnable(name) if name is not None and name.account == self._account else None

    def may_invoke(self, function_arn: str, *, principal: str, source_arn: str, source_account: str) -> bool:
        """Tell whether the function's resource policy lets *principal* call it for *source_arn*."""
        name = parse_arn(function_arn)
        return name is not None and self._permissions.may_invoke(name, principal, source_arn, source_account)

    async def invoke(self, parameters: Parameters, context: Context) -> Result:
        """Call a function. ``Event`` answers at once and is not repeated when the function fails."""
        name = parse(parameters, context)
        function = self._runnable(name)
        if function is None:
            raise function_not_found(name)
        payload = _checked_payload(parameters.get("Payload", b""))
        how = parameters.get("InvocationType", "RequestResponse")
        if how == "DryRun":
            return {"StatusCode": 204}
        if function.reserved_concurrency == 0:  # the usual way to switch a function off
            raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        if how == "Event":
            self._start(function, payload)
            return {"StatusCode": 202, "Payload": b""}
        invocation = await self._runner.invoke(function, payload)
        if invocation.throttled:
            raise _throttled("ConcurrentInvocationLimitExceeded")
        return _shown(invocation, function, parameters)

    def _runnable(self, name: FunctionName) -> Function | None:
        configuration = self._store.find(name)
        if configuration is None:
            return None
        return Function(
            arn=name.arn,
            name=name.name,
            region=name.region,
            runtime=configuration["Runtime"],
            handler=configuration["Handler"],
            code_directory=self._code.directory(configuration["CodeSha256"]),
            code_sha256=configuration["CodeSha256"],
            environment=configuration.get("Environment", {}).get("Variables", {}),
            timeout_s=configuration["Timeout"],
            memory_mb=configuration["MemorySize"],
            version=configuration["Version"],
            reserved_concurrency=self._store.record(name).reserved_concurrency,
        )

    def _start(self, function: Function, payload: bytes) -> None:
        task = asyncio.ensure_future(self._runner.invoke(function, payload))
        self._background.add(task)  # asyncio itself keeps no hold of a running task
        task.add_done_callback(self._background.discard)


def _throttled(reason: str) -> ServiceError:
    return ServiceError("TooManyRequestsException", "Rate Exceeded.", 429, Reason=reason)


def _checked_payload(payload: bytes) -> bytes:
    try:
        json.loads(payload or b"{}")
    except (ValueError, RecursionError) as error:
        message = "Could not parse request body into json"
        raise ServiceError("InvalidRequestContentException", message) from error
    return payload or b"{}"


def _shown(invocation: Invocation, function: Function, parameters: Parameters) -> Result:
    wants_log = parameters.get("LogType") == "Tail"
    tail = invocation.log_tail.encode()[-LOG_TAIL:]
    return {
        "StatusCode": 200,
        "FunctionError": invocation.function_error,
        "LogResult": base64.b64encode(tail).decode() if wants_log else None,
        "ExecutedVersion": function.version,
        "Payload": invocation.payload,
    }
