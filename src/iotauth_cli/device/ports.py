"""A serial port, looked at before anything is built for it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from iotauth_cli.device import failures
from iotauth_cli.errors import IotauthError


def check(port: str) -> None:
    """Make sure that *port* is there, may be opened, and is nobody else's.

    What is no path, `COM3` or `rfc2217://…`, is left to esptool.

    Raises:
        DeviceError: the reason why a board cannot be reached there.
    """
    if os.name != "posix" or "://" in port:
        return
    import fcntl

    try:
        descriptor = os.open(port, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as problem:
        raise explained(port, problem) from problem
    try:
        if not os.isatty(descriptor):
            raise explained(port, OSError(errno.ENOTTY, "Inappropriate ioctl for device"))
        # What pyserial, and with it PlatformIO's monitor and esptool, does to keep others out.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        raise explained(port, problem) from problem
    finally:
        os.close(descriptor)


def explained(port: str, problem: OSError) -> IotauthError:
    said = f"could not open port {port}: [Errno {problem.errno}] {problem.strerror}"
    return failures.explain("the port", said, failures.Asked(port=port))


def identity(port: str) -> tuple[str, int, int]:
    """Return what changes when another board is plugged in at *port*: one that comes back is a new node."""
    with contextlib.suppress(OSError):
        found = Path(port).stat()
        return os.path.realpath(port), found.st_ino, found.st_rdev
    return port, 0, 0
