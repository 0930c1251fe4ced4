"""A child's log: the stream that CloudWatch Logs would show, and the pipe that fills it."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable

from iotauth_cli.emulator.model import Function, LogLine, LogSink

TAIL = 4096  # characters; Lambda returns the last 4 KB of a call's log
MAX_LINE = 262_144  # bytes; a longer line is cut into events of this size, as CloudWatch cuts it
READ = 65_536  # bytes
READS_PER_TURN = 16  # a child that prints without end must not keep the event loop to itself


class LogStream:
    """One stream of a function's log group, named as Lambda names it: a day, a version, a random id."""

    def __init__(self, function: Function, sink: LogSink) -> None:
        day = time.strftime("%Y/%m/%d", time.gmtime())
        self.group = f"/aws/lambda/{function.name}"
        self.name = f"{day}/[{function.version}]{uuid.uuid4().hex}"
        self._region = function.region
        self._sink = sink
        self._tail = ""

    def write(self, message: str) -> None:
        self._sink.write(LogLine(self.group, self.name, self._region, int(time.time() * 1000), message))
        self._tail = f"{self._tail}{message}\n"[-TAIL:]

    def take_tail(self) -> str:
        """Return the end of what was written since the last call."""
        tail, self._tail = self._tail, ""
        return tail


class OutputPipe:
    """Standard output and error of a child, cut into lines as they arrive.

    *write_end* is for the child alone: `hand_over` closes our copy of it. *at_end* is called when
    nobody holds it any more.
    """

    def __init__(self, write: Callable[[str], None], at_end: Callable[[], None]) -> None:
        self._write = write
        self._at_end = at_end
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._is_open = True
        self._loop.add_reader(self._read_end, self.drain)

    def hand_over(self) -> None:
        """Close our copy of *write_end*, whether the child got one or could not be started."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def drain(self) -> None:
        """Take what lies in the pipe now.

        Called also when an answer arrives: the child flushes before it answers, so everything an
        invocation printed is in the pipe by then and ends up between its START and END.
        """
        for _ in range(READS_PER_TURN):
            if not self._is_open or not self._read():
                return

    def close(self) -> None:
        self.hand_over()
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._read_end)
            os.close(self._read_end)
            self._flush_rest()

    def _read(self) -> bool:
        try:
            data = os.read(self._read_end, READ)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            self._at_end()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        if len(self._rest) >= MAX_LINE:
            self._flush_rest()
        return True

    def _flush_rest(self) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            self._emit(rest)

    def _emit(self, line: bytes) -> None:
        # The runtime joins the lines of one event, a traceback say, with a carriage return.
        self._write(line.decode("utf-8", "replace").rstrip("\r").replace("\r", "\n"))
