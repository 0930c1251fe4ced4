"""The world that the tests are in: the emulator, or AWS. They differ in addresses, credentials, the CA and in time.

Everything else goes the same way on both: boto3 for the control plane, TLS to the data endpoint for devices, and
the parity function's table to see what the function was asked.
"""

from __future__ import annotations

import abc
import contextlib
import http.client
import json
import math
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from iotauth_authorizer.grants import ArnScope
from iotauth_cli import token as tokens
from iotauth_cli.aws import iam_actions
from support_parity import function, mqtt
from support_parity.cost import Usage
from support_parity.installation import PREFIX, Installation
from support_parity.pipes import TlsPipe, WebSocketPipe, connect_tls

NAME, SIGNATURE = "x-amz-customauthorizer-name", "x-amz-customauthorizer-signature"
MQTT = ("mqtt",)
CLOSED, SILENCE, ACCEPTED, REFUSED = "closed", "silence", "accepted", "refused"

Value = TypeVar("Value")
Answer = dict[str, Any]


@dataclass
class Device:
    """A client of a test. *mark* is its client id, and that of its events in the parity table."""

    mark: str
    client: mqtt.Client
    code: int | None  # of CONNACK; None: the connection was closed instead
    opened_at: float
    is_unanswered: bool = False  # neither came in time

    @property
    def outcome(self) -> str:
        if self.code is None:
            return SILENCE if self.is_unanswered else CLOSED
        return ACCEPTED if self.code == 0 else f"CONNACK {self.code:#04x}"

    @property
    def verdict(self) -> str:
        """Say whether it was let in; how a refusal looks is another question."""
        return ACCEPTED if self.code == 0 else REFUSED


@dataclass(frozen=True)
class Response:
    status: int
    body: dict[str, Any]
    mark: str = ""


