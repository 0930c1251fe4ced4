"""Clients of the data port's HTTP side, over TLS: curl, openssl and the standard library's."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import subprocess
from urllib.parse import quote

import pytest

from iotauth_cli.emulator.ca import Certificates
from iotauth_cli.token import generate, load_private_key, public_key_pem, sign
from support import require_peer
from support_data import Plane, answer, in_loop, listening, policy, statement

NAME, SIGNATURE = "x-amz-customauthorizer-name", "x-amz-customauthorizer-signature"
KEY = load_private_key(generate(), is_own=True)
TOKEN = "token/with+signs"


@pytest.fixture
def grants_doors(plane: Plane) -> None:
    """Let everybody publish on `doors/a`, and on nothing else."""
    plane.runner.reply = answer(policy(statement("iot:Publish", "topic/doors/a")))


@pytest.fixture
def signed(plane: Plane) -> None:
    """Let `doors` want a signed token."""
    keys = {"key1": public_key_pem(KEY)}
    plane.authorizers.add(signing_disabled=False, token_key_name="tok", token_signing_public_keys=keys)


async def run(program: str, *arguments: str, stdin: bytes = b"") -> str:
    """Run a program beside the event loop that serves it; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        require_peer(program),
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(stdin), 10)
    return output.decode()


class Curl:
    def __init__(self, port: int, certificates: Certificates) -> None:
        self._endpoint = f"https://localhost:{port}"
        self._common = ("--silent", "--cacert", str(certificates.ca_file), "--write-out", "\n%{http_code}\n")

    async def __call__(self, *targets: str, headers: tuple[str, ...] = (), data: str = "21.5") -> list[tuple[int, str]]:
        """POST to each of *targets* over one connection; return statuses and messages."""
        urls = [f"{self._endpoint}{target}" for target in targets]
        given = [part for header in headers for part in ("--header", header)]
        output = await run("curl", *self._common, *given, "--data-binary", data, *urls)
        lines = output.split("\n")[:-1]
        bodies, codes = lines[::2], lines[1::2]
        return [(int(code), json.loads(body)["message"]) for code, body in zip(codes, bodies, strict=True)]


@pytest.mark.usefixtures("grants_doors")
@in_loop
async def test_curl_publishes_with_headers_and_with_a_query(plane: Plane, certificates: Certificates) -> None:
    """200 where it is granted, 403 where it is not; curl offers `h2`, and gets HTTP/1.1."""
    async with listening(plane, certificates) as listener:
        curl = Curl(listener.port, certificates)
        by_header = await curl("/topics/doors%2Fa?qos=1", "/topics/doors/b", headers=(f"{NAME}: doors",))
        by_query = await curl(f"/topics/doors/a?{NAME}=doors", f"/topics/doors/b?{NAME}=doors")
    assert by_header == by_query == [(200, "OK"), (403, "Forbidden")]
    assert plane.runner.events[0]["protocolData"]["tls"] == {"serverName": "localhost"}


@pytest.mark.usefixtures("grants_doors", "signed")
@in_loop
async def test_curl_publishes_with_a_signed_token(plane: Plane, certificates: Certificates) -> None:
    """In headers as it is, in a query percent-encoded; an altered token is refused before the function."""
    signature = sign(TOKEN, KEY)
    async with listening(plane, certificates) as listener:
        curl = Curl(listener.port, certificates)
        credentials = (f"{NAME}: doors", f"tok: {TOKEN}", f"{SIGNATURE}: {signature}")
        assert await curl("/topics/doors/a", headers=credentials) == [(200, "OK")]
        query = f"{NAME}=doors&tok={quote(TOKEN, safe='')}&{SIGNATURE}={quote(signature, safe='')}"
        assert await curl(f"/topics/doors/a?qos=1&{query}") == [(200, "OK")]
        assert [event["token"] for event in plane.runner.events] == [TOKEN, TOKEN]
        altered = (f"{NAME}: doors", f"tok: {TOKEN}x", f"{SIGNATURE}: {signature}")
        assert await curl("/topics/doors/a", headers=altered) == [(403, "Forbidden")]
    assert len(plane.runner.events) == 2


@pytest.mark.usefixtures("grants_doors")
@pytest.mark.parametrize(("enabled", "calls"), [(False, 2), (True, 1)])
@in_loop
async def test_row_110_curl_on_one_connection(
    plane: Plane, certificates: Certificates, enabled: bool, calls: int
) -> None:
    """Two URLs of one command share a connection; the next command has its own."""
    plane.authorizers.add(enable_caching_for_http=enabled)
    async with listening(plane, certificates) as listener:
        curl = Curl(listener.port, certificates)
        assert await curl("/topics/doors/a", "/topics/doors/a", headers=(f"{NAME}: doors",)) == [(200, "OK")] * 2
        assert len(plane.runner.events) == calls
        await curl("/topics/doors/a", headers=(f"{NAME}: doors",))
    assert len(plane.runner.events) == calls + 1


@pytest.mark.usefixtures("grants_doors")
@in_loop
async def test_a_large_upload_is_refused_and_the_next_connection_is_served(
    plane: Plane, certificates: Certificates
) -> None:
    """128 KB and a byte get AWS's form of a 413; two megabytes are not even read."""
    async with listening(plane, certificates) as listener:

        def post(size: int) -> int:
            context = ssl.create_default_context(cafile=str(certificates.ca_file))
            client = http.client.HTTPSConnection("localhost", listener.port, context=context, timeout=5)
            client.request("POST", "/topics/doors/a", b"x" * size, {NAME: "doors"})
            status = client.getresponse().status
            client.close()
            return status

        def sizes() -> list[int]:
            return [post(size) for size in (131_073, 2 * 1024 * 1024, 131_072)]

        assert await asyncio.get_running_loop().run_in_executor(None, sizes) == [413, 413, 200]


@pytest.mark.parametrize(
    ("alpn", "shown"),
    [
        (("-alpn", "mqtt"), "ALPN protocol: mqtt"),
        (("-alpn", "h2,http/1.1"), "ALPN protocol: http/1.1"),
        ((), "No ALPN negotiated"),
    ],
    ids=["mqtt", "http", "none"],
)
@in_loop
async def test_openssl_sees_a_certificate_that_it_trusts(
    plane: Plane, certificates: Certificates, alpn: tuple[str, ...], shown: str
) -> None:
    """`openssl s_client` verifies name and chain, and agrees on the protocol it offered."""
    async with listening(plane, certificates) as listener:
        where = ("-connect", f"localhost:{listener.port}", "-servername", "localhost")
        trust = ("-CAfile", str(certificates.ca_file), "-verify_hostname", "localhost", "-verify_return_error")
        output = await run("openssl", "s_client", *where, *trust, *alpn)
    assert "Verify return code: 0 (ok)" in output
    assert shown in output


@in_loop
async def test_openssl_speaks_http_by_hand(plane: Plane, certificates: Certificates) -> None:
    """A request as a person types it."""
    head = ("POST /topics/a HTTP/1.1", "Host: localhost", f"{NAME}: doors", "Content-Length: 2", "Connection: close")
    typed = "\r\n".join((*head, "", "ok")).encode()
    async with listening(plane, certificates) as listener:
        where = ("-connect", f"localhost:{listener.port}", "-CAfile", str(certificates.ca_file), "-quiet")
        output = await run("openssl", "s_client", *where, stdin=typed)
    assert '{"message":"OK"' in output
