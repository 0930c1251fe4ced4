"""test-connect, emulator and quickstart as processes: what Ctrl-C, a terminal and a slow peer do to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_cli.emulator import lifecycle
from support_desk import Desk
from support_emulator import RunningEmulator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals and opens a terminal")

PROGRAM = (sys.executable, "-m", "iotauth_cli")
FREE_PORTS = ("--port", "0", "--control-port", "0")


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command as a process of its own, in its own group as a shell would, and see that it ends."""
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def interrupt(running: subprocess.Popen[str]) -> tuple[str, str, float]:
    """Press Ctrl-C; return what was still said, and how many seconds it took to end."""
    began = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=20)
    return out, err, time.monotonic() - began


def read_until(running: subprocess.Popen[str], text: str) -> str:
    assert running.stdout is not None
    seen = ""
    for line in running.stdout:
        seen += line
        if text in seen:
            return seen
    raise AssertionError(f"`{text}` never came:\n{seen}")


@pytest.fixture
def own_state(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory of this test's own; whatever runs there is stopped at the end."""
    state = desk.folder / "state"
    monkeypatch.setenv("IOTAUTH_STATE_DIR", str(state))
    yield state
    lifecycle.stop(state)


# --- quickstart ---------------------------------------------------------------------------------


@pytest.mark.parametrize("chapter", ["1. start", "3. add a client", "6. connect"])
def test_ctrl_c_stops_the_emulator_that_the_quickstart_started(own_state: Path, chapter: str) -> None:
    """At the beginning, in the middle, near the end: 130, nobody is left, and what stays is named."""
    with process("quickstart", *FREE_PORTS) as running:
        read_until(running, chapter)
        _, err, _ = interrupt(running)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "is stopped; what it remembers stays in `state`" in err
    assert err.endswith("interrupted\n")
    assert not lifecycle.status(own_state).ready
    time.sleep(0.2)
    assert not lifecycle.status(own_state).ready, "nor does one come up that was just starting"


def test_ctrl_c_leaves_an_emulator_that_ran_before(desk: Desk, own_state: Path) -> None:
    """It was not the quickstart's to stop; the story can begin anew."""
    desk("emulator", "start", *FREE_PORTS)
    with process("quickstart") as running:
        read_until(running, "4. look at")
        _, err, _ = interrupt(running)
    assert running.returncode == 130
    assert "`iotauth quickstart` begins anew" in err
    assert lifecycle.status(own_state).ready
    assert desk("quickstart", "--stop").code == 0


def test_a_taken_port_is_one_sentence_with_a_way_on(desk: Desk, own_state: Path) -> None:
    """The quickstart has the same options as the emulator, so the hint can be followed."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = desk("quickstart", "--port", port, "--control-port", "0")
    assert refused.code == 3
    assert f"! error: port {port} is taken by another program" in refused.lines
    assert "! hint: choose another with `--port`" in refused.lines


def test_a_story_that_goes_wrong_is_exit_code_1_and_says_where(desk: Desk, own_state: Path) -> None:
    """The function is deleted behind the quickstart's back, which then says what is not as it should be."""
    desk("emulator", "start", *FREE_PORTS)
    with process("quickstart", "--quiet") as running:
        read_until(running, "3. add a client")
        emulator = RunningEmulator(own_state)
        emulator.client("lambda").delete_function(FunctionName="iotauth-authorizer")
        out, _ = running.communicate(timeout=20)
    assert running.returncode == 1
    assert "this is not as it should be" in out
    assert "asks a function that is not there" in out
    assert "next:" not in out


# --- test-connect -------------------------------------------------------------------------------


@pytest.fixture
def client(at_emulator: Desk) -> Iterator[str]:
    at_emulator("authorizer", "create", "--quiet")
    at_emulator("client", "add", "toaster-1", "--topic", "toasters/1", "--quiet")
    yield "toaster-1"
    at_emulator("client", "remove", "toaster-1", "--yes")


def test_ctrl_c_ends_a_hanging_step_within_a_second(client: str) -> None:
    """A server that takes the connection and never speaks, and a person who does not want to wait."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        arguments = ("test-connect", client, "--endpoint", "127.0.0.1", "--port", str(mute.getsockname()[1]))
        with process(*arguments, "--timeout", "60") as running:
            read_until(running, "tcp")
            _, err, took_s = interrupt(running)
    assert running.returncode == 130
    assert took_s < 1
    assert "Traceback" not in err


def test_a_hanging_step_is_named_at_a_terminal(client: str) -> None:
    """Whoever watches sees what is being waited for; in a pipe there is no such line."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        at = ("--endpoint", "127.0.0.1", "--port", str(mute.getsockname()[1]), "--timeout", "0.3")
        told = at_a_terminal("test-connect", client, *at)
        with process("test-connect", client, *at) as running:
            _, err = running.communicate(timeout=20)
    assert "\r\x1b[Ktls …" in told
    assert "…" not in err


def at_a_terminal(*arguments: str) -> str:
    """Run a command with a terminal as stderr, and return what it wrote there."""
    master, terminal = os.openpty()
    try:
        subprocess.run([*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=terminal, timeout=20, check=False)
        return os.read(master, 65536).decode()
    finally:
        os.close(terminal)
        os.close(master)


def test_the_document_is_the_same_whoever_reads_it(at_emulator: Desk, client: str) -> None:
    """Stable names: a script may hold on to them."""
    document = at_emulator("test-connect", client, "--json").document
    assert set(document) == {"ok", "client", "over", "endpoint", "stages", "diagnosis"}
    assert set(document["endpoint"]) == {"host", "port"}
    assert all(set(stage) == {"name", "ok", "ms", "facts"} for stage in document["stages"])
    assert document["diagnosis"] is None
    refused = at_emulator("test-connect", client, "--no-alpn", "--json").document
    assert set(refused["diagnosis"]) == {"cause", "sentence", "evidence", "remedy", "reference"}
    assert refused["stages"][-1]["symptom"] == "closed"


# --- emulator -----------------------------------------------------------------------------------


def test_in_the_foreground_it_stays_until_ctrl_c(own_state: Path) -> None:
    """One document when it is ready; an orderly end is no failure."""
    with process("emulator", "start", "--foreground", "--json", *FREE_PORTS) as running:
        assert json.loads(read_until(running, "\n}"))["ready"] is True
        assert lifecycle.status(own_state).pid == running.pid
        _, err, _ = interrupt(running)
    assert running.returncode == 0
    assert "Traceback" not in err
    assert not lifecycle.status(own_state).ready


def test_the_log_is_followed_until_ctrl_c(at_emulator: Desk, client: str) -> None:
    """What happens from now on appears, each attempt once."""
    with process("emulator", "logs", "--follow", "--client", client, "--limit", "1") as running:
        at_emulator("test-connect", client)
        read_until(running, "let in client `toaster-1`")
        at_emulator("test-connect", client, "--publish", "elsewhere")
        told = read_until(running, "no statement allows iot:Publish on topic/elsewhere")
        assert told.count("cut off client `toaster-1`") == 1
        told_at_the_end, err, _ = interrupt(running)
    assert running.returncode == 130
    assert (told_at_the_end, err) == ("", "")


def test_the_log_is_followed_as_json_lines_across_a_restart(
    at_emulator: Desk, client: str, emulator: RunningEmulator
) -> None:
    """Every line is a document by itself, and who watches need not watch the emulator too."""
    with process("emulator", "logs", "--follow", "--json", "--client", client, "--limit", "1") as running:
        at_emulator("test-connect", client)
        before = json.loads(read_until(running, '"admitted"').splitlines()[-1])
        emulator.stop()
        emulator.start()
        assert at_emulator("test-connect", client, "--password-stdin", stdin="wrong").code == 1
        after = json.loads(read_until(running, '"refused"').splitlines()[-1])
        interrupt(running)
    assert (before["client_id"], after["outcome"]) == (client, "refused")
    assert after["steps"][-1]["ok"] is False


def test_the_exit_code_says_whether_it_runs(desk: Desk, own_state: Path) -> None:
    """0 running, 1 not: a script can ask."""
    commands: list[tuple[str, ...]] = [
        ("emulator", "status"),
        ("emulator", "start", *FREE_PORTS),
        ("emulator", "status"),
        ("emulator", "reset", "--yes"),
        ("emulator", "stop"),
        ("emulator", "status"),
        ("emulator", "stop"),
    ]
    assert [desk(*command).code for command in commands] == [1, 0, 0, 3, 0, 1, 0]
