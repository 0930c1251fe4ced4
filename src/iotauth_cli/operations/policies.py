"""May a client do it, and what is odd about its policy? Asked of its row, of the authorizer, or of a file.

The row gives what our function would answer; test-invoke what the authorizer does answer, with the
credential that is kept here; a file what somebody is about to deploy. The engine is the one that the
emulator enforces with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.grants import ArnScope, compile_policies
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.emulator.mqtt.topics import InvalidTopic, check_filter, check_topic, is_shared, shared_filter
from iotauth_cli.errors import InputError, NotFound
from iotauth_cli.files import read_text
from iotauth_cli.operations import authorizers
from iotauth_cli.policy.binding import bind, resource_name
from iotauth_cli.policy.context import CONNECT, LAST_WILL, OF_THE_CONNECTION, Context
from iotauth_cli.policy.document import Document, parse_all
from iotauth_cli.policy.evaluate import EXPLICIT_DENY, Decision, Request, evaluate, unknowns
from iotauth_cli.policy.lint import Finding, lint
from iotauth_cli.policy.near import NearMiss, near_misses
from iotauth_cli.policy.rules import RULES
from iotauth_cli.probe.errand import concrete, is_filter

__all__ = ["RULES", "Finding", "Held", "Linted", "NearMiss", "Ruling", "Survey", "Verb"]

Verb = Literal["connect", "publish", "retain", "will", "subscribe", "receive"]
VERBS: tuple[Verb, ...] = get_args(Verb)
SOME_ACCOUNT = ArnScope("aws", "us-east-1", "0" * 12)  # for a file that names no account: `*` covers it

MAX_FILE_BYTES = 128 * 1024  # an answer has at most 10 documents of 2,048 characters; the rest is air
INSIDE_ALONE = "{}, and AWS does not say whether that is enough for a shared subscription; the emulator takes it"
PUBLISH, RETAIN, SUBSCRIBE, RECEIVE = "iot:Publish", "iot:RetainPublish", "iot:Subscribe", "iot:Receive"


@dataclass(frozen=True)
class Held:
    """The policy that *client_id* is held to, and where it was found.

    *texts* are the documents as AWS IoT gets them. *kept_out* says why the client is not let in
    at all, whatever they allow.
    """

    client_id: str
    source: str
    texts: tuple[str, ...]
    scope: ArnScope
    kept_out: str | None = None

    @property
    def documents(self) -> tuple[Document, ...]:
        return parse_all(self.texts)


@dataclass(frozen=True)
class Ruling:
    """The answer to one question. *decisions* are those it rests on, the refused one last.

    *near* are grants that were perhaps meant, *granted* the resources that the refused action is
    allowed on; *notes* what else a yes should be read with. *barred* says why AWS IoT takes the topic
    from nobody, whatever a policy allows.
    """

    held: Held
    verb: Verb
    topic: str | None
    decisions: tuple[Decision, ...]
    near: tuple[NearMiss, ...] = ()
    granted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    barred: str | None = None

    @property
    def allowed(self) -> bool:
        is_free = self.held.kept_out is None and self.barred is None
        return is_free and all(decision.allowed for decision in self.decisions)


@dataclass(frozen=True)
class Linted:
    """What was found about one policy. *subject* is a client or a file; *problem* why it has none at all."""

    subject: str
    findings: tuple[Finding, ...] = ()
    problem: str | None = None

    @property
    def ok(self) -> bool:
        return not self.findings and self.problem is None


@dataclass(frozen=True)
class Survey:
    """What was found about many policies: how many were looked at, and those that are not well."""

    looked_at: int
    unwell: tuple[Linted, ...]

    @property
    def ok(self) -> bool:
        return not self.unwell


def of_row(table: ClientTable, client_id: str, scope: ArnScope, now: int) -> Held:
    """Return what our function would answer for *client_id*.

    Raises:
        NotFound: no such client.
        InputError: its row cannot be read.
    """
    row = table.find(client_id)
    if row is None:
        raise NotFound(
            f"there is no client `{client_id}` in table `{table.name}`",
            hint=f"for a file: `iotauth policy lint --file {client_id}`"
            if client_id.endswith(".json")
            else "see which there are with `iotauth client list`",
        )
    if isinstance(row, BrokenRow):
        raise InputError(
            f"the row of client `{client_id}` is unreadable: {row.reason}",
            hint=f"correct it in table `{table.name}`, or remove it: `iotauth client remove {client_id}`",
        )
    return held_by(row, scope, now, f"its row in table `{table.name}`")


def held_by(row: ClientRecord, scope: ArnScope, now: int, source: str) -> Held:
    try:
        texts = compile_policies(row.grants, row.client_id, scope)
    except ValueError as problem:
        return Held(row.client_id, source, (), scope, str(problem))
    return Held(row.client_id, source, texts, scope, kept_out(row, now))


def kept_out(row: ClientRecord, now: int) -> str | None:
    """Return why the function refuses this client whatever it presents, or None."""
    if not row.enabled:
        return f"client `{row.client_id}` is disabled"
    if row.expires_at is not None and row.expires_at <= now:
        return f"client `{row.client_id}` has expired"
    if not row.slots and not row.plain_password:
        return f"client `{row.client_id}` has no secret"
    if not row.plain_password and all(is_spent(slot, now) for slot in row.slots.values()):
        return f"every secret of client `{row.client_id}` is retired or has expired"
    return None


def is_spent(slot: Slot, now: int) -> bool:
    return slot.state == "retired" or (slot.expires_at is not None and slot.expires_at <= now)


def of_answer(session: Session, store: Store, authorizer: str, client_id: str, scope: ArnScope) -> Held:
    """Return what the authorizer answers to the credential of *client_id* that is kept here.

    Raises:
        InputError: none is kept.
        NotFound: there is no such authorizer.
    """
    attempt = authorizers.attempt(store, authorizer=authorizer, client_id=client_id)
    answer = authorizers.test_invoke(session, authorizer, attempt)
    source = f"the answer of authorizer `{authorizer}`"
    if not answer.is_authenticated:
        return Held(client_id, source, (), scope, f"authorizer `{authorizer}` refuses client `{client_id}`")
    return Held(client_id, source, tuple(answer.policy_documents), scope)


def of_file(path: Path, client_id: str) -> Held:
    """Return the policy in a file: one document, a list of them, or a whole authorizer answer.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    text = read_text(path, MAX_FILE_BYTES)
    if text is None:
        raise InputError(f"there is no file `{path}`", hint="name a JSON file with a policy, or an authorizer's answer")
    try:
        texts = tuple(each if isinstance(each, str) else json.dumps(each) for each in documents_in(json.loads(text)))
    except (ValueError, TypeError, RecursionError):
        raise InputError(
            f"`{path}` is not JSON that holds a policy",
            hint='a policy begins with {"Version": "2012-10-17", "Statement": …}; an answer has "policyDocuments"',
        ) from None
    try:
        return Held(client_id, f"`{path}`", texts, scope_in(parse_all(texts)))
    except InputError as problem:
        raise InputError(f"`{path}`: {problem.message}", hint=problem.hint) from problem


