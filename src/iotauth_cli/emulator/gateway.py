"""Who may come in: AWS IoT's checks at CONNECT, in AWS IoT's order.

    client id        form, and not AWS's own (`$…`)
    user-name        at most one `?`; what follows are parameters
    domain           the server name's domain configuration, if there is one: ENABLED; it may choose the authorizer
    authorizer       the one named there, or the account's default; it must exist and be ACTIVE
    signature        where signing is on: a token, its signature, one of the authorizer's keys
    permission       the function exists, and its resource policy names AWS IoT and the authorizer
    function         called with the event; 5 seconds
    answer           checked against every limit, its policy documents read
    authentication   `isAuthenticated`
    iot:Connect      on `client/<client id>`, under the returned policy
    iot:Publish      on the will's topic, when there is a will; iot:RetainPublish if it is retained

A WebSocket that is signed with AWS keys is an operator's: after *client id* nothing more is asked.

A message that comes over HTTP has no client id and no user name, so it begins at *domain*; in place
of iot:Connect it needs iot:Publish on its own topic, and iot:RetainPublish if it is retained.

Everything before *function* is settled without calling it: a stranger costs no invocation, and
an owner who finds nothing in the function's log knows that the cause lies further up. Whatever
is not a clear yes is a refusal that names the check which decided.
Sources: AWS IoT developer guide, "Custom authentication" and its troubleshooting page.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from iotauth_authorizer.event import Answer, ConnectRequest
from iotauth_authorizer.grants import MAX_CLIENT_ID_BYTES, ArnScope
from iotauth_cli.emulator.answer_cache import AnswerCache, question
from iotauth_cli.emulator.attempts import (
    ADMITTED,
    CUT_OFF,
    PUBLISHED,
    REFRESHED,
    REFUSED,
    AttemptLog,
)
from iotauth_cli.emulator.aws_signature import EVERYTHING
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control.arns import partition
from iotauth_cli.emulator.invoker import Invoker, function_name, read_document
from iotauth_cli.emulator.model import (
    Authorizer,
    AuthorizerDirectory,
    AuthorizerFailure,
    DomainDirectory,
    FunctionDirectory,
    FunctionRunner,
    no_domains,
)
from iotauth_cli.emulator.mqtt.packets import Connect, Will
from iotauth_cli.emulator.own_faults import way_to
from iotauth_cli.emulator.presented import (
    SIGNATURE,
    Presented,
    presented_at_connect,
    presented_over_http,
    verified_token,
)
from iotauth_cli.emulator.trail import Refused, Trail
from iotauth_cli.policy.context import LAST_WILL, PERSISTENT_CONNECT, Context
from iotauth_cli.policy.evaluate import Evaluator

GENERATED_CLIENT_ID = "$GEN/"  # how AWS IoT names clients that bring no client id

# The checks' names, as the log shows them; `AuthorizerFailure.stage` has the others.
SERVER_NAME = "server-name"
KEYS = "aws-keys"
DOMAIN = "domain"
CLIENT_ID = "client-id"
AUTHORIZER = "authorizer"
FUNCTION = "function"
AUTHENTICATION = "authentication"
CONNECT = "iot:Connect"
PUBLISH = "iot:Publish"
RETAIN_PUBLISH = "iot:RetainPublish"
EMULATOR = "emulator"  # a fault of ours; never an admission

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Arrival:
    """How a client came to the door. The HTTP members are those of a WebSocket's upgrade."""

    peer: str
    server_name: str | None = None
    protocols: tuple[str, ...] = ("tls", "mqtt")
    http_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query_string: str | None = field(default=None, repr=False)
    ends_at: float = float("inf")  # when AWS IoT ends what carries the client, a WebSocket (the emulator's seconds)
    access_key: str | None = (
        None  # the AWS keys that opened the WebSocket: an operator, for whom no authorizer is asked
    )


@dataclass(frozen=True)
class Admission:
    """A client that is in: who it is, under which policy, and until when (the emulator's seconds)."""

    client_id: str
    connection_id: str
    authorizer: str
    principal_id: str
    policy: Evaluator
    scope: ArnScope
    disconnect_at: float
    refresh_at: float
    arrival: Arrival
    connect: Connect
    policy_documents: tuple[str, ...] = ()  # what *policy* was compiled from, for people to read


@dataclass(frozen=True)
class Refusal:
    """*principal_id* is known when the authorizer named one and a later check refused."""

    check: str
    sentence: str
    connection_id: str = ""
    principal_id: str | None = None


