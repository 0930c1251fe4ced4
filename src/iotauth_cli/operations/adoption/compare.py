"""Both functions asked about the same logins: what the old one answers, and what ours will.

The old function is called as AWS IoT calls it, with the event that the kernel builds. What ours answers
needs no call: the decision that it takes in AWS is the kernel's, and the very same code runs here.
An answer is worth what AWS IoT makes of it, so answers are held to AWS IoT's rules and their policies
are asked, by the one engine, about every topic that either of them names.

Somebody else's function may be slow, fail, or write somewhere each time that it is called. It is called
once for each login, one after the other, for a limited time; after three failures in a row not at all.
No password is shown, nor what the function says when it fails: that may quote one.
"""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

from iotauth_authorizer.authorize import Settings, decide
from iotauth_authorizer.event import (
    ANSWER_LIMIT_S,
    REFUSAL,
    Answer,
    ConnectRequest,
    InvalidAnswer,
    build_event,
    parse_answer,
)
from iotauth_authorizer.grants import ArnScope
from iotauth_authorizer.username import AUTHORIZER_NAME, compose
from iotauth_cli.aws import iot, lambda_
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, AwsError, InputError, Throttled
from iotauth_cli.operations.adoption.rows import Census, Login
from iotauth_cli.policy.binding import resource_name
from iotauth_cli.policy.context import CONNECT, Context
from iotauth_cli.policy.document import Document, parse_all
from iotauth_cli.policy.evaluate import Evaluator
from iotauth_cli.secret import Secret

OUR_TIMERS = (Settings().refresh_after_s, Settings().disconnect_after_s)  # where nobody sets others
PATIENCE_S = 120.0  # for all calls together
FAILURES = 3  # in a row, after which the old function has nothing to say
THROTTLED_S = 1.0
ATTEMPTS = 3
SHOWN_TOPICS = 3
ERROR_NAME = re.compile(r"[A-Za-z_][\w.]{0,60}")
VARIABLE = re.compile(r"\$\{[^}]*\}")
ACTIONS = {  # by the kind of resource: what a device asks for, and in which words
    "topic": {"iot:Publish": "publish to", "iot:RetainPublish": "publish retained to", "iot:Receive": "receive"},
    "topicfilter": {"iot:Subscribe": "subscribe to"},
    "client": {CONNECT: "connect as"},
}
FILL = {"topic": ("", "a", "a/b"), "topicfilter": ("", "a", "#"), "client": ("",)}


@dataclass(frozen=True)
class Verdict:
    """What a function decided. *fault* says why AWS IoT would have nothing from it; then it lets nobody in."""

    answer: Answer = REFUSAL
    documents: tuple[Document, ...] = ()
    fault: str | None = None

    @property
    def words(self) -> str:
        if self.fault:
            return f"gives no answer that counts ({self.fault})"
        return "lets it in" if self.answer.is_authenticated else "refuses it"


@dataclass(frozen=True)
class Difference:
    """What the two functions decide differently about one client, in words; *case* says what was presented."""

    client_id: str
    case: str
    words: str


@dataclass
class Comparison:
    """What was asked and what came out. *asked* counts logins; *let_in* are those that both let in, the first first.

    *stopped* says why not all were asked; *slowest_s* is the old function's longest answer.
    """

    asked: int = 0
    wanted: int = 0
    differences: list[Difference] = field(default_factory=list)
    let_in: list[Login] = field(default_factory=list)
    timers: Counter[tuple[int, int]] = field(default_factory=Counter)
    slowest_s: float = 0.0
    failures: int = 0
    stopped: str | None = None

    @property
    def usual_timers(self) -> tuple[int, int] | None:
        """Refresh and disconnect in seconds, as the old function answers mostly; None where it let nobody in."""
        return self.timers.most_common(1)[0][0] if self.timers else None


