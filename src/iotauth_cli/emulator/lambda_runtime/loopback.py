"""Keeps a function on this machine: what it sends elsewhere fails at once, with a sentence in its log.

A function in the emulator is often somebody else's, written for an account with real devices in it. Python
reports every connection and every name that is looked up to an audit hook, the SDK's, urllib3's and asyncio's
alike, and a hook cannot be taken away again. It is a guard against accidents and no prison: a program that
the function starts, and a library with sockets of its own beside Python's, are not seen.

This file runs in the function's process, like `client`, and keeps to the same rules.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

INTERNET = (socket.AF_INET, socket.AF_INET6)
LOCAL_NAMES = ("", "localhost", "::1", "0.0.0.0", "::")  # the unspecified ones lead to this machine too
STDERR = 2  # not sys.stderr: the function may have put anything in its place


def stay() -> None:
    """Refuse, from now on and for good, whatever leaves loopback."""
    sys.addaudithook(_check)
    for name in ("connect", "connect_ex"):
        # The hook hears of a name in an address when it has been looked up, elsewhere.
        setattr(socket.socket, name, _checked_first(getattr(socket.socket, name)))


def is_loopback(host: object) -> bool:
    """Tell whether *host*, a name or an address as the socket module takes it, is this machine's own."""
    if host is None:
        return True
    text = host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else str(host)
    name = text.lower().partition("%")[0].rstrip(".")
    numbers = name.removeprefix("::ffff:").split(".")
    is_network_127 = numbers[0] == "127" and all(number.isdigit() for number in numbers)  # no name: 127.example.com
    return name in LOCAL_NAMES or name.endswith(".localhost") or is_network_127


def _checked_first(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    @functools.wraps(connect)
    def checked(self: socket.socket, address: Any) -> Any:
        _check_connection(self, address)
        return connect(self, address)

    return checked


def _check(event: str, arguments: tuple[object, ...]) -> None:
    check = CHECKS.get(event)
    if check is not None:
        check(*arguments)


def _check_connection(connection: socket.socket, address: object) -> None:
    if connection.family in INTERNET and isinstance(address, tuple) and not is_loopback(address[0]):
        raise OSError(errno.ENETUNREACH, _refusal(address[0]))


def _check_name(host: object, *_: object) -> None:
    if not is_loopback(host):
        raise socket.gaierror(socket.EAI_NONAME, _refusal(host))


def _refusal(host: object) -> str:
    """Write the sentence to the log and return it."""
    sentence = f"the iotauth emulator keeps functions on this machine: {_shown(host)} was not reached"
    os.write(STDERR, f"[ERROR] {sentence}\n".encode("utf-8", "backslashreplace"))
    return sentence


def _shown(host: object) -> str:
    return host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else str(host)


# Source: Python documentation, "Audit events table".
CHECKS: dict[str, Callable[..., None]] = {
    "socket.connect": _check_connection,
    "socket.sendto": _check_connection,
    "socket.sendmsg": _check_connection,
    "socket.getaddrinfo": _check_name,
    "socket.gethostbyname": _check_name,
    "socket.gethostbyaddr": _check_name,
}
