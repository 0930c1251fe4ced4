"""The emulator's operations, where they do more than pass on: what is new, what is followed, what is pointed at."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from iotauth_cli.emulator.attempts import REFUSED, Attempt, AttemptLog
from iotauth_cli.emulator.state import State
from iotauth_cli.errors import EmulatorError
from iotauth_cli.operations import emulator, injection
from iotauth_cli.operations.emulator import Ports
from support_emulator import RunningEmulator, running_emulator


def test_a_second_start_finds_the_first(tmp_path: Path) -> None:
    """Only the call that started it says that it is new; both say where it is."""
    with running_emulator(tmp_path) as running:
        found = emulator.start(running.state_dir, Ports())
        assert not found.is_new
        assert found.ready == running.ready
        emulator.stop(running.state_dir)
        again = emulator.start(running.state_dir, Ports(0, 0))
        assert again.is_new


def test_the_variables_point_at_what_runs_and_at_nothing_else(tmp_path: Path) -> None:
    """After a kill the ready file is still there, and is not believed."""
    with running_emulator(tmp_path) as running:
        variables = emulator.variables(running.state_dir)
        assert variables["AWS_ENDPOINT_URL"] == running.ready.control_endpoint
        kill(running)
        with pytest.raises(EmulatorError, match="not running"):
            emulator.variables(running.state_dir)


def kill(running: RunningEmulator) -> None:
    running.kill()
    assert (running.state_dir / "emulator.json").exists()


def test_following_tells_what_comes_once_and_in_order(tmp_path: Path) -> None:
    """What was there before is not told again, nor is a repeat; a filter holds."""
    state = State.open(tmp_path)
    log = AttemptLog(state)
    log.record(attempt("one"))
    seen = emulator.attempts(tmp_path, limit=10)
    coming = [[attempt("two"), attempt("three")], [attempt("two"), attempt("other", client_id="x")], [attempt("four")]]

    def sleep(_seconds: float) -> None:
        for each in coming.pop(0):
            log.record(each)

    following = emulator.follow(tmp_path, seen, client_id="c", sleep=sleep)
    told = [each.sentence for each in islice(following, 3)]
    state.close()
    assert told == ["two", "three", "four"]
    assert not coming


def attempt(sentence: str, client_id: str = "c") -> Attempt:
    return Attempt(REFUSED, "authorizer", sentence, client_id=client_id)


def test_a_bad_day_ends_with_the_emulator(tmp_path: Path) -> None:
    """What was ordered is known while it runs; after a restart nothing goes wrong by order."""
    with running_emulator(tmp_path) as running:
        made = injection.inject(running.state_dir, injection.Wish("connection-cut", seconds=600))
        assert injection.injections(running.state_dir) == [made]
        assert made.ends_at is not None
        assert made.ends_at > running.ready.started_at
        running.stop()
        with pytest.raises(EmulatorError, match="not running"):
            injection.injections(running.state_dir)
        running.start()
        assert injection.injections(running.state_dir) == []
        assert injection.clear(running.state_dir) == 0
