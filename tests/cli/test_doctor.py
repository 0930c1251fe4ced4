"""`iotauth doctor` where nobody answers, and what it leaves in the audit log."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.cli.render_doctor import Lines, summary
from iotauth_cli.operations.doctor import CHECKS, Examination, Result
from support_desk import Desk

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1"}


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS that takes every connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        yield


def started(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "iotauth_cli", "doctor", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.usefixtures("silence")
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_ends_it_where_nobody_answers(tmp_path: Path) -> None:
    """The first group is out, the next hangs; Ctrl-C ends it at once, with no traceback."""
    with started("--timeout", "60", "--only", "project", "--only", "identity", "--only", "region", cwd=tmp_path) as ran:
        assert ran.stdout is not None
        assert ran.stdout.readline() == "this machine\n"  # then it waits for whose keys these are
        ran.send_signal(signal.SIGINT)
        out, err = ran.communicate(timeout=10)
    assert ran.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in err
    assert "identity" not in out


@pytest.mark.usefixtures("silence")
def test_where_nobody_answers_each_check_says_so(tmp_path: Path) -> None:
    """The time limit holds for all together, and the process ends though threads of it hang."""
    with started("--timeout", "0.3", "--only", "credentials", "--only", "authorizer", cwd=tmp_path) as ran:
        out, err = ran.communicate(timeout=20)
    assert ran.returncode == 1
    assert err == ""
    assert "  warning  11 checks             no answer within 0.3 s" in out.splitlines()
    assert "13 warnings" in out
    assert "ok       region" in out


def test_only_what_was_mended_is_a_line_of_the_audit_log(at_emulator: Desk) -> None:
    """Looking changes nothing, nor does a no; mending names the checks."""
    store = at_emulator.folder / ".iotauth"
    at_emulator("client", "list")
    assert at_emulator("doctor", "--only", "machine").code == 0
    store.mkdir(mode=0o700)
    assert at_emulator("doctor", "--fix", "--only", "gitignore").code == 2
    assert list(store.iterdir()) == []
    assert at_emulator("doctor", "--fix", "--yes", "--only", "gitignore").code == 0
    assert at_emulator("audit", "log", "--json").document[0]["facts"]["mended"] == ["gitignore"]


LONG = "function `a-very-long-name-of-a-function` may run for 30 s, and AWS IoT waits 5 s"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """And a number stays with its unit."""
    lines = Lines(lambda words: f"`iotauth {words}`", str, width)
    for check in CHECKS:
        lines.of(Result(check, "warning", LONG, "iotauth authorizer create x, then aws iot describe-endpoint"))
    shown = lines.rest()
    assert max(map(len, shown)) <= width
    assert not any(line.strip() == "s" for line in shown)


def test_what_has_one_reason_not_to_be_seen_is_told_once() -> None:
    """Three checks or more of a group; two stand for themselves."""
    lines = Lines(lambda words: words, str, 80)
    first, second, third, *_ = CHECKS
    for check in (first, second, third):
        lines.of(Result(check, "unseen", "no network"))
    assert lines.rest()[1:] == ["  ?        3 checks              no network"]
    for check in (first, second):
        lines.of(Result(check, "unseen", "no network"))
    assert [line.split()[1] for line in lines.rest()[2:]] == [first.id, second.id]


def test_the_summary_counts() -> None:
    """One is not ones."""
    results = (Result(CHECKS[0], "error", "x"), Result(CHECKS[1], "fine", "x"), Result(CHECKS[2], "unseen", "x"))
    assert summary(Examination(results), findings_only=False) == ["", "1 error; 1 check fine, 1 not seen"]
    assert summary(Examination(()), findings_only=True) == ["nothing is wrong"]
