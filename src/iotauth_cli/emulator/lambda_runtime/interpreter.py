"""Which Python or Node.js runs a function: the version it asks for, if this machine has it.

Otherwise another one does, with a warning: for Python the emulator's own, for Node.js the one on the PATH.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PYTHON = re.compile(r"python3\.(\d+)")
NODE = re.compile(r"nodejs(\d+)\.x")
PYTHON_PROBE = ("-S", "-s", "-c", "import sys; print(*sys.version_info[:2], sys.executable)")
NODE_PROBE = ("-p", "process.versions.node + ' ' + process.execPath")
OLDEST = 9  # Python 3.9: what `client` is written for; Lambda has retired those before it
PROBE_LIMIT_S = 3.0  # a shim that starts a shell takes about 0.1 s


@dataclass(frozen=True)
class Interpreter:
    """*note* says that and why this is not the version that was asked for."""

    path: str
    note: str | None = None


class UnknownRuntime(Exception):
    """Nothing on this machine runs the function; the message says what would."""


class Interpreters:
    """Finds interpreters, each version once."""

    def __init__(self) -> None:
        self._found: dict[str, Interpreter] = {}

    async def find(self, runtime: str) -> Interpreter:
        """Return what runs *runtime*, a name like ``python3.13`` or ``nodejs22.x``.

        Raises:
            UnknownRuntime: it names another language, or Node.js, and there is none.
        """
        if runtime not in self._found:
            self._found[runtime] = await search(runtime)
        return self._found[runtime]


async def search(runtime: str) -> Interpreter:
    if python := PYTHON.fullmatch(runtime):
        return await search_python(int(python[1]))
    if node := NODE.fullmatch(runtime):
        return await search_node(int(node[1]))
    raise UnknownRuntime(f"the emulator runs Python and Node.js functions, not {runtime}")


async def search_python(minor: int) -> Interpreter:
    if sys.version_info[:2] == (3, minor):
        return Interpreter(sys.executable)
    for candidate in python_candidates(minor) if minor >= OLDEST else ():
        path = await probe_python(candidate, minor)
        if path is not None:
            return Interpreter(path)
    own = ".".join(map(str, sys.version_info[:3]))
    why = "is not on this machine" if minor >= OLDEST else "is older than the emulator can use"
    return Interpreter(sys.executable, f"python3.{minor} {why}; this function runs on Python {own}")


async def search_node(major: int) -> Interpreter:
    """Return Node.js *major*, or else the first that runs at all."""
    others = []
    for candidate in node_candidates(major):
        version, _, path = (await output_of(candidate, *NODE_PROBE)).partition(" ")
        if version.partition(".")[0] == str(major):
            return Interpreter(path)
        if path:
            note = f"Node.js {major} is not on this machine; this function runs on Node.js {version}"
            others.append(Interpreter(path, note))
    if not others:
        raise UnknownRuntime(f"this function needs Node.js {major}, and there is no `node` on this machine's PATH")
    return others[0]


def node_candidates(major: int) -> Iterator[str]:
    """Yield where Node.js may be: on the PATH, else among nvm's versions, the newest first."""
    on_path = shutil.which("node")
    if on_path is not None:
        yield on_path
    root = Path(os.environ.get("NVM_DIR") or Path.home() / ".nvm")
    for version in newest_first(root.glob(f"versions/node/v{major}.*")):
        yield str(version / "bin" / "node")


def python_candidates(minor: int) -> Iterator[str]:
    """Yield where ``python3.<minor>`` may be: on the PATH, else among pyenv's versions, the newest first."""
    on_path = shutil.which(f"python3.{minor}")
    if on_path is not None:
        yield on_path
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in newest_first(root.glob(f"versions/3.{minor}.*")):
        yield str(version / "bin" / f"python3.{minor}")


def newest_first(versions: Iterable[Path]) -> list[Path]:
    """Sort directories named for versions, like ``3.13.2``; what is not a release comes last."""

    def numbers(path: Path) -> tuple[int, ...]:
        parts = path.name.lstrip("v").split(".")
        return tuple(int(part) if part.isdigit() else -1 for part in parts)

    return sorted(versions, key=numbers, reverse=True)


async def probe_python(candidate: str, minor: int) -> str | None:
    """Return the interpreter behind *candidate*, which may be a shim, or None when it is not Python 3.<minor>.

    Running it is the only proof: a shim of pyenv is on the PATH also for versions that are not selected.
    """
    found = await output_of(candidate, *PYTHON_PROBE)
    expected = f"3 {minor} "
    return found.removeprefix(expected) if found.startswith(expected) else None


async def output_of(*command: str) -> str:
    """Return what *command* prints; nothing if it fails or takes too long."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        return ""
    with process:
        if await exit_status(process, PROBE_LIMIT_S) != 0 or process.stdout is None:
            return ""
        return process.stdout.read().strip()


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
