"""Find what a policy says but cannot mean.

Every finding is about a document that AWS IoT accepts and that then does something else than it
reads: a wildcard that is plain text, a grant that nothing can use, a rule that a wider filter
slips past. Findings are advice: none of them changes a decision. `rules` says why each is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from iotauth_cli.policy.binding import BoundStatement, bind, resource_name
from iotauth_cli.policy.conditions import read_operator
from iotauth_cli.policy.context import BASIC_VARIABLES, CONDITION_KEYS, CONNECT, Context
from iotauth_cli.policy.document import DENY, VERSION, Document, Statement
from iotauth_cli.policy.limits import MAX_POLICY_DOCUMENT_CHARACTERS, MAX_POLICY_DOCUMENTS
from iotauth_cli.policy.match import covers
from iotauth_cli.policy.rules import RULES, Severity
from iotauth_cli.policy.variables import names

PUBLISH = "iot:Publish"
SUBSCRIBE = "iot:Subscribe"
RECEIVE = "iot:Receive"

# Source: AWS IoT developer guide, "AWS IoT Core action resources".
RESOURCE_TYPES = {
    "iot:connect": "client",
    "iot:publish": "topic",
    "iot:retainpublish": "topic",
    "iot:receive": "topic",
    "iot:getretainedmessage": "topic",
    "iot:subscribe": "topicfilter",
}
# AWS's own audit calls the last one a wildcard too: every client has its own client id.
ANY_CLIENT = frozenset({"*", "client/*", "client/${iot:ClientId}"})
EVERY_TOPIC = frozenset({"*", "topic/*", "topicfilter/*", "topicfilter/#"})
CLIENT_ID = BASIC_VARIABLES[0]


@dataclass(frozen=True)
class Finding:
    """What is odd, what to write instead, and where; numbers count from 1, None means all of it."""

    slug: str
    sentence: str
    remedy: str
    document: int | None = None
    statement: int | None = None

    @property
    def severity(self) -> Severity:
        return RULES[self.slug].severity

    @property
    def place(self) -> str:
        """Where it is: ``document 1, statement 2``, or nothing when the whole policy is meant."""
        numbers = (("document", self.document), ("statement", self.statement))
        return ", ".join(f"{what} {number}" for what, number in numbers if number is not None)


def lint(documents: Sequence[Document]) -> tuple[Finding, ...]:
    """Return the findings about *documents* taken together as one client's policy."""
    statements = tuple(bind(documents, Context()))
    return (*_of_documents(documents), *_of_statements(statements), *_of_the_whole(statements))


def _of_documents(documents: Sequence[Document]) -> Iterator[Finding]:
    if len(documents) > MAX_POLICY_DOCUMENTS:
        yield Finding(
            "too-many-documents",
            f"there are {len(documents)} documents; AWS IoT takes {MAX_POLICY_DOCUMENTS}",
            "put more statements into each",
        )
    for number, document in enumerate(documents, 1):
        if document.characters > MAX_POLICY_DOCUMENT_CHARACTERS:
            yield Finding(
                "document-too-long",
                f"it has {document.characters} characters; AWS IoT takes {MAX_POLICY_DOCUMENT_CHARACTERS}",
                "split it, or cover several topics with one `*`",
                number,
            )
        if not document.has_variables and any(map(_variables, document.statements)):
            yield Finding(
                "variables-not-replaced",
                f"its variables stay plain text under Version {document.version}",
                f'write "Version": "{VERSION}"',
                number,
            )


def _of_statements(statements: Sequence[BoundStatement]) -> Iterator[Finding]:
    seen: dict[Statement, str] = {}
    for bound in statements:
        where = bound.reference
        for slug, sentence, remedy in _of_statement(bound):
            yield Finding(slug, sentence, remedy, where.document, where.statement)
        bare = _without_sid(bound.statement)
        if bare in seen:
            sentence = f"it says the same as {seen[bare]}"
            yield Finding("duplicate", sentence, "remove one of them", where.document, where.statement)
        elif wider := next((each for each in statements if _makes_idle(each.statement, bare)), None):
            yield _idle(bound, wider)
        seen.setdefault(bare, str(where))


