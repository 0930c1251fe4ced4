"""How a call can end badly, and that the next one starts afresh."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from pathlib import Path

import pytest

from iotauth_cli.emulator.lambda_runtime import call
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from support_runtime import Log, function, invoke, is_alive, run, wait_until

PID_OR_HANG = """
import os, time
def handler(event, context):
    if "file" in event:
        open(event["file"], "w").write(str(os.getpid()))
    while event.get("hang"):
        time.sleep(0.01)
    return os.getpid()
"""


def test_a_call_that_overruns_its_callers_patience_is_killed(tmp_path: Path) -> None:
    """AWS IoT waits five seconds, whatever the function's own timeout; the error is Lambda's."""
    sleeper = function(tmp_path, PID_OR_HANG, timeout_s=900)
    invocation, log = invoke(sleeper, b'{"hang": true}', limit_s=0.3)
    assert invocation.timed_out
    assert invocation.function_error == "Unhandled"
    assert json.loads(invocation.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {invocation.request_id} Error: Task timed out after 0.30 seconds",
    }
    assert any(line.endswith("Task timed out after 0.30 seconds") for line in log.messages)
    assert log.messages[-1].endswith("\tStatus: timeout")


def test_the_functions_own_timeout_holds_for_a_patient_caller(tmp_path: Path) -> None:
    """Without a limit of the caller the function's setting ends the call, and it does not count the start."""
    invocation, _ = invoke(function(tmp_path, PID_OR_HANG, timeout_s=1), b'{"hang": true}')
    assert b"Task timed out after 1.00 seconds" in invocation.payload
    assert 0.9 < invocation.duration_s < 1.5


def test_a_killed_child_is_replaced(tmp_path: Path) -> None:
    """The call after an overrun runs in a new process, and the old one is gone."""
    sleeper, pid_file = function(tmp_path, PID_OR_HANG), tmp_path / "pid"

    async def overrun_and_again(pool: FunctionPool, log: Log) -> tuple[int, int]:
        event = json.dumps({"hang": True, "file": str(pid_file)}).encode()
        await pool.invoke(sleeper, event, limit_s=0.3)
        again = await pool.invoke(sleeper, b"{}")
        return int(pid_file.read_text()), int(again.payload)

    killed, replacement = run(overrun_and_again)
    assert killed != replacement
    wait_until(lambda: not is_alive(killed))


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        pytest.param("sys.exit(3)", "Runtime exited with error: exit status 3", id="exit-status"),
        pytest.param("exit()", "Runtime exited without providing a reason", id="exit-without-status"),
        pytest.param("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed", id="killed"),
    ],
)
@pytest.mark.parametrize("place", ["in the handler", "at import"])
def test_a_process_that_ends_is_a_runtime_exit_error(tmp_path: Path, statement: str, reason: str, place: str) -> None:
    """Lambda names the exit status or the signal, and so do the payload and the log."""
    body = "    pass\n" if place == "at import" else f"    {statement}\n"
    top = f"{statement}\n" if place == "at import" else ""
    invocation, log = invoke(function(tmp_path, f"import os, sys\n{top}def handler(event, context):\n{body}"))
    assert json.loads(invocation.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {invocation.request_id} Error: {reason}",
    }
    assert invocation.function_error == "Unhandled"
    assert any(reason in message for message in log.messages)
    assert log.messages[-1].endswith("\tStatus: error\tError Type: Runtime.ExitError")
    init_reports = [message for message in log.messages if message.startswith("INIT_REPORT")]
    assert len(init_reports) == (place == "at import")


def test_a_child_killed_from_outside_is_replaced(tmp_path: Path) -> None:
    """Kill an idle child, and the next call starts cold and succeeds; kill a busy one, and its call says so."""
    sleeper, pid_file = function(tmp_path, PID_OR_HANG), tmp_path / "pid"

    async def kill_and_call(pool: FunctionPool, log: Log) -> None:
        first = int((await pool.invoke(sleeper, b"{}")).payload)
        os.kill(first, signal.SIGKILL)
        await asyncio.sleep(0.05)
        event = json.dumps({"hang": True, "file": str(pid_file)}).encode()
        busy = asyncio.ensure_future(pool.invoke(sleeper, event))
        while not (pid_file.exists() and pid_file.read_text()):
            await asyncio.sleep(0.01)
        second = int(pid_file.read_text())
        assert second != first
        os.kill(second, signal.SIGKILL)
        assert b"signal: killed" in (await busy).payload
        assert int((await pool.invoke(sleeper, b"{}")).payload) not in (first, second)

    run(kill_and_call)


