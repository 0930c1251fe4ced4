"""A control plane on a real port for the tests, served by a thread with its own event loop.

One server lasts for the whole run, so that boto3's clients are made once; each test puts its
own services behind it (`ControlServer.serve`). Services live in the server's thread, where
their SQLite connection was opened: reach them with `ControlServer.call`.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from iotauth_cli.emulator.control.router import ControlPlane
from iotauth_cli.emulator.control.service import Service
from iotauth_cli.emulator.http import HttpProtocol
from iotauth_cli.emulator.model import ACCOUNT, HttpRequest, HttpResponse
from support import require_peer

Value = TypeVar("Value")

REGION = "us-east-1"
ACCESS_KEY, SECRET_KEY = "IOTAUTHEMULATOR", "emulator"


class ControlServer:
    def __init__(self) -> None:
        self.logged: list[str] = []
        self._plane = ControlPlane([])
        self._connections: set[HttpProtocol] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener = self.run(self._listen())
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def port(self) -> int:
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, build: Callable[[], Sequence[Service]]) -> None:
        """Build services in the server's thread and put them behind the port."""
        self.logged.clear()
        self._plane = ControlPlane(self.call(build), ACCOUNT, self.logged.append)

    def call(self, function: Callable[[], Value]) -> Value:
        """Run *function* in the server's thread."""

        async def run() -> Value:
            return function()

        return self.run(run())

    def run(self, coroutine: Coroutine[Any, Any, Value]) -> Value:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def client(self, service: str, region: str = REGION) -> Any:
        """Return boto3's client for *service*; it does not repeat a failed call."""
        key = (service, region)
        if key not in self._clients:
            config = Config(retries={"total_max_attempts": 1})
            session = boto3.session.Session(ACCESS_KEY, SECRET_KEY, region_name=region)
            self._clients[key] = session.client(service, endpoint_url=self.url, config=config)  # type: ignore[call-overload]
        return self._clients[key]

    def send(
        self, method: str, target: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a hand-written request; return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def aws(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the AWS CLI against this server."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_PAGER": "",
        }
        command = [require_peer("aws"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.run(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(self._protocol, "127.0.0.1", 0)

    def _protocol(self) -> HttpProtocol:
        return HttpProtocol(self._handle, open_connections=self._connections)

    def _handle(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        return self._plane.handle(request)

    async def _shut(self) -> None:
        self._listener.close()
        for connection in list(self._connections):
            connection.close()
        while self._connections:
            await asyncio.sleep(0.01)


def signed(service: str, region: str = REGION) -> dict[str, str]:
    """Return an Authorization header that names *service*, as far as the emulator reads it."""
    scope = f"IOTAUTHEMULATOR/20260101/{region}/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}
