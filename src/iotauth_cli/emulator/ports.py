"""Ports on loopback: both addresses, nothing wider, and a plain word when one is taken."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

from iotauth_cli.errors import EmulatorError

ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))  # `localhost` may mean either
NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
ATTEMPTS = 20  # to find a number that is free on both addresses, when any will do


def bind(port: int) -> list[socket.socket]:
    """Return sockets that listen on *port* of every loopback address; on a free one if it is 0.

    A machine without IPv6 gives one socket: there, `localhost` cannot mean ::1.

    Raises:
        OSError: the port is taken, or belongs to the system.
    """
    for attempt in range(ATTEMPTS):
        bound: list[socket.socket] = []
        try:
            for family, address in ADDRESSES:
                number = bound[0].getsockname()[1] if bound else port
                bound += _listening(family, address, number)
        except OSError as error:
            for listener in bound:
                listener.close()
            if port or error.errno != errno.EADDRINUSE or attempt == ATTEMPTS - 1:
                raise
        else:
            return bound
    raise AssertionError("the last attempt raises")


def _listening(family: socket.AddressFamily, address: str, port: int) -> list[socket.socket]:
    try:
        return [socket.create_server((address, port), family=family)]
    except OSError as error:
        if family is socket.AF_INET6 and error.errno in NO_IPV6:
            return []
        raise


@contextlib.contextmanager
def explained(port: int, option: str) -> Iterator[None]:
    """Turn the system's refusal to listen on *port*, which *option* chooses, into words."""
    try:
        yield
    except OSError as error:
        choose = f"choose another with `{option}`"
        if error.errno == errno.EADDRINUSE:
            raise EmulatorError(f"port {port} is taken by another program", choose) from error
        if error.errno == errno.EACCES:
            raise EmulatorError(f"port {port} is the system's, and you are not root", choose) from error
        raise EmulatorError(f"cannot listen on port {port}: {error.strerror}", choose) from error
