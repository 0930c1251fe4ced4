"""Whether a device came in, read from the function's log."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.aws import logs
from iotauth_cli.aws.logs import LogEvent
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import NotFound
from iotauth_cli.operations.flash.seen import Seen, wait


class Clock:
    """A session that only sleeps; each sleep lets the next part of the log arrive."""

    def __init__(self) -> None:
        self.slept = 0

    def sleep(self, seconds: float) -> None:
        self.slept += 1


def decision(client: str, allowed: bool, reason: str) -> list[str]:
    line = f'{{"iotauth":1,"client":"{client}","allowed":{str(allowed).lower()},"reason":"{reason}"}}'
    return ["START RequestId: 1", line, "REPORT RequestId: 1\tDuration: 2.00 ms"]


def waited(monkeypatch: pytest.MonkeyPatch, *looks: list[str], limit_s: float = 60) -> tuple[Seen, int]:
    clock: Any = Clock()

    def events(session: Session, group: str, since_ms: int) -> list[LogEvent]:
        if not looks:
            raise NotFound("no such group")
        seen = looks[min(clock.slept, len(looks) - 1)]
        return [LogEvent("one", 1000 + number, text) for number, text in enumerate(seen)]

    monkeypatch.setattr(logs, "events", events)
    run = wait(clock, "iotauth-authorizer", "kiln-1", 1000, limit_s)
    try:
        while True:
            next(run)
    except StopIteration as end:
        found: Seen = end.value
        return found, clock.slept


def test_it_ends_as_soon_as_the_device_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others coming in, and a refusal before, do not end it."""
    refused = decision("kiln-1", False, "wrong-password")
    found, slept = waited(
        monkeypatch, [], decision("kiln-2", True, "ok"), refused, [*refused, *decision("kiln-1", True, "ok")]
    )
    assert (found.was_let_in, found.reason, slept) == (True, None, 3)


def test_it_says_why_the_device_was_refused_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time is over."""
    found, _ = waited(monkeypatch, decision("kiln-1", False, "wrong-password"), limit_s=0)
    assert (found.was_let_in, found.reason) == (False, "wrong-password")


def test_a_function_that_never_ran_has_seen_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No log group yet is no failure."""
    found, _ = waited(monkeypatch, limit_s=0)
    assert (found.was_let_in, found.reason) == (False, None)
