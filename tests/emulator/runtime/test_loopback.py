"""A function stays on this machine, whichever way it tries to leave."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from iotauth_cli.emulator.lambda_runtime.loopback import is_loopback
from support_runtime import function, invoke

ATTEMPT = """
import asyncio, http.client, json, socket, urllib.request
def handler(event, context):
    {statement}
"""


@pytest.mark.parametrize(
    ("statement", "host"),
    [
        ("socket.create_connection(('example.com', 443))", "example.com"),
        ("socket.create_connection(('192.0.2.1', 443))", "192.0.2.1"),
        ("socket.create_connection(('2001:db8::1', 443))", "2001:db8::1"),
        ("socket.socket().connect(('192.0.2.1', 443))", "192.0.2.1"),
        ("socket.socket().connect(('example.com', 443))", "example.com"),
        ("socket.socket().connect_ex(('192.0.2.1', 443))", "192.0.2.1"),
        ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'door', ('192.0.2.1', 53))", "192.0.2.1"),
        ("socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'door'], [], 0, ('192.0.2.1', 53))", "192.0.2.1"),
        ("socket.gethostbyname('example.com')", "example.com"),
        ("socket.getaddrinfo(b'example.com', 80)", "example.com"),
        ("http.client.HTTPConnection('example.com').request('GET', '/')", "example.com"),
        ("urllib.request.urlopen('http://192.0.2.1/')", "192.0.2.1"),
        ("asyncio.run(asyncio.open_connection('192.0.2.1', 443))", "192.0.2.1"),
        ("asyncio.run(asyncio.open_connection('example.com', 443))", "example.com"),
        ("import _socket; _socket.socket().connect(('192.0.2.1', 443))", "192.0.2.1"),
        ("socket.create_connection(('127.0.0.1.example.com', 443))", "127.0.0.1.example.com"),
    ],
)
def test_a_connection_elsewhere_fails_at_once(tmp_path: Path, statement: str, host: str) -> None:
    """The sentence stands in the log with the host's name in it, and in the error; nothing waits for a timeout."""
    invocation, log = invoke(function(tmp_path, ATTEMPT.format(statement=statement)))
    sentence = f"the iotauth emulator keeps functions on this machine: {host} was not reached"
    assert f"[ERROR] {sentence}" in log.messages
    assert sentence in json.loads(invocation.payload)["errorMessage"]
    assert not invocation.timed_out


def test_a_function_may_talk_to_this_machine(tmp_path: Path) -> None:
    """By name and by number, over IPv4, IPv6 and Unix sockets; a service of one's own beside the emulator is usual."""
    source = """
    import socket, threading
    def meet(family, address):
        with socket.socket(family) as server:
            server.bind(address)
            server.listen()
            with socket.socket(family) as client:
                client.connect(server.getsockname())
        return True
    def handler(event, context):
        found = socket.getaddrinfo("localhost", 80) and socket.gethostbyname("localhost")
        met = [meet(socket.AF_INET, ("127.0.0.1", 0)), meet(socket.AF_UNIX, event)]
        return [found, *met, meet(socket.AF_INET6, ("::1", 0)) if socket.has_ipv6 else True]
    """
    invocation, log = invoke(function(tmp_path, textwrap.dedent(source)), json.dumps("door.sock").encode())
    assert json.loads(invocation.payload) == ["127.0.0.1", True, True, True]
    assert not any("was not reached" in message for message in log.messages)


def test_a_module_of_the_functions_own_may_have_the_name_of_ours(tmp_path: Path) -> None:
    """What the runtime loads for itself is out of the function's sight."""
    for name in ("loopback", "aws_sdk"):
        (tmp_path / f"{name}.py").write_text("OWNER = 'function'")
    source = "import loopback, aws_sdk\ndef handler(event, context):\n    return loopback.OWNER, aws_sdk.OWNER\n"
    assert json.loads(invoke(function(tmp_path, source))[0].payload) == ["function", "function"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (None, True),
        ("", True),
        ("localhost", True),
        ("LocalHost.", True),
        ("doors.localhost", True),
        (b"localhost", True),
        ("127.0.0.1", True),
        ("127.255.3.4", True),
        ("127.1", True),
        ("::1", True),
        ("::1%lo", True),
        ("::ffff:127.0.0.1", True),
        ("127.example.com", False),
        ("localhost.example.com", False),
        ("notlocalhost", False),
        ("1270.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        (b"example.com", False),
        ("<broadcast>", False),
    ],
    ids=str,
)
def test_what_this_machine_is(host: object, expected: bool) -> None:
    """Names that look like loopback and are not do not count."""
    assert is_loopback(host) is expected