class Gateway:
    """Ask the authorizer for each connection; also the `AuthorizerInvoker` of the control plane."""

    def __init__(
        self,
        authorizers: AuthorizerDirectory,
        functions: FunctionDirectory,
        runner: FunctionRunner,
        *,
        account: str,
        region: str,
        attempts: AttemptLog,
        clock: Callable[[], float] = time.time,
        behaviour: Behaviour | None = None,
        domain: DomainDirectory = no_domains,
    ) -> None:
        self._authorizers = authorizers
        self._domain = domain
        self._scope = ArnScope(partition(region), region, account)
        self._attempts = attempts
        self._clock = clock
        self._kept_answers = AnswerCache()
        self._behaviour = behaviour or Behaviour()
        self._invoker = Invoker(functions, runner, account=account, behaviour=self._behaviour)

    @property
    def region(self) -> str:
        return self._scope.region

    async def admit(self, arrival: Arrival, connect: Connect) -> Admission | Refusal:
        """Decide on a CONNECT, and write down how. Never raises, and never admits by mistake."""
        trail = Trail(arrival.peer, str(uuid.uuid4()))
        verdict = await _settled(trail, self._admission(trail, arrival, connect))
        if isinstance(verdict, Admission):
            self._attempts.record(trail.attempt(ADMITTED, verdict.client_id))
        else:
            self._attempts.record(trail.attempt(REFUSED, connect.client_id or None))
        return verdict

    async def refresh(self, admission: Admission) -> Admission | Refusal:
        """Decide again with the same credentials. The cut-off that was set at CONNECT stays."""
        trail = Trail(admission.arrival.peer, admission.connection_id)
        work = self._admission(trail, admission.arrival, admission.connect, refreshed=admission)
        verdict = await _settled(trail, work)
        is_admitted = isinstance(verdict, Admission)
        self._attempts.record(trail.attempt(REFRESHED if is_admitted else CUT_OFF, admission.client_id))
        if isinstance(verdict, Admission):
            return replace(verdict, disconnect_at=admission.disconnect_at)
        return verdict

    def check_upgrade(self, arrival: Arrival) -> Refusal | None:
        """Refuse a WebSocket whose upgrade brings a signature that is wrong; None leaves the rest to CONNECT."""
        presented = presented_over_http(arrival.http_headers, arrival.query_string)
        if presented.signature is None or not self._behaviour.refuses_signature_in_upgrade:
            return None
        trail = Trail(arrival.peer, str(uuid.uuid4()))
        try:
            authorizer = self._authorizer(trail, arrival, presented)
            if authorizer.token_key_name and presented.get(authorizer.token_key_name):
                verified_token(trail, authorizer, presented)
        except Refused as refused:
            if refused.check == SIGNATURE:
                self._attempts.record(trail.attempt(REFUSED))
                return Refusal(refused.check, refused.sentence)
        return None

    async def permit(
        self, arrival: Arrival, topic: str, *, retain: bool, trace_id: str, connection: str = ""
    ) -> Refusal | None:
        """Decide on a message that came over HTTP, and write down how; None lets it pass.

        *trace_id* is its connection id for the function and in the log; *connection* names the
        kept-alive connection that it came on.
        """
        trail = Trail(arrival.peer, trace_id)
        verdict = await _settled(trail, self._permission(trail, arrival, topic, retain, connection))
        self._attempts.record(trail.attempt(PUBLISHED if verdict is None else REFUSED))
        return verdict

    async def invoke(self, authorizer: Authorizer, request: ConnectRequest) -> Answer | AuthorizerFailure:
        """Ask *authorizer*'s function; the signature is the caller's to verify before."""
        return (await self._invoker.ask(authorizer, request)).result

    async def _admission(
        self, trail: Trail, arrival: Arrival, connect: Connect, refreshed: Admission | None = None
    ) -> Admission:
        """Go through the checks in the order of the module's docstring."""
        _note_server_name(trail, arrival)
        client_id = refreshed.client_id if refreshed else _client_id(trail, connect)
        if arrival.access_key is not None:
            return self._operator(trail, arrival, connect, client_id)
        presented = presented_at_connect(trail, connect, arrival.http_headers, arrival.query_string)
        authorizer = self._authorizer(trail, arrival, presented)
        token, is_verified = verified_token(trail, authorizer, presented)
        request = _request(trail, arrival, connect, token, is_verified)
        answer = await self._answer(trail, authorizer, request)
        policy = self._policy(trail, answer, arrival, connect, client_id, is_refresh=refreshed is not None)
        now = self._clock()
        return Admission(
            client_id=client_id,
            connection_id=trail.connection_id,
            authorizer=authorizer.name,
            principal_id=answer.principal_id,
            policy=policy,
            scope=self._scope,
            disconnect_at=now + answer.disconnect_after_s,
            refresh_at=now + answer.refresh_after_s,
            arrival=arrival,
            connect=connect,
            policy_documents=answer.policy_documents,
        )

    def _operator(self, trail: Trail, arrival: Arrival, connect: Connect, client_id: str) -> Admission:
        """Let in whoever has the emulator's own AWS keys, for as long as the WebSocket lasts."""
        trail.principal_id = arrival.access_key
        trail.passed(KEYS, f"the WebSocket is signed with the AWS keys `{arrival.access_key}`; no authorizer is asked")
        return Admission(
            client_id=client_id,
            connection_id=trail.connection_id,
            authorizer="",
            principal_id=arrival.access_key or "",
            policy=Evaluator([read_document(EVERYTHING)], self._context(arrival, connect, client_id)),
            scope=self._scope,
            disconnect_at=arrival.ends_at,
            refresh_at=arrival.ends_at,
            arrival=arrival,
            connect=connect,
            policy_documents=(EVERYTHING,),
        )

    async def _permission(self, trail: Trail, arrival: Arrival, topic: str, retain: bool, connection: str) -> None:
        _note_server_name(trail, arrival)
        presented = presented_over_http(arrival.http_headers, arrival.query_string)
        authorizer = self._authorizer(trail, arrival, presented)
        token, is_verified = verified_token(trail, authorizer, presented)
        request = _request(trail, arrival, None, token, is_verified)
        answer = await self._kept_answer(trail, authorizer, request, connection)
        # No client id, so `${iot:ClientId}` has no value and no resource with it matches.
        policy = _evaluator(answer, Context(source_ip=arrival.peer, domain_name=arrival.server_name))
        if self._behaviour.http_needs_connect:
            _require(trail, policy, CONNECT, self._scope.client(""))  # there is none: only `client/*` matches
        for action in (PUBLISH, RETAIN_PUBLISH) if retain else (PUBLISH,):
            _require(trail, policy, action, self._scope.topic(topic))

    async def _kept_answer(
        self, trail: Trail, authorizer: Authorizer, request: ConnectRequest, connection: str
    ) -> Answer:
        """Return the function's answer, or the one that this connection got before (`enableCachingForHttp`)."""
        if not authorizer.enable_caching_for_http:
            return await self._answer(trail, authorizer, request)
        asked = question(authorizer, request)
        answer = self._kept_answers.find(connection, asked, self._clock())
        if answer is not None:
            trail.passed(FUNCTION, "an earlier request on this connection brought an answer that still counts")
            return answer
        answer = await self._answer(trail, authorizer, request)
        self._kept_answers.keep(connection, asked, answer, self._clock())
        return answer

    def _authorizer(self, trail: Trail, arrival: Arrival, presented: Presented) -> Authorizer:
        name = self._authorizer_of_domain(trail, arrival, presented) or presented.authorizer_name
        authorizer = self._authorizers.default() if name is None else self._authorizers.find(name)
        if authorizer is None:
            who = "request" if presented.http else "user name"
            trail.refuse(
                AUTHORIZER,
                f"the {who} names no authorizer, and the account has no default"
                if name is None
                else f"there is no authorizer `{name[:128]}`",
            )
        trail.authorizer = authorizer.name
        if not authorizer.is_active:
            trail.refuse(AUTHORIZER, f"authorizer `{authorizer.name}` is not ACTIVE")
        trail.passed(AUTHORIZER, f"authorizer `{authorizer.name}`{' (the default)' if name is None else ''}")
        return authorizer

    def _authorizer_of_domain(self, trail: Trail, arrival: Arrival, presented: Presented) -> str | None:
        """Return the authorizer that the client's domain configuration chooses; None leaves it to the client."""
        domain = self._domain(arrival.server_name)
        if domain is not None and not domain.is_enabled:
            trail.refuse(DOMAIN, f"domain configuration `{domain.name}` is DISABLED")
        if domain is None or domain.default_authorizer is None:
            return None
        if presented.authorizer_name is None:
            trail.passed(DOMAIN, f"domain configuration `{domain.name}` has a default authorizer")
        elif domain.allows_override:
            return None
        else:
            trail.passed(DOMAIN, f"domain configuration `{domain.name}` lets no client name its authorizer")
        return domain.default_authorizer

    async def _answer(self, trail: Trail, authorizer: Authorizer, request: ConnectRequest) -> Answer:
        call = await self._invoker.ask(authorizer, request)
        trail.request_id = call.request_id
        result, function = call.result, function_name(authorizer.function_arn)
        if isinstance(result, AuthorizerFailure):
            trail.refuse(result.stage, result.sentence)
        trail.passed(FUNCTION, f"function `{function}` answered as AWS IoT expects")
        if not result.is_authenticated:
            trail.refuse(AUTHENTICATION, f"function `{function}` answered `isAuthenticated: false`")
        trail.principal_id = result.principal_id
        trail.passed(AUTHENTICATION, f"principal `{result.principal_id}`")
        return result

    def _policy(
        self, trail: Trail, answer: Answer, arrival: Arrival, connect: Connect, client_id: str, *, is_refresh: bool
    ) -> Evaluator:
        policy = _evaluator(answer, self._context(arrival, connect, client_id))
        if not is_refresh or self._behaviour.refresh_checks_connect:
            _require(trail, policy, CONNECT, self._scope.client(client_id))
        if connect.will is not None and not is_refresh:
            self._check_will(trail, policy, connect.will)
        return policy

    def _check_will(self, trail: Trail, policy: Evaluator, will: Will) -> None:
        for action in (PUBLISH, RETAIN_PUBLISH) if will.retain else (PUBLISH,):
            _require(trail, policy, action, self._scope.topic(will.topic))

    def _context(self, arrival: Arrival, connect: Connect, client_id: str) -> Context:
        attributes = {PERSISTENT_CONNECT: not connect.clean_start, LAST_WILL: connect.will is not None}
        return Context(
            client_id=client_id,
            source_ip=arrival.peer,
            domain_name=arrival.server_name,
            connect_attributes=tuple(name for name, applies in attributes.items() if applies),
            last_will_topic=self._scope.topic(connect.will.topic) if connect.will else None,
        )