class World(abc.ABC):
    kind: str
    host: str  # the server name that clients send
    address: tuple[str, int]
    mqtt_port: int  # for client certificates, AWS's 8883
    region: str
    account: str
    runtime: str
    quiet_s: float  # how long one waits for what should not come, after a ping's way

    def __init__(self) -> None:
        self.usage = Usage()
        self.rights: set[tuple[str, str]] = set()  # of IAM: actions and resources
        self.prefix = f"{PREFIX}{secrets.token_hex(4)}"
        self.keys = [tokens.load_private_key(tokens.generate(), is_own=True) for _ in range(3)]
        self._order_key = secrets.token_urlsafe(24)
        self._numbers = iter(range(1, 100_000))
        self._devices: list[Device] = []
        self._pipes: list[TlsPipe] = []
        self._clients: dict[str, Any] = {}
        self._retained: set[str] = set()

    @abc.abstractmethod
    def plain_client(self, service: str) -> Any: ...

    @abc.abstractmethod
    def context(self) -> ssl.SSLContext: ...

    @abc.abstractmethod
    def now(self) -> float: ...

    @abc.abstractmethod
    def advance(self, seconds: float, *, pinging: Sequence[Device] = ()) -> None:
        """Let time pass; the devices in *pinging* are heard meanwhile, others are silent."""

    def install(self) -> None:
        where = (self.partition, self.region, self.account)
        self.parts = Installation(self.boto, self.prefix, self._order_key, where, self.runtime, self.advance)
        self.parts.create({f"key{number}": self.public_key(number) for number in (0, 1)})
        # AWS IoT hears of a new authorizer after a moment, and the first call of a function is a slow one.
        first = self.eventually(lambda: self.connect(about="first").outcome, ACCEPTED)
        assert first == ACCEPTED, f"the first device was not let in: {first}"
        self.disconnect_all()

    def remove(self) -> list[str]:
        """Disconnect, forget what was retained, and remove every part; return what stayed."""
        self.disconnect_all()
        stayed = []
        for topic in sorted(self._retained):
            try:
                self.boto("iot-data").publish(topic=topic, qos=1, retain=True, payload=b"")
            except Exception as error:
                stayed.append(f"retained message on {topic}: {error}")
        return stayed + self.parts.remove() if hasattr(self, "parts") else stayed

    def make_client(self, service: str) -> Any:
        """Return a new client of *service*; what it calls is noted in `rights`."""
        made = self.plain_client(service)
        made.meta.events.register_last("before-parameter-build", self._note_rights)
        return made

    def _note_rights(self, params: Any, model: Any, **_: Any) -> None:
        scope = ArnScope(self.partition, self.region, getattr(self, "account", ""))
        service, operation = model.service_model.service_name, model.name
        self.rights.update(
            (each.action, each.resource) for each in iam_actions.rights(service, operation, params, scope)
        )

    @property
    def partition(self) -> str:
        start = self.region.partition("-")[0]
        return "aws-cn" if start == "cn" else "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def boto(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.make_client(service)
        return self._clients[service]

    # What a test needs of its own

    def mark(self, about: str = "") -> str:
        """Return a name that nobody had before: a client id, a topic's start, the key of events."""
        return f"{self.prefix}-{about or 'x'}-{next(self._numbers)}"

    def topic(self, about: str = "t") -> str:
        return f"{self.mark(about)}/a"

    def order(self, mark: str, *answers: Answer) -> str:
        return function.order(self._order_key, mark, list(answers))

    def public_key(self, number: int) -> str:
        return tokens.public_key_pem(self.keys[number])

    # Devices

    def pipe(self, *, alpn: Sequence[str] = MQTT, server_name: str | None = "", port: int | None = None) -> TlsPipe:
        """Return a TLS connection to the data endpoint; an empty *server_name* is the right one, None sends none."""
        context = self.context()
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if server_name != "":
            context.check_hostname = False  # a name of nobody's, or none: the certificate is another's by intent
        address = (self.address[0], port or self.address[1])
        made = connect_tls(address, context, self.host if server_name == "" else server_name)
        self._pipes.append(made)
        return made

    def connect(
        self,
        *answers: Answer,
        about: str = "",
        mark: str = "",
        client_id: str | None = None,
        authorizer: str | None = None,
        username: str | None = None,
        password: bytes | str | None = "",
        level: int = 4,
        pipe: mqtt.Pipe | None = None,
        **options: Any,
    ) -> Device:
        """Knock as a device whose password orders *answers*; with an own *username* or *password*, those count."""
        mark = mark or self.mark(about)
        name = f"u?{NAME}={authorizer or self.parts.name}" if username is None else username
        sent = f"order:{self.order(mark, *answers)}".encode() if password == "" else password
        assert not isinstance(sent, str)
        opened_at = self.now()
        client = mqtt.Client(self.pipe() if pipe is None else pipe, level)
        device = Device(mark, client, None, opened_at)
        self._devices.append(device)
        calls = max(1, len(answers))  # a further answer is for a further call
        self.usage = self.usage.plus(Usage(calls=calls, messages=1, writes=2 * calls))
        try:
            device.code = client.connect(mark if client_id is None else client_id, name or None, sent, **options)
        except TimeoutError:
            device.is_unanswered = True
        return device

    def websocket(self, target: str = "/mqtt", headers: Sequence[tuple[str, str]] = ()) -> WebSocketPipe:
        return WebSocketPipe(self.pipe(alpn=()), self.host, target, headers)

    def publish_over_http(
        self,
        topic: str,
        *answers: Answer,
        authorizer: str | None = None,
        query: str = "qos=1",
        headers: dict[str, str] | None = None,
        method: str = "POST",
        connection: http.client.HTTPSConnection | None = None,
        mark: str = "",
    ) -> Response:
        """Send one HTTPS request to `/topics/…`; *topic* stands there as it is, percent-encoded by the caller."""
        mark = mark or self.mark("http")
        given = {
            NAME: authorizer or self.parts.name,
            "x-parity": f"order:{self.order(mark, *answers)}",
            "content-type": "application/octet-stream",
            **(headers or {}),
        }
        own = connection or self.http_connection()
        self.usage = self.usage.plus(Usage(calls=1, messages=1, writes=2))
        try:
            own.request(method, f"/topics/{topic}?{query}", b"1" if method == "POST" else None, given)
            answer = own.getresponse()
            text = answer.read().decode()
        finally:
            if connection is None:
                own.close()
        with contextlib.suppress(ValueError):
            body = json.loads(text)
            return Response(answer.status, body if isinstance(body, dict) else {"body": body}, mark)
        return Response(answer.status, {"body": text}, mark)

    def http_connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, self.address[1], context=self.context(), timeout=15)

    def will_retain(self, topic: str) -> str:
        """Note that something will be retained on *topic*, to be forgotten at the end; return *topic*."""
        self._retained.add(topic)
        return topic

    def disconnect_all(self) -> None:
        """End the devices of a test, and count what they used."""
        while self._devices:
            device = self._devices.pop()
            minutes = math.ceil(max(self.now() - device.opened_at, 1) / 60) if device.code == 0 else 0
            messages = len(device.client.messages) + device.client.sent
            self.usage = self.usage.plus(Usage(minutes=minutes, messages=messages))
            device.client.leave()
        while self._pipes:
            self._pipes.pop().close()

    # What the function saw

    def events(self, mark: str) -> list[dict[str, Any]]:
        """Return the events that the function was called with under *mark*, in their order."""
        found = self.boto("dynamodb").query(
            TableName=self.prefix,
            KeyConditionExpression="Mark = :mark AND #n > :zero",
            ExpressionAttributeNames={"#n": "Number"},
            ExpressionAttributeValues={":mark": {"S": mark}, ":zero": {"N": "0"}},
            ConsistentRead=True,
        )["Items"]
        self.usage = self.usage.plus(Usage(reads=1))
        return [json.loads(item["Event"]["S"]) for item in found]

    def event(self, mark: str) -> dict[str, Any]:
        (event,) = self.events(mark)
        return event

    def calls(self, mark: str) -> int:
        return len(self.events(mark))

    def invoke(self, *answers: Answer, authorizer: str | None = None, mark: str = "", **request: Any) -> Any:
        """Ask TestInvokeAuthorizer, with an order in the password unless *request* is something else."""
        mark = mark or self.mark("invoke")
        password = f"order:{self.order(mark, *answers)}".encode()
        asked = request or {"mqttContext": {"username": "u", "password": password, "clientId": mark}}
        self.usage = self.usage.plus(Usage(calls=1, writes=2))
        found = self.boto("iot").test_invoke_authorizer(authorizerName=authorizer or self.parts.name, **asked)
        found.pop("ResponseMetadata")
        return found

    # Time

    def eventually(self, look: Callable[[], Value], wanted: Value, wait_s: float = 60.0) -> Value:
        """Return what *look* finds as soon as it is *wanted*: AWS takes a moment to heed a change."""
        ends_at = time.monotonic() + (wait_s if self.kind == "aws" else 2.0)
        while (found := look()) != wanted and time.monotonic() < ends_at:
            time.sleep(1.0 if self.kind == "aws" else 0.05)
        return found

    def seconds_until(self, happened: Callable[[], bool], step_s: float, limit_s: float) -> float | None:
        """Return after how long *happened* was so, to *step_s*; None if not within *limit_s*."""
        began = self.now()
        while not happened():
            if self.now() - began > limit_s:
                return None
            self.advance(step_s)
        return self.now() - began


