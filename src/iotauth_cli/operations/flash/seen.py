"""Did the device come in? The function's log tells, on AWS and on the emulator, for old secrets and new ones.

A row notes only the first use of a secret that was just rotated, and lifecycle events need a connection of
our own that may subscribe to them. The log has a line for every decision, and says why when it is a no.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from iotauth_cli.aws import logs
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import NotFound
from iotauth_cli.operations.flash.events import Run, Step
from iotauth_cli.operations.function_log import calls
from iotauth_cli.probe.evidence import Call

EVERY_S = 1.0


@dataclass(frozen=True)
class Seen:
    """Whether the device was let in. *reason* is why it was refused last, None if it was never there."""

    was_let_in: bool
    reason: str | None
    seconds: float


def wait(session: Session, function: str, client_id: str, since_ms: int, limit_s: float) -> Run[Seen]:
    """Wait until *function* has let *client_id* in, or *limit_s* have passed."""
    began = time.monotonic()
    yield Step(f"waiting for client `{client_id}` to connect, {limit_s:.0f} s at most")
    reason: str | None = None
    while True:
        for call in decisions(session, function, since_ms):
            if call.client_id == client_id and call.allowed:
                return Seen(True, None, time.monotonic() - began)
            if call.client_id == client_id:
                reason = call.reason
        took = time.monotonic() - began
        if took >= limit_s:
            return Seen(False, reason, took)
        session.sleep(min(EVERY_S, limit_s - took))


def decisions(session: Session, function: str, since_ms: int) -> list[Call]:
    try:
        return calls(logs.events(session, logs.group_of(function), since_ms))
    except NotFound:  # no group yet: the function was never called
        return []
