"""One call of an authorizer's function, as AWS IoT makes it.

The function must exist, its resource policy must let AWS IoT call it for this authorizer (no
permission, no call), Lambda must have a place for the call, it has five seconds, and its answer is
held against every limit. Both the gateway and ``TestInvokeAuthorizer`` ask here, so they cannot
disagree.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

from iotauth_authorizer.event import (
    ANSWER_LIMIT_S,
    MAX_TIMER_S,
    MIN_TIMER_S,
    Answer,
    ConnectRequest,
    InvalidAnswer,
    build_event,
    parse_answer,
)
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.model import (
    Authorizer,
    AuthorizerFailure,
    FunctionDirectory,
    FunctionRunner,
    Invocation,
)
from iotauth_cli.policy.document import Document, PolicyError, parse

TIMERS = ("refreshAfterInSeconds", "disconnectAfterInSeconds")
AWS_IOT = "iot.amazonaws.com"  # the principal that a function's resource policy must name


@dataclass(frozen=True)
class Call:
    """How it ended. *request_id* is Lambda's; None means that the function was not called."""

    result: Answer | AuthorizerFailure
    request_id: str | None = None


class Invoker:
    def __init__(
        self,
        functions: FunctionDirectory,
        runner: FunctionRunner,
        *,
        account: str,
        behaviour: Behaviour | None = None,
    ) -> None:
        self._functions = functions
        self._runner = runner
        self._account = account
        self._behaviour = behaviour or Behaviour()

    async def ask(self, authorizer: Authorizer, request: ConnectRequest) -> Call:
        """Ask *authorizer*'s function about *request*. A signature was verified before."""
        arn, name = authorizer.function_arn, function_name(authorizer.function_arn)
        function = self._functions.find(arn)
        if function is None:
            return Call(AuthorizerFailure("function-missing", f"there is no function `{name}`"))
        if not self._functions.may_invoke(
            arn, principal=AWS_IOT, source_arn=authorizer.arn, source_account=self._account
        ):
            return Call(AuthorizerFailure("permission", _no_permission(name, authorizer)))
        if function.reserved_concurrency == 0:
            sentence = f"Lambda throttled function `{name}`: its reserved concurrency is 0"
            return Call(AuthorizerFailure("throttled", sentence))
        payload = json.dumps(build_event(request)).encode()
        invocation = await self._runner.invoke(function, payload, limit_s=ANSWER_LIMIT_S)
        if invocation.throttled:
            return Call(AuthorizerFailure("throttled", f"Lambda throttled function `{name}`"))
        return Call(_read(invocation, name, self._behaviour), invocation.request_id)


def function_name(arn: str) -> str:
    """Return the name, with its qualifier if it has one, out of a function's ARN."""
    return arn.partition(":function:")[2] or arn


@functools.lru_cache(maxsize=1024)  # a client that reconnects brings the documents it had before
def read_document(text: str) -> Document:
    """Read a policy document of an answer.

    Raises:
        PolicyError: it is not one.
    """
    return parse(text)


def _no_permission(name: str, authorizer: Authorizer) -> str:
    return (
        f"AWS IoT may not invoke function `{name}`: its resource policy does not name {AWS_IOT} "
        f"with authorizer `{authorizer.name}`"
    )


def _read(invocation: Invocation, name: str, behaviour: Behaviour) -> Answer | AuthorizerFailure:
    """Return the answer, or the first rule that it breaks."""
    if invocation.timed_out:
        limit = f"AWS IoT waits {ANSWER_LIMIT_S:.0f} s"
        sentence = f"function `{name}` gave no answer in time; {limit}"
        return AuthorizerFailure("timeout", sentence, invocation.log_tail)
    if invocation.function_error is not None:
        sentence = f"function `{name}` failed{_error_type(invocation.payload)}; its log has the cause"
        return AuthorizerFailure("function-error", sentence, invocation.log_tail)
    try:
        answer = parse_answer(_tolerated(json.loads(invocation.payload), behaviour))
        for text in answer.policy_documents:
            read_document(text)
    except InvalidAnswer as error:
        broken = str(error)
    except PolicyError as error:
        broken = error.message
    except (ValueError, RecursionError):
        broken = "the answer is not JSON"
    else:
        return answer
    return AuthorizerFailure("answer", f"function `{name}`: {broken}", invocation.log_tail)


def _tolerated(body: object, behaviour: Behaviour) -> object:
    """Return the answer *body* with what AWS IoT may tolerate put right, as far as *behaviour* says that it does."""
    if not (behaviour.clamps_timers or behaviour.takes_authenticated_as_text):
        return body
    answer = json.loads(body) if isinstance(body, str) else body
    if not isinstance(answer, dict):
        return body
    if behaviour.takes_authenticated_as_text and answer.get("isAuthenticated") == "true":
        answer = {**answer, "isAuthenticated": True}
    if behaviour.clamps_timers:
        answer = {**answer, **{name: _clamped(answer[name]) for name in TIMERS if name in answer}}
    return answer


def _clamped(seconds: object) -> object:
    return max(MIN_TIMER_S, min(seconds, MAX_TIMER_S)) if type(seconds) is int else seconds


def _error_type(payload: bytes) -> str:
    """Name the exception and only that: its message may quote what the device sent."""
    try:
        error = json.loads(payload)
    except ValueError:
        return ""
    kind = error.get("errorType") if isinstance(error, dict) else None
    return f" with {kind}" if isinstance(kind, str) and kind.replace(".", "").isidentifier() else ""
