"""Invoke functions: the `FunctionRunner` of the emulator.

A function has at most two children; each takes one event at a time, and further calls wait their turn.
When the function's code or settings change, calls go to new children, and the old ones end with the call
they are in.
"""

from __future__ import annotations

import asyncio
import math
import uuid

from iotauth_cli.emulator.lambda_runtime.background import Background
from iotauth_cli.emulator.lambda_runtime.call import Call
from iotauth_cli.emulator.lambda_runtime.children import Children
from iotauth_cli.emulator.lambda_runtime.interpreter import Interpreters, UnknownRuntime
from iotauth_cli.emulator.lambda_runtime.logs import LogStream
from iotauth_cli.emulator.lambda_runtime.process import LimitExceeded
from iotauth_cli.emulator.model import Function, Invocation, LogSink


class FunctionPool:
    """*endpoint_url* is the control port, where functions find DynamoDB and the rest of AWS."""

    def __init__(self, logs: LogSink, *, endpoint_url: str) -> None:
        self._logs = logs
        self._endpoint_url = endpoint_url
        self._interpreters = Interpreters()
        self._children: dict[str, Children] = {}
        self._calls = Background()
        self._endings = Background()

    async def invoke(self, function: Function, payload: bytes, *, limit_s: float | None = None) -> Invocation:
        """Run *function* once with *payload*; an empty one stands for ``{}``.

        The call has the function's timeout or *limit_s*, whichever is over first, and is killed when it
        overruns. Cancelling the caller does not end the call: in AWS, too, the function runs on.
        """
        call = Call(function, str(uuid.uuid4()), payload or b"{}", math.inf if limit_s is None else limit_s)
        return await asyncio.shield(self._calls.start(self._run(call, self._children_of(function))))

    async def close(self) -> None:
        """Kill every child, also in the middle of a call, and wait until all are gone."""
        for children in self._children.values():
            children.retire()
        self._calls.cancel()
        await self._calls.finish()
        await self._endings.finish()

    def _children_of(self, function: Function) -> Children:
        children = self._children.get(function.arn)
        if children is not None and children.function == function:
            return children
        if children is not None:
            children.retire()
        self._children[function.arn] = children = Children(
            function,
            interpreters=self._interpreters,
            logs=self._logs,
            endpoint_url=self._endpoint_url,
            background=self._endings,
        )
        return children

    async def _run(self, call: Call, children: Children) -> Invocation:
        try:
            child = await children.acquire(call.give_up_at)
        except LimitExceeded:
            return call.time_out()
        except (UnknownRuntime, OSError) as error:
            LogStream(children.function, self._logs).write(f"[ERROR] {error}")
            return call.refuse(error)
        try:
            return await call.run(child)
        except BaseException:
            child.kill()
            raise
        finally:
            children.release(child)
