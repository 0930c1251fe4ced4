"""The TLS port with real sockets: who is let to whom, and who is turned away (rows 38, 39 and 41)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import socket
import ssl
import sys
from asyncio import sslproto

import pytest

from iotauth_cli.emulator.ca import Certificates, server_context
from iotauth_cli.emulator.listener import TLS_BUFFER_BYTES, Listener
from iotauth_cli.emulator.mqtt.codec import encode
from iotauth_cli.emulator.mqtt.packets import Connack, Connect
from support_data import Plane, in_loop, listening

CONNECT = encode(Connect("thermo-1", username="u?x-amz-customauthorizer-name=doors", password=b"secret"))
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def client_context(certificates: Certificates, *alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


async def exchange(
    listener: Listener,
    context: ssl.SSLContext,
    sent: bytes,
    *,
    server_name: str = "localhost",
    host: str = "127.0.0.1",
) -> bytes:
    """Send *sent* over TLS and return what comes until the other side closes."""
    reader, writer = await asyncio.open_connection(host, listener.port, ssl=context, server_hostname=server_name)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()
        await asyncio.sleep(0.01)  # until both sides have seen the end


@in_loop
async def test_alpn_mqtt_leads_to_the_gateway(plane: Plane, certificates: Certificates) -> None:
    """A CONNECT over TLS reaches the function, server name and all."""
    async with listening(plane, certificates) as listener:
        answer = await exchange(listener, client_context(certificates, "mqtt"), CONNECT + b"\xe0\x00")
    assert answer == encode(Connack())
    assert plane.runner.events[0]["protocolData"]["tls"] == {"serverName": "localhost"}


@pytest.mark.parametrize("alpn", [(), ("http/1.1",), ("h2", "http/1.1"), ("h2",)])
@in_loop
async def test_everything_else_leads_to_http(plane: Plane, certificates: Certificates, alpn: tuple[str, ...]) -> None:
    """No ALPN, HTTP's, and what the emulator does not know; h2 is never agreed on."""
    async with listening(plane, certificates) as listener:
        answer = await exchange(listener, client_context(certificates, *alpn), GET)
    assert answer.startswith(b"HTTP/1.1 404 ")


@in_loop
async def test_row_038_mqtt_without_alpn(plane: Plane, certificates: Certificates) -> None:
    """Closed in silence, the function not called; the log says what to offer."""
    async with listening(plane, certificates) as listener:
        assert await exchange(listener, client_context(certificates), CONNECT) == b""
    assert plane.runner.events == []
    assert plane.last.decided_by == "alpn"
    assert plane.last.sentence == "MQTT with no ALPN; the client must offer ALPN `mqtt`"


@in_loop
async def test_row_039_alpn_for_client_certificates(plane: Plane, certificates: Certificates) -> None:
    """Closed before a byte of MQTT is read."""
    async with listening(plane, certificates) as listener:
        assert await exchange(listener, client_context(certificates, "x-amzn-mqtt-ca"), CONNECT) == b""
    assert plane.runner.events == []
    assert (plane.last.decided_by, plane.last.function_called) == ("alpn", False)


@in_loop
async def test_row_041_a_wrong_server_name(plane: Plane, certificates: Certificates) -> None:
    """The handshake ends with an alert, the function is not called, and the log has the name."""
    context = client_context(certificates, "mqtt")
    context.check_hostname = False
    async with listening(plane, certificates) as listener:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await exchange(listener, context, CONNECT, server_name="example.com")
    assert plane.runner.events == []
    assert plane.last.sentence == "no endpoint is called `example.com` (SNI)"


@in_loop
async def test_a_client_by_address_sends_no_name_and_is_let_in(plane: Plane, certificates: Certificates) -> None:
    """On loopback that is common; AWS would refuse it, so the step says so."""
    async with listening(plane, certificates) as listener:
        context = client_context(certificates, "mqtt")
        answer = await exchange(listener, context, CONNECT + b"\xe0\x00", server_name="127.0.0.1")
    assert answer == encode(Connack())
    assert plane.last.steps[0].check == "server-name"
    assert "AWS IoT would refuse" in plane.last.steps[0].sentence


@in_loop
async def test_a_client_without_a_name_is_refused_where_that_is_chosen(certificates: Certificates) -> None:
    """As AWS IoT does."""
    plane = Plane(requires_server_name=True)
    async with listening(plane, certificates) as listener:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await exchange(listener, client_context(certificates, "mqtt"), CONNECT, server_name="127.0.0.1")
    assert plane.last.decided_by == "server-name"
    plane.close()


@in_loop
async def test_both_loopback_addresses_are_listened_on(plane: Plane, certificates: Certificates) -> None:
    """`localhost` may mean either."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with listening(plane, certificates) as listener:
        answer = await exchange(listener, client_context(certificates), GET, host="::1")
    assert answer.startswith(b"HTTP/1.1 404 ")


@in_loop
async def test_without_ipv6_the_other_address_serves(
    plane: Plane, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without `::1` is no reason not to start."""
    create = socket.create_server

    def only_ipv4(address: tuple[str, int], *, family: socket.AddressFamily) -> socket.socket:
        if family is socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        return create(address, family=family)

    monkeypatch.setattr(socket, "create_server", only_ipv4)
    async with listening(plane, certificates) as listener:
        assert (await exchange(listener, client_context(certificates), GET)).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@in_loop
async def test_a_taken_port_is_an_error_and_leaves_nothing_open(
    plane: Plane, certificates: Certificates, host: str
) -> None:
    """Also when it is taken on one address only."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as taken:
        try:
            taken.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        taken.listen()
        port = taken.getsockname()[1]
        listener = Listener(server_context(certificates), plane.gateway, plane.broker, plane.attempts)
        with pytest.raises(OSError, match="in use"):
            await listener.start(port)
        other = "127.0.0.1" if family is socket.AF_INET6 else "::1"
        with pytest.raises(OSError):  # noqa: PT011 (refused, or no such address)
            await asyncio.open_connection(other, port)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio keeps no such buffer before 3.11")
@in_loop
async def test_a_tls_connection_keeps_a_small_buffer(plane: Plane, certificates: Certificates) -> None:
    """16 KiB each instead of 256: a thousand idle devices fit into 64 MB."""
    assert sslproto.SSLProtocol.max_size == TLS_BUFFER_BYTES  # type: ignore[attr-defined]
    async with listening(plane, certificates) as listener:
        context = client_context(certificates, "mqtt")
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=context, server_hostname="localhost")
        tls = writer.transport._ssl_protocol  # type: ignore[attr-defined]
        assert len(tls._ssl_buffer) == TLS_BUFFER_BYTES
        writer.close()
        await writer.wait_closed()


@in_loop
async def test_noise_on_the_port_stops_nobody(plane: Plane, certificates: Certificates) -> None:
    """Random bytes before TLS, and inside it on both sides of ALPN; afterwards a client is served."""
    noise = random.Random(1)
    async with listening(plane, certificates) as listener:
        for round_ in range(30):
            data = noise.randbytes(noise.randrange(1, 400))
            if round_ % 3 == 0:
                _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
                writer.write(data)
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
            else:
                context = client_context(certificates, *["mqtt"][: round_ % 3 - 1])
                start = CONNECT if noise.random() < 0.5 and round_ % 3 == 2 else b""
                with contextlib.suppress(asyncio.TimeoutError, OSError):
                    await asyncio.wait_for(exchange(listener, context, start + data + b"\xff\xff"), 0.05)
        answer = await exchange(listener, client_context(certificates, "mqtt"), CONNECT + b"\xe0\x00")
    assert answer == encode(Connack())
