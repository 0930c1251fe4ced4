"""The way to an open socket: the name, then the port."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from iotauth_cli.probe.stages import Endpoint, Finding, Symptom

Address = tuple[int, Any]  # the address family, and what connect() takes
T = TypeVar("T")

LASTING = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def resolve(endpoint: Endpoint, timeout_s: float) -> tuple[Finding, tuple[Address, ...]]:
    """Ask the resolver for every address of the host."""
    try:
        found = in_time(lambda: socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM), timeout_s)
    except socket.gaierror as error:
        symptom = Symptom.NO_SUCH_HOST if error.errno in LASTING else Symptom.NAME_NOT_RESOLVED
        return Finding({"error": (error.strerror or "unknown").lower()}, symptom), ()
    except UnicodeError:  # a label that is empty or longer than 63 octets cannot even be asked for
        return Finding({"error": "not a host name"}, Symptom.NO_SUCH_HOST), ()
    except TimeoutError:
        return Finding({"error": f"the resolver gave no answer within {timeout_s:g} s"}, Symptom.TIMEOUT), ()
    addresses = tuple(dict.fromkeys((int(family), where) for family, _, _, _, where in found))
    return Finding({"addresses": [str(where[0]) for _, where in addresses]}), addresses


def in_time(work: Callable[[], T], timeout_s: float) -> T:
    """Return what *work* returns, or raise its error, or TimeoutError.

    The C resolver knows neither a time limit nor Ctrl-C; on a thread of its own it can be left behind.
    """
    result: list[T] = []
    problem: list[Exception] = []

    def run() -> None:
        try:
            result.append(work())
        except Exception as error:
            problem.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if problem:
        raise problem[0]
    if not result:
        raise TimeoutError
    return result[0]


@contextmanager
def hanging_up_after(sock: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Hang up on *sock* when *seconds* are over; the event tells that it was done.

    A socket's own time limit begins anew with each read, so whoever talks slowly enough has no end.
    """
    is_over = threading.Event()

    def hang_up() -> None:
        is_over.set()
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # an SSLSocket's own would take its encryption away

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()


def reach(addresses: Sequence[Address], timeout_s: float) -> tuple[Finding, socket.socket | None]:
    """Connect to the first address that answers, as a device would. The caller closes the socket."""
    tried: list[str] = []
    symptoms: list[Symptom] = []
    end = time.monotonic() + timeout_s
    for index, (family, where) in enumerate(addresses):
        share = (end - time.monotonic()) / (len(addresses) - index)  # no address may eat the others' time
        try:
            sock = open_socket(family, where, max(0.05, share))
        except OSError as error:
            symptoms.append(tcp_symptom(error))
            tried.append(f"{where[0]}: {symptoms[-1]}")
        else:
            return Finding({"address": str(where[0]), "port": where[1]}), sock
    # A closed port is the firmest answer of several: some host was there and said no.
    firmest = min(symptoms, key=[Symptom.PORT_CLOSED, Symptom.TIMEOUT, Symptom.UNREACHABLE].index)
    return Finding({"tried": tried}, firmest), None


def open_socket(family: int, where: Any, timeout_s: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        # Behind the handshake's last flight a small request waits 40 ms for the server's delayed acknowledgement,
        # and that time would be told as the server's.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(where)
    except BaseException:
        sock.close()
        raise
    return sock


def tcp_symptom(error: OSError) -> Symptom:
    if isinstance(error, ConnectionRefusedError):
        return Symptom.PORT_CLOSED
    return Symptom.TIMEOUT if isinstance(error, TimeoutError) else Symptom.UNREACHABLE