def _idle(bound: BoundStatement, wider: BoundStatement) -> Finding:
    where = bound.reference
    if wider.is_deny and not bound.is_deny:
        sentence = f"{wider.reference} denies all that it allows, and a Deny beats every Allow"
        return Finding("never-applies", sentence, "narrow the Deny, or remove this", where.document, where.statement)
    sentence = f"{wider.reference} says this and more"
    return Finding("shadowed", sentence, "remove it, or narrow the wider one", where.document, where.statement)


def _makes_idle(wider: Statement, narrower: Statement) -> bool:
    """Tell whether *narrower* changes nothing beside *wider*, by their texts alone."""
    exceptions = (wider.is_not_action, wider.is_not_resource, narrower.is_not_action, narrower.is_not_resource)
    if any(exceptions) or wider.conditions or _without_sid(wider) == narrower:
        return False
    if wider.effect != narrower.effect and wider.effect != DENY:
        return False
    actions = [each.lower() for each in wider.actions]
    return _all_covered(actions, [each.lower() for each in narrower.actions]) and _all_covered(
        wider.resources, narrower.resources
    )


def _all_covered(wider: Sequence[str], narrower: Sequence[str]) -> bool:
    return all(any(covers(pattern, each) for pattern in wider) for each in narrower)


def _of_statement(bound: BoundStatement) -> Iterator[tuple[str, str, str]]:
    yield from _mqtt_wildcards(bound.statement)
    yield from _wrong_types(bound.statement)
    yield from _useless_variables(bound.statement)
    yield from _useless_conditions(bound.statement)
    if not bound.is_deny and bound.covers_action(CONNECT):
        yield from _any_client(bound.statement)
    if not bound.is_deny:
        yield from _over_broad(bound)


def _of_the_whole(statements: Sequence[BoundStatement]) -> Iterator[Finding]:
    allowed = {action for action in (CONNECT, PUBLISH, SUBSCRIBE, RECEIVE) if _covers(statements, action, False)}
    denied = {action for action in (SUBSCRIBE, RECEIVE) if _covers(statements, action, True)}
    if allowed and CONNECT not in allowed:
        yield Finding(
            "no-connect",
            f"it allows {', '.join(sorted(allowed))} but not {CONNECT}, so the device is not let in",
            f"allow {CONNECT} on its client/… resource",
        )
    if SUBSCRIBE in allowed and RECEIVE not in allowed:
        yield Finding(
            "subscribe-without-receive",
            f"it allows {SUBSCRIBE} but not {RECEIVE}: subscriptions are granted and nothing is delivered",
            f"allow {RECEIVE} on the topic/… resources",
        )
    if SUBSCRIBE in denied and RECEIVE not in denied:
        yield Finding(
            "deny-subscribe-only",
            f"it denies {SUBSCRIBE} on some filters; a wider filter such as `#` still delivers their messages",
            f"deny {RECEIVE} on the topic/… resources as well",
        )

    yield from _injection(statements)


def _injection(statements: Sequence[BoundStatement]) -> Iterator[Finding]:
    """Find grants that follow the client id, where the device may choose it."""
    allowing = [each for each in statements if not each.is_deny]
    is_free = any(each.covers_action(CONNECT) and any(_any_client(each.statement)) for each in allowing)
    for bound in allowing if is_free else ():
        follows = [
            resource_name(resource)
            for resource in bound.statement.resources
            if CLIENT_ID.lower() in map(str.lower, names(resource)) and resource_name(resource) not in ANY_CLIENT
        ]
        if follows:
            yield Finding(
                "client-id-injection",
                f"resource {follows[0]} follows the client id, and the device may connect under any",
                "name the client id in iot:Connect, or in both",
                bound.reference.document,
                bound.reference.statement,
            )


