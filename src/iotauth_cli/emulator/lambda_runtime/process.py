"""One execution environment: a child process that has loaded a function, its Runtime API and its log.

`Child.start` returns once the process runs; `wait_until_initialised` when the handler is loaded (or
`InitFailed`); then `call` after `call`, until `end`. A process that ends by itself is noticed by its
connection or its output being closed, and whoever waits for it then has `ChildExited`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TypeVar

from iotauth_cli.emulator.lambda_runtime import wording
from iotauth_cli.emulator.lambda_runtime.api import Answer, Event, RuntimeApi
from iotauth_cli.emulator.lambda_runtime.interpreter import Interpreter, exit_status
from iotauth_cli.emulator.lambda_runtime.logs import LogStream, OutputPipe
from iotauth_cli.emulator.lambda_runtime.variables import child_variables
from iotauth_cli.emulator.model import Function, LogSink

CLIENT = Path(__file__).with_name("client.py")
NODE_CLIENT = Path(__file__).with_name("node") / "client.mjs"
EXIT_GRACE_S = 1.0  # from the end of its connection to the end of a child that is exiting by itself

T = TypeVar("T")


class ChildExited(Exception):
    """The process ended by itself. *status* is as `subprocess` gives it: negative for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class LimitExceeded(Exception):
    """Waiting took longer than was allowed."""


class Child:
    """A running environment. Use `start`; whoever starts one must `end` it."""

    def __init__(self, function: Function, sink: LogSink) -> None:
        self.function = function
        self.log = LogStream(function, sink)
        self.init_s: float | None = None
        self._began = time.monotonic()
        self._used_mb: int | None = None
        self._memory_known_until = 0.0
        self._is_given_up = False
        self._api = RuntimeApi(self._notice_end)
        self._output = OutputPipe(self.log.write, self._notice_end)
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, function: Function, interpreter: Interpreter, sink: LogSink, *, endpoint_url: str) -> Child:
        """Start the process; `wait_until_initialised` tells when it can be called.

        Raises:
            OSError: the process cannot be started, for instance because its code is gone.
        """
        child = cls(function, sink)
        try:
            await child._launch(interpreter, endpoint_url)
        except BaseException:
            await child.end()
            raise
        return child

    async def _launch(self, interpreter: Interpreter, endpoint_url: str) -> None:
        address = await self._api.listen()
        self.log.write(wording.init_start(self.function.runtime))
        if interpreter.note is not None:
            self.log.write(f"[WARNING] {interpreter.note}")
        variables = child_variables(self.function, self.log, endpoint_url=endpoint_url, runtime_api=address)
        try:
            self._process = subprocess.Popen(
                command(interpreter.path, self.function.runtime),
                stdin=subprocess.PIPE,  # never written to: its end tells the child that we are gone
                stdout=self._output.write_end,
                stderr=self._output.write_end,
                bufsize=0,
                cwd=self.function.code_directory,
                env=variables,
                start_new_session=True,
            )
        finally:
            self._output.hand_over()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    @property
    def is_initialised(self) -> bool:
        return self.init_s is not None

    @property
    def is_usable(self) -> bool:
        """Whether it can take another call, as far as is known."""
        return not self._is_given_up and self._api.is_connected

    async def wait_until_initialised(self, limit_s: float) -> None:
        """Return when the handler is loaded.

        Raises:
            InitFailed, ChildExited, LimitExceeded
        """
        if self.init_s is None:
            await within(self._api.initialised, limit_s)
            self.init_s = self.age_s

    async def call(self, event: Event, limit_s: float) -> Answer:
        """Hand *event* over and return the answer, everything printed until then being in the log.

        Raises:
            ChildExited, LimitExceeded
        """
        answer = await within(self._api.call(event), limit_s)
        if answer.is_error:
            # As in Lambda the call lasts until the next poll: after an error that nobody caught the process ends,
            # and must not be taken for one that waits.
            with contextlib.suppress(LimitExceeded):
                await within(self._api.next_poll(), EXIT_GRACE_S)
        self._output.drain()
        return answer

    def used_mb(self) -> int | None:
        """Return the most memory the process ever had resident, where the system tells (Linux).

        Looked up at most once a second: it costs half of what a warm call costs.
        """
        now = time.monotonic()
        if now >= self._memory_known_until:
            self._memory_known_until = now + 1.0
            self._used_mb = peak_memory_mb(self.pid)
        return self._used_mb

    def kill(self) -> None:
        """End the process and everything it started, at once; what it held stays until `end`."""
        self._is_given_up = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill what is left of the child and give back everything it held."""
        self.kill()
        self._notice_end()
        assert self._ending is not None
        await self._ending

    def _notice_end(self) -> None:
        self._is_given_up = True
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._finish())

    async def _finish(self) -> None:
        """Learn how the process ended, tell whoever waits for it, and clean up."""
        status = 0
        if self._process is not None:
            status = await exit_status(self._process, EXIT_GRACE_S)
            assert self._process.stdin is not None
            self._process.stdin.close()
        self.kill()  # what it started may have outlived it
        self._output.drain()
        self._output.close()
        self._api.fail(ChildExited(status))
        self._api.close()


def command(interpreter: str, runtime: str) -> list[str]:
    """Return how *interpreter* is started with the runtime client for *runtime*."""
    if runtime.startswith("nodejs"):
        return [interpreter, str(NODE_CLIENT)]
    # -S and -s: no site-packages but the SDK that the client adds, as in Lambda.
    return [interpreter, "-S", "-s", str(CLIENT), sdk_directory()]


async def within(future: asyncio.Future[T], limit_s: float) -> T:
    """Wait for *future* at most *limit_s* seconds.

    Not asyncio.wait_for, which starts with a task of its own before Python 3.12.

    Raises:
        LimitExceeded: the time is over; *future* is done with that.
    """

    def give_up() -> None:
        if not future.done():
            future.set_exception(LimitExceeded)

    timer = asyncio.get_running_loop().call_later(limit_s, give_up)
    try:
        return await future
    finally:
        timer.cancel()


def peak_memory_mb(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    peak_kb = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return int(peak_kb[1]) // 1024 if peak_kb else None


@functools.cache
def sdk_directory() -> str:
    """Return the directory that the emulator's own AWS SDK lies in."""
    found = importlib.util.find_spec("botocore")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent.parent)