def test_a_function_that_cannot_be_loaded_says_why_at_every_call(tmp_path: Path) -> None:
    """The import error is the payload and stands in the log, and a repaired bundle is not needed to ask again."""
    broken = function(tmp_path, "import door_lock\n")

    async def twice(pool: FunctionPool, log: Log) -> list[str]:
        payloads = [(await pool.invoke(broken, b"{}")).payload for _ in range(2)]
        assert any("No module named 'door_lock'" in message for message in log.messages)
        return [json.loads(payload)["errorType"] for payload in payloads]

    assert run(twice) == ["Runtime.ImportModuleError"] * 2


def test_the_log_of_a_function_that_cannot_be_loaded_reads_as_in_lambda(tmp_path: Path) -> None:
    """The error, INIT_REPORT with its type, then a call that could not begin; no Init Duration in REPORT."""
    invocation, log = invoke(function(tmp_path, "import door_lock\n"))
    request = re.escape(invocation.request_id)
    expected = [
        r"INIT_START Runtime Version: python:3\.\d+",
        r"\[ERROR\] Runtime\.ImportModuleError: Unable to import module 'app': No module named 'door_lock'\n.*",
        r"INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: Runtime\.ImportModuleError",
        rf"START RequestId: {request} Version: \$LATEST",
        rf"END RequestId: {request}",
        rf"REPORT RequestId: {request}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\t"
        r"(Max Memory Used: \d+ MB\t)?Status: error\tError Type: Runtime\.ImportModuleError",
    ]
    assert len(log.messages) == len(expected)
    for message, pattern in zip(log.messages, expected, strict=True):
        assert re.fullmatch(pattern, message, re.DOTALL)


def test_loading_has_a_limit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that does not finish importing is given up after the init limit."""
    monkeypatch.setattr(call, "INIT_LIMIT_S", 0.3)
    invocation, log = invoke(function(tmp_path, "import time\ntime.sleep(60)\n"))
    assert invocation.timed_out
    assert re.fullmatch(r"INIT_REPORT Init Duration: 3\d\d\.\d\d ms\tPhase: init\tStatus: timeout", log.messages[1])
    assert b"Task timed out after 0.30 seconds" in invocation.payload


@pytest.mark.parametrize("runtime", ["java21", "python2.7", "", "python3.x", "nodejs"])
def test_a_runtime_of_another_language_is_an_error_of_the_call(tmp_path: Path, runtime: str) -> None:
    """The runner does not raise; the payload and the function's log say what the emulator runs."""
    invocation, log = invoke(function(tmp_path, "", runtime=runtime))
    error = json.loads(invocation.payload)
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert "the emulator runs Python and Node.js functions" in error["errorMessage"]
    assert log.messages == [f"[ERROR] the emulator runs Python and Node.js functions, not {runtime}"]


def test_code_that_is_gone_is_an_error_of_the_call(tmp_path: Path) -> None:
    """Without its code directory a function cannot start, and the payload names the directory."""
    directory = tmp_path / "gone"
    directory.mkdir()
    lost = function(directory, "")
    (directory / "app.py").unlink()
    directory.rmdir()
    assert str(directory) in json.loads(invoke(lost)[0].payload)["errorMessage"]


def test_a_cancelled_caller_does_not_end_the_call(tmp_path: Path) -> None:
    """A device that hangs up while the authorizer thinks leaves it thinking; the child stays for the next one."""
    slow = function(tmp_path, "import time\ndef handler(e, c):\n    time.sleep(0.2)\n    print('done')\n")

    async def cancel(pool: FunctionPool, log: Log) -> None:
        caller = asyncio.ensure_future(pool.invoke(slow, b"{}"))
        while not any(message.startswith("START") for message in log.messages):
            await asyncio.sleep(0.01)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await pool.invoke(slow, b"{}")
        assert log.messages.count("done") == 2
        assert sum("Init Duration" in message for message in log.messages) <= 2

    run(cancel)
