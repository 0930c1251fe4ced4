"""Ask the other side why a device failed: authorizer, permission, function, its log, its answer.

The questions are AWS API calls and go to AWS or to the emulator alike. Each may be denied to
the operator, or fail; that is noted among what could not be seen, and the next is asked all the
same.

Whether the function was called for this attempt is read from its log, which may arrive late.
So a test call is made after the attempt: once its own line is there, an earlier one would be
there too, and a missing one means that there was no call.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from iotauth_authorizer.event import ConnectRequest, InvalidAnswer, build_event, parse_answer
from iotauth_cli import token as tokens
from iotauth_cli.aws import domains, iot, lambda_, logs
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.polling import pauses
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, BadAnswer, IotauthError, NotFound
from iotauth_cli.operations.function_log import calls
from iotauth_cli.operations.installation.function import HANDLER
from iotauth_cli.operations.invoke_permission import permission_for
from iotauth_cli.probe.carriage import headers_of, query_of, sent_username
from iotauth_cli.probe.evidence import (
    ABSENT,
    Absent,
    AnswerFault,
    Attempt,
    AuthorizerFound,
    Call,
    DomainFound,
    FunctionFound,
    OtherSide,
    PermissionFound,
    Trial,
)
from iotauth_cli.secret import MASK, Secret

T = TypeVar("T")

LOG_PATIENCE_S = 10.0  # CloudWatch shows a line within a few seconds
ENTERING = ("upgrade", "request", "connect")  # steps at which the function may be called
REACHED_BROKER = (*ENTERING, "subscribe", "publish", "receive")


@dataclass(frozen=True)
class Asking:
    """A question is being asked; *what* says it in words, for whoever shows the progress."""

    what: str


def look(session: Session, attempt: Attempt) -> Generator[Asking, None, OtherSide]:
    """Ask what may explain *attempt*, as far as it came; yield each question, return what was found."""
    return (yield from Inquiry(session, attempt).run())


class Inquiry:
    """The questions about one attempt, and what is known so far."""

    def __init__(self, session: Session, attempt: Attempt) -> None:
        self.session = session
        self.attempt = attempt
        self.found = OtherSide()
        self.unseen: list[str] = []

    def run(self) -> Generator[Asking, None, OtherSide]:
        failed = self.attempt.failed
        if self.attempt.typed & {"endpoint", "port"}:
            yield Asking("where devices connect")
            self.note(data_endpoint=self.ask("where devices connect", self.data_endpoint))
        is_named = "endpoint" in self.attempt.typed or self.attempt.endpoint.server_name
        if is_named and self.asked_name != (self.found.data_endpoint or "").rpartition(":")[0]:
            yield Asking("domain configurations")
            self.note(domain=self.ask("domain configurations", self.domain))
        if failed is not None and failed.name in REACHED_BROKER:
            yield from self.ask_about_authorizer()
        return replace(self.found, unseen=tuple(dict.fromkeys(self.unseen)))

    def ask_about_authorizer(self) -> Generator[Asking, None, None]:
        yield Asking("the authorizer")
        self.note(authorizer=self.ask("the authorizer", self.authorizer))
        if not isinstance(self.found.authorizer, AuthorizerFound):
            return
        function_arn = self.found.authorizer.function_arn
        function = self.ask("the function", lambda: FunctionArn.parse(function_arn))
        if function is None:
            return
        yield from self.ask_about_function(function)
        yield from self.try_it(function)

    def ask_about_function(self, function: FunctionArn) -> Generator[Asking, None, None]:
        yield Asking("the function")
        self.note(function=self.ask("the function", lambda: self.function(function)))
        yield Asking("the permission")
        if not isinstance(self.found.function, Absent):
            self.note(permission=self.ask("the permission", lambda: self.permission(function)))

    def try_it(self, function: FunctionArn) -> Generator[Asking, None, None]:
        """Make the test call, then see from the log whether there was a call before it."""
        yield Asking("the authorizer's answer")
        tried_at_ms = epoch_ms(time.time())
        self.note(test=self.ask("the authorizer's answer", self.trial))
        yield Asking("the function's log")
        self.ask("the function's log", lambda: self.read_log(function, tried_at_ms))
        test, call = self.found.test, self.found.call
        if test is not None and test.outcome == "no-answer" and (call is None or call.error is None):
            yield Asking("the function itself")
            self.note(fault=self.ask("the function's own answer", lambda: self.fault(function)))

    def note(self, **members: Any) -> None:
        self.found = replace(self.found, **members)

    def ask(self, what: str, question: Callable[[], T]) -> T | None:
        """Return the answer, or None and a note why there is none."""
        try:
            return question()
        except AccessDenied as denied:
            self.unseen.append(f"{what}: {denied.message}")
        except IotauthError as problem:
            self.unseen.append(f"{what}: {self.masked(problem.message)}")
        return None

    def masked(self, text: str) -> str:
        """Return *text* without password and signature: a function of somebody else's may say anything."""
        signature = self.attempt.user.signature if self.attempt.user else None
        for secret in (self.attempt.login.password, Secret(signature) if signature else None):
            text = text if secret is None else mask(text, secret)
        return text

    # --- the questions --------------------------------------------------------------------------

    def data_endpoint(self) -> str:
        target = self.session.target
        return f"{target.data_host or iot.data_endpoint(self.session)}:{target.data_port}"

    @property
    def asked_name(self) -> str:
        return self.attempt.endpoint.server_name or self.attempt.endpoint.host

    def domain(self) -> DomainFound | Absent:
        """Look for the domain configuration by whose name the device came: it has a say in what happens."""
        for each in domains.every(self.session, with_awss_own=True):
            if each.domain_name == self.asked_name:
                return DomainFound(
                    each.name, each.authorizer, each.allows_override, each.is_enabled, each.protocol != "DEFAULT"
                )
        return ABSENT

    def authorizer(self) -> AuthorizerFound | Absent:
        name = self.attempt.user.authorizer_name if self.attempt.user else None
        if isinstance(self.found.domain, DomainFound):
            name = self.found.domain.authorizer_for(name)
        found = iot.find(self.session, name) if name else iot.find_default(self.session)
        if found is None:
            return ABSENT
        return AuthorizerFound(
            *(found.arn, found.function_arn, found.is_active, found.signing_disabled),
            token_key_name=found.token_key_name,
            is_signature_right=self.is_signature_right(found),
            signed_when=self.signed_when(found),
        )

    def signed_token(self, token_key_name: str | None) -> dict[str, str]:
        """Return token and signature in the user name, as far as it has them, as TestInvokeAuthorizer names them."""
        user = self.attempt.user
        if user is None or token_key_name is None:
            return {}
        members = {"token": user.get(token_key_name), "tokenSignature": user.signature}
        return {name: value for name, value in members.items() if value}

    def is_signature_right(self, found: iot.Authorizer) -> bool | None:
        """Check the signature as AWS IoT does, with the keys that it has; None where there is nothing to check."""
        signed = self.signed_token(found.token_key_name)
        if found.signing_disabled or len(signed) < 2:
            return None
        keys = found.token_signing_public_keys.values()
        return any(tokens.verify(signed["token"], signed["tokenSignature"], pem) for pem in keys)

    def signed_when(self, found: iot.Authorizer) -> Literal["trimmed", "encoded"] | None:
        """Say what would make a wrong signature right, if one of the two common mistakes spoilt it."""
        signed = self.signed_token(found.token_key_name)
        if self.is_signature_right(found) is not False:
            return None
        token, signature = signed["token"], signed["tokenSignature"]
        keys = found.token_signing_public_keys.values()
        if any(tokens.verify(token.strip(), signature, pem) for pem in keys):
            return "trimmed"
        if any(tokens.verify(token, signature.replace(" ", "+"), pem) for pem in keys):
            return "encoded"
        return None

    def function(self, arn: FunctionArn) -> FunctionFound | Absent:
        # An alias or a version may be gone while the function is there.
        found = lambda_.find(self.session, arn.qualified_name)
        if found is None:
            return ABSENT
        return FunctionFound(arn.name, found.is_ready, is_ours=found.configuration.handler == HANDLER)

    def permission(self, arn: FunctionArn) -> PermissionFound:
        assert isinstance(self.found.authorizer, AuthorizerFound)
        return permission_for(self.found.authorizer.arn, lambda_.statements(self.session, arn))

    def trial(self) -> Trial:
        """Have AWS IoT call the function with the same credentials, without the broker."""
        began = time.monotonic()
        assert isinstance(self.found.authorizer, AuthorizerFound)
        name = self.found.authorizer.arn.rpartition("/")[2]
        try:
            signed = self.signed_token(self.found.authorizer.token_key_name)
            answer = iot.test_invoke(self.session, name, **self.contexts(), **signed)
        except BadAnswer as bad:
            return Trial("no-answer", (), self.masked(bad.message), time.monotonic() - began)
        return Trial("allowed" if answer.is_authenticated else "refused", answer.policy_documents)

    def contexts(self) -> dict[str, Any]:
        """Return what the device presented, as TestInvokeAuthorizer names it: over plain HTTP there is no CONNECT."""
        if self.attempt.manner.transport != "http":
            return {"mqttContext": self.mqtt_context()}
        query = query_of(self.attempt.login, self.attempt.manner)
        context: dict[str, Any] = {"headers": headers_of(self.attempt.login, self.attempt.manner)}
        return {"httpContext": {**context, "queryString": f"?{query}"} if query else context}

    def mqtt_context(self) -> dict[str, Any]:
        login = self.attempt.login
        members = {
            "clientId": login.client_id,
            "username": sent_username(login, self.attempt.manner),
            "password": login.password.reveal().encode() if login.password else None,
        }
        return {name: value for name, value in members.items() if value}

    def read_log(self, arn: FunctionArn, tried_at_ms: int) -> None:
        """Find the call of this attempt: the last before the test call's own.

        The test call's line may be late, or never come where it could not be made; without it a
        missing line proves nothing.
        """
        began_ms = epoch_ms(next(stage.started_at for stage in self.attempt.stages if stage.name in ENTERING))
        is_awaited = self.found.test is not None and self.found.test.outcome != "no-answer"
        for pause in pauses(LOG_PATIENCE_S):
            seen = [call for call in self.calls_since(arn, began_ms) if self.may_be_ours(call)]
            marker = seen.pop() if seen and seen[-1].at_ms >= tried_at_ms else None
            if seen or marker or not is_awaited:
                break
            self.session.sleep(pause)
        if seen:
            self.note(was_called=True, call=self.masked_call(seen[-1]))
        elif marker:
            self.note(was_called=False)

    def calls_since(self, arn: FunctionArn, began_ms: int) -> list[Call]:
        try:
            return calls(logs.events(self.session, logs.group_of(arn.name), began_ms))
        except NotFound:  # no group yet: it was never called, or may not log
            return []

    def may_be_ours(self, call: Call) -> bool:
        """Tell whether a call in the log can be about this client.

        iotauth's handler names the client, unless it failed before it could; another's may name nobody.
        """
        if call.client_id is not None:
            return call.client_id == self.attempt.login.client_id
        is_ours = isinstance(self.found.function, FunctionFound) and self.found.function.is_ours
        return not is_ours or call.reason is not None or call.error is not None

    def masked_call(self, call: Call) -> Call:
        return call if call.error is None else replace(call, error=self.masked(call.error))

    def fault(self, arn: FunctionArn) -> AnswerFault | None:
        """Call the function directly, as AWS IoT would, and check its answer by AWS IoT's rules."""
        invoked = lambda_.invoke(self.session, arn, build_event(self.request()))
        if invoked.error is not None:
            rule = "timeout" if "timed out" in invoked.error else "error"
            return AnswerFault(rule, self.masked(invoked.error))
        try:
            parse_answer(invoked.answer)
        except InvalidAnswer as invalid:
            return AnswerFault(invalid.rule, str(invalid))
        return None

    @property
    def verified_token(self) -> str | None:
        found = self.found.authorizer
        if not isinstance(found, AuthorizerFound) or not found.is_signature_right:
            return None
        return self.signed_token(found.token_key_name)["token"]

    def request(self) -> ConnectRequest:
        login, manner = self.attempt.login, self.attempt.manner
        protocols = {"mqtt": ("tls", "mqtt"), "websocket": ("tls", "http", "mqtt"), "http": ("tls", "http")}
        query = query_of(login, manner)
        request = ConnectRequest(
            protocols=protocols[manner.transport],
            connection_id=str(uuid.uuid4()),
            token=self.verified_token,
            signature_verified=self.verified_token is not None,
            server_name=self.attempt.endpoint.host,
            http_headers=headers_of(login, manner),
            query_string=f"?{query}" if query else None,
        )
        if manner.transport == "http":
            return request
        return request._replace(
            client_id=login.client_id,
            username=sent_username(login, manner),
            password=login.password.reveal().encode() if login.password else None,
        )


def epoch_ms(seconds: float) -> int:
    return int(seconds * 1000)


def mask(text: str, secret: Secret) -> str:
    """Return *text* with *secret* masked, also in base64, as events carry it."""
    plain = secret.reveal()
    if not plain:
        return text
    return text.replace(plain, MASK).replace(base64.b64encode(plain.encode()).decode(), MASK)
