"""The emulator's rooms on a bad day: each wraps one seam, and fails where an injection says so.

    seam                     wrapped by            what goes wrong there
    the call of a function   `UnreliableRunner`    throttled, slow, crashed, an answer that is none
    a CONNECT's decision     `UnreliableGateway`   a CONNACK that comes late
    a live connection        `Breaker`             the line is cut, another client takes the id over
    the TLS handshake        `show_expired`        a certificate that has expired
    DynamoDB                 `UnreliableTables`    items are throttled

The rooms themselves know nothing of it. What happens here looks to devices and functions as it does on AWS:
the refusal, the close and the error are those of the room, which works on what the wrapper gives it.
"""

from __future__ import annotations

import asyncio
import functools
import json
import ssl
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from iotauth_cli.emulator import inject
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Service, ServiceError
from iotauth_cli.emulator.gateway import Admission, Arrival, Gateway, Refusal
from iotauth_cli.emulator.inject import Injection, Injections
from iotauth_cli.emulator.model import Function, FunctionRunner, Invocation
from iotauth_cli.emulator.mqtt.packets import Connect
from iotauth_cli.emulator.mqtt.session import DisconnectReason

AFTER_CONNACK_S = 1.0  # a client that was let in may subscribe and publish before its connection breaks
TAKEN_OVER = "the same client id connected from somewhere else"
WRONG_ANSWER = b'{"isAuthenticated": "perhaps"}'
ITEM_OPERATIONS = frozenset(
    (
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"),
        *("BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems"),
        *("ExecuteStatement", "BatchExecuteStatement"),
    )
)


class UnreliableRunner:
    """Run functions with *runner*, unless they are to fail."""

    def __init__(self, runner: FunctionRunner, injections: Injections) -> None:
        self._runner = runner
        self._injections = injections

    async def invoke(self, function: Function, payload: bytes, *, limit_s: float | None = None) -> Invocation:
        if not self._injections:
            return await self._runner.invoke(function, payload, limit_s=limit_s)
        take = functools.partial(self._take, client_id_of(payload), function.name)
        if take(inject.FUNCTION_THROTTLED, "was throttled"):
            return Invocation("", b"", throttled=True)
        if take(inject.FUNCTION_CRASH, "crashed"):
            return crashed()
        if take(inject.FUNCTION_WRONG_ANSWER, "gave an answer that AWS IoT does not take"):
            return Invocation(str(uuid.uuid4()), WRONG_ANSWER)
        slow = take(inject.FUNCTION_SLOW, "took its time")
        if slow is None:
            return await self._runner.invoke(function, payload, limit_s=limit_s)
        return await self._invoke_late(slow.delay_s or 0.0, function, payload, limit_s)

    def _take(self, client_id: str | None, name: str, kind: str, what: str) -> Injection | None:
        return self._injections.take(kind, client_id, f"function `{name}` {what}")

    async def _invoke_late(
        self, delay_s: float, function: Function, payload: bytes, limit_s: float | None
    ) -> Invocation:
        """Run the function after *delay_s* of the caller's patience; not at all if that is longer."""
        if limit_s is not None and delay_s >= limit_s:
            await asyncio.sleep(limit_s)
            return Invocation(str(uuid.uuid4()), b"", timed_out=True, duration_s=limit_s)
        await asyncio.sleep(delay_s)
        left_s = None if limit_s is None else limit_s - delay_s
        invocation = await self._runner.invoke(function, payload, limit_s=left_s)
        return replace(invocation, duration_s=invocation.duration_s + delay_s)


class UnreliableGateway(Gateway):
    """A gateway whose answer to a CONNECT may come late, and which tells *on_admitted* of each client it lets in."""

    def __init__(self, injections: Injections, on_admitted: Callable[[], None], *rooms: Any, **settings: Any) -> None:
        super().__init__(*rooms, **settings)
        self._injections = injections
        self._on_admitted = on_admitted

    async def admit(self, arrival: Arrival, connect: Connect) -> Admission | Refusal:
        verdict = await super().admit(arrival, connect)
        if self._injections and isinstance(verdict, Admission):
            late = self._injections.take(inject.CONNACK_DELAY, verdict.client_id, "CONNACK came late")
            if late is not None:
                await asyncio.sleep(late.delay_s or 0.0)
            self._on_admitted()
        return verdict


class Breaker:
    """Break live connections: those that are there when an injection comes, and those that come while it lasts."""

    def __init__(self, injections: Injections, broker: Broker) -> None:
        self._injections = injections
        self._broker = broker

    def strike(self) -> None:
        """Break what is to be broken, the oldest connections first."""
        take = self._injections.take
        links = [client.link for client in self._broker.clients.values() if client.link is not None]
        for link in sorted(links, key=lambda link: link.connected_at):
            client_id = link.admission.client_id
            if take(inject.CONNECTION_CUT, client_id, "the line was cut"):
                link.cut()
            elif take(inject.DUPLICATE_CLIENT_ID, client_id, TAKEN_OVER):
                link.end(DisconnectReason.DUPLICATE_CLIENTID, TAKEN_OVER)

    def strike_soon(self) -> None:
        """Do so when a client that is being let in has had its CONNACK for a moment."""
        asyncio.get_running_loop().call_later(AFTER_CONNACK_S, self.strike)


class UnreliableTables:
    """DynamoDB, or whatever *service* is, whose items are throttled when they are to be."""

    def __init__(self, service: Service, injections: Injections) -> None:
        self.name = service.name
        self._injections = injections
        self.operations: Mapping[str, Handler] = {
            name: functools.partial(self._serve, name, handler) if name in ITEM_OPERATIONS else handler
            for name, handler in service.operations.items()
        }

    def _serve(self, operation: str, handler: Handler, parameters: Parameters, context: Context) -> Any:
        if self._injections.take(inject.DYNAMODB_THROTTLED, None, f"DynamoDB throttled {operation}"):
            raise throttled()
        return handler(parameters, context)


def show_expired(context: ssl.SSLContext, injections: Injections, make_expired: Callable[[], ssl.SSLContext]) -> None:
    """Let TLS handshakes of *context* show the certificate of *make_expired* when they are to.

    Called after whoever looks at server names has set up *context*, whose answer still counts.
    """
    look = context.sni_callback
    expired = functools.cache(make_expired)

    def choose(tls: Any, name: Any, current: ssl.SSLContext) -> int | None:
        if injections.take(inject.CERTIFICATE_EXPIRED, None, "the certificate of the TLS port had expired"):
            tls.context = expired()
        return look(tls, name, current) if look is not None else None

    context.sni_callback = choose


def client_id_of(payload: bytes) -> str | None:
    """Return the client id in an authorizer's event, or None: an HTTP request has none."""
    try:
        event = json.loads(payload)
        client_id = event["protocolData"]["mqtt"]["clientId"]
    except (ValueError, KeyError, TypeError):
        return None
    return client_id if isinstance(client_id, str) else None


def crashed() -> Invocation:
    """Return what Lambda says of a function whose process has ended in the middle of a call."""
    request_id = str(uuid.uuid4())
    message = f"RequestId: {request_id} Error: Runtime exited with error: exit status 1"
    error = {"errorType": "Runtime.ExitError", "errorMessage": message}
    return Invocation(request_id, json.dumps(error).encode(), function_error="Unhandled")


def throttled() -> ServiceError:
    """Return DynamoDB's refusal of an item for a table on demand; boto3 tries again.

    Source: DynamoDB developer guide, "Error handling with DynamoDB".
    """
    return ServiceError("ThrottlingException", "Rate of requests exceeds the allowed throughput.")
