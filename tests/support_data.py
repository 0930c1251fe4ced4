"""A data plane with everything around it faked: authorizers, functions, the clock, the socket.

`Plane` is the real gateway and broker; `Device` an MQTT client whose packets reach them in
memory. So a conformance row runs in a millisecond, and says what was called.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ParamSpec

from iotauth_cli.emulator.attempts import Attempt, AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.ca import Certificates, server_context
from iotauth_cli.emulator.connection import Connection
from iotauth_cli.emulator.control.iot_data.service import IotDataService
from iotauth_cli.emulator.control.router import ControlPlane
from iotauth_cli.emulator.data_http import DataHttp
from iotauth_cli.emulator.gateway import Arrival, Gateway
from iotauth_cli.emulator.iot_log import IotLog
from iotauth_cli.emulator.listener import Listener
from iotauth_cli.emulator.model import Authorizer, Function, Invocation, LogLine
from iotauth_cli.emulator.mqtt.codec import Decoder, encode
from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
    LEVEL_5,
    Connack,
    Connect,
    Packet,
    Properties,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from iotauth_cli.emulator.state import State

ACCOUNT = "123456789012"
REGION = "eu-west-1"
IOT = f"arn:aws:iot:{REGION}:{ACCOUNT}"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:iotauth-doors"
START = 1_800_000_000.0

P = ParamSpec("P")
Document = dict[str, Any]


def in_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an asynchronous test in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        asyncio.run(main())

    return run


async def settle() -> None:
    """Let everything that is ready run, flushes and answers of the fake function included."""
    for _ in range(12):
        await asyncio.sleep(0)


def statement(
    actions: str | list[str],
    resources: str | list[str],
    effect: str = "Allow",
    **others: Any,
) -> Document:
    """One statement; a resource that does not begin with ``arn:`` or ``*`` gets the account's prefix."""
    listed = [resources] if isinstance(resources, str) else resources
    full = [each if each.startswith(("arn:", "*")) else f"{IOT}:{each}" for each in listed]
    return {"Effect": effect, "Action": actions, "Resource": full, **others}


def policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


EVERYTHING = policy(statement("iot:*", "*"))
CONNECT_ONLY = statement("iot:Connect", "*")


def answer(*documents: Document | str, **members: Any) -> Document:
    """An authorizer's answer that lets the client in."""
    return {
        "isAuthenticated": True,
        "principalId": "thermo1",
        "policyDocuments": list(documents) or [EVERYTHING],
        "disconnectAfterInSeconds": 86_400,
        "refreshAfterInSeconds": 86_400,
        **members,
    }


@dataclass
class Authorizers:
    """The directory: by name, and the account's default."""

    named: dict[str, Authorizer] = field(default_factory=dict)
    default_name: str | None = None

    def find(self, name: str) -> Authorizer | None:
        return self.named.get(name)

    def default(self) -> Authorizer | None:
        return None if self.default_name is None else self.find(self.default_name)

    def add(self, name: str = "doors", **members: Any) -> Authorizer:
        plain = Authorizer(name, f"{IOT}:authorizer/{name}", FUNCTION_ARN, is_active=True, signing_disabled=True)
        self.named[name] = replace(plain, **members)
        return self.named[name]


@dataclass
class Functions:
    """Whether the function exists, and the permissions it has: (principal, source ARN, account)."""

    exists: bool = True
    permissions: set[tuple[str, str, str]] = field(default_factory=set)

    def find(self, function_arn: str) -> Function | None:
        if not self.exists or function_arn != FUNCTION_ARN:
            return None
        return Function(FUNCTION_ARN, "iotauth-doors", REGION, "python3.13", "a.b", Path(), "", {}, 3, 128)

    def may_invoke(self, function_arn: str, *, principal: str, source_arn: str, source_account: str) -> bool:
        return (principal, source_arn, source_account) in self.permissions


@dataclass
class Runner:
    """The function: *reply* is what it answers, or makes of the event; *events* what it was given."""

    reply: Any = field(default_factory=answer)
    events: list[dict[str, Any]] = field(default_factory=list)
    limits: list[float | None] = field(default_factory=list)
    ended: Invocation | None = None  # how the call ends instead of with an answer
    gate: asyncio.Event | None = None  # held shut while the function is to take its time

    async def invoke(self, function: Function, payload: bytes, *, limit_s: float | None = None) -> Invocation:
        self.events.append(json.loads(payload))
        self.limits.append(limit_s)
        if self.gate is not None:
            await self.gate.wait()
        if self.ended is not None:
            return self.ended
        reply = self.reply(self.events[-1]) if callable(self.reply) else self.reply
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        return Invocation(f"request-{len(self.events)}", body)


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


