"""HTTPS on the data port: a device publishes with one request, or asks for a WebSocket with MQTT in it.

    POST /topics/<topic>?qos=0|1&retain=true|false
    GET  /mqtt                                       an upgrade

Requests signed with AWS credentials are not a device's: they ask for the iot-data API, or, with the
signature in the query string, for a WebSocket in which an operator watches and speaks.

A WebSocket's credentials may be in its upgrade or in the CONNECT that follows. The function is
called once, at CONNECT, and told of both; only a wrong token signature is refused at the door.

The answers are AWS IoT's: ``{"message":"OK","traceId":…}``, or 403 and ``Forbidden`` for whatever
the authorizer, its signature check or the policy does not allow. A request that is none at all
(method, size, parameters) is refused before its credentials are looked at, so it costs no call of
the function. UNCONFIRMED: AWS IoT may look at the credentials first.
Sources: AWS IoT developer guide, "HTTPS" and "Custom authentication"; the iot-data service model.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from iotauth_cli.emulator import aws_signature
from iotauth_cli.emulator.attempts import REFUSED, Attempt, AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.connection import Connection
from iotauth_cli.emulator.control.iot_data.publishing import TOPICS, Publishing, publish, read_publishing
from iotauth_cli.emulator.control.service import ServiceError
from iotauth_cli.emulator.environment import ACCESS_KEY_ID
from iotauth_cli.emulator.gateway import KEYS, Arrival, Gateway
from iotauth_cli.emulator.http import Handler
from iotauth_cli.emulator.model import HttpRequest, HttpResponse
from iotauth_cli.emulator.websocket import NotAnUpgrade, StreamWebSocket, WebSocket, accept

MQTT_PATH = "/mqtt"
AWS_SIGNATURE = "AWS4-HMAC-SHA256 "  # how an Authorization header with Signature Version 4 begins
REQUEST = "request"  # the check's name in the authorizer log
MAX_BODY_BYTES = 1024 * 1024  # of which AWS IoT takes 128 KB; what is larger is not even read


class DataHttp:
    """Answer the HTTP requests of the data port.

    *connect* makes the MQTT connection of a WebSocket, *api* answers what is signed with AWS credentials.
    """

    def __init__(
        self,
        gateway: Gateway,
        broker: Broker,
        attempts: AttemptLog,
        connect: Callable[[Arrival], Connection],
        api: Handler | None,
        *,
        clock: Callable[[], float],
        behaviour: Behaviour,
    ) -> None:
        self._gateway = gateway
        self._broker = broker
        self._attempts = attempts
        self._connect = connect
        self._api = api
        self._clock = clock
        self._behaviour = behaviour
        self._websockets: set[WebSocket] = set()

    def close(self) -> None:
        """Hang up on every WebSocket; goodbye was said by the broker."""
        for websocket in list(self._websockets):
            websocket.hang_up()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if self._api is not None and (request.header("authorization") or "").startswith(AWS_SIGNATURE):
            return await self._api(request)
        if request.target.startswith(TOPICS):
            return await self._publish(request)
        if request.target.partition("?")[0] == MQTT_PATH:
            return self._upgrade(request)
        return respond(404, "ResourceNotFoundException", "Not Found")

    def _upgrade(self, request: HttpRequest) -> HttpResponse:
        if request.method != "GET":
            return respond(405, "MethodNotAllowedException", f"Method {request.method} is not allowed")
        try:
            headers = accept(request)
        except NotAnUpgrade as error:
            self._attempts.record(Attempt(REFUSED, REQUEST, str(error), peer=request.peer))
            return respond(error.status, "InvalidRequestException", str(error), headers=error.headers)
        ends_at = self._clock() + self._behaviour.websocket_lifetime_s
        arrival = replace(arrival_of(request, ("tls", "http", "mqtt")), ends_at=ends_at)
        if aws_signature.is_signed(request):
            problem = self._problem_with_keys(request)
            if problem is not None:
                self._attempts.record(Attempt(REFUSED, KEYS, problem, peer=request.peer))
                return respond(403, "ForbiddenException", "Forbidden")
            arrival = replace(arrival, access_key=ACCESS_KEY_ID)
        elif self._gateway.check_upgrade(arrival) is not None:
            return respond(403, "ForbiddenException", "Forbidden")
        return HttpResponse(101, headers, upgrade=StreamWebSocket(self._connect(arrival), self._websockets))

    def _problem_with_keys(self, request: HttpRequest) -> str | None:
        if not self._behaviour.aws_keys_may_do_anything:
            return f"the keys of `{ACCESS_KEY_ID}` may not connect"
        # Signers go by the machine's clock, whatever the emulator's says.
        return aws_signature.problem(request, self._gateway.region, time.time())

    async def _publish(self, request: HttpRequest) -> HttpResponse:
        trace_id = str(uuid.uuid4())
        try:
            message = self._read(request)
        except ServiceError as error:
            self._attempts.record(Attempt(REFUSED, REQUEST, error.message, peer=request.peer, connection_id=trace_id))
            return respond(error.status, error.code, error.message, trace_id)
        refusal = await self._gateway.permit(
            arrival_of(request, ("tls", "http")),
            message.topic,
            retain=message.retain,
            trace_id=trace_id,
            connection=request.connection,
        )
        self._broker.iot_log.published_over_http(
            request.peer,
            message.topic,
            allowed=refusal is None,
            trace_id=trace_id,
            principal_id=refusal.principal_id if refusal else None,
        )
        if refusal is not None:
            return respond(self._behaviour.http_forbidden_status, "ForbiddenException", "Forbidden", trace_id)
        publish(self._broker, message)
        return respond(200, None, "OK", trace_id)

    def _read(self, request: HttpRequest) -> Publishing:
        if request.method != "POST":
            message = f"Method {request.method} is not allowed: over HTTPS one can only publish"
            raise ServiceError("MethodNotAllowedException", message, 405)
        return read_publishing(request, self._behaviour.max_payload_bytes)


def arrival_of(request: HttpRequest, protocols: tuple[str, ...]) -> Arrival:
    """Return how the sender of *request* came. Headers of one name are one, as HTTP reads them."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    query = request.target.partition("?")[2]
    return Arrival(
        peer=request.peer,
        server_name=request.server_name,
        protocols=protocols,
        http_headers=tuple(headers.items()),
        query_string=f"?{query}" if query else None,
    )


def respond(
    status: int,
    error: str | None,
    message: str,
    trace_id: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> HttpResponse:
    """Return an answer as AWS IoT words it: a message, and an id by which the log has the request."""
    trace_id = trace_id or str(uuid.uuid4())
    kind = (("x-amzn-errortype", error),) if error is not None else ()
    headers = (*headers, ("content-type", "application/json"), ("x-amzn-requestid", trace_id), *kind)
    body = json.dumps({"message": message, "traceId": trace_id}, separators=(",", ":"))
    return HttpResponse(status, headers, body.encode())