def documents_in(found: Any) -> list[Any]:
    if isinstance(found, dict) and "policyDocuments" in found:
        found = found["policyDocuments"]
    documents = found if isinstance(found, list) else [found]
    if not documents or not all(isinstance(each, (dict, str)) for each in documents):
        raise TypeError("no policy")
    return documents


def scope_in(documents: Sequence[Document]) -> ArnScope:
    """Return the partition, region and account that *documents* are about: what their first ARN names."""
    for bound in bind(documents, Context()):
        for resource in bound.statement.resources:
            parts = resource.removesuffix(resource_name(resource)).split(":")
            if len(parts) > 4 and parts[2] == "iot" and "*" not in "".join(parts):
                return ArnScope(parts[1], parts[3], parts[4])
    return SOME_ACCOUNT


def may(held: Held, verb: Verb, topic: str | None) -> Ruling:
    """Say whether the client may do it once connected, and that it may connect at all.

    Raises:
        InputError: *topic* is missing, superfluous or none.
    """
    check(held.client_id, verb, topic)
    documents = held.documents
    decisions: list[Decision] = []
    near: tuple[NearMiss, ...] = ()
    granted: tuple[str, ...] = ()
    for request in requests(held, verb, topic):
        decision = evaluate(documents, request)
        decisions.append(decision)
        if not decision.allowed:
            near = () if decision.deciding else near_misses(documents, request)
            granted = granted_for(request.action, documents)
            break
    left_open = tuple(unknowns_of(decisions, documents))
    inner = inside_shared(held, verb, topic, documents)
    if inner is not None and inner.effect == EXPLICIT_DENY and decisions[-1].allowed:
        decisions.append(inner)
    elif inner is not None and inner.allowed and decisions[-1].action == SUBSCRIBE and not decisions[-1].allowed:
        left_open += (INSIDE_ALONE.format(inner.because),)
    if decisions[-1].allowed:
        left_open += notes(held, verb, topic, documents)
    return Ruling(held, verb, topic, tuple(decisions), near, granted, left_open, barred(verb, topic))


def unknowns_of(decisions: Sequence[Decision], documents: Sequence[Document]) -> Iterator[str]:
    """Say what the answer may hang on that only a connection has: its address, and the name it asked for."""
    context = Context(unknown=OF_THE_CONNECTION)
    keys = (key for each in decisions for key in unknowns(documents, each.action, context))
    for key in dict.fromkeys(keys):
        yield f"the policy asks for `{key}`, which only a connection has; where it counts, the answer here is no"


