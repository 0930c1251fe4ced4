"""What is known of an attempt: what the device met, and what the other side says about it.

The device's side is the walk. The other side is AWS IoT's control plane, the function and its
log, asked after the attempt; whatever was not asked, or may not be told, is None, and a
diagnosis may not lean on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from iotauth_authorizer import username
from iotauth_authorizer.grants import ArnScope
from iotauth_cli.errors import InputError
from iotauth_cli.policy.context import LAST_WILL, OF_THE_CONNECTION, Context
from iotauth_cli.policy.document import Document, parse_all
from iotauth_cli.policy.evaluate import IMPLICIT_DENY, Decision, Request, evaluate, unknowns
from iotauth_cli.policy.near import NearMiss, near_misses
from iotauth_cli.probe.stages import PLAIN, Endpoint, Errand, Login, Manner, Stage, StageName


@dataclass(frozen=True)
class Attempt:
    """What the device did, and how far it came.

    *typed* names what the user gave by hand instead of what is stored or looked up: ``endpoint``,
    ``port``, ``ca``, ``password``, ``username``, ``authorizer``, ``publish``, ``subscribe``.
    """

    endpoint: Endpoint
    login: Login
    errand: Errand
    stages: tuple[Stage, ...]
    typed: frozenset[str] = frozenset()
    manner: Manner = PLAIN

    @property
    def failed(self) -> Stage | None:
        last = self.stages[-1] if self.stages else None
        return last if last is not None and not last.ok else None

    def stage(self, name: StageName) -> Stage | None:
        return next((stage for stage in self.stages if stage.name == name), None)

    @cached_property
    def user(self) -> username.Username | None:
        """The user name taken apart; None where there is none or AWS IoT could not read it either."""
        try:
            return username.parse(self.login.username or "")
        except username.MalformedUsername:
            return None


@dataclass(frozen=True)
class Absent:
    """It was looked for, and is not there."""


ABSENT = Absent()


@dataclass(frozen=True)
class AuthorizerFound:
    """*is_signature_right*: whether a key of its own has signed the token that was sent; None if none was.

    *signed_when* says what makes a wrong signature right: the token ``trimmed`` of white space, or the
    signature ``encoded``, so that its `+` do not arrive as spaces.
    """

    arn: str
    function_arn: str
    is_active: bool
    signing_disabled: bool
    token_key_name: str | None = None
    is_signature_right: bool | None = None
    signed_when: Literal["trimmed", "encoded"] | None = None


@dataclass(frozen=True)
class DomainFound:
    """The domain configuration whose name the device asked for; it may choose the authorizer and the protocol."""

    name: str
    authorizer: str | None
    allows_override: bool
    is_enabled: bool
    chooses_protocol: bool

    def authorizer_for(self, named: str | None) -> str | None:
        """Return the authorizer that is asked when the device names *named*."""
        return named if named and (self.allows_override or self.authorizer is None) else self.authorizer


@dataclass(frozen=True)
class FunctionFound:
    """*is_ours*: it runs iotauth's handler, whose rows and log lines we know."""

    name: str
    is_ready: bool
    is_ours: bool


@dataclass(frozen=True)
class PermissionFound:
    """What the function's resource policy says about AWS IoT calling it for this authorizer.

    *sources* are the authorizers, *accounts* the accounts that it is given for.
    """

    state: Literal["given", "none", "other-authorizer", "other-account"]
    sources: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """How AWS IoT's test call with the same credentials ended.

    *sentence* is what AWS said where it got no answer that it takes.
    """

    outcome: Literal["allowed", "refused", "no-answer"]
    documents: tuple[str, ...] = ()
    sentence: str = ""
    took_s: float = 0.0


@dataclass(frozen=True)
class Call:
    """One call of the function, from its log.

    *reason* is the slug that iotauth's handler logs and *cause* the kind of failure behind it;
    *error* is the line in which the runtime or Lambda says what went wrong. *at_ms* is epoch
    milliseconds.
    """

    at_ms: int
    client_id: str | None = None
    allowed: bool | None = None
    reason: str | None = None
    cause: str | None = None
    error: str | None = None
    duration_ms: float | None = None


@dataclass(frozen=True)
class AnswerFault:
    """What is wrong with the function's own answer, seen by calling it directly.

    *rule* is the kernel's slug for AWS's rule, or ``error`` or ``timeout``.
    """

    rule: str
    sentence: str


