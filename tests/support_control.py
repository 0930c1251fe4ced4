"""A control plane on a real port for the tests, served by a thread with its own event loop.

One server lasts for the whole run, so that boto3's clients are made once; each test puts its
own services behind it (`ControlServer.serve`). Services live in the server's thread, where
their SQLite connection was opened: reach them with `ControlServer.call`.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from iotauth_authorizer.event import Answer, ConnectRequest
from iotauth_cli.emulator.attempts import AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.control.iam.service import IamService
from iotauth_cli.emulator.control.iot.domain_store import DomainStore
from iotauth_cli.emulator.control.iot.logging_store import LoggingStore
from iotauth_cli.emulator.control.iot.service import IotService
from iotauth_cli.emulator.control.iot.store import AuthorizerStore
from iotauth_cli.emulator.control.iot_data.service import IotDataService
from iotauth_cli.emulator.control.lambda_.service import LambdaService
from iotauth_cli.emulator.control.logs.service import LogsService
from iotauth_cli.emulator.control.router import ControlPlane
from iotauth_cli.emulator.control.service import Service
from iotauth_cli.emulator.control.sts import StsService
from iotauth_cli.emulator.http import HttpProtocol
from iotauth_cli.emulator.invoker import Invoker
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from iotauth_cli.emulator.model import ACCOUNT, Authorizer, AuthorizerFailure, HttpRequest, HttpResponse
from iotauth_cli.emulator.state import State
from support import require_peer

Value = TypeVar("Value")

REGION = "us-east-1"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
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


class InvokerAsIotSeesIt:
    """The data plane's own way to an authorizer's function, without the gateway around it."""

    def __init__(self, functions: LambdaService, runner: FunctionPool) -> None:
        self._invoker = Invoker(functions, runner, account=ACCOUNT)

    async def invoke(self, authorizer: Authorizer, request: ConnectRequest) -> Answer | AuthorizerFailure:
        return (await self._invoker.ask(authorizer, request)).result


class Control:
    """All services over one state directory, as the emulator puts them together; functions really run."""

    def __init__(self, server: ControlServer, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.behaviour = Behaviour()
        self.open()

    def open(self) -> None:
        self.server.serve(self._build)

    def _build(self) -> Sequence[Service]:
        self.state = State.open(self.directory)
        self.logs = LogsService(self.state)
        self.runner = FunctionPool(self.logs, endpoint_url=self.server.url)
        self.iam = IamService(self.state, behaviour=self.behaviour)
        self.functions = LambdaService(self.state, self.iam, self.runner)
        self.authorizers = AuthorizerStore(self.state)
        invoker = InvokerAsIotSeesIt(self.functions, self.runner)
        self.iot = IotService(
            self.authorizers,
            invoker,
            self.behaviour,
            domains=DomainStore(self.state),
            logging=LoggingStore(self.state),
            may_be_assumed=self.iam.may_be_assumed,
        )
        self.broker = Broker(self.state, AttemptLog(self.state), behaviour=self.behaviour)
        iot_data = IotDataService(self.broker, time.time, self.behaviour)
        return [StsService(self.iam), self.iam, self.logs, self.functions, self.iot, iot_data]

    def close(self) -> None:
        self.server.run(self.runner.close())
        self.server.call(self.logs.flush)
        self.server.call(self.state.close)

    def restart(self) -> None:
        self.close()
        self.open()

    def client(self, service: str, region: str = REGION) -> Any:
        return self.server.client(service, region)

    def role(self, name: str = "iotauth-doors") -> str:
        """Create a role that Lambda may assume and return its ARN."""
        made = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        return str(made["Role"]["Arn"])

    def function(self, source: str, name: str = "doors", **settings: Any) -> str:
        """Create a function from the source of its module ``app`` and return its ARN."""
        made = self.client("lambda").create_function(
            FunctionName=name,
            Runtime=f"python3.{sys.version_info.minor}",
            Role=settings.pop("role", None) or self.role(f"role-of-{name}"),
            Handler="app.handler",
            Code={"ZipFile": zipped({"app.py": source})},
            **settings,
        )
        return str(made["FunctionArn"])


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    """Return the code and the HTTP status of what boto3 raised."""
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def message_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Message"]


def signed(service: str, region: str = REGION) -> dict[str, str]:
    """Return an Authorization header that names *service*, as far as the emulator reads it."""
    scope = f"IOTAUTHEMULATOR/20260101/{region}/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}
