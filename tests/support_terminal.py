"""A terminal to show things on, and what a person sees there at the end: pyte plays the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import threading
from collections.abc import Sequence
from typing import TextIO

import pyte
import pytest


class Terminal:
    """A pseudo-terminal of *columns* and *rows*; *stream* writes to it as a program's stderr does."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns, self.rows = columns, rows
        self.sent = bytearray()  # as it came, control sequences and all
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.stream: TextIO = open(slave, "w", encoding="utf-8", buffering=1)  # noqa: SIM115  # closed by `lines`
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 65536)
            except OSError:  # Linux says EIO when the last writer is gone
                return
            if not chunk:
                return
            self.sent += chunk

    def lines(self) -> list[str]:
        """Return what stands on the screen when everything was written, what scrolled away first."""
        self.stream.close()
        self._reader.join(timeout=20)
        os.close(self._master)
        screen = pyte.HistoryScreen(self.columns, self.rows, history=1000)
        pyte.ByteStream(screen).feed(bytes(self.sent))
        gone = ["".join(row[column].data for column in range(self.columns)) for row in screen.history.top]
        found = [line.rstrip() for line in [*gone, *screen.display]]
        while found and not found[-1]:
            found.pop()
        return found


def watched(monkeypatch: pytest.MonkeyPatch, columns: int = 80, rows: int = 24) -> Terminal:
    """Make stderr a terminal that can do all that is used. Not a fixture: pytest puts its own in between."""
    terminal = Terminal(columns, rows)
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return terminal


def run(
    arguments: Sequence[str], columns: int = 80, rows: int = 30, press: tuple[str, str] | None = None, **extra: str
) -> tuple[int, list[str]]:
    """Run a program whose terminal this is; return its exit code and what was seen.

    *press* is what to type, `\\x03` is Ctrl-C, and the file that has to be there before.
    """
    child, master = pty.fork()
    if child == 0:
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "NO_COLOR": "", **extra}
        os.execve(arguments[0], list(arguments), environment)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    while True:
        if press and os.path.exists(press[1]):
            os.write(master, press[0].encode())
            press = None
        if not select.select([master], [], [], 0.05)[0]:
            continue
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux says EIO when the last writer is gone
            break
        if not chunk:
            break
        stream.feed(chunk)
    os.close(master)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, [line.rstrip() for line in screen.display if line.strip()]
