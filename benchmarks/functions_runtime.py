"""Calling a function, whole: its start, and a call with everything around it, beside AWS's runtime clients alone.

Run `python benchmarks/functions_runtime.py [rounds]`. The peer is `awslambdaric` behind our Runtime API with
nothing around it: no log, no limits, no choice of a process. Ours is the pool that the emulator calls. The
two runtime clients by themselves are compared in `control.py`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from control import ARN, AWS_CLIENT, FAR_AWAY_MS, HANDLER, INVOCATIONS, runtime
from table import Row, not_measured, render

from iotauth_cli.emulator.lambda_runtime.api import Event
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from iotauth_cli.emulator.model import Function, LogLine

EVENT = b'{"token":"abc"}'
OWN_PYTHON = f"python3.{sys.version_info.minor}"
JAVASCRIPT = "exports.handler = async (event) => ({ isAuthenticated: true });\n"

Call = Callable[[], Awaitable[object]]


class Forgetful:
    """A log that keeps nothing: what the store costs is another figure."""

    def write(self, line: LogLine) -> None:
        pass


def measure(rounds: int = 7) -> list[Row]:
    """Measure everything and return the rows, goals included. Takes about a second per round."""
    if importlib.util.find_spec("awslambdaric") is None:
        return [not_measured("function calls / awslambdaric", "awslambdaric is not installed")]
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "app.py").write_text(HANDLER)
        (Path(name) / "app.js").write_text(JAVASCRIPT)
        return asyncio.run(_rows(Path(name), rounds))


async def _rows(directory: Path, rounds: int) -> list[Row]:
    rows = [_row("first call, process start included / awslambdaric", await _first_calls(directory, rounds), 1.3)]
    async with _aws(directory) as peer:
        for what, name in (("Python", OWN_PYTHON), ("JavaScript", "nodejs20.x")):
            if name.startswith("nodejs") and shutil.which("node") is None:
                rows.append(not_measured(f"warm call, {what}", "there is no node"))
                continue
            async with _pool(directory, name) as ours:
                pairs = [(await _warm(ours), await _warm(peer)) for _ in range(rounds + 1)][1:]
            goal = 1.3 if name == OWN_PYTHON else None
            rows.append(_row(f"warm call p50 with log and limits, {what} / awslambdaric alone", pairs, goal))
    return rows


async def _first_calls(directory: Path, rounds: int) -> list[tuple[float, float]]:
    async def first(opened: AbstractAsyncContextManager[Call]) -> float:
        began = time.perf_counter()
        async with opened as call:
            await call()
            return time.perf_counter() - began

    return [(await first(_pool(directory, OWN_PYTHON)), await first(_aws(directory))) for _ in range(rounds + 1)][1:]


@asynccontextmanager
async def _pool(directory: Path, name: str) -> AsyncIterator[Call]:
    pool = FunctionPool(Forgetful(), endpoint_url="http://127.0.0.1:1")
    function = Function(ARN, "bench", "us-east-1", name, "app.handler", directory, "one", {}, 3, 128)
    try:
        yield lambda: pool.invoke(function, EVENT)
    finally:
        await pool.close()


@asynccontextmanager
async def _aws(directory: Path) -> AsyncIterator[Call]:
    async with runtime(AWS_CLIENT, directory) as api:
        yield lambda: api.call(Event("request", ARN, FAR_AWAY_MS, EVENT))


async def _warm(call: Call) -> float:
    return statistics.median([await _seconds(call) for _ in range(INVOCATIONS)])


async def _seconds(call: Call) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def _row(what: str, pairs: list[tuple[float, float]], goal: float | None) -> Row:
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(mine / peer for mine, peer in pairs)
    return Row(what, f"{ours * 1e3:.2f} ms", f"{theirs * 1e3:.2f} ms", ratio, goal)


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7)))
