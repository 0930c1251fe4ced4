"""How many children a function has, whose turn it is, and when a child has to go."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from iotauth_cli.emulator.lambda_runtime import children
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from support_runtime import ENDPOINT, OWN_RUNTIME, Log, function, is_alive, run, wait_until

SLOW_PID = """
import os, time
def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return os.getpid()
"""


def test_two_children_share_the_calls(tmp_path: Path) -> None:
    """Six calls at once run in two processes, and each of them gets its answer."""
    slow = function(tmp_path, SLOW_PID)

    async def six(pool: FunctionPool, log: Log) -> list[bytes]:
        calls = [pool.invoke(slow, b'{"sleep": 0.02}') for _ in range(6)]
        return [invocation.payload for invocation in await asyncio.gather(*calls)]

    payloads = run(six)
    assert len(payloads) == 6
    assert len(set(payloads)) == 2


def test_waiting_for_a_child_counts_towards_the_callers_patience(tmp_path: Path) -> None:
    """With both children busy a third call times out in its caller's time, and they are not disturbed."""
    slow = function(tmp_path, SLOW_PID)

    async def three(pool: FunctionPool, log: Log) -> None:
        busy = [asyncio.ensure_future(pool.invoke(slow, b'{"sleep": 0.5}')) for _ in range(2)]
        await asyncio.sleep(0)
        third = await pool.invoke(slow, b"{}", limit_s=0.1)
        assert third.timed_out
        assert b"Task timed out after 0.10 seconds" in third.payload
        assert [invocation.function_error for invocation in await asyncio.gather(*busy)] == [None, None]

    run(three)


def test_calls_that_wait_are_served_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First come, first served."""
    monkeypatch.setattr(children, "MAX_CHILDREN", 1)
    slow = function(tmp_path, "def handler(event, context):\n    return event\n")

    async def order(pool: FunctionPool, log: Log) -> list[int]:
        finished: list[int] = []

        async def one(number: int) -> None:
            finished.append(int((await pool.invoke(slow, str(number).encode())).payload))

        await asyncio.gather(*map(one, range(8)))
        return finished

    assert run(order) == list(range(8))


def test_children_that_fail_leave_their_room_to_those_who_wait(tmp_path: Path) -> None:
    """Ten calls of a function that always dies all come back, each with its error."""
    dying = function(tmp_path, "import os\ndef handler(event, context):\n    os._exit(1)\n")

    async def ten(pool: FunctionPool, log: Log) -> list[bytes]:
        return [done.payload for done in await asyncio.gather(*(pool.invoke(dying, b"{}") for _ in range(10)))]

    assert all(b"exit status 1" in payload for payload in run(ten))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"code_sha256": "two"}, id="code"),
        pytest.param({"environment": {"LEVEL": "2"}}, id="variables"),
        pytest.param({"memory_mb": 512}, id="memory"),
    ],
)
def test_a_changed_function_gets_new_children(tmp_path: Path, change: dict[str, object]) -> None:
    """After an update the next call runs in a new process, and the old one ends."""
    before = function(tmp_path, SLOW_PID)
    after = dataclasses.replace(before, **change)  # type: ignore[arg-type]

    async def update(pool: FunctionPool, log: Log) -> None:
        old = int((await pool.invoke(before, b"{}")).payload)
        new = int((await pool.invoke(after, b"{}")).payload)
        assert old != new
        while is_alive(old):
            await asyncio.sleep(0.01)

    run(update)


def test_a_call_in_hand_survives_an_update(tmp_path: Path) -> None:
    """What was called before the update finishes with the old code."""
    before = function(tmp_path, SLOW_PID)
    after = dataclasses.replace(before, code_sha256="two")

    async def update(pool: FunctionPool, log: Log) -> None:
        old = asyncio.ensure_future(pool.invoke(before, b'{"sleep": 0.2}'))
        await asyncio.sleep(0.1)
        new = await pool.invoke(after, b"{}")
        assert (await old).function_error is None
        assert (await old).payload != new.payload

    run(update)


def test_an_idle_child_is_ended_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions nobody calls any more hold no processes, and can be called again."""
    monkeypatch.setattr(children, "IDLE_LIMIT_S", 0.05)
    slow = function(tmp_path, SLOW_PID)

    async def wait(pool: FunctionPool, log: Log) -> None:
        first = int((await pool.invoke(slow, b"{}")).payload)
        while is_alive(first):
            await asyncio.sleep(0.01)
        assert int((await pool.invoke(slow, b"{}")).payload) != first

    run(wait)


def test_closing_the_pool_leaves_no_process(tmp_path: Path) -> None:
    """A call in hand, and what the function itself started, end with the pool."""
    nested = function(
        tmp_path,
        "import os, subprocess, sys, time\n"
        "def handler(event, context):\n"
        "    inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "    open('pids', 'w').write(f'{os.getpid()} {inner.pid}')\n"
        "    time.sleep(60)\n",
    )

    async def call_and_leave(pool: FunctionPool, log: Log) -> list[int]:
        caller = asyncio.ensure_future(pool.invoke(nested, b"{}"))
        while not ((tmp_path / "pids").exists() and (tmp_path / "pids").read_text()):
            await asyncio.sleep(0.01)
        await pool.close()
        with pytest.raises(asyncio.CancelledError):
            await caller
        return [int(pid) for pid in (tmp_path / "pids").read_text().split()]

    for pid in run(call_and_leave):
        wait_until(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]


EMULATOR = """
import asyncio, sys
from pathlib import Path
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from support_runtime import Log, function

async def main():
    pool = FunctionPool(Log(), endpoint_url={endpoint!r})
    wanted = function(Path({directory!r}), {source!r})
    await asyncio.gather(pool.invoke(wanted, b'{{}}'), pool.invoke(wanted, b'{{"spin": 1}}', limit_s=60))

asyncio.run(main())
"""


def test_children_do_not_outlive_an_emulator_that_is_killed(tmp_path: Path) -> None:
    """After kill -9 of the emulator its children end, the idle one and the one in an endless loop."""
    source = """
    import os
    def handler(event, context):
        open(("spinning" if event else "idle"), "w").write(str(os.getpid()))
        while event:
            pass
    """
    script = EMULATOR.format(endpoint=ENDPOINT, directory=str(tmp_path), source=textwrap.dedent(source))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    emulator = subprocess.Popen([sys.executable, "-c", script], env=environment)
    files = [tmp_path / "idle", tmp_path / "spinning"]
    try:
        wait_until(lambda: all(file.exists() and file.read_text() for file in files))
    finally:
        emulator.send_signal(signal.SIGKILL)
        emulator.wait()
    for file in files:
        pid = int(file.read_text())
        wait_until(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]


def test_the_runtime_name_says_which_python_runs(tmp_path: Path) -> None:
    """A function that asks for the emulator's own version runs on it, without a warning."""
    versions = function(tmp_path, "import sys\ndef handler(e, c):\n    return list(sys.version_info[:2])\n")

    async def version(pool: FunctionPool, log: Log) -> list[int]:
        answer: list[int] = json.loads((await pool.invoke(versions, b"{}")).payload)
        assert not any("WARNING" in message for message in log.messages)
        return answer

    assert f"python{'.'.join(map(str, run(version)))}" == OWN_RUNTIME
