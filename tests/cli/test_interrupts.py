"""Ctrl-C and failures in the middle of `authorizer create`: what is said, and that the next run finishes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied
from support_desk import Desk
from support_emulator import RunningEmulator

NAMES = {"IOTAUTH_TABLE": "cut", "IOTAUTH_FUNCTION": "cut-authorizer", "IOTAUTH_AUTHORIZER": "cut"}
CTRL_C_AT_CREATE_FUNCTION = """
import os, signal, sys
from iotauth_cli.aws.session import Session
call = Session.call
def interrupted(self, service, operation, **parameters):
    answer = call(self, service, operation, **parameters)
    if operation == "create_function":
        os.kill(os.getpid(), signal.SIGINT)
    return answer
Session.call = interrupted
from iotauth_cli.__main__ import main
sys.exit(main(["authorizer", "create"]))
"""


@pytest.fixture
def cut(at_emulator: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with names of its own, for things that nobody has made yet."""
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)
    at_emulator("authorizer", "delete", "--yes", "--table")  # whatever a test that failed left behind
    return at_emulator


def breaking(monkeypatch: pytest.MonkeyPatch, at: str, problem: BaseException) -> None:
    """Let the call of operation *at* end with *problem*, once."""
    call = Session.call
    left = [problem]

    def broken(self: Session, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation == at and left:
            raise left.pop()
        return call(self, service, operation, **parameters)

    monkeypatch.setattr(Session, "call", broken)


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "! interrupted"),
        (AccessDenied("ann may not call `lambda:CreateFunction`", hint="ask"), 3, "! error: ann may not call"),
    ],
    ids=["Ctrl-C", "a denial"],
)
def test_what_is_done_is_said_and_the_next_run_finishes(
    cut: Desk, monkeypatch: pytest.MonkeyPatch, problem: BaseException, code: int, words: str
) -> None:
    """One sentence names the parts that stand and says that the same command finishes the rest."""
    breaking(monkeypatch, "create_function", problem)
    broken = cut("authorizer", "create")
    assert broken.code == code
    assert (
        "! done so far: log group `/aws/lambda/cut-authorizer`, table `cut`, role `cut-authorizer-us-east-1`; "
        "run the same command again and it finishes the rest"
    ) in broken.lines
    assert words in broken.text
    finished = cut("authorizer", "create")
    assert "! created function `cut-authorizer`" in finished.lines
    assert "authorizer `cut` in the emulator is ready" in finished.lines
    assert cut("authorizer", "delete", "--yes", "--table").code == 0


def test_a_delete_that_is_interrupted_is_finished_too(cut: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it gone: the next delete takes the other half."""
    cut("authorizer", "create")
    breaking(monkeypatch, "delete_role", KeyboardInterrupt())
    broken = cut("authorizer", "delete", "--yes", "--table")
    assert broken.code == 130
    assert (
        "! done so far: deactivated authorizer `cut`, deleted permission `iotauth-cut`, deleted authorizer `cut`, "
        "deleted function `cut-authorizer`; run the same command again and it finishes the rest"
    ) in broken.lines
    finished = cut("authorizer", "delete", "--yes", "--table")
    assert "! deleted role `cut-authorizer-us-east-1`" in finished.lines
    assert cut("authorizer", "delete", "--yes", "--table").code == 3


KILLED_AFTER = """
import os, signal, sys
from iotauth_cli.aws.session import Session
call = Session.call
def killed(self, service, operation, **parameters):
    answer = call(self, service, operation, **parameters)
    if operation == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
Session.call = killed
from iotauth_cli.__main__ import main
sys.exit(main(["authorizer", "create", "--signed", "--default", "--alpn-free", "--yes"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize(
    "operation", ["create_log_group", "create_table", "create_role", "create_authorizer", "set_default_authorizer"]
)
def test_a_process_that_is_killed_leaves_nothing_broken(cut: Desk, operation: str) -> None:
    """kill -9 right after a call, with no chance to clean up: the same command again finishes what that one began."""
    command = [sys.executable, "-c", KILLED_AFTER, operation]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert cut("authorizer", "create", "--signed", "--default", "--alpn-free", "--yes").code == 0
    again = cut("authorizer", "create", "--signed", "--default", "--alpn-free", "--json").document
    assert {step["action"] for step in again["steps"]} == {"keep"}
    assert cut("authorizer", "show", "--json").document["drift"] == []
    [group] = cut("doctor", "--only", "log-group", "--json").document["checks"]
    assert group["sentence"] == "`/aws/lambda/cut-authorizer`, kept for 30 days"
    assert cut("authorizer", "delete", "--yes", "--table").code == 0


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_real_ctrl_c_leaves_nothing_broken(cut: Desk, emulator: RunningEmulator) -> None:
    """A process of its own gets SIGINT between two calls: exit code 130, no traceback, and the next run finishes."""
    ran = subprocess.run(
        [sys.executable, "-c", CTRL_C_AT_CREATE_FUNCTION], capture_output=True, text=True, timeout=60, env=os.environ
    )
    assert ran.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in ran.stderr
    assert "run the same command again and it finishes the rest" in ran.stderr
    assert cut("authorizer", "create").code == 0
    shown = cut("authorizer", "show", "--json").document
    assert shown["drift"] == []
    assert cut("authorizer", "delete", "--yes", "--table").code == 0


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_at_a_terminal_the_screen_stays_readable(cut: Desk) -> None:
    """Ctrl-C in the middle of a step: what is done, where it stopped, what waits, and how to go on."""
    from support_terminal import run

    code, lines = run([sys.executable, "-c", CTRL_C_AT_CREATE_FUNCTION], columns=200)
    assert code == 130
    told = [line.split(" 0.")[0].rstrip() for line in lines]
    assert told[:2] == ["plan for the emulator:", "  ✓ created log group /aws/lambda/cut-authorizer"]
    assert "  ✗ stopped: create function cut-authorizer" in told
    assert "  · create authorizer cut: there is none" in told
    assert any(line.endswith("run the same command again and it finishes the rest") for line in lines)
    assert lines[-1] == "interrupted"
    assert cut("authorizer", "create").code == 0
    assert cut("authorizer", "delete", "--yes", "--table").code == 0
