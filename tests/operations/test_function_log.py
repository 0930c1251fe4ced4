"""The calls of a function, from the lines of its log."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.aws.logs import LogEvent
from iotauth_cli.operations.function_log import calls

REPORT = (
    "REPORT RequestId: {id}\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB"
)


def decision(client: str | None, reason: str, **more: Any) -> str:
    line = {"iotauth": 1, "connection": "c", "client": client, "allowed": reason == "ok", "reason": reason, **more}
    return json.dumps(line, separators=(",", ":"))


def stream(name: str, began_ms: int, *calls_of_it: list[str]) -> list[LogEvent]:
    """Return a stream in which each call stands between START and REPORT, a millisecond a line."""
    lines: list[str] = []
    for number, printed in enumerate(calls_of_it):
        lines += [f"START RequestId: {number} Version: $LATEST", *printed]
        lines += [f"END RequestId: {number}", REPORT.format(id=number)]
    return [LogEvent(name, began_ms + index, line) for index, line in enumerate(lines)]


def test_a_call_carries_the_handlers_decision_and_its_duration() -> None:
    """One call from START to REPORT, with client, verdict and reason."""
    (call,) = calls(stream("a", 1000, [decision("thermo-1", "wrong-password", slot=None, ms=1.0)]))
    assert (call.at_ms, call.client_id, call.allowed, call.reason) == (1000, "thermo-1", False, "wrong-password")
    assert call.duration_ms == 12.34
    assert call.error is None


def test_a_failure_of_the_table_keeps_its_cause() -> None:
    (call,) = calls(stream("a", 0, [decision(None, "table-unavailable", cause="AccessDeniedException")]))
    assert (call.client_id, call.reason, call.cause) == (None, "table-unavailable", "AccessDeniedException")


def test_calls_of_several_containers_come_in_the_order_in_which_they_began() -> None:
    """Streams are read apart, because their lines interleave, and the calls are sorted."""
    first = stream("a", 0, [decision("one", "ok")], [decision("three", "ok")])
    second = stream("b", 2, [decision("two", "ok")])
    mixed = sorted(first + second, key=lambda event: event.at_ms)
    assert [call.client_id for call in calls(mixed)] == ["one", "two", "three"]


ERRORS = {
    "[ERROR] KeyError: 'password'\rTraceback (most recent call last):\r  File …": "[ERROR] KeyError: 'password'",
    "2026-11-20T13:37:34.315Z 1f Task timed out after 5.00 seconds": "Task timed out after 5.00 seconds",
    "RequestId: 1f Error: Runtime exited with error: signal: killed\nRuntime.ExitError": (
        "Error: Runtime exited with error: signal: killed"
    ),
}


def test_what_ended_a_call_is_told_in_one_line() -> None:
    """An exception, a time limit and a dead process, as Lambda words them."""
    for line, told in ERRORS.items():
        (call,) = calls(stream("a", 0, [line]))
        assert call.error == told


def test_what_a_function_logs_itself_is_no_failure() -> None:
    """`logging.error` writes the same word with a tab behind it."""
    (call,) = calls(stream("a", 0, ["[ERROR]\t2026-11-20T13:37:34.315Z\t1f\tbattery low", "Error: mine"]))
    assert call.error is None


def test_a_call_that_is_still_running_is_a_call() -> None:
    """Without REPORT the call has begun all the same."""
    (call,) = calls([LogEvent("a", 7, "START RequestId: 1 Version: $LATEST")])
    assert (call.at_ms, call.duration_ms) == (7, None)


def test_lines_before_the_first_start_belong_to_no_call() -> None:
    """The log is read from a moment on, which may lie within a call."""
    assert calls([LogEvent("a", 0, decision("x", "ok")), LogEvent("a", 1, "END RequestId: 0")]) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.text(max_size=40) | st.sampled_from(["START RequestId: 1", '{"iotauth":1,'])
        )
    )
)
def test_no_line_is_too_strange(lines: list[tuple[str, str]]) -> None:
    """Whatever a function prints, its calls are counted by START alone."""
    events = [LogEvent(name, index, line) for index, (name, line) in enumerate(lines)]
    assert len(calls(events)) == sum(event.message.startswith("START RequestId: ") for event in events)
