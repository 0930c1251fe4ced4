"""Run a tool as a child, and hear it while it works.

The child gets a session of its own: Ctrl-C at the terminal reaches us alone, and we end the child with all
that it has started before anything is cleared up behind it. What it says passes through a mask, because a
compiler quotes the lines that it complains about, and one of them holds the password.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from iotauth_cli.device.c_string import c_string
from iotauth_cli.errors import DeviceError
from iotauth_cli.secret import MASK, Secret

SILENT_AFTER_S = 10.0  # PlatformIO says nothing for a minute when its registry is out of reach
ENDS_WITHIN_S = 3.0  # what a child gets to end by itself
# Stands beside the child in its process group and ends the group when we are gone: `kill -9` leaves us no time to.
# Its pipe ends with us. A PlatformIO that speaks to nobody would otherwise wait forever, with a secret in its files.
GUARD = """exec 9<&0
(trap '' TERM; cat <&9; kill -TERM 0; sleep 1; kill -KILL 0) >/dev/null 2>&1 &
exec "$@" 9<&- </dev/null"""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KEPT_LINES = 400  # of what it said, to explain how it ended
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PRIVATE_UMASK = 0o077  # objects and images of a build hold the secret


@dataclass(frozen=True)
class Line:
    """A line that the child said. *is_passing*: the next one replaces it, as a progress bar does."""

    text: str
    is_passing: bool = False


@dataclass(frozen=True)
class Silence:
    """The child has said nothing for *seconds*; *last* is what it said before."""

    seconds: float
    last: str


@dataclass(frozen=True)
class Ended:
    """How a child ended and what it said last."""

    code: int
    lines: tuple[str, ...]
    seconds: float

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


Talk = Generator["Line | Silence", None, Ended]
Handler = Callable[[int, "FrameType | None"], Any] | int | None  # None: there is none to set, as in a thread


class Mask:
    """Puts dots over secrets in what others say: as they are, and as a C header spells them."""

    def __init__(self, secrets: Sequence[Secret] = ()) -> None:
        found = [form for secret in secrets for form in spellings(secret.reveal()) if form]
        self._forms = sorted(set(found), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def spellings(text: str) -> tuple[str, str]:
    """Return *text* as it is and as a C header spells it, which is how a compiler quotes it."""
    return text, c_string(text)[1:-1]


@dataclass(frozen=True)
class Call:
    """What to run. *kept_open* are descriptors that the child holds as long as it lives: a lock."""

    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    kept_open: tuple[int, ...] = ()


def talk(call: Call, mask: Mask | None = None, *, silent_after_s: float = SILENT_AFTER_S) -> Talk:
    """Run *call* to its end: yield what it says as it says it, return how it ended.

    Closing the generator, Ctrl-C included, ends the child and everything it has started.

    Raises:
        DeviceError: it could not be started.
    """
    began = time.monotonic()
    said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    kept: list[str] = []
    process = None
    try:
        with postponed():  # else Ctrl-C could fall between the child's start and our knowing it
            process = start(call)
        threading.Thread(target=_listen, args=(process, said), daemon=True).start()
        for piece in _lines(said, silent_after_s):
            if isinstance(piece, float):
                yield Silence(piece, kept[-1] if kept else "")
                continue
            line = Line((mask or str)(piece.text), piece.is_passing)
            if line.text.strip() and not line.is_passing:
                kept = [*kept[-KEPT_LINES:], line.text]
            yield line
        return Ended(process.wait(), tuple(kept), time.monotonic() - began)
    finally:
        if process is not None:
            end(process)


def start(call: Call) -> subprocess.Popen[bytes]:
    try:
        if shutil.which(call.command[0]) is None:
            raise FileNotFoundError(2, os.strerror(2))
        return subprocess.Popen(
            ("sh", "-c", GUARD, "sh", *call.command),
            cwd=call.cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **call.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=PRIVATE_UMASK,
            pass_fds=call.kept_open,
        )
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise DeviceError(f"`{call.command[0]}` cannot be started: {reason}") from problem


def _listen(process: subprocess.Popen[bytes], said: queue.SimpleQueue[bytes | None]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(OSError, ValueError):
        while piece := os.read(process.stdout.fileno(), 65536):
            said.put(piece)
    said.put(None)


def _lines(said: queue.SimpleQueue[bytes | None], silent_after_s: float) -> Iterator[Line | float]:
    """Yield whole lines, and each time *silent_after_s* have passed without a byte how long it was."""
    rest, quiet_s = b"", 0.0
    while True:
        try:
            piece = said.get(timeout=silent_after_s)
        except queue.Empty:
            quiet_s += silent_after_s
            yield quiet_s
            continue
        quiet_s = 0.0
        if piece is None:
            break
        *whole, rest = re.split(rb"(?<=[\r\n])", rest + piece)
        yield from map(_line, whole)
    if rest:
        yield _line(rest)


def _line(raw: bytes) -> Line:
    text = ANSI.sub("", raw.decode("utf-8", "replace"))
    return Line(text.rstrip("\r\n"), is_passing=raw.endswith(b"\r"))


def end(process: subprocess.Popen[bytes]) -> None:
    """End *process* and all that it has started, whether or not it still runs itself."""
    with uninterrupted():
        if process.poll() is None:
            kill(process, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_WITHIN_S)
        kill(process, signal.SIGKILL)  # the guard too, which keeps the group's number from being another's by now
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def kill(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def quietly(call: Call, mask: Mask | None = None) -> Ended:
    """Run *call* to its end and return what it said."""
    words = talk(call, mask)
    while True:
        try:
            next(words)
        except StopIteration as ended:
            found: Ended = ended.value
            return found


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end us as Ctrl-C does: everything is cleared up."""
    before = {number: _set(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            _set(number, handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Finish what is inside, however often Ctrl-C is pressed: it clears up behind a secret."""
    before = {number: _set(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            _set(number, handler)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Let what would end us wait until what is inside is done. A child that is started there ignores nothing."""
    came: list[int] = []
    before = {number: _set(number, lambda number, _frame: came.append(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            _set(number, handler)
        if came:
            signal.raise_signal(came[0])


def _set(number: int, handler: Handler) -> Handler:
    if threading.current_thread() is not threading.main_thread() or handler is None:
        return None
    return signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
