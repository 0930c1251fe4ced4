"""Who may come in: AWS IoT's checks at CONNECT, in AWS IoT's order.

    client id        form, and not AWS's own (`$…`)
    user-name        at most one `?`; what follows are parameters
    authorizer       the one named there, or the account's default; it must exist and be ACTIVE
    signature        where signing is on: a token, its signature, one of the authorizer's keys
    permission       the function exists, and its resource policy names AWS IoT and the authorizer
    function         called with the event; 5 seconds
    answer           checked against every limit, its policy documents read
    authentication   `isAuthenticated`
    iot:Connect      on `client/<client id>`, under the returned policy
    iot:Publish      on the will's topic, when there is a will; iot:RetainPublish if it is retained

Everything before *function* is settled without calling it: a stranger costs no invocation, and
an owner who finds nothing in the function's log knows that the cause lies further up. Whatever
is not a clear yes is a refusal that names the check which decided.
Sources: AWS IoT developer guide, "Custom authentication" and its troubleshooting page.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

from iotauth_authorizer.event import Answer, ConnectRequest
from iotauth_authorizer.grants import MAX_CLIENT_ID_BYTES, ArnScope
from iotauth_authorizer.username import MalformedUsername, Username
from iotauth_authorizer.username import parse as parse_username
from iotauth_cli.emulator.attempts import ADMITTED, CUT_OFF, REFRESHED, REFUSED, Attempt, AttemptLog, Step
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.invoker import Invoker, function_name, read_document
from iotauth_cli.emulator.model import (
    Authorizer,
    AuthorizerDirectory,
    AuthorizerFailure,
    FunctionDirectory,
    FunctionRunner,
)
from iotauth_cli.emulator.mqtt.packets import Connect, Will
from iotauth_cli.policy.context import LAST_WILL, PERSISTENT_CONNECT, Context
from iotauth_cli.policy.evaluate import Evaluator

GENERATED_CLIENT_ID = "$GEN/"  # how AWS IoT names clients that bring no client id

# The checks' names, as the log shows them; `AuthorizerFailure.stage` has the others.
SERVER_NAME = "server-name"
CLIENT_ID = "client-id"
USER_NAME = "user-name"
AUTHORIZER = "authorizer"
SIGNATURE = "signature"
FUNCTION = "function"
AUTHENTICATION = "authentication"
CONNECT = "iot:Connect"
PUBLISH = "iot:Publish"
RETAIN_PUBLISH = "iot:RetainPublish"
EMULATOR = "emulator"  # a fault of ours; never an admission

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """How a client came to the door. The HTTP members are those of a WebSocket's upgrade."""

    peer: str
    server_name: str | None = None
    protocols: tuple[str, ...] = ("tls", "mqtt")
    http_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query_string: str | None = field(default=None, repr=False)


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
    check: str
    sentence: str


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
    ) -> None:
        self._authorizers = authorizers
        self._invoker = Invoker(functions, runner, account=account)
        self._scope = ArnScope("aws", region, account)
        self._attempts = attempts
        self._clock = clock
        self._behaviour = behaviour or Behaviour()

    async def admit(self, arrival: Arrival, connect: Connect) -> Admission | Refusal:
        """Decide on a CONNECT, and write down how. Never raises, and never admits by mistake."""
        trail = _Trail(arrival, connect, connection_id=str(uuid.uuid4()))
        verdict = await self._decide(trail)
        is_admitted = isinstance(verdict, Admission)
        self._attempts.record(trail.attempt(ADMITTED if is_admitted else REFUSED, verdict))
        return verdict

    async def refresh(self, admission: Admission) -> Admission | Refusal:
        """Decide again with the same credentials. The cut-off that was set at CONNECT stays."""
        trail = _Trail(admission.arrival, admission.connect, admission.connection_id, is_refresh=True)
        verdict = await self._decide(trail, client_id=admission.client_id)
        is_admitted = isinstance(verdict, Admission)
        self._attempts.record(trail.attempt(REFRESHED if is_admitted else CUT_OFF, verdict))
        if isinstance(verdict, Admission):
            return replace(verdict, disconnect_at=admission.disconnect_at)
        return verdict

    async def invoke(self, authorizer: Authorizer, request: ConnectRequest) -> Answer | AuthorizerFailure:
        """Ask *authorizer*'s function; the signature is the caller's to verify before."""
        return (await self._invoker.ask(authorizer, request)).result

    async def _decide(self, trail: _Trail, client_id: str | None = None) -> Admission | Refusal:
        try:
            return await self._walk(trail, client_id)
        except _Refused as refused:
            return Refusal(refused.check, refused.sentence)
        except Exception:
            log.exception("deciding on client %r failed", trail.connect.client_id)
            return Refusal(EMULATOR, "the emulator failed while it decided; its log has the cause")

    async def _walk(self, trail: _Trail, client_id: str | None) -> Admission:
        """Go through the checks in the order of the module's docstring."""
        self._note_server_name(trail)
        client_id = client_id or self._client_id(trail)
        username = self._username(trail)
        authorizer = self._authorizer(trail, username)
        token, is_verified = self._token(trail, authorizer, username)
        request = self._request(trail, token, is_verified)
        answer = await self._answer(trail, authorizer, request)
        policy = self._policy(trail, answer, client_id)
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
            arrival=trail.arrival,
            connect=trail.connect,
            policy_documents=answer.policy_documents,
        )

    def _note_server_name(self, trail: _Trail) -> None:
        # The TLS port turns wrong names away; none at all is usual on loopback, where clients use addresses.
        if trail.arrival.server_name is None:
            trail.passed(SERVER_NAME, "no server name (SNI) was sent; AWS IoT would refuse the client")

    def _client_id(self, trail: _Trail) -> str:
        client_id = trail.connect.client_id
        if not client_id:
            return f"{GENERATED_CLIENT_ID}{trail.connection_id}"
        if client_id.startswith("$"):
            trail.refuse(CLIENT_ID, f"client id `{client_id}` begins with `$`, which is reserved for AWS IoT")
        if len(client_id.encode()) > MAX_CLIENT_ID_BYTES:
            size = len(client_id.encode())
            trail.refuse(CLIENT_ID, f"a client id of {size} bytes; the limit is {MAX_CLIENT_ID_BYTES}")
        trail.passed(CLIENT_ID, f"client id `{client_id}`")
        return client_id

    def _username(self, trail: _Trail) -> Username:
        try:
            username = parse_username(trail.connect.username or "")
        except MalformedUsername as error:
            trail.refuse(USER_NAME, str(error), error)
        trail.passed(USER_NAME, f"the user name has {len(username.parameters)} parameters")
        return username

    def _authorizer(self, trail: _Trail, username: Username) -> Authorizer:
        name = username.authorizer_name
        authorizer = self._authorizers.default() if name is None else self._authorizers.find(name)
        if authorizer is None:
            trail.refuse(
                AUTHORIZER,
                "the user name names no authorizer, and the account has no default"
                if name is None
                else f"there is no authorizer `{name[:128]}`",
            )
        trail.authorizer = authorizer.name
        if not authorizer.is_active:
            trail.refuse(AUTHORIZER, f"authorizer `{authorizer.name}` is not ACTIVE")
        trail.passed(AUTHORIZER, f"authorizer `{authorizer.name}`{' (the default)' if name is None else ''}")
        return authorizer

    def _token(self, trail: _Trail, authorizer: Authorizer, username: Username) -> tuple[str | None, bool]:
        from iotauth_cli.token import verify

        token = username.get(authorizer.token_key_name) if authorizer.token_key_name else None
        if authorizer.signing_disabled:
            trail.passed(SIGNATURE, f"authorizer `{authorizer.name}` wants no signed token")
            return token, False
        signature = username.signature
        if not token or not signature:
            missing = "token" if not token else "signature"
            trail.refuse(SIGNATURE, f"authorizer `{authorizer.name}` wants a signed token and no {missing} was given")
        keys = authorizer.token_signing_public_keys
        verified_by = next((name for name, pem in keys.items() if verify(token, signature, pem)), None)
        if verified_by is None:
            trail.refuse(SIGNATURE, f"the signature is of none of the {len(keys)} keys of `{authorizer.name}`")
        trail.passed(SIGNATURE, f"the token is signed by key `{verified_by}`")
        return token, True

    def _request(self, trail: _Trail, token: str | None, is_verified: bool) -> ConnectRequest:
        arrival, connect = trail.arrival, trail.connect
        return ConnectRequest(
            protocols=arrival.protocols,
            connection_id=trail.connection_id,
            client_id=connect.client_id or None,
            username=connect.username,
            password=connect.password,
            token=token,
            signature_verified=is_verified,
            server_name=arrival.server_name,
            http_headers=dict(arrival.http_headers),
            query_string=arrival.query_string,
        )

    async def _answer(self, trail: _Trail, authorizer: Authorizer, request: ConnectRequest) -> Answer:
        call = await self._invoker.ask(authorizer, request)
        trail.request_id = call.request_id
        result, function = call.result, function_name(authorizer.function_arn)
        if isinstance(result, AuthorizerFailure):
            trail.refuse(result.stage, result.sentence)
        trail.passed(FUNCTION, f"function `{function}` answered as AWS IoT expects")
        if not result.is_authenticated:
            trail.refuse(AUTHENTICATION, f"function `{function}` answered `isAuthenticated: false`")
        trail.passed(AUTHENTICATION, f"principal `{result.principal_id}`")
        return result

    def _policy(self, trail: _Trail, answer: Answer, client_id: str) -> Evaluator:
        policy = Evaluator(
            [read_document(text) for text in answer.policy_documents],
            self._context(trail.arrival, trail.connect, client_id),
        )
        if not trail.is_refresh or self._behaviour.refresh_checks_connect:
            self._require(trail, policy, CONNECT, self._scope.client(client_id))
        if trail.connect.will is not None and not trail.is_refresh:
            self._check_will(trail, policy, trail.connect.will)
        return policy

    def _check_will(self, trail: _Trail, policy: Evaluator, will: Will) -> None:
        for action in (PUBLISH, RETAIN_PUBLISH) if will.retain else (PUBLISH,):
            self._require(trail, policy, action, self._scope.topic(will.topic))

    def _require(self, trail: _Trail, policy: Evaluator, action: str, resource: str) -> None:
        decision = policy.decide(action, resource)
        if not decision.allowed:
            trail.refuse(action, decision.because)
        trail.passed(action, decision.because)

    def _context(self, arrival: Arrival, connect: Connect, client_id: str) -> Context:
        attributes = {PERSISTENT_CONNECT: not connect.clean_start, LAST_WILL: connect.will is not None}
        return Context(
            client_id=client_id,
            source_ip=arrival.peer,
            domain_name=arrival.server_name,
            connect_attributes=tuple(name for name, applies in attributes.items() if applies),
            last_will_topic=self._scope.topic(connect.will.topic) if connect.will else None,
        )


