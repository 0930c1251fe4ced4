"""The words that the emulator's rooms share: requests, authorizers, domains, functions, connections.

Only plain values live here. Whoever owns a thing (`control.iot` authorizers and domains,
`control.lambda_` functions, the broker connections) hands these out; whoever needs one asks through the
protocols at the end of the file, so that no room imports another's storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from iotauth_authorizer.event import Answer, ConnectRequest

ACCOUNT = "123456789012"  # AWS's own placeholder; the emulator has one account
DEFAULT_REGION = "us-east-1"
DEFAULT_PROTOCOL = "DEFAULT"


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request, whole. *target* is the raw path with its query; header names are lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    connection: str = ""  # the same text for every request of one kept-alive connection
    peer: str = ""  # the client's address
    server_name: str | None = None  # what TLS was asked for (SNI)

    def header(self, name: str) -> str | None:
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)


@dataclass(frozen=True)
class HttpResponse:
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    upgrade: asyncio.Protocol | None = None  # with status 101: who has the connection from then on


@dataclass(frozen=True)
class Authorizer:
    """What the data plane needs of an authorizer resource."""

    name: str
    arn: str
    function_arn: str
    is_active: bool
    signing_disabled: bool
    token_key_name: str | None = None
    token_signing_public_keys: Mapping[str, str] = field(default_factory=dict)
    enable_caching_for_http: bool = False


@dataclass(frozen=True)
class Domain:
    """What the data plane needs of a domain configuration: the rules for clients that come by its name.

    *default_authorizer* is asked when a client names none, or may not choose. *protocol* is ``SECURE_MQTT``,
    ``MQTT_WSS`` or ``HTTPS``, and then the only one; or `DEFAULT_PROTOCOL`: ALPN decides.
    """

    name: str
    is_enabled: bool
    default_authorizer: str | None
    allows_override: bool
    protocol: str


@dataclass(frozen=True)
class Function:
    """A deployed function, ready to run: its code lies unpacked in *code_directory*."""

    arn: str
    name: str
    region: str
    runtime: str  # "python3.13"
    handler: str  # "package.module.function"
    code_directory: Path
    code_sha256: str
    environment: Mapping[str, str]
    timeout_s: int
    memory_mb: int
    version: str = "$LATEST"
    reserved_concurrency: int | None = None  # 0: whoever calls it is throttled


@dataclass(frozen=True)
class Invocation:
    """How one call of a function ended.

    *function_error* is Lambda's word (``Unhandled``) or None; *payload* is then the error JSON.
    """

    request_id: str
    payload: bytes
    function_error: str | None = None
    timed_out: bool = False
    throttled: bool = False  # Lambda turned the call away: nothing ran
    duration_s: float = 0.0
    log_tail: str = ""


@dataclass(frozen=True)
class LogLine:
    """A line for CloudWatch Logs. *timestamp_ms* is epoch milliseconds."""

    group: str
    stream: str
    region: str
    timestamp_ms: int
    message: str


@dataclass(frozen=True)
class ConnectionInfo:
    """A live MQTT connection, for people and APIs to look at. Times are the emulator's seconds.

    *subscriptions* are topic filters with their QoS, *policy_documents* the JSON texts in force.
    """

    client_id: str
    connection_id: str
    principal_id: str
    authorizer: str
    peer: str
    protocol: str  # "MQTT 3.1.1" or "MQTT 5"
    transports: tuple[str, ...]  # as the authorizer's event names them: ("tls", "mqtt")
    connected_at: float
    keep_alive_s: int  # as the broker counts it, not as the client asked
    session_expiry_s: int  # how long its session outlives the connection; 0 not at all
    refresh_at: float
    disconnect_at: float
    subscriptions: tuple[tuple[str, int], ...]
    policy_documents: tuple[str, ...]


@dataclass(frozen=True)
class MessageSeen:
    """A message on its way through the broker. *client_id* is its publisher's; None: the service's own."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    client_id: str | None
    at: float


class AuthorizerDirectory(Protocol):
    def find(self, name: str) -> Authorizer | None: ...

    def default(self) -> Authorizer | None: ...


class DomainDirectory(Protocol):
    def __call__(self, server_name: str | None, /) -> Domain | None:
        """Return the domain configuration that *server_name* (SNI) belongs to, or None for the endpoint's own."""


def no_domains(server_name: str | None) -> Domain | None:
    """A `DomainDirectory` without entries."""
    return None


class FunctionDirectory(Protocol):
    def find(self, function_arn: str) -> Function | None:
        """Return the function that an ARN (qualified or not) names, or None."""

    def may_invoke(self, function_arn: str, *, principal: str, source_arn: str, source_account: str) -> bool:
        """Tell whether the function's resource policy lets *principal* call it for *source_arn*."""


class FunctionRunner(Protocol):
    async def invoke(self, function: Function, payload: bytes, *, limit_s: float | None = None) -> Invocation:
        """Run *function* once; never raises for anything the function does.

        *limit_s* is the caller's patience (AWS IoT: 5 s), beside the function's own timeout.
        """


class LogSink(Protocol):
    def write(self, line: LogLine) -> None: ...


@dataclass(frozen=True)
class AuthorizerFailure:
    """Why an authorizer gave no answer that AWS IoT would accept.

    *stage* says how far it came: ``permission`` (the resource policy does not let AWS IoT call),
    ``function-missing``, ``throttled``, ``function-error``, ``timeout``, ``answer`` or ``signature``.
    *sentence* says it to a person; *log_tail* is what the function printed, if it ran.
    """

    stage: str
    sentence: str
    log_tail: str = ""


class AuthorizerInvoker(Protocol):
    async def invoke(self, authorizer: Authorizer, request: ConnectRequest) -> Answer | AuthorizerFailure:
        """Ask the authorizer's function, as AWS IoT does: permission, 5 s, and a check of the answer.

        The signature is the caller's to verify before.
        """