@dataclass(frozen=True)
class Old:
    """The old function, called past AWS IoT with the event that AWS IoT would send."""

    session: Session
    function: FunctionArn
    authorizer: str
    server_name: str

    @classmethod
    def of(cls, session: Session, function_arn: str, authorizer: str) -> Old:
        """Return the function, called once for each question: botocore's own repetitions would call it again."""
        host = session.target.data_host or iot.data_endpoint(session)
        return cls(replace(session, attempts=1), FunctionArn.parse(function_arn), authorizer, host)

    def close(self) -> None:
        self.session.close()

    def ask(self, login: Login) -> tuple[Verdict, float]:
        """Return what it decides about *login*, and how long that took, in seconds."""
        started = time.monotonic()
        verdict = self.judge(login)
        took = time.monotonic() - started
        if took > ANSWER_LIMIT_S:
            return Verdict(fault=f"it took {took:.0f} s, and AWS IoT waits {ANSWER_LIMIT_S:.0f} s"), took
        return verdict, took

    def judge(self, login: Login) -> Verdict:
        try:
            found = self.invoke(login)
        except Throttled:
            return Verdict(fault="Lambda throttles it")
        except AccessDenied:
            raise  # that says nothing about the function
        except AwsError as problem:
            return Verdict(fault=problem.aws_code or "it could not be called")
        if found.error is not None:
            kind = found.error.partition(":")[0]
            return Verdict(fault=f"it failed: `{kind}`" if ERROR_NAME.fullmatch(kind) else "it failed")
        return verdict_of(found.answer)

    def invoke(self, login: Login) -> lambda_.Invoked:
        event = build_event(request_of(login, self.authorizer, self.server_name))
        for attempt in range(ATTEMPTS):
            try:
                return lambda_.invoke(self.session, self.function, event)
            except Throttled:
                if attempt == ATTEMPTS - 1:
                    raise
                self.session.sleep(THROTTLED_S * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


def verdict_of(body: object) -> Verdict:
    """Hold an answer to AWS IoT's rules, and read its policies."""
    try:
        answer = parse_answer(body)
        return Verdict(answer, parse_all(answer.policy_documents))
    except InvalidAnswer as problem:
        return Verdict(fault=f"AWS IoT does not take its answer: `{problem.rule}`")
    except InputError as problem:
        return Verdict(fault=f"AWS IoT does not take its policy: `{problem.code}`")


def request_of(login: Login, authorizer: str, server_name: str) -> ConnectRequest:
    try:
        username = compose(login.username, [(AUTHORIZER_NAME, authorizer)])
    except ValueError:  # a `?` in it; no device gets in with that, and both functions may say so
        username = login.username
    return ConnectRequest(
        protocols=("tls", "mqtt"),
        connection_id=str(uuid.uuid4()),
        client_id=login.client_id,
        username=username,
        password=login.password.reveal().encode(errors="surrogatepass"),
        server_name=server_name,
    )


def ours(login: Login, authorizer: str, scope: ArnScope, now: int, settings: Settings | None = None) -> Verdict:
    """Return what our function decides about *login*: its own code, on the row that was read."""
    request = request_of(login, authorizer, "")
    decision = decide(request, login.record, now=now, scope=scope, settings=settings or Settings())
    return Verdict(decision.answer, parse_all(decision.answer.policy_documents))


def chosen(census: Census, limit: int) -> list[Login]:
    """Return the logins to compare: *limit* of the usual ones and the odd ones, or none at all."""
    return [*census.logins[:limit], *census.odd] if limit else []


def admitted(census: Census, authorizer: str, scope: ArnScope, now: int) -> list[Login]:
    """Return the logins of *census* that our function lets in."""
    return [each for each in census.logins if ours(each, authorizer, scope, now).answer.is_authenticated]


def compare(old: Old, logins: list[Login], scope: ArnScope, now: int, into: Comparison) -> Iterator[int]:
    """Ask both functions about *logins* and fill *into*; yield 1 for each login. *old* is closed at the end."""
    with closing(old):
        yield from ask_both(old, logins, scope, now, into)


def ask_both(old: Old, logins: list[Login], scope: ArnScope, now: int, into: Comparison) -> Iterator[int]:
    into.wanted = len(logins)
    until, in_a_row = time.monotonic() + PATIENCE_S, 0
    for login in logins:
        if time.monotonic() > until:
            into.stopped = f"{PATIENCE_S:.0f} s were not enough for more"
            return
        theirs, took = old.ask(login)
        into.asked, into.slowest_s = into.asked + 1, max(into.slowest_s, took)
        mine = ours(login, old.authorizer, scope, now)
        weigh(into, login, "with its password", theirs, mine, scope)
        in_a_row = in_a_row + 1 if theirs.fault else 0
        into.failures += bool(theirs.fault)
        if in_a_row == FAILURES:
            into.stopped = f"the old function gave no answer {FAILURES} times in a row"
            return
        yield 1
    for case, wrong in mistaken(into):
        theirs, _ = old.ask(wrong)
        weigh(into, wrong, case, theirs, ours(wrong, old.authorizer, scope, now), scope)


def mistaken(found: Comparison) -> Iterator[tuple[str, Login]]:
    """Yield logins that are wrong in one thing each, made of one that both functions let in."""
    if not found.let_in:
        return
    login, nonsense = found.let_in[0], secrets.token_urlsafe(18)
    yield "with a wrong password", replace(login, password=Secret(nonsense))
    yield "with another user name", replace(login, username=f"other-{uuid.uuid4().hex[:8]}")
    unknown = f"unknown-{uuid.uuid4().hex[:8]}"
    yield "which no row knows", Login(unknown, unknown, Secret(nonsense), None)


def weigh(into: Comparison, login: Login, case: str, theirs: Verdict, mine: Verdict, scope: ArnScope) -> None:
    """Note what differs, and what both agree on."""
    is_in, is_in_here = theirs.answer.is_authenticated, mine.answer.is_authenticated
    if is_in:
        into.timers[theirs.answer.refresh_after_s, theirs.answer.disconnect_after_s] += 1
    if is_in != is_in_here:
        words = f"the old function {theirs.words}, ours {mine.words}"
        into.differences.append(Difference(login.client_id, case, words))
        return
    if not is_in:  # that one of them failed over it makes no difference to a device
        return
    lost, gained = policy_changes(login.client_id, theirs.documents, mine.documents, scope)
    for words, topics in (("loses", lost), ("gains", gained)):
        if topics:
            into.differences.append(Difference(login.client_id, case, f"{words}: {some(topics)}"))
    into.let_in.append(login)


def some(words: list[str]) -> str:
    rest = len(words) - SHOWN_TOPICS
    return ", ".join(words[:SHOWN_TOPICS]) + (f" and {rest} more" if rest > 0 else "")


def policy_changes(
    client_id: str, theirs: tuple[Document, ...], mine: tuple[Document, ...], scope: ArnScope
) -> tuple[list[str], list[str]]:
    """Return what the client may do under *theirs* alone, and what under *mine* alone, in words."""
    context = Context(client_id=client_id)
    before, after = Evaluator(theirs, context), Evaluator(mine, context)
    lost: list[str] = []
    gained: list[str] = []
    for action, words, resource in questions(client_id, theirs + mine, scope):
        was, will_be = before.allows(action, resource), after.allows(action, resource)
        if was != will_be:
            (lost if was else gained).append(f"{words} `{resource_name(resource).partition('/')[2]}`")
    return lost, gained


def questions(client_id: str, documents: tuple[Document, ...], scope: ArnScope) -> Iterator[tuple[str, str, str]]:
    """Yield action, words and resource of everything that any of *documents* may be about.

    A pattern is asked about at a few of the texts that it covers: its stars empty, one level, two levels, and for
    a filter MQTT's own wildcard. Of `iot:Connect` only the client's own id counts: AWS IoT asks about no other.
    """
    named = {
        name for document in documents for each in document.statements for name in map(resource_name, each.resources)
    }
    names = {"client/" + client_id}
    for name in sorted(named):
        kind, slash, rest = name.partition("/")
        kinds = (kind,) if slash and kind in ("topic", "topicfilter") else ("topic", "topicfilter")
        if slash and kind == "client":
            continue
        text = VARIABLE.sub(lambda _: client_id, rest if slash else "*").replace("?", "a")
        names |= {f"{kind}/{text.replace('*', fill)}" for kind in kinds for fill in FILL[kind]}
    for name in sorted(names):
        kind, _, rest = name.partition("/")
        if rest:
            arn = {"topic": scope.topic, "topicfilter": scope.topicfilter, "client": scope.client}[kind](rest)
            yield from ((action, words, arn) for action, words in ACTIONS[kind].items())
