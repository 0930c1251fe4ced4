"""Finding the Python that a function asks for."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from iotauth_cli.emulator.lambda_runtime.interpreter import Interpreter, Interpreters
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from support_runtime import Log, function, invoke, run

OTHERS = [minor for minor in range(9, 15) if minor != sys.version_info.minor]


def find(runtime: str) -> Interpreter:
    return asyncio.run(Interpreters().find(runtime))


def stand_in(path: Path, output: str, status: int = 0) -> Path:
    """Make a program that answers the probe with *output*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Python but ours: an empty PATH and an empty pyenv."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def test_an_interpreter_on_the_path_is_used(bare_machine: Path) -> None:
    """What the program itself says is its path counts, so that a shim is asked only once."""
    stand_in(bare_machine / "bin" / "python3.99", "3 99 /opt/python3.99/bin/python")
    assert find("python3.99") == Interpreter("/opt/python3.99/bin/python")


def test_a_shim_for_a_version_that_is_not_selected_is_passed_over(bare_machine: Path) -> None:
    """pyenv puts a failing python3.99 on the PATH; the version it keeps elsewhere is found all the same."""
    stand_in(bare_machine / "bin" / "python3.99", "pyenv: python3.99: command not found", status=127)
    stand_in(bare_machine / "pyenv/versions/3.99.9/bin/python3.99", "3 99 /nine")
    stand_in(bare_machine / "pyenv/versions/3.99.10/bin/python3.99", "3 99 /ten")
    assert find("python3.99") == Interpreter("/ten")


def test_without_the_version_the_emulators_own_python_runs_with_a_note(bare_machine: Path) -> None:
    """A missing version is no error; the note names what was asked for and what runs instead."""
    found = find("python3.99")
    assert found.path == sys.executable
    assert found.note is not None
    assert "python3.99 is not on this machine" in found.note
    assert ".".join(map(str, sys.version_info[:3])) in found.note


@pytest.mark.parametrize("minor", [6, 8])
def test_a_version_from_before_our_client_is_not_used(bare_machine: Path, minor: int) -> None:
    """Also when it is there: the runtime client would not load in it."""
    stand_in(bare_machine / f"bin/python3.{minor}", f"3 {minor} /opt/old/python")
    found = find(f"python3.{minor}")
    assert found.path == sys.executable
    assert f"python3.{minor} is older than the emulator can use" in str(found.note)


def test_the_note_is_one_line_of_the_functions_log(bare_machine: Path, tmp_path: Path) -> None:
    """Who wonders why a function behaves otherwise than in AWS finds it there, once and not for each process."""
    source = "import os, time\ndef handler(event, context):\n    time.sleep(0.05)\n    return os.getpid()\n"
    wanted = function(tmp_path, source, runtime="python3.99")

    async def two(pool: FunctionPool, log: Log) -> list[str]:
        first, second = await asyncio.gather(pool.invoke(wanted, b"{}"), pool.invoke(wanted, b"{}"))
        assert first.payload != second.payload
        return log.messages

    assert sum("[WARNING] python3.99 is not on this machine" in message for message in run(two)) == 1


@pytest.mark.parametrize("minor", OTHERS)
def test_our_client_runs_under_every_python_on_this_machine(tmp_path: Path, minor: int) -> None:
    """The runtime client keeps to what Python 3.9 understands, and the AWS SDK is there for other versions too."""
    if find(f"python3.{minor}").note is not None:
        pytest.skip(f"python3.{minor} is not on this machine")
    source = "import sys\ndef handler(event, context):\n    return [sys.version_info[1], str(1 / event['divisor'])]\n"
    wanted = function(tmp_path, source, runtime=f"python3.{minor}")
    assert json.loads(invoke(wanted, b'{"divisor": 2}')[0].payload) == [minor, "0.5"]
    assert json.loads(invoke(wanted, b'{"divisor": 0}')[0].payload)["errorType"] == "ZeroDivisionError"
