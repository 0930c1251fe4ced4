"""The children of one function as it is configured now: at most two, started when needed, kept warm."""

from __future__ import annotations

import asyncio
import collections
import time
from dataclasses import replace

from iotauth_cli.emulator.lambda_runtime.background import Background
from iotauth_cli.emulator.lambda_runtime.interpreter import Interpreter, Interpreters
from iotauth_cli.emulator.lambda_runtime.process import Child, within
from iotauth_cli.emulator.model import Function, LogSink

MAX_CHILDREN = 2  # what a laptop's CPUs make use of; AWS would start a thousand
IDLE_LIMIT_S = 600.0  # Lambda ends an idle environment after minutes and promises no figure


class Children:
    """Hands out children, for one call at a time each, and takes them back.

    *room* counts the children there are and those promised. Who finds none idle and no room for another
    waits, and is handed, in turn, a child or None: room to start one, already counted.
    """

    def __init__(
        self,
        function: Function,
        *,
        interpreters: Interpreters,
        logs: LogSink,
        endpoint_url: str,
        background: Background,
    ) -> None:
        self.function = function
        self._interpreters = interpreters
        self._logs = logs
        self._endpoint_url = endpoint_url
        self._background = background
        self._loop = asyncio.get_running_loop()
        self._room = MAX_CHILDREN
        self._idle: dict[Child, asyncio.TimerHandle] = {}
        self._waiters: collections.deque[asyncio.Future[Child | None]] = collections.deque()
        self._is_retired = False
        self._is_noted = False

    async def acquire(self, give_up_at: float) -> Child:
        """Return a child for one call, warm or just started; give it back with `release`.

        *give_up_at* is on the clock of `time.monotonic`.

        Raises:
            LimitExceeded: no child became free in time.
            UnknownRuntime, OSError: no child can be started.
        """
        if self._idle:
            child, timer = self._idle.popitem()  # the last one used: its caches are the warmest
            timer.cancel()
        elif self._room:
            self._room -= 1
            return await self._start()
        else:
            waiting = await self._wait_for_turn(give_up_at)
            if waiting is None:
                return await self._start()
            child = waiting
        if child.is_usable:
            return child
        self._end(child)
        return await self._start()

    def release(self, child: Child) -> None:
        """Take *child* back after its call: for the next caller, or, if it is of no more use, to end it."""
        if self._is_retired or not child.is_usable:
            self._end(child)
            self._give_room()
        elif not self._pass_on(child):
            self._idle[child] = self._loop.call_later(IDLE_LIMIT_S, self._drop, child)

    def retire(self) -> None:
        """End what is idle now, and the rest as it comes back."""
        self._is_retired = True
        for child in list(self._idle):
            self._drop(child)

    async def _start(self) -> Child:
        try:
            interpreter = await self._interpreter()
            return await Child.start(self.function, interpreter, self._logs, endpoint_url=self._endpoint_url)
        except BaseException:
            self._give_room()
            raise

    async def _interpreter(self) -> Interpreter:
        """Find what runs the function; only the first child's log gets the note that it is another version."""
        found = await self._interpreters.find(self.function.runtime)
        note, self._is_noted = None if self._is_noted else found.note, True
        return replace(found, note=note)

    async def _wait_for_turn(self, give_up_at: float) -> Child | None:
        waiter: asyncio.Future[Child | None] = self._loop.create_future()
        self._waiters.append(waiter)
        return await within(waiter, give_up_at - time.monotonic())

    def _pass_on(self, child: Child | None) -> bool:
        """Hand *child*, or room for one, to who has waited longest; False when nobody waits."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(child)
                return True
        return False

    def _give_room(self) -> None:
        if not self._pass_on(None):
            self._room += 1

    def _drop(self, child: Child) -> None:
        self._idle.pop(child).cancel()
        self._end(child)
        self._give_room()

    def _end(self, child: Child) -> None:
        """End *child* without making anybody wait for its last breath."""
        self._background.start(child.end())