def inside_shared(held: Held, verb: Verb, topic: str | None, documents: Sequence[Document]) -> Decision | None:
    """Return the decision on the filter inside a shared one; None where there is none."""
    if verb != "subscribe" or topic is None or not is_shared(topic):
        return None
    context = Context(client_id=held.client_id, unknown=OF_THE_CONNECTION)
    return evaluate(documents, Request(SUBSCRIBE, held.scope.topicfilter(shared_filter(topic)), context))


def barred(verb: Verb, topic: str | None) -> str | None:
    """Return why AWS IoT takes *topic* from nobody, or None. What it sends itself may be received all the same."""
    if topic is None or (verb == "receive" and topic.startswith("$")):
        return None
    try:
        (check_filter if verb == "subscribe" else check_topic)(topic)
    except InvalidTopic as problem:
        return f"AWS IoT takes it from nobody: {problem}"
    return None


def granted_for(action: str, documents: Sequence[Document]) -> tuple[str, ...]:
    """Return the resources, in short, that *documents* allow *action* on."""
    allowing = (each for each in bind(documents, Context()) if not each.is_deny and each.covers_action(action))
    return tuple(dict.fromkeys(resource_name(resource) for each in allowing for resource in each.statement.resources))


def requests(held: Held, verb: Verb, topic: str | None) -> Iterator[Request]:
    """Yield what AWS IoT asks the policy about, in its order.

    Source: AWS IoT developer guide, "AWS IoT Core policy actions"; a will needs iot:Publish on its
    topic at CONNECT, a retained message iot:RetainPublish beside iot:Publish.
    """
    scope, context = held.scope, Context(client_id=held.client_id, unknown=OF_THE_CONNECTION)
    at_connect = context
    if verb == "will" and topic is not None:
        at_connect = replace(context, connect_attributes=(LAST_WILL,), last_will_topic=scope.topic(topic))
    yield Request(CONNECT, scope.client(held.client_id), at_connect)
    if topic is None:
        return
    if verb == "subscribe":
        yield Request(SUBSCRIBE, scope.topicfilter(topic), context)
    elif verb == "receive":
        yield Request(RECEIVE, scope.topic(topic), context)
    else:
        yield Request(PUBLISH, scope.topic(topic), context)
        if verb == "retain":
            yield Request(RETAIN, scope.topic(topic), context)


def notes(held: Held, verb: Verb, topic: str | None, documents: Sequence[Document]) -> tuple[str, ...]:
    """Say what a yes to a subscription leaves open."""
    if verb != "subscribe" or topic is None:
        return ()
    example = concrete(topic.removeprefix("$share/").partition("/")[2] if topic.startswith("$share/") else topic)
    request = Request(RECEIVE, held.scope.topic(example), Context(client_id=held.client_id))
    if evaluate(documents, request).allowed:
        return ()
    return (f"a message on `{example}` would not be delivered: no statement allows {RECEIVE} on topic/{example}",)


def check(client_id: str, verb: Verb, topic: str | None) -> None:
    if verb == "connect":
        if topic is not None:
            raise InputError("`connect` takes no topic", hint=f"iotauth policy can {client_id} connect")
        return
    if topic is None:
        raise InputError(f"`{verb}` wants a topic", hint=f"iotauth policy can {client_id} {verb} sensors/{client_id}")
    if verb == "subscribe":
        if not is_filter(topic):
            raise InputError(
                f"`{topic}` is no topic filter: `#` must be the whole last level, `+` a whole level",
                hint="write `sensors/+/state` or `sensors/#`",
            )
    elif "+" in topic or "#" in topic:
        raise InputError(
            f"nothing is published to `{topic}`, which has a wildcard",
            hint=f"name one topic, such as `{concrete(topic)}`; only `subscribe` takes a filter",
        )


def examine(held: Held, subject: str) -> Linted:
    """Lint one policy."""
    return Linted(subject, lint(held.documents)) if held.texts else Linted(subject, problem=held.kept_out)


def examine_rows(rows: Iterable[ClientRecord | BrokenRow], scope: ArnScope, now: int) -> Iterator[Linted]:
    """Lint every row of a table, one at a time; what no policy can be made of is a finding too."""
    for row in rows:
        subject = f"client `{row.client_id}`"
        if isinstance(row, BrokenRow):
            yield Linted(subject, problem=f"its row is unreadable: {row.reason}")
        else:
            yield examine(held_by(row, scope, now, subject), subject)


def survey(examined: Iterable[Linted]) -> Survey:
    """Go through *examined* and keep what is wrong; a million rows that are well take no memory."""
    looked_at, unwell = 0, []
    for each in examined:
        looked_at += 1
        if not each.ok:
            unwell.append(each)
    return Survey(looked_at, tuple(unwell))
