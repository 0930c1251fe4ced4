"""The calls of a function, read from the lines that Lambda and iotauth's handler write.

Lambda puts each call between ``START`` and ``REPORT`` and says in between when it failed; the
handler adds one line of JSON with its decision. Calls of one container follow each other in one
stream.
Source: AWS Lambda developer guide, "Viewing CloudWatch logs for Python functions".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from iotauth_cli.aws.logs import LogEvent
from iotauth_cli.probe.evidence import Call

START = re.compile(r"START RequestId: ")
REPORT = re.compile(r"REPORT RequestId: .*?\tDuration: ([0-9.]+) ms")
# The runtime's word for an exception, Lambda's for a call that took too long, and for a process that ended.
# A tab behind the level is the function's own logging, which is no failure.
FAILURE = re.compile(r"(\[ERROR\] |Task timed out after |Error: Runtime exited)[^\r\n]*")


def calls(events: Iterable[LogEvent]) -> list[Call]:
    """Return the calls that *events* tell of, in the order in which they began."""
    streams: dict[str, list[LogEvent]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append(event)
    return sorted((call for lines in streams.values() for call in calls_of(lines)), key=lambda call: call.at_ms)


def calls_of(events: Iterable[LogEvent]) -> Iterator[Call]:
    """Yield the calls of one stream; the last may still be running."""
    current: Call | None = None
    for event in events:
        if START.match(event.message):
            if current is not None:
                yield current
            current = Call(event.at_ms)
        elif current is not None:
            current = with_line(current, event.message)
    if current is not None:
        yield current


def with_line(call: Call, message: str) -> Call:
    """Return *call* with what *message* adds to it."""
    if report := REPORT.match(message):
        return replace(call, duration_ms=float(report[1]))
    if decision := decision_of(message):
        return replace(
            call,
            client_id=decision.get("client"),
            allowed=decision.get("allowed"),
            reason=decision.get("reason"),
            cause=decision.get("cause"),
        )
    failure = FAILURE.search(message)
    return replace(call, error=failure[0]) if failure and call.error is None else call


def decision_of(message: str) -> dict[str, Any] | None:
    """Return the handler's line, or None for any other."""
    if not message.startswith('{"iotauth":1,'):
        return None
    try:
        found: dict[str, Any] = json.loads(message)
    except ValueError:  # a line that was cut
        return None
    return found
