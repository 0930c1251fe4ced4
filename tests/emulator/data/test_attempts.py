"""The authorizer log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iotauth_cli.emulator.attempts import KEPT, PRUNE_EVERY, REFUSED, Attempt, AttemptLog, Step
from iotauth_cli.emulator.state import State
from support_data import Clock

REFUSAL = Attempt(
    REFUSED,
    "signature",
    "no token was given",
    client_id="thermo-1",
    authorizer="doors",
    peer="127.0.0.1",
    connection_id="uuid",
    function_called=False,
    duration_ms=1.5,
    steps=(Step("user-name", True, "2 parameters"), Step("signature", False, "no token was given")),
)


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[AttemptLog]:
    state = State.open(tmp_path)
    yield AttemptLog(state, clock)
    state.close()


def test_an_attempt_comes_back_as_it_was(log: AttemptLog) -> None:
    """With its number and its time."""
    log.record(REFUSAL)
    assert log.recent() == [replace(REFUSAL, at=1000.0, last_at=1000.0, number=1)]


def test_another_process_reads_the_same_log(log: AttemptLog, tmp_path: Path) -> None:
    """`iotauth emulator logs` needs no emulator to talk to."""
    log.record(REFUSAL)
    state = State.open(tmp_path)
    assert AttemptLog(state).recent() == log.recent()
    state.close()


def test_a_repeat_is_counted_and_moves_to_the_end(log: AttemptLog, clock: Clock) -> None:
    """The line has the ids of the latest one."""
    log.record(REFUSAL)
    log.record(replace(REFUSAL, client_id="thermo-2"))
    clock.now += 59
    log.record(replace(REFUSAL, connection_id="later", request_id="request"))
    first, second = log.recent()
    assert (first.client_id, first.repeats) == ("thermo-2", 0)
    assert (second.client_id, second.repeats, second.connection_id, second.request_id) == (
        "thermo-1",
        1,
        "later",
        "request",
    )
    assert (second.at, second.last_at) == (1000.0, 1059.0)


def test_after_a_minute_the_same_is_a_new_line(log: AttemptLog, clock: Clock) -> None:
    """Repeats are counted one after the other, not against the first."""
    for wait in (0, 60, 60, 61):
        clock.now += wait
        log.record(REFUSAL)
    assert [attempt.repeats for attempt in log.recent()] == [2, 0]


@pytest.mark.parametrize("change", [{"sentence": "x"}, {"outcome": "x"}, {"authorizer": "x"}, {"decided_by": "x"}])
def test_what_differs_is_no_repeat(log: AttemptLog, change: dict[str, str]) -> None:
    """Another outcome, check, sentence or authorizer is another line."""
    log.record(REFUSAL)
    log.record(replace(REFUSAL, **change))  # type: ignore[arg-type]
    assert [attempt.repeats for attempt in log.recent()] == [0, 0]


def test_recent_can_be_narrowed(log: AttemptLog, clock: Clock) -> None:
    """By number, by time and by client; the oldest comes first."""
    for number in range(5):
        clock.now += 10
        log.record(replace(REFUSAL, client_id=f"thermo-{number}"))
    assert [attempt.client_id for attempt in log.recent(2)] == ["thermo-3", "thermo-4"]
    assert [attempt.client_id for attempt in log.recent(since=1040.0)] == ["thermo-3", "thermo-4"]
    assert [attempt.client_id for attempt in log.recent(client_id="thermo-1")] == ["thermo-1"]


def test_the_log_is_bounded(log: AttemptLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest lines go first."""
    monkeypatch.setattr("iotauth_cli.emulator.attempts.KEPT", 10)
    for number in range(PRUNE_EVERY):
        log.record(replace(REFUSAL, client_id=f"thermo-{number}"))
    left = log.recent(KEPT)
    assert [left[0].client_id, left[-1].client_id, len(left)] == ["thermo-246", "thermo-255", 10]
