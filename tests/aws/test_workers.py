"""Many calls at once: everything is done once, the pace follows what the table takes, and an end is an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.dynamodb import Client
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.aws.workers import CUT_EVERY_S, Pace, run
from iotauth_cli.config import Target
from iotauth_cli.errors import AwsError, ConfigError, Conflict, InputError, IotauthError, NotFound
from iotauth_cli.secret import Secret
from support_table import Answerer, Server, answer, error, serving


@contextmanager
def tables(answerer: Answerer | None = None) -> Iterator[tuple[ClientTable, Server]]:
    """Yield a table that *answerer* answers for."""
    with serving(answerer or (lambda asked: answer())) as server:
        keys = {"access_key": "AKIDEXAMPLE", "secret_key": Secret("canary")}
        target = Target("AWS eu-west-1", "eu-west-1", "aws", table_url=server.url, **keys)  # type: ignore[arg-type]
        yield ClientTable.open(Session(target), "clients"), server


def drain(results: Iterable[tuple[int, Any]], into: list[int]) -> None:
    """Note each finished task in *into*, until the run ends or raises."""
    into.extend(task for task, _ in results)


def ask(client: Client, task: int) -> int:
    client.call("GetItem", {"Task": task})
    return task


def test_every_task_is_done_once_with_its_own_result() -> None:
    """In any order, over several connections."""
    with tables() as (table, server):
        found = dict(run(table, range(300), ask))
    assert found == {task: task for task in range(300)}
    assert len(server.asked) == 300
    assert 1 < server.connections <= 64


def test_tasks_are_drawn_little_ahead() -> None:
    """A million rows are not in memory at once: after one result only a few tasks have been made."""
    made = count()
    with tables() as (table, _):
        results = run(table, (next(made) for _ in range(10_000)), ask, limit=4)
        next(results)
        assert next(made) <= 2 * 4 + 1
        results.close()


def test_a_failed_task_is_told_and_the_others_go_on() -> None:
    """A conflict is one client's; the rest of the fleet is not stopped by it."""

    def work(client: Client, task: int) -> int:
        if task % 10 == 3:
            raise Conflict("changed meanwhile")
        return task

    with tables() as (table, _):
        found = dict(run(table, range(50), work))
    assert {task for task, result in found.items() if isinstance(result, Conflict)} == {3, 13, 23, 33, 43}


STOPPING: list[IotauthError] = [ConfigError("the AWS session has expired"), AwsError("AWS gave no answer")]


@pytest.mark.parametrize("problem", STOPPING, ids=["keys", "network"])
def test_what_every_task_would_meet_stops_the_run(problem: IotauthError) -> None:
    """What was done is told first, then the error; the tasks behind it are not begun."""
    begun = []

    def work(client: Client, task: int) -> int:
        begun.append(task)
        if task == 20:
            raise problem
        return task

    done: list[int] = []
    with tables() as (table, _), pytest.raises(type(problem)) as stopped:
        drain(run(table, range(10_000), work), done)
    assert stopped.value is problem
    assert set(done) <= set(begun)
    assert len(begun) < 500


def test_a_missing_table_stops_the_run_and_a_missing_client_does_not() -> None:
    """Both are called `not found`."""
    with tables(lambda asked: error("ResourceNotFoundException")) as (table, _):

        def find(client: Client, task: str) -> Any:
            return replace(table, client=client).find(task)

        with pytest.raises(NotFound, match="has no table `clients`"):
            list(run(table, ["a", "b"], find))

        def unknown(client: Client, task: str) -> None:
            raise table.unknown(task)

        assert [str(found) for _, found in run(table, ["a"], unknown)] == [str(table.unknown("a"))]


def test_a_task_that_cannot_be_made_ends_the_run_after_what_is_under_way() -> None:
    """The disk of the hand-out is full: what was already sent is still told."""

    def tasks() -> Iterator[int]:
        yield from range(10)
        raise InputError("cannot write `out.csv`: no space left on device")

    done: list[int] = []
    with tables() as (table, _), pytest.raises(InputError, match="no space left"):
        drain(run(table, tasks(), ask), done)
    assert sorted(done) == list(range(10))