@dataclass(frozen=True)
class OtherSide:
    """What AWS, or the emulator, says.

    *data_endpoint* is where devices of this account connect, as ``host:port``. *unseen* says
    what could not be looked at, and why. *domain* is ABSENT where the device came by no domain
    configuration, None where that is not known.
    """

    authorizer: AuthorizerFound | Absent | None = None
    function: FunctionFound | Absent | None = None
    permission: PermissionFound | None = None
    test: Trial | None = None
    was_called: bool | None = None
    call: Call | None = None
    fault: AnswerFault | None = None
    data_endpoint: str | None = None
    domain: DomainFound | Absent | None = ABSENT
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Names:
    """The user's own words for the sentences; *place* is ``AWS eu-west-1`` or ``the emulator``.

    *where* are the flags that a command to type needs to mean the same place, *aws* is how the
    AWS CLI is called for it.
    """

    authorizer: str
    function: str
    table: str
    place: str
    where: str = ""
    aws: str = "aws"


@dataclass(frozen=True)
class Case:
    """An attempt that failed, with everything known about it: what every cause is tried against."""

    attempt: Attempt
    names: Names
    other: OtherSide = OtherSide()

    @cached_property
    def failed(self) -> Stage:
        failed = self.attempt.failed
        assert failed is not None, "there is nothing to diagnose in an attempt that went well"
        return failed

    @property
    def authorizer_name(self) -> str | None:
        """The authorizer that is asked: what the user name says, unless the domain configuration chooses."""
        named = self.attempt.user.authorizer_name if self.attempt.user else None
        domain = self.other.domain
        return domain.authorizer_for(named) if isinstance(domain, DomainFound) else named

    @cached_property
    def requests(self) -> tuple[tuple[str, str], ...]:
        """Every action and resource that the failing step needs of the policy, in the order in which they count."""
        if not isinstance(self.other.authorizer, AuthorizerFound):
            return ()
        scope = ArnScope.parse(self.other.authorizer.arn)
        login, errand = self.attempt.login, self.attempt.errand
        publish = [("iot:Publish", scope.topic(errand.publish or ""))]
        if errand.retain:
            publish.append(("iot:RetainPublish", scope.topic(errand.publish or "")))
        connect = [("iot:Connect", scope.client(login.client_id))]
        if errand.will is not None:
            connect.append(("iot:Publish", scope.topic(errand.will)))
        return tuple(
            {
                "connect": connect,
                "subscribe": [("iot:Subscribe", scope.topicfilter(errand.subscribe or ""))],
                "publish": publish,
                "request": publish,
                "receive": [("iot:Receive", scope.topic(errand.publish or ""))],
            }.get(self.failed.name, ())
        )

    @property
    def asked(self) -> tuple[str, str] | None:
        """The action and resource that decided, or the first that would; None for a step that needs none."""
        found = self.decision
        return (found.action, found.resource) if found else next(iter(self.requests), None)

    @cached_property
    def decision(self) -> Decision | None:
        """What the policy engine says about the failing step, on the documents of the test call.

        None where it would say no because of what only the connection has: then it is not known.
        """
        documents = self.documents
        if documents is None or not self.requests:
            return None
        for request in self.requests:
            decision = evaluate(documents, Request(*request, self.context))
            if not decision.allowed:
                return None if unknowns(documents, decision.action, self.context) else decision
        return evaluate(documents, Request(*self.requests[0], self.context))

    @cached_property
    def documents(self) -> tuple[Document, ...] | None:
        """The policy of the test call; None where there was none to be had, or none that can be read."""
        test = self.other.test
        if test is None or test.outcome != "allowed":
            return None
        try:
            return parse_all(test.documents)
        except InputError:
            return None

    @property
    def near_misses(self) -> tuple[NearMiss, ...]:
        """The grants that were perhaps meant for the step that the policy refused by saying nothing."""
        found, documents = self.decision, self.documents
        if found is None or documents is None or found.effect != IMPLICIT_DENY:
            return ()
        return near_misses(documents, Request(found.action, found.resource, self.context))

    @property
    def context(self) -> Context:
        """What the policy may ask about the connection. Over HTTP there is no client id."""
        will = self.attempt.errand.will
        if self.attempt.manner.transport == "http":
            return Context(unknown=OF_THE_CONNECTION)
        if will is None or not isinstance(self.other.authorizer, AuthorizerFound):
            return Context(client_id=self.attempt.login.client_id, unknown=OF_THE_CONNECTION)
        return Context(
            client_id=self.attempt.login.client_id,
            connect_attributes=(LAST_WILL,),
            last_will_topic=ArnScope.parse(self.other.authorizer.arn).topic(will),
            unknown=OF_THE_CONNECTION,
        )