@dataclass
class Emulator(World):
    """The emulator of *running*, whose clock can be moved."""

    running: Any
    kind: str = field(default="emulator", init=False)
    quiet_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        import sys

        from iotauth_cli.emulator import remote

        super().__init__()
        ready = self.running.ready
        self._remote = remote
        self.host = "localhost"
        self.address = ("127.0.0.1", ready.data_endpoint.port)
        self.mqtt_port = ready.mqtt_port
        self.region, self.runtime = ready.region, f"python3.{sys.version_info.minor}"
        self.account = str(self.make_client("sts").get_caller_identity()["Account"])

    def plain_client(self, service: str) -> Any:
        return self.running.client(service)

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.running.ready.ca_file))

    def now(self) -> float:
        return float(self._remote.ask(self.running.state_dir, "clock")["now"])

    def advance(self, seconds: float, *, pinging: Sequence[Device] = ()) -> None:
        self._remote.tell(self.running.state_dir, "clock/advance", seconds=seconds, pinging=bool(pinging))


@dataclass
class Aws(World):
    """An account, as boto3's *session* finds it."""

    session: Any
    kind: str = field(default="aws", init=False)
    quiet_s: float = field(default=3.0, init=False)
    mqtt_port: int = field(default=8883, init=False)
    runtime: str = field(default="python3.13", init=False)

    def __post_init__(self) -> None:
        super().__init__()
        self.region = str(self.session.region_name)
        self.account = str(self.make_client("sts").get_caller_identity()["Account"])
        found = self.make_client("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
        self.host, self.address = str(found), (str(found), 443)

    def plain_client(self, service: str) -> Any:
        from botocore.config import Config

        address = {"endpoint_url": f"https://{self.host}"} if service == "iot-data" else {}
        return self.session.client(service, config=Config(retries={"mode": "standard", "max_attempts": 8}), **address)

    def context(self) -> ssl.SSLContext:
        from iotauth_cli.device import roots

        return ssl.create_default_context(cadata=roots.amazon_pem())

    def now(self) -> float:
        return time.time()

    def advance(self, seconds: float, *, pinging: Sequence[Device] = ()) -> None:
        ends_at = time.monotonic() + seconds
        while (left_s := ends_at - time.monotonic()) > 0:
            time.sleep(min(left_s, 20))
            for device in pinging:
                with contextlib.suppress(TimeoutError):
                    device.client.ping()
