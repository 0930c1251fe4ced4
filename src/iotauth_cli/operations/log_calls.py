"""Calls of a function as its log tells them, taken up line by line: also one that is still being written.

What `START` and `REPORT` enclose is folded into one call. iotauth's handler adds a line of JSON; what another
function prints is kept as it is, but for what may be a password or a token.
Source: AWS Lambda developer guide, "Viewing CloudWatch logs for Python functions".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from iotauth_cli.aws.logs import LogEvent
from iotauth_cli.operations.function_log import REPORT, START, decision_of, with_line
from iotauth_cli.operations.message_secrets import hider
from iotauth_cli.probe.evidence import Call
from iotauth_cli.probe.stages import mask_parameters
from iotauth_cli.secret import MASK

MAX_LINES = 200  # of one call; a function that prints without end must not fill our memory
MAX_OPEN = 10_000  # streams in which a call has begun; Lambda leaves none open for more than 15 minutes

_ID = re.compile(r"(?:START|END|REPORT) RequestId: (\S+)")
_INIT = re.compile(r"\tInit Duration: ([0-9.]+) ms")
_STATUS = re.compile(r"\tStatus: (timeout|error)(?:\tError Type: (\S+))?")
_PLATFORM = ("END RequestId: ", "REPORT RequestId: ", "INIT_START ", "INIT_REPORT ", "EXTENSION\t")

# Whoever prints the whole event prints these: `"password": "b3Bl…"`, `'token': 'thermo-1.17…'`, `password: 'b3Bl…'`.
_SECRET_MEMBER = re.compile(
    r"""((?<![\w-])["']?(?:queryString|authorization|cookie|tokenSignature|secret|[\w-]*(?:password|signature|token))["']?"""
    r"""\s*:\s*b?)(["']).*?(?<!\\)\2""",
    re.IGNORECASE,
)
_SECRET_PAIR = re.compile(r"(?i)(?<![\w-])([\w-]*(?:password|passwd|secret|token|signature)\s*=\s*)[^\s&\"']+")
_HIDE = hider(())  # generated secrets are known wherever they stand, by their checksum
_QUERY = re.compile(r"""\?[^\s"']+""")  # the end of a user name, or of an address


@dataclass(frozen=True)
class LoggedCall:
    """*call* has the decision, *connection_id* is what the function was told; *init_ms* is a cold start's.

    *lines* are what the function printed itself, *unshown_lines* how many more there were.
    """

    stream: str
    call: Call
    request_id: str | None = None
    connection_id: str | None = None
    slot: str | None = None
    init_ms: float | None = None
    lines: tuple[str, ...] = ()
    unshown_lines: int = 0
    is_over: bool = False

    @property
    def at_ms(self) -> int:
        return self.call.at_ms

    @property
    def ended_ms(self) -> float:
        """When it answered, as far as that is known."""
        return self.at_ms + (self.init_ms or 0) + (self.call.duration_ms or 0)

    @property
    def is_no_connection(self) -> bool:
        """Whether it was certainly no connection's: those have an id, which our handler logs."""
        return self.call.client_id is not None and self.connection_id is None


@dataclass(frozen=True)
class LoggedLine:
    """What stands in a function's log outside any call that we saw begin."""

    stream: str
    at_ms: int
    text: str


class Calls:
    """Put lines together. A call is handed out when the next one begins in its stream, or at `settle`."""

    def __init__(self) -> None:
        self._open: dict[str, LoggedCall] = {}

    def take(self, event: LogEvent) -> Iterator[LoggedCall | LoggedLine]:
        current = self._open.get(event.stream)
        if START.match(event.message):
            if current is not None:
                yield current
            self._open[event.stream] = LoggedCall(event.stream, Call(event.at_ms), _id_of(event.message))
            if len(self._open) > MAX_OPEN:
                yield self._open.pop(next(iter(self._open)))
        elif current is not None:
            self._open[event.stream] = _with(current, event.message)
        elif decision_of(event.message) is not None:  # the log is read from a moment within the call
            yield replace(_with(LoggedCall(event.stream, Call(event.at_ms)), event.message), is_over=True)
        elif not event.message.startswith(_PLATFORM):
            yield LoggedLine(event.stream, event.at_ms, masked(event.message))

    def settle(self, begun_before_ms: int | None = None) -> Iterator[LoggedCall]:
        """Yield the calls that are over, and those that began before and tell no more; None takes all."""
        for stream, found in list(self._open.items()):
            if found.is_over or begun_before_ms is None or found.at_ms < begun_before_ms:
                del self._open[stream]
                yield found


def _with(found: LoggedCall, message: str) -> LoggedCall:
    decision = decision_of(message)
    call = with_line(found.call, message)
    if decision is not None:
        took = decision.get("ms")
        if call.duration_ms is None and isinstance(took, (int, float)):
            call = replace(call, duration_ms=float(took))
        return replace(
            found, call=call, connection_id=_text(decision.get("connection")), slot=_text(decision.get("slot"))
        )
    if REPORT.match(message):
        return _reported(replace(found, call=call), message)
    if message.startswith(_PLATFORM):
        return found
    if call.error is not None and call.error != found.call.error:
        call = replace(call, error=masked(call.error))
        message = message.partition("\n")[2]  # the first line is the error, which is told by itself
        if not message:
            return replace(found, call=call)
    if len(found.lines) >= MAX_LINES:
        return replace(found, call=call, unshown_lines=found.unshown_lines + 1)
    return replace(found, call=call, lines=(*found.lines, masked(message)))


def _reported(found: LoggedCall, message: str) -> LoggedCall:
    """Take REPORT: how long it took, whether it began cold, and how Lambda says it ended."""
    call, init, status = found.call, _INIT.search(message), _STATUS.search(message)
    if status is not None and call.error is None:
        ended = "Task timed out" if status[1] == "timeout" else f"the call ended with {status[2] or 'an error'}"
        call = replace(call, error=ended)
    return replace(found, call=call, init_ms=float(init[1]) if init else found.init_ms, is_over=True)


def masked(text: str) -> str:
    """Return *text* without what may be a password, a token or a signature: a function may print its event."""
    text = _SECRET_MEMBER.sub(lambda found: f"{found[1]}{found[2]}{MASK}{found[2]}", text)
    text = _QUERY.sub(lambda found: mask_parameters(found[0]), text)
    text = _SECRET_PAIR.sub(lambda found: f"{found[1]}{MASK}", text)
    return _HIDE(text.encode(errors="surrogatepass")).decode(errors="replace")


def _id_of(message: str) -> str | None:
    found = _ID.match(message)
    return found[1] if found else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
