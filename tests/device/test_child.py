"""A child that speaks, falls silent, quotes a secret, or has to be ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.device.child import Call, Ended, Line, Mask, Silence, quietly, talk, terminable, uninterrupted
from iotauth_cli.errors import DeviceError
from iotauth_cli.secret import Secret


def python(code: str) -> Call:
    return Call((sys.executable, "-c", code))


def test_lines_come_as_they_are_said_and_the_end_with_its_code() -> None:
    """stdout and stderr in one stream, colours taken out, a progress bar's states marked as passing."""
    words = talk(python(r"import sys; print('\x1b[31mone\x1b[0m'); sys.stdout.write('50%\r100%\n'); sys.exit(3)"))
    said: list[Line | Silence] = []
    try:
        while True:
            said.append(next(words))
    except StopIteration as end:
        ended: Ended = end.value
    assert said == [Line("one"), Line("50%", is_passing=True), Line("100%")]
    assert (ended.code, ended.lines) == (3, ("one", "100%"))


def test_silence_is_told_with_what_was_said_before() -> None:
    """Whoever waits for a registry learns what is being waited for."""
    words = talk(python("import time; print('Installing', flush=True); time.sleep(60)"), silent_after_s=0.3)
    said = []
    for event in words:
        said.append(event)
        if isinstance(event, Silence) and event.last:
            words.close()
    assert Line("Installing") in said
    assert said[-1].last == "Installing"  # type: ignore[union-attr]


@pytest.mark.parametrize("password", ["plain-password-77", 'with "quotes" and \\ and ?', "ünder\tway"])
def test_a_secret_that_a_compiler_quotes_is_masked(password: str) -> None:
    """As it is and as secrets.h spells it; in the lines that are kept for the error too."""
    from iotauth_cli.device.c_string import c_string

    code = f"print({password!r}); print('#define MQTT_PASSWORD ' + {c_string(password)!r})"
    ended = quietly(python(code), Mask([Secret(password)]))
    assert ended.lines == ("••••", '#define MQTT_PASSWORD "••••"')


def test_closing_ends_the_child_and_whatever_it_has_started(tmp_path: Path) -> None:
    """A grandchild that would write a secret later does not live to do it."""
    grandchild = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {grandchild!r}]);"
        "print('started', flush=True); import time; time.sleep(60)"
    )
    words = talk(python(code))
    next(words)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.01)
    pid = int((tmp_path / "pid").read_text())
    words.close()
    with contextlib.suppress(ProcessLookupError):
        for _ in range(300):
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                break
            time.sleep(0.01)
        else:
            pytest.fail("the grandchild still runs")


def test_ctrl_c_while_the_child_is_being_started_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is running by then, and nobody would know of it: it is waited for, and ended."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **named))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        next(talk(python("import time; print('up', flush=True); time.sleep(60)")))
    assert started[0].returncode is not None


def test_what_cannot_be_started_is_said() -> None:
    """A program that is not there is the outside world's failure."""
    with pytest.raises(DeviceError, match="`/no/such/program` cannot be started: no such file or directory"):
        quietly(Call(("/no/such/program",)))


def test_what_a_build_writes_is_private(tmp_path: Path) -> None:
    """The child's files are nobody else's to read."""
    quietly(python(f"open({str(tmp_path / 'object')!r}, 'w').close()"))
    assert (tmp_path / "object").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_sigterm_ends_like_ctrl_c_and_neither_cuts_clearing_up() -> None:
    """SIGTERM becomes an exit that `finally` sees; what is uninterrupted is finished first."""

    def work() -> None:
        with terminable():
            with uninterrupted():
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)

    with pytest.raises(SystemExit) as left:
        work()
    assert left.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