def state_in_memory() -> State:
    """State without a file: most tests have nothing to find again."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys=ON")
    return State(Path(), db)


class Plane:
    """Gateway and broker, with an active unsigned authorizer `doors` that lets everybody in."""

    def __init__(self, directory: Path | None = None, **behaviour: Any) -> None:
        self.state = state_in_memory() if directory is None else State.open(directory)
        self.clock = Clock()
        self.attempts = AttemptLog(self.state, self.clock)
        self.authorizers, self.functions, self.runner = Authorizers(), Functions(), Runner()
        self.permit(self.authorizers.add())
        self.behaviour = Behaviour(**behaviour)
        self.log_lines: list[LogLine] = []
        self.iot_log = IotLog(self, account=ACCOUNT, region=REGION, clock=self.clock)
        self.broker = Broker(
            self.state, self.attempts, clock=self.clock, behaviour=self.behaviour, iot_log=self.iot_log
        )
        self.gateway = Gateway(
            self.authorizers,
            self.functions,
            self.runner,
            account=ACCOUNT,
            region=REGION,
            attempts=self.attempts,
            clock=self.clock,
            behaviour=self.behaviour,
        )

        self.api = ControlPlane([IotDataService(self.broker, self.clock, self.behaviour)], any_host=True)
        self.data_http = DataHttp(
            self.gateway,
            self.broker,
            self.attempts,
            self.connection,
            self.api.handle,
            clock=self.clock,
            behaviour=self.behaviour,
        )

    def connection(self, arrival: Arrival) -> Connection:
        return Connection(arrival, self.gateway, self.broker, self.attempts, clock=self.clock, behaviour=self.behaviour)

    def write(self, line: LogLine) -> None:
        """Take a line of AWS IoT's log."""
        self.log_lines.append(line)

    def permit(self, authorizer: Authorizer) -> None:
        self.functions.permissions.add(("iot.amazonaws.com", authorizer.arn, ACCOUNT))

    def lets_in_under(self, *statements: Document) -> None:
        """Answer every client from now on with a policy of Connect and *statements*."""
        self.runner.reply = answer(policy(CONNECT_ONLY, *statements))

    @property
    def last(self) -> Attempt:
        """The newest line of the authorizer log."""
        return self.attempts.recent(1)[0]

    async def advance(self, seconds: float) -> None:
        """Move the emulator's clock, and let what is due happen."""
        self.clock.now += seconds
        self.broker.tick()
        await settle()

    def device(self, arrival: Arrival | None = None) -> Device:
        return Device(self, arrival or Arrival("127.0.0.1", "localhost"))

    async def connected(self, client_id: str = "thermo-1", **members: Any) -> Device:
        """Return a device that was let in."""
        device = self.device()
        await device.connect(client_id, **members)
        assert isinstance(device.received.pop(0), Connack)
        return device

    async def connected_5(self, client_id: str = "thermo-1", **members: Any) -> Device:
        """Return a device of MQTT 5 that was let in."""
        return await self.connected(client_id, level=LEVEL_5, **members)

    def close(self) -> None:
        self.state.close()


class Transport(asyncio.Transport):
    """A socket in memory: what is written is decoded; it can be made to stop taking bytes."""

    def __init__(self, device: Device) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self._device = device
        self._is_reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._device.take(bytes(data))

    def is_closing(self) -> bool:
        return self._device.is_closed

    def close(self) -> None:
        self._device.close()

    def abort(self) -> None:
        self._device.close()

    def is_reading(self) -> bool:
        return self._is_reading

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True


class Device:
    """An MQTT client without a socket. *received* are the packets that came, in order."""

    def __init__(self, plane: Plane, arrival: Arrival) -> None:
        self.connection = plane.connection(arrival)
        self.level = LEVEL_3_1_1
        self.received: list[Packet] = []
        self.writes: list[bytes] = []
        self.is_closed = False
        self.transport = Transport(self)
        self._decoder = Decoder()
        self.connection.connection_made(self.transport)

    def take(self, data: bytes) -> None:
        self.writes.append(data)
        self._decoder.feed(data)
        self.received += self._decoder.packets()

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    async def send(self, *packets: Packet | bytes) -> None:
        """Send *packets* in one piece, and wait until they are handled."""
        data = b"".join(each if isinstance(each, bytes) else encode(each, self.level) for each in packets)
        self.connection.data_received(data)
        await settle()

    async def connect(
        self,
        client_id: str = "thermo-1",
        *,
        username: str | None = "u?x-amz-customauthorizer-name=doors",
        password: bytes | None = b"secret",
        clean: bool = True,
        keep_alive_s: int = 60,
        will: Will | None = None,
        level: int = LEVEL_3_1_1,
        properties: Properties = (),
    ) -> None:
        self.level = self._decoder.level = level
        await self.send(Connect(client_id, clean, keep_alive_s, username, password, will, level, properties))

    async def publish(
        self,
        topic: str,
        payload: bytes = b"21.5",
        qos: int = 0,
        *,
        retain: bool = False,
        properties: Properties = (),
    ) -> None:
        await self.send(Publish(topic, payload, qos, retain, packet_id=7 if qos else None, properties=properties))

    async def subscribe(self, *filters: str, qos: int = 0, **options: Any) -> None:
        """Subscribe, and take the SUBACK out of what was received."""
        await self.send(Subscribe(9, tuple(Subscription(each, qos, **options) for each in filters)))
        self.subacks = [packet for packet in self.received if isinstance(packet, Suback)]
        self.received = [packet for packet in self.received if not isinstance(packet, Suback)]

    async def vanish(self) -> None:
        """Drop the connection without a word, as a device that loses its power."""
        self.close()
        await settle()

    @property
    def messages(self) -> list[tuple[str, bytes]]:
        return [(packet.topic, packet.payload) for packet in self.received if isinstance(packet, Publish)]

    @property
    def pubacks(self) -> list[int]:
        return [packet.packet_id for packet in self.received if isinstance(packet, Puback)]


@contextlib.asynccontextmanager
async def listening(plane: Plane, certificates: Certificates) -> AsyncIterator[Listener]:
    """Serve *plane* on a free port of both loopback addresses."""
    listener = Listener(
        server_context(certificates),
        plane.gateway,
        plane.broker,
        plane.attempts,
        api=plane.api.handle,
        clock=plane.clock,
        behaviour=plane.behaviour,
    )
    await listener.start(0)
    try:
        yield listener
    finally:
        await listener.stop()
        await settle()
