"""One call of a function, from the event to what the caller and the log are told.

Lambda loads a function once more, in the time of the call, when loading failed or took longer than ten
seconds. Here it is not tried again: the error is the same, and a device would not wait for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from iotauth_cli.emulator.lambda_runtime import wording
from iotauth_cli.emulator.lambda_runtime.api import Answer, Event, InitFailed
from iotauth_cli.emulator.lambda_runtime.process import Child, ChildExited, LimitExceeded
from iotauth_cli.emulator.model import Function, Invocation

INIT_LIMIT_S = 10.0  # AWS Lambda developer guide, "Lambda execution environment lifecycle": init phase
UNHANDLED = "Unhandled"  # Lambda's word for every error of a function


@dataclass(frozen=True)
class Ending:
    """How a call ended. *report* is what REPORT says of it when the platform, not the handler, ended it."""

    payload: bytes
    is_error: bool = False
    timed_out: bool = False
    report: Sequence[str] = ()


class Call:
    """*limit_s* is the caller's patience from now on; infinite for one who has all the time."""

    def __init__(self, function: Function, request_id: str, payload: bytes, limit_s: float = math.inf) -> None:
        self._function = function
        self._request_id = request_id
        self._payload = payload
        self._limit_s = limit_s
        self._began = time.monotonic()
        self.give_up_at = self._began + limit_s

    async def run(self, child: Child) -> Invocation:
        """Have *child* answer, and write the log as Lambda does. A child that overran is killed."""
        is_cold = not child.is_initialised
        ending = await self._ending(child)
        duration_s = time.monotonic() - self._began
        child.log.write(wording.end(self._request_id))
        child.log.write(
            wording.report(
                self._request_id,
                duration_s,
                memory_mb=self._function.memory_mb,
                used_mb=child.used_mb(),
                init_s=child.init_s if is_cold else None,
                end=ending.report,
            )
        )
        return self.conclude(ending, duration_s, child.log.take_tail())

    def refuse(self, reason: object) -> Invocation:
        """Conclude a call for which no child could be started."""
        return self.conclude(Ending(wording.start_error(self._request_id, reason), is_error=True))

    def time_out(self) -> Invocation:
        """Conclude a call that found no child in time."""
        return self.conclude(self._overrun(self._limit_s))

    def conclude(self, ending: Ending, duration_s: float = 0.0, log_tail: str = "") -> Invocation:
        return Invocation(
            request_id=self._request_id,
            payload=ending.payload,
            function_error=UNHANDLED if ending.is_error else None,
            timed_out=ending.timed_out,
            duration_s=duration_s,
            log_tail=log_tail,
        )

    async def _ending(self, child: Child) -> Ending:
        try:
            answer = await self._answer(child)
        except InitFailed as failed:
            return Ending(failed.body, is_error=True, report=wording.ending(failed.kind))
        except ChildExited as exited:
            child.log.write(wording.exit_line(self._request_id, exited.status))
            payload = wording.exit_error(self._request_id, exited.status)
            return Ending(payload, is_error=True, report=wording.ending(wording.EXIT_ERROR))
        except LimitExceeded:
            child.kill()
            limit_s = min(self._limit_s, self._function.timeout_s if child.is_initialised else INIT_LIMIT_S)
            child.log.write(wording.timed_out_line(self._request_id, limit_s, time.time()))
            return self._overrun(limit_s)
        return Ending(answer.body, answer.is_error)

    async def _answer(self, child: Child) -> Answer:
        try:
            await self._initialise(child)
        finally:
            child.log.write(wording.start(self._request_id, self._function.version))
        self._began = time.monotonic()  # Lambda's Duration leaves out the init phase
        limit_s = min(self._function.timeout_s, self._left_s())
        deadline_ms = int((time.time() + limit_s) * 1000)
        event = Event(self._request_id, self._function.arn, deadline_ms, self._payload)
        return await child.call(event, limit_s)

    async def _initialise(self, child: Child) -> None:
        """Wait until the handler is loaded; the log says why it is not."""
        try:
            await child.wait_until_initialised(min(INIT_LIMIT_S, self._left_s()))
        except (InitFailed, ChildExited, LimitExceeded) as failure:
            child.log.write(wording.init_report(child.age_s, _error_type(failure)))
            raise

    def _left_s(self) -> float:
        return self.give_up_at - time.monotonic()

    def _overrun(self, limit_s: float) -> Ending:
        payload = wording.timed_out_error(self._request_id, limit_s)
        return Ending(payload, is_error=True, timed_out=True, report=wording.ending(None))


def _error_type(failure: InitFailed | ChildExited | LimitExceeded) -> str | None:
    """Return Lambda's word for *failure*; None when there was not time enough."""
    if isinstance(failure, LimitExceeded):
        return None
    return failure.kind if isinstance(failure, InitFailed) else wording.EXIT_ERROR