class _Refused(Exception):
    def __init__(self, check: str, sentence: str) -> None:
        super().__init__(sentence)
        self.check = check
        self.sentence = sentence


class _Trail:
    """The way of one CONNECT through the checks, for the log."""

    def __init__(self, arrival: Arrival, connect: Connect, connection_id: str, *, is_refresh: bool = False) -> None:
        self.arrival = arrival
        self.connect = connect
        self.connection_id = connection_id
        self.is_refresh = is_refresh
        self.authorizer: str | None = None
        self.request_id: str | None = None
        self._steps: list[Step] = []
        self._began = time.perf_counter()

    def passed(self, check: str, sentence: str) -> None:
        self._steps.append(Step(check, True, sentence))

    def refuse(self, check: str, sentence: str, cause: Exception | None = None) -> NoReturn:
        self._steps.append(Step(check, False, sentence))
        raise _Refused(check, sentence) from cause

    def attempt(self, outcome: str, verdict: Admission | Refusal) -> Attempt:
        """Return the line for the log; an admission was decided by the last check it passed."""
        if isinstance(verdict, Admission):
            decided_by, sentence = self._steps[-1].check, self._steps[-1].sentence
            client_id: str | None = verdict.client_id
        else:
            decided_by, sentence = verdict.check, verdict.sentence
            client_id = self.connect.client_id or None
        return Attempt(
            outcome=outcome,
            decided_by=decided_by,
            sentence=sentence,
            client_id=client_id,
            authorizer=self.authorizer,
            peer=self.arrival.peer,
            connection_id=self.connection_id,
            function_called=self.request_id is not None,
            request_id=self.request_id,
            duration_ms=(time.perf_counter() - self._began) * 1000,
            steps=tuple(self._steps),
        )