def test_a_bug_in_the_work_is_not_swallowed() -> None:
    """It ends the run as itself."""

    def work(client: Client, task: int) -> int:
        return 1 // task

    with tables() as (table, _), pytest.raises(ZeroDivisionError):
        list(run(table, [0], work))


def test_leaving_early_ends_the_threads() -> None:
    """Ctrl-C between two results: no thread goes on writing behind the prompt's back."""
    before = threading.active_count()
    with tables() as (table, server):
        results = run(table, count(), ask)
        next(results)
        results.close()
        asked = len(server.asked)
        alive = [thread for thread in threading.enumerate() if "_serve" in thread.name and "Crew" in repr(thread)]
        assert not alive
        time.sleep(0.05)
        assert len(server.asked) == asked
    assert threading.active_count() <= before + server.connections + 1


def test_leaving_ends_a_call_that_would_try_again() -> None:
    """A table that throttles for ever holds nobody up."""
    with tables(lambda asked: error("ThrottlingException")) as (table, server):
        results = run(table, range(1), ask)
        pulled = threading.Thread(target=lambda: next(results, None), daemon=True)
        pulled.start()
        while len(server.asked) < 2:
            time.sleep(0.01)
        crew = results.gi_frame.f_locals["crew"]  # type: ignore[attr-defined]
        crew.close()
        assert not any(thread.is_alive() for thread in crew._threads)


def test_throttled_calls_are_repeated_and_lower_the_pace() -> None:
    """Every task is done in the end."""
    turns = count()

    def answerer(asked: Any) -> bytes:
        return error("ThrottlingException") if next(turns) % 5 == 0 else answer()

    with tables(answerer) as (table, _):
        assert len(dict(run(table, range(40), ask))) == 40


def settled(capacity: float, *, seconds: float = 60.0, limit: int = 64) -> list[int]:
    """Run a pace against a table that gives *capacity* results a second at most, 8 ms each; return its levels."""
    now, levels = 0.0, []
    pace = Pace(limit, now)
    while now < seconds:
        now += 1 / min(capacity, pace.level / 0.008)
        pace.finished(now)
        levels.append(pace.level)
    return levels


def test_the_pace_grows_while_that_helps() -> None:
    """To what the table can use, within a second; not to the limit when half of it does as well."""
    levels = settled(1600, seconds=20)  # 1,600 requests of 25 rows: a table's default quota
    assert min(levels[1600:]) * 125 >= 1600
    assert max(levels) <= 32


def test_the_pace_reaches_the_limit_where_nothing_holds_it_back() -> None:
    """And stays there."""
    assert settled(1e9, seconds=2)[-1] == 64


def test_the_pace_is_cut_once_for_a_burst_of_throttling() -> None:
    """What was under way when it fell is about the old level; from then on it grows by one."""
    pace = Pace(64, 0.0)
    now = 0.0
    while pace.level < 32:
        now += 0.008 / pace.level
        pace.finished(now)
    pace.slowed(now)
    pace.slowed(now + CUT_EVERY_S / 2)
    assert pace.level == 22
    while pace.level == 22:
        now += 1.0  # slower than before, and yet it must grow again
        pace.finished(now)
    assert pace.level == 23


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=300), st.integers(1, 64))
def test_the_pace_keeps_within_its_bounds(events: list[tuple[bool, float]], limit: int) -> None:
    """Whatever happens when: at least one connection works, and no more than the limit."""
    now, pace = 0.0, Pace(limit, 0.0)
    for is_slow, passed in events:
        now += passed
        (pace.slowed if is_slow else pace.finished)(now)
        assert 1 <= pace.level <= limit


def test_the_pace_never_stands_still() -> None:
    """However long DynamoDB asks for patience, one connection goes on trying."""
    pace = Pace(64, 0.0)
    for second in range(1, 30):
        pace.slowed(float(second))
    assert pace.level == 1
