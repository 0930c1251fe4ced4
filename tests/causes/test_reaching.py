"""What is wrong on the way to the port, and in TLS."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

import support_tls
from iotauth_cli.aws.session import Session
from iotauth_cli.operations.connect import Report
from support_broker import accepting, broker, listening, plain_server, server_context
from support_causes import Breakage, World
from support_tls import NOT_YET, OVER, Authority, Span

NOWHERE = "nowhere.example.com"


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def with_resolver(world: World, error: int) -> Report:
    """Knock at a host that this machine's resolver answers with *error*."""
    ask = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host == NOWHERE:
            raise socket.gaierror(error, "by order")
        return ask(host, *rest, **more)

    session = Session(world.place.target._replace(data_host=NOWHERE))
    with mock.patch("socket.getaddrinfo", resolve):
        return world.knock(session=session)


def where_nobody_listens(world: World) -> Report:
    """Knock at the account's own port while nothing listens on it."""
    port = closed_port()
    return world.knock(session=Session(world.place.target._replace(data_port=port)))


@contextlib.contextmanager
def full_port() -> Iterator[int]:
    """Yield a port whose queue is full: the system drops what else knocks, as a firewall does."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def where_a_firewall_is(world: World) -> Report:
    with full_port() as port:
        return world.knock(session=Session(world.place.target._replace(data_port=port)), timeout_s=0.3)


def with_leaf(world: World, *, names: tuple[str, ...] = ("localhost",), span: Span = support_tls.IN_DATE) -> Report:
    with broker(world.authority.leaf(names, span)) as peer:
        return world.at(peer.port)


def with_foreign_root(world: World) -> Report:
    (world.directory / "foreign").mkdir(exist_ok=True)
    return world.knock(ca_file=Authority(world.directory / "foreign", "a third CA").file)


def through_a_proxy_that_opens_tls(world: World) -> Report:
    """What answers has a certificate of its own, which only the proxy's owner trusts."""
    with broker(world.authority.leaf()) as peer:
        return world.knock(port=peer.port)


def with_old_root(world: World) -> Report:
    (world.directory / "old").mkdir(exist_ok=True)
    old = Authority(world.directory / "old", "old CA", OVER)
    with broker(old.leaf()) as peer:
        return world.knock(port=peer.port, ca_file=old.file)


def with_a_clients_certificate(world: World) -> Report:
    """A certificate whose use is another one."""
    with mock.patch.object(ExtendedKeyUsageOID, "SERVER_AUTH", ExtendedKeyUsageOID.CLIENT_AUTH):
        leaf = world.authority.leaf()
    with broker(leaf) as peer:
        return world.at(peer.port)


def at_plain_port(world: World, greeting: bytes | None) -> Report:
    with plain_server(greeting) as port:
        return world.at(port)


def at_mute_port(world: World) -> Report:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        return world.at(mute.getsockname()[1])


def where_the_next_server_is_another(world: World) -> Report:
    """Show a certificate of the right root to the first who connects, and another to the next."""
    (world.directory / "next").mkdir(exist_ok=True)
    leaves = iter([world.authority.leaf(), Authority(world.directory / "next", "the next CA").leaf()])

    def talk(conn: socket.socket) -> None:
        context = server_context(next(leaves))
        with contextlib.suppress(OSError), context.wrap_socket(conn, server_side=True) as tls:
            tls.recv(1)

    with listening() as listener, accepting(listener, talk):
        return world.at(int(listener.getsockname()[1]))


BREAKAGES = (
    Breakage("wrong-endpoint", "a port where nobody listens", lambda world: world.knock(port=1)),
    Breakage("no-such-host", "a name without address", lambda world: with_resolver(world, socket.EAI_NONAME)),
    Breakage("resolver-failed", "no name server", lambda world: with_resolver(world, socket.EAI_AGAIN)),
    Breakage("port-closed", "the emulator is gone", where_nobody_listens),
    Breakage("unreachable", "a firewall drops it", where_a_firewall_is),
    Breakage("foreign-ca", "another root", with_foreign_root),
    Breakage("foreign-ca", "a proxy opens TLS", through_a_proxy_that_opens_tls),
    Breakage("expired-ca", "the root is over", with_old_root),
    Breakage("expired-certificate", "the certificate is over", lambda world: with_leaf(world, span=OVER)),
    Breakage("clock-behind", "it is not valid yet", lambda world: with_leaf(world, span=NOT_YET)),
    Breakage("wrong-host-name", "another name", lambda world: with_leaf(world, names=("doors.example.com",))),
    Breakage("invalid-certificate", "made for a client", with_a_clients_certificate),
    Breakage(
        "not-tls", "a proxy that wants HTTP", lambda world: at_plain_port(world, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    ),
    Breakage("handshake-broken-off", "it hangs up", lambda world: at_plain_port(world, None)),
    Breakage("handshake-unanswered", "it says nothing", at_mute_port),
    Breakage("no-server-name", "no SNI", lambda world: world.knock(mistake="no-sni")),
    Breakage("wrong-server-name", "another SNI", lambda world: world.knock(mistake="wrong-sni")),
)


NEXT_SERVER = Breakage("second-connection-failed", "the next server is another", where_the_next_server_is_another)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_servers_behind_one_name_that_are_not_alike_are_found_out(broken_world: World) -> None:
    """paho leaves the socket of a handshake that failed to the garbage collector, which warns of it."""
    NEXT_SERVER.is_found_out_in(broken_world)


@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
def test_what_keeps_a_device_from_the_port_is_found_out(breakage: Breakage, broken_world: World) -> None:
    """Precisely this is wrong, and precisely this is said."""
    breakage.is_found_out_in(broken_world)
