"""Which Python runs a function: the version it asks for, if this machine has it, else the emulator's own."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RUNTIME = re.compile(r"python3\.(\d+)")
PROBE = "import sys; print(*sys.version_info[:2], sys.executable)"
PROBE_LIMIT_S = 3.0  # a shim that starts a shell takes about 0.1 s


@dataclass(frozen=True)
class Interpreter:
    """*note* says that and why this is not the version that was asked for."""

    path: str
    note: str | None = None


class UnknownRuntime(Exception):
    """The function is not written in Python."""


class Interpreters:
    """Finds interpreters, each version once."""

    def __init__(self) -> None:
        self._found: dict[int, Interpreter] = {}

    async def find(self, runtime: str) -> Interpreter:
        """Return what runs *runtime*, a name like ``python3.13``.

        Raises:
            UnknownRuntime: it names another language.
        """
        named = RUNTIME.fullmatch(runtime)
        if named is None:
            raise UnknownRuntime(f"the emulator runs Python functions only, not {runtime}")
        minor = int(named[1])
        if minor not in self._found:
            self._found[minor] = await search(minor)
        return self._found[minor]


async def search(minor: int) -> Interpreter:
    if sys.version_info[:2] == (3, minor):
        return Interpreter(sys.executable)
    for candidate in candidates(minor):
        path = await probe(candidate, minor)
        if path is not None:
            return Interpreter(path)
    own = ".".join(map(str, sys.version_info[:3]))
    return Interpreter(sys.executable, f"python3.{minor} is not on this machine; this function runs on Python {own}")


def candidates(minor: int) -> Iterator[str]:
    """Yield where ``python3.<minor>`` may be: on the PATH, else among pyenv's versions, the newest first."""
    on_path = shutil.which(f"python3.{minor}")
    if on_path is not None:
        yield on_path
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    patch = {path: path.name.rpartition(".")[2] for path in root.glob(f"versions/3.{minor}.*")}
    for version in sorted(patch, key=lambda path: int(patch[path]) if patch[path].isdigit() else -1, reverse=True):
        yield str(version / "bin" / f"python3.{minor}")


async def probe(candidate: str, minor: int) -> str | None:
    """Return the interpreter behind *candidate*, which may be a shim, or None when it is not Python 3.<minor>.

    Running it is the only proof: a shim of pyenv is on the PATH also for versions that are not selected.
    """
    try:
        process = subprocess.Popen(
            [candidate, "-S", "-s", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        return None
    with process:
        if await exit_status(process, PROBE_LIMIT_S) != 0 or process.stdout is None:
            return None
        found = process.stdout.read().strip()
    expected = f"3 {minor} "
    return found.removeprefix(expected) if found.startswith(expected) else None


async def exit_status(process: subprocess.Popen[str] | subprocess.Popen[bytes], limit_s: float) -> int:
    """Wait for the end of *process*, killing it after *limit_s* seconds, and return its status.

    Looks again every few milliseconds: asyncio's own child watchers differ from version to version and
    start a thread for each process in the older ones.
    """
    give_up_at = time.monotonic() + limit_s
    while (status := process.poll()) is None:
        if time.monotonic() > give_up_at:
            process.kill()
            return process.wait()
        await asyncio.sleep(0.002)
    return status
