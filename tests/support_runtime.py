"""What the runtime's tests share: a function from source text, a log that remembers, and a bare runtime."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iotauth_cli.emulator.lambda_runtime.api import Answer, Event, InitFailed, RuntimeApi
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from iotauth_cli.emulator.lambda_runtime.process import CLIENT, sdk_directory, within
from iotauth_cli.emulator.model import Function, Invocation, LogLine

OUR_CLIENT = (sys.executable, "-S", "-s", str(CLIENT), sdk_directory())
AWS_CLIENT = (sys.executable, "-m", "awslambdaric")
OWN_RUNTIME = f"python3.{sys.version_info.minor}"
ENDPOINT = "http://127.0.0.1:4588"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:doors"


@dataclass
class Log:
    """A LogSink that keeps what it gets."""

    lines: list[LogLine] = field(default_factory=list)

    def write(self, line: LogLine) -> None:
        self.lines.append(line)

    @property
    def messages(self) -> list[str]:
        return [line.message for line in self.lines]


def function(
    directory: Path,
    source: str,
    *,
    handler: str = "app.handler",
    runtime: str = OWN_RUNTIME,
    environment: Mapping[str, str] | None = None,
    timeout_s: int = 3,
    code_sha256: str = "one",
) -> Function:
    """Write *source* as ``app.py`` in *directory* and return the function that it is."""
    (directory / "app.py").write_text(source, encoding="utf-8")
    return Function(
        arn=ARN,
        name="doors",
        region="eu-west-1",
        runtime=runtime,
        handler=handler,
        code_directory=directory,
        code_sha256=code_sha256,
        environment=environment or {},
        timeout_s=timeout_s,
        memory_mb=256,
    )


def run(work: Callable[[FunctionPool, Log], Awaitable[Any]], endpoint_url: str = ENDPOINT) -> Any:
    """Run *work* with a pool that is closed after it."""

    async def main() -> Any:
        log = Log()
        pool = FunctionPool(log, endpoint_url=endpoint_url)
        try:
            return await asyncio.wait_for(work(pool, log), 20)
        finally:
            await pool.close()

    return asyncio.run(main())


def invoke(
    wanted: Function, payload: bytes = b"{}", *, limit_s: float | None = None, endpoint_url: str = ENDPOINT
) -> tuple[Invocation, Log]:
    async def once(pool: FunctionPool, log: Log) -> tuple[Invocation, Log]:
        return await pool.invoke(wanted, payload, limit_s=limit_s), log

    result: tuple[Invocation, Log] = run(once, endpoint_url)
    return result


@dataclass(frozen=True)
class Said:
    """What a runtime said about one event: its answer (an error as members) and its last log event, in lines."""

    answer: Any
    is_error: bool
    log: Sequence[str]


Reader = Callable[[Answer, str, str], Said]


async def ask(command: Sequence[str], directory: Path, handler: str, event: str, read: Reader | None = None) -> Said:
    """Let *command*, a runtime client, load *handler* from *directory* and answer *event*.

    *read* puts answer, output and directory into a form that is the same everywhere; by default `said`.
    """
    api = RuntimeApi(lambda: None)
    variables = {
        "AWS_LAMBDA_RUNTIME_API": await api.listen(),
        "LAMBDA_TASK_ROOT": str(directory),
        "_HANDLER": handler,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "PYTHONPATH": os.pathsep.join([str(directory), *sys.path]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen(
        command, cwd=directory, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        answer = await answer_of(api, event)
    finally:
        process.kill()
        api.close()
        output, _ = process.communicate()
    return (read or said)(answer, output.decode(), str(directory))


async def answer_of(api: RuntimeApi, event: str) -> Answer:
    try:
        await within(api.initialised, 10)
    except InitFailed as failed:
        return Answer(failed.body, is_error=True)
    return await within(api.call(Event("request-1", ARN, 4_000_000_000_000, event.encode())), 10)


def said(answer: Answer, output: str, directory: str) -> Said:
    """Put a runtime's words into a form that is the same on every machine and every Python."""
    body = answer.body.decode().replace(directory, "<task>")
    events = [event for event in output.replace(directory, "<task>").split("\n") if event]
    log = users_lines(events[-1].split("\r")) if events else []
    if not answer.is_error:
        return Said(body, False, log)
    members = json.loads(body)
    members["stackTrace"] = [frame for frame in members["stackTrace"] if "<task>" in frame]
    return Said(members, True, log)


def users_lines(lines: Sequence[str]) -> list[str]:
    """Leave out the frames of Python's own modules, importlib's above all."""
    kept, keep = [], True
    for line in lines:
        if line.lstrip().startswith('File "'):
            keep = "<task>" in line
        if keep:
            kept.append(line)
    return kept


def is_alive(pid: int) -> bool:
    """Tell whether process *pid* runs; one that has ended and waits to be collected does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text() if Path("/proc/self/stat").exists() else ""
        os.kill(pid, 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return not status.rpartition(")")[2].startswith(" Z")


def wait_until(condition: Callable[[], bool], limit_s: float = 10) -> None:
    """Return when *condition* holds; fail after *limit_s* seconds."""
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.01)
