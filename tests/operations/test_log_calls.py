"""Calls of a function, put together line by line from its log; what others' functions print is kept, and masked."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import new_secret
from iotauth_cli.aws.logs import LogEvent
from iotauth_cli.operations import log_calls
from iotauth_cli.operations.log_calls import Calls, LoggedCall, LoggedLine, masked
from iotauth_cli.secret import MASK

SECRET = "s3cr3t-c4n4ry"
REPORT = "REPORT RequestId: 1f\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB"


def decision(client: str | None = "thermo-1", reason: str = "ok", **more: Any) -> str:
    line = {"iotauth": 1, "connection": "c-1", "client": client, "allowed": reason == "ok", "reason": reason}
    return json.dumps({**line, "slot": "A", "ms": 1.5, **more}, separators=(",", ":"))


def around(*printed: str, report: str = REPORT) -> list[str]:
    return [
        "INIT_START Runtime Version: python:3.13",
        "START RequestId: 1f Version: $LATEST",
        *printed,
        "END RequestId: 1f",
        report,
    ]


def found(lines: Sequence[str], calls: Calls | None = None) -> list[LoggedCall | LoggedLine]:
    calls = calls or Calls()
    taken = [item for at, line in enumerate(lines) for item in calls.take(LogEvent("stream", at, line, str(at)))]
    return [*taken, *calls.settle()]


def call(*lines: str) -> LoggedCall:
    (only,) = found(lines)
    assert isinstance(only, LoggedCall)
    return only


def test_a_call_of_ours_is_one_call_with_its_connection_slot_and_time() -> None:
    """The platform's lines are folded into it, and nothing is left of them."""
    one = call(*around(decision()))
    assert (one.call.client_id, one.call.allowed, one.connection_id, one.slot) == ("thermo-1", True, "c-1", "A")
    assert (one.call.duration_ms, one.init_ms, one.lines, one.is_over) == (12.34, None, (), True)
    assert (one.request_id, one.at_ms) == ("1f", 1)


def test_a_cold_start_is_told() -> None:
    """Lambda reports how long it took beside the call."""
    assert call(*around(decision(), report=f"{REPORT}\tInit Duration: 81.50 ms\t")).init_ms == 81.5


def test_what_a_foreign_function_prints_is_kept_as_it_is() -> None:
    """Between START and END, in its order."""
    assert call(*around("hello", "  door 7 is mine")).lines == ("hello", "  door 7 is mine")


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (around("[ERROR] KeyError: 'password'\nTraceback …"), "[ERROR] KeyError: 'password'"),
        (around("2026-11-20T13:37:34.315Z 1f Task timed out after 5.00 seconds"), "Task timed out after 5.00 seconds"),
        (around(report=f"{REPORT}\tStatus: timeout"), "Task timed out"),
        (
            around(report=f"{REPORT}\tStatus: error\tError Type: Runtime.ExitError"),
            "the call ended with Runtime.ExitError",
        ),
    ],
    ids=["exception", "timeout", "timeout in REPORT alone", "error in REPORT alone"],
)
def test_a_call_that_failed_says_how(lines: list[str], error: str) -> None:
    """Also where only the REPORT line tells."""
    assert call(*lines).call.error == error


def test_the_line_of_an_error_is_not_told_twice() -> None:
    """What comes below it, a traceback, is."""
    assert call(*around("[ERROR] KeyError: 'password'\nTraceback …\n  File …")).lines == ("Traceback …\n  File …",)
    assert call(*around("x 1f Task timed out after 5.00 seconds", "more")).lines == ("more",)


def test_a_timeout_may_be_told_after_the_report() -> None:
    """Lambda has written it there, too."""
    assert call(*around(), "2026-11-20T13:37:34.315Z 1f Task timed out after 3.00 seconds").call.error is not None


def test_a_call_that_is_still_running_waits_unless_it_has_run_for_long() -> None:
    """Whoever follows must not hear of half a call, nor wait for ever for the rest."""
    calls = Calls()
    assert not list(calls.take(LogEvent("stream", 1000, "START RequestId: 1f Version: $LATEST")))
    assert not list(calls.settle(begun_before_ms=1000))
    (unfinished,) = calls.settle(begun_before_ms=1001)
    assert not unfinished.is_over
    assert not list(calls.settle())


def test_what_stands_outside_of_any_call_is_not_lost() -> None:
    """Our decision is a call by itself: the log was read from a moment within it. Another's line is a line."""
    first, second = found(["END RequestId: 0", decision("thermo-2", "disabled"), REPORT, "somebody's line"])
    assert isinstance(first, LoggedCall)
    assert (first.call.client_id, first.call.reason, first.is_over) == ("thermo-2", "disabled", True)
    assert second == LoggedLine("stream", 3, "somebody's line")


def test_a_function_that_prints_without_end_is_cut_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log must not fill our memory."""
    monkeypatch.setattr(log_calls, "MAX_LINES", 2)
    one = call(*around("a", "b", "c", "d"))
    assert (one.lines, one.unshown_lines) == (("a", "b"), 2)


EVENT = {
    "token": SECRET,
    "signatureVerified": True,
    "protocolData": {
        "mqtt": {"username": f"u?x-amz-customauthorizer-name=doors&Tok={SECRET}", "password": SECRET, "clientId": "t"},
        "http": {"headers": {"x-amz-customauthorizer-signature": SECRET}, "queryString": f"?Tok={SECRET}"},
    },
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(EVENT),
        json.dumps(EVENT, indent=2),
        str(EVENT),
        str({"password": SECRET.encode()}),
        f"{{ mqtt: {{ clientId: 't', password: '{SECRET}' }}, token: '{SECRET}' }}",
        f"headers: {{ Authorization: 'Bearer {SECRET}' }}",
        f"user u?x-amz-customauthorizer-name=doors&x-amz-customauthorizer-signature={SECRET} came",
        f"user ?Tok={SECRET}",
        f"password={SECRET} for door-7",
        f"PASSWORD = {SECRET}",
        f"[ERROR] ValueError: token={SECRET}",
    ],
)
def test_passwords_and_tokens_are_masked_in_what_a_function_prints(text: str) -> None:
    """Tutorials print the whole event. Names and what is harmless stay to be read."""
    shown = call(*around(text))
    assert SECRET not in repr(shown)
    assert "••••" in repr(shown)
    assert masked("isAuthenticated: True for door-7, signatureVerified: true") == (
        "isAuthenticated: True for door-7, signatureVerified: true"
    )


@given(
    st.lists(
        st.sampled_from(["START RequestId: 1", "END RequestId: 1", REPORT, decision(), '{"iotauth":1,', "[ERROR] x"])
        | st.text(max_size=30)
    )
)
def test_any_lines_are_taken(lines: list[str]) -> None:
    """Whatever stands there, nothing fails, and no call is told twice."""
    told = found(lines)
    assert sum(isinstance(item, LoggedCall) for item in told) <= len(lines)


def test_a_generated_secret_is_masked_whatever_a_function_calls_it() -> None:
    """By its checksum, plain and as the event has it: no name has to stand before it."""
    secret = new_secret()
    encoded = base64.b64encode(secret.encode()).decode()
    assert (
        masked(f"decoded {secret} of {encoded}, half a \ud800")
        == f"decoded {MASK} of {MASK}, half a \ufffd\ufffd\ufffd"
    )
