"""Listen to a serial port, line by line. POSIX only; elsewhere `pio device monitor` does it."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

from iotauth_cli.device.ports import explained
from iotauth_cli.errors import DeviceError

LOOK_EVERY_S = 0.2


def listen(port: str, speed: int) -> Iterator[str]:
    """Yield what is said at *port*, a line each, until the port is gone or nobody listens any more.

    Raises:
        DeviceError: it cannot be listened to.
    """
    if os.name != "posix":
        raise DeviceError("only `pio device monitor` can listen on this system", hint=f"`pio device monitor -p {port}`")
    try:
        descriptor = os.open(port, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as problem:
        raise explained(port, problem) from problem
    try:
        prepare(descriptor, port, speed)
        yield from lines(descriptor)
    finally:
        os.close(descriptor)


def prepare(descriptor: int, port: str, speed: int) -> None:
    """Take bytes as they come, at *speed*, and do not reset the board when we leave."""
    import termios
    import tty

    known = getattr(termios, f"B{speed}", None)
    if known is None:
        raise DeviceError(
            f"{speed} baud is no speed that this system knows", hint="set another `monitor_speed` in `platformio.ini`"
        )
    try:
        tty.setraw(descriptor, termios.TCSANOW)  # its default throws away what was said already
        settings = termios.tcgetattr(descriptor)
        settings[2] &= ~termios.HUPCL
        settings[4] = settings[5] = known
        termios.tcsetattr(descriptor, termios.TCSANOW, settings)
    except termios.error as problem:
        raise explained(port, OSError(problem.args[0], problem.args[1])) from problem


def lines(descriptor: int) -> Iterator[str]:
    rest = b""
    while True:
        if not select.select([descriptor], [], [], LOOK_EVERY_S)[0]:
            continue
        try:
            piece = os.read(descriptor, 4096)
        except BlockingIOError:
            continue
        except OSError:  # it was unplugged
            return
        if not piece:
            return
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