def _covers(statements: Sequence[BoundStatement], action: str, denies: bool) -> bool:
    return any(each.is_deny == denies and each.covers_action(action) for each in statements)


def _mqtt_wildcards(statement: Statement) -> Iterator[tuple[str, str, str]]:
    for resource in statement.resources:
        name = resource_name(resource)
        if name.startswith("topic/") and ("+" in name or "#" in name):
            yield (
                "mqtt-wildcard",
                f"resource {name}: `+` and `#` are plain characters in a policy, and no topic has them",
                f"write {name.replace('+', '*').replace('#', '*')}; `*` crosses levels",
            )


def _wrong_types(statement: Statement) -> Iterator[tuple[str, str, str]]:
    """Find actions without a resource of their type; failing that, resources without an action."""
    wanted = {action: RESOURCE_TYPES.get(action.lower()) for action in statement.actions}
    given = {resource: _type(resource) for resource in statement.resources}
    if statement.is_not_action or statement.is_not_resource or None in wanted.values() or None in given.values():
        return
    idle_actions = [action for action in wanted if wanted[action] not in given.values()]
    idle_resources = [resource for resource in given if given[resource] not in wanted.values()]
    for action in idle_actions:
        yield (
            "wrong-resource-type",
            f"{action} is about {wanted[action]}/… resources and the statement names none",
            f"name a {wanted[action]}/… resource",
        )
    for resource in idle_resources if not idle_actions else []:
        yield (
            "wrong-resource-type",
            f"resource {resource_name(resource)} is of no use to {', '.join(wanted)}",
            "remove it, or add the action that it is meant for",
        )


def _type(resource: str) -> str | None:
    """Return ``topic`` of ``arn:…:topic/a``, or None where a wildcard leaves it open."""
    kind, slash, _ = resource_name(resource).partition("/")
    return kind if slash and kind.isalpha() else None


def _useless_variables(statement: Statement) -> Iterator[tuple[str, str, str]]:
    known = {name.lower() for name in BASIC_VARIABLES}
    for name in dict.fromkeys(_variables(statement)):
        if name.lower() not in known:
            yield (
                "no-value",
                f"${{{name}}} has no value with custom authentication: what names it matches nothing",
                "write the name itself; the function knows the client id",
            )


def _variables(statement: Statement) -> list[str]:
    values = (value for condition in statement.conditions for value in condition.values)
    return [name for text in (*statement.resources, *values) for name in names(text)]


def _useless_conditions(statement: Statement) -> Iterator[tuple[str, str, str]]:
    for condition in statement.conditions:
        if condition.key.lower() not in CONDITION_KEYS or read_operator(condition.operator) is None:
            yield (
                "unknown-condition",
                f"condition {condition.operator} on {condition.key} is not known to work with custom authentication",
                f"ask about one of {', '.join(BASIC_VARIABLES)}, or decide it in the function",
            )


def _any_client(statement: Statement) -> Iterator[tuple[str, str, str]]:
    for resource in statement.resources:
        if resource_name(resource) in ANY_CLIENT and not statement.is_not_resource:
            yield (
                "any-client",
                f"resource {resource_name(resource)} lets the device connect under any client id, another's too",
                "name the client id: client/door-7",
            )


def _over_broad(bound: BoundStatement) -> Iterator[tuple[str, str, str]]:
    statement = bound.statement
    if statement.is_not_action or statement.is_not_resource:
        what = "NotAction" if statement.is_not_action else "NotResource"
        yield ("over-broad", f"{what} allows everything but what it names", "name what the device may do")
        return
    about_topics = [action for action in (PUBLISH, SUBSCRIBE, RECEIVE) if bound.covers_action(action)]
    for resource in statement.resources:
        if about_topics and resource_name(resource) in EVERY_TOPIC:
            sentence = f"resource {resource_name(resource)} gives it every topic, other devices' too"
            yield ("over-broad", sentence, "name the device's own topics: topic/doors/door-7/*")


def _without_sid(statement: Statement) -> Statement:
    return replace(statement, sid=None)