async def _settled(trail: Trail, work: Awaitable[T]) -> T | Refusal:
    """Return what *work* decides. A check that says no is a refusal, and so is a fault of ours."""
    try:
        return await work
    except Refused as refused:
        return Refusal(refused.check, refused.sentence, trail.connection_id, trail.principal_id)
    except Exception as error:
        log.error("the decision on connection %s failed: %s", trail.connection_id, way_to(error))
        sentence = "the emulator failed while it decided; its log has the cause"
        refusal = Refusal(EMULATOR, sentence, trail.connection_id, trail.principal_id)
        trail.failed(refusal.check, refusal.sentence)
        return refusal


def _note_server_name(trail: Trail, arrival: Arrival) -> None:
    # The TLS port turns wrong names away; none at all is usual on loopback, where clients use addresses.
    if arrival.server_name is None:
        trail.passed(SERVER_NAME, "no server name (SNI) was sent; AWS IoT would refuse the client")


def _client_id(trail: Trail, connect: Connect) -> str:
    client_id = connect.client_id
    if not client_id:
        return f"{GENERATED_CLIENT_ID}{trail.connection_id}"
    if client_id.startswith("$"):
        trail.refuse(CLIENT_ID, f"client id `{client_id}` begins with `$`, which is reserved for AWS IoT")
    if len(client_id.encode()) > MAX_CLIENT_ID_BYTES:
        size = len(client_id.encode())
        trail.refuse(CLIENT_ID, f"a client id of {size} bytes; the limit is {MAX_CLIENT_ID_BYTES}")
    trail.passed(CLIENT_ID, f"client id `{client_id}`")
    return client_id


def _request(
    trail: Trail, arrival: Arrival, connect: Connect | None, token: str | None, is_verified: bool
) -> ConnectRequest:
    """Return what the function is told; over HTTP there is no CONNECT, and nothing of one."""
    request = ConnectRequest(
        protocols=arrival.protocols,
        connection_id=trail.connection_id,
        token=token,
        signature_verified=is_verified,
        server_name=arrival.server_name,
        http_headers=dict(arrival.http_headers),
        query_string=arrival.query_string,
    )
    if connect is None:
        return request
    return request._replace(client_id=connect.client_id or None, username=connect.username, password=connect.password)


def _evaluator(answer: Answer, context: Context) -> Evaluator:
    return Evaluator([read_document(text) for text in answer.policy_documents], context)


def _require(trail: Trail, policy: Evaluator, action: str, resource: str) -> None:
    decision = policy.decide(action, resource)
    if not decision.allowed:
        trail.refuse(action, decision.because)
    trail.passed(action, decision.because)
