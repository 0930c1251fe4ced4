"""Ctrl-C while test-connect waits for somebody who says nothing: it ends, and nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from support_desk import Desk

GUARD_S = 20  # against hanging for ever; nothing is measured
COMMAND = "import sys; from iotauth_cli.__main__ import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def mute(at_emulator: Desk) -> Iterator[socket.socket]:
    """Somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(GUARD_S)
        yield listener


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("more", [(), ("--http",), ("--repeat", "5")], ids=["mqtt", "http", "repeat"])
def test_ctrl_c_ends_a_step_that_nobody_answers(mute: socket.socket, more: tuple[str, ...]) -> None:
    """Its time limit is a minute away; the signal ends it at once, with exit code 130 and no traceback."""
    port = str(mute.getsockname()[1])
    there = ("--endpoint", "127.0.0.1", "--port", port, "--publish", "a", "--timeout", "60")
    arguments = ["test-connect", "mute-1", "--password-stdin", *there, *more]
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", COMMAND, *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        process.stdin.write("a password")
        process.stdin.close()
        process.stdin = None
        taken, _ = mute.accept()
        with taken:
            assert taken.recv(1), "the handshake has begun"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=GUARD_S)
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "tcp" in out or more, "what was seen before it is shown"
