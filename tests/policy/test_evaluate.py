"""The decision, its words, and the broker's fast way to it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.policy.context import LAST_WILL, PERSISTENT_CONNECT, Context
from iotauth_cli.policy.document import Condition, Document, Statement, parse
from iotauth_cli.policy.evaluate import (
    ALLOWED,
    EXPLICIT_DENY,
    IMPLICIT_DENY,
    MAX_REMEMBERED,
    Evaluator,
    Request,
    evaluate,
)

SCOPE = "arn:aws:iot:us-east-1:123456789012:"
DOOR = Context(client_id="door-7", source_ip="192.0.2.7")

ACTIONS = ["iot:Connect", "iot:Publish", "iot:Receive"]
RESOURCES = [f"{SCOPE}{name}" for name in ("topic/a", "topic/a/b", "topic/door-7", "topic/*", "client/a")]
PATTERNS = [
    "*",
    f"{SCOPE}topic/*",
    f"{SCOPE}topic/a",
    f"{SCOPE}*/a*",
    f"{SCOPE}topic/?",
    f"{SCOPE}topic/${{iot:ClientId}}",
    f"{SCOPE}topic/${{iot:Connection.Thing.ThingName}}",
    f"{SCOPE}topic/${{*}}",
]
CONDITIONS = [
    Condition("StringEquals", "iot:ClientId", ("door-7",)),
    Condition("StringNotLike", "iot:ClientId", ("door-*",)),
    Condition("ForAllValues:StringEquals", "iot:ConnectAttributes", ("LastWill",)),
    Condition("ForAnyValue:StringEquals", "iot:ConnectAttributes", ("PersistentConnect",)),
    Condition("IpAddress", "aws:SourceIp", ("192.0.2.0/24",)),
    Condition("Resembles", "iot:ClientId", ("door-7",)),
]


def some(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple)


STATEMENTS = st.builds(
    Statement,
    effect=st.sampled_from(["Allow", "Deny"]),
    actions=some([*ACTIONS, "iot:*", "IOT:publish"]),
    resources=some(PATTERNS),
    is_not_action=st.booleans(),
    is_not_resource=st.booleans(),
    conditions=st.lists(st.sampled_from(CONDITIONS), max_size=2).map(tuple),
)
DOCUMENTS = st.lists(
    st.builds(
        Document,
        statements=st.lists(STATEMENTS, min_size=1, max_size=3).map(tuple),
        version=st.sampled_from(["2012-10-17", "2008-10-17"]),
    ),
    max_size=3,
)
CONTEXTS = st.builds(
    Context,
    client_id=st.none() | st.sampled_from(["door-7", "*", "a"]),
    source_ip=st.none() | st.just("192.0.2.7"),
    connect_attributes=st.sets(st.sampled_from([PERSISTENT_CONNECT, LAST_WILL])).map(tuple),
)


@given(DOCUMENTS, CONTEXTS)
def test_the_fast_way_and_the_explained_way_agree(documents: list[Document], context: Context) -> None:
    """For any policy, action and resource, `allows` says what `decide` says, asked once or again."""
    evaluator = Evaluator(documents, context)
    for _ in range(2):
        for action in ACTIONS:
            for resource in RESOURCES:
                assert evaluator.allows(action, resource) == evaluator.decide(action, resource).allowed


@given(DOCUMENTS, CONTEXTS, st.randoms(use_true_random=False))
def test_order_changes_no_effect(documents: list[Document], context: Context, rng: random.Random) -> None:
    """Documents of one answer count together: their order may change who decides, never what."""
    shuffled = rng.sample(documents, len(documents))
    for action in ACTIONS:
        for resource in RESOURCES:
            request = Request(action, resource, context)
            assert evaluate(documents, request).effect == evaluate(shuffled, request).effect


@given(DOCUMENTS, STATEMENTS.filter(lambda statement: statement.effect == "Deny"), CONTEXTS)
def test_a_deny_more_never_allows_more(documents: list[Document], deny: Statement, context: Context) -> None:
    """Adding a Deny takes away or changes nothing."""
    before, after = Evaluator(documents, context), Evaluator([*documents, Document((deny,))], context)
    for action in ACTIONS:
        for resource in RESOURCES:
            assert before.allows(action, resource) or not after.allows(action, resource)


@given(DOCUMENTS, CONTEXTS)
def test_the_deciding_statement_alone_gives_the_effect(documents: list[Document], context: Context) -> None:
    """The statement that a decision names is one that by itself decides so; without one, no trace line applies."""
    for resource in RESOURCES:
        decision = evaluate(documents, Request("iot:Publish", resource, context))
        if decision.deciding is None:
            assert decision.effect == IMPLICIT_DENY
            continue
        document = documents[decision.deciding.document - 1]
        alone = Document((document.statements[decision.deciding.statement - 1],), document.version)
        assert evaluate([alone], Request("iot:Publish", resource, context)).effect == decision.effect


def policy(*statements: dict[str, object]) -> Document:
    return parse({"Version": "2012-10-17", "Statement": list(statements)})


def test_the_trace_says_for_every_statement_why() -> None:
    """One line per statement, over all documents, in the words that the CLI and the emulator print."""
    first = policy(
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{SCOPE}client/door-7"},
        {
            "Effect": "Allow",
            "Action": ["iot:Publish", "iot:Receive"],
            "Resource": [f"{SCOPE}topic/doors/door-7/*", f"{SCOPE}topic/log"],
        },
        {"Effect": "Allow", "NotAction": "iot:Publish", "Resource": "*"},
        {"Effect": "Allow", "Action": "iot:*", "Resource": f"{SCOPE}topic/${{iot:Connection.Thing.ThingName}}"},
        {"Effect": "Allow", "Action": "iot:*", "Resource": "arn:aws:iot:eu-west-1:123456789012:topic/log"},
    )
    second = policy(
        {
            "Effect": "Allow",
            "Action": "iot:Publish",
            "Resource": "*",
            "Condition": {"StringEquals": {"iot:ClientId": "gate-3"}},
        },
        {"Effect": "Deny", "Action": "iot:Publish", "NotResource": f"{SCOPE}topic/log"},
        {
            "Sid": "Quiet",
            "Effect": "Deny",
            "Action": "iot:*",
            "Resource": [f"{SCOPE}topic/{name}" for name in ("l*", "m*", "n*", "o*", "p*")],
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        },
    )
    decision = evaluate([first, second], Request("iot:Publish", f"{SCOPE}topic/log", DOOR))
    assert decision.trace == (
        "document 1, statement 1: action iot:Connect does not match iot:Publish",
        "document 1, statement 2 allows: resource topic/log matches topic/log",
        "document 1, statement 3: NotAction iot:Publish leaves out iot:Publish",
        "document 1, statement 4: resource topic/${iot:Connection.Thing.ThingName} does not match topic/log; "
        "${iot:Connection.Thing.ThingName} has no value here",
        "document 1, statement 5: resource arn:aws:iot:eu-west-1:123456789012:topic/log does not match "
        "arn:aws:iot:us-east-1:123456789012:topic/log",
        "document 2, statement 1: condition StringEquals does not hold: iot:ClientId is door-7, the policy says gate-3",
        "document 2, statement 2: NotResource topic/log leaves out topic/log",
        "document 2, statement 3 (`Quiet`) denies: resource topic/l* matches topic/log; condition Bool cannot be told: "
        "key aws:SecureTransport is not known, so it is taken to hold",
    )
    assert decision.effect == EXPLICIT_DENY
    assert decision.because == "document 2, statement 3 (`Quiet`) denies iot:Publish on topic/log"
    assert decision.deciding is not None
    assert decision.deciding.text == "Deny iot:* on topic/l*, topic/m*, topic/n* and 2 more under conditions"


def test_the_reason_for_an_allow_and_for_no_answer() -> None:
    """What decided is one phrase; where nothing did, that is the phrase."""
    document = policy({"Effect": "Allow", "Action": "iot:Publish", "NotResource": f"{SCOPE}topic/secret/*"})
    allowed = evaluate([document], Request("iot:Publish", f"{SCOPE}topic/a"))
    assert allowed.effect == ALLOWED
    assert allowed.because == "document 1, statement 1 allows iot:Publish on topic/a"
    assert allowed.trace == ("document 1, statement 1 allows: NotResource topic/secret/* does not leave out topic/a",)
    assert (
        evaluate([], Request("iot:Publish", f"{SCOPE}topic/a")).because == "no statement allows iot:Publish on topic/a"
    )


@pytest.mark.parametrize(
    ("resources", "line"),
    [
        (["topic/a", "topic/b", "topic/c"], "resources topic/a, topic/b, topic/c do not match topic/9"),
        (
            ["topic/a", "topic/b", "topic/c", "topic/d"],
            "resources topic/a, topic/b, topic/c and 1 more do not match topic/9",
        ),
    ],
)
def test_several_resources_that_miss_are_counted(resources: list[str], line: str) -> None:
    """Three are named, the rest is a number: a trace line stays a line."""
    whole = [f"{SCOPE}{resource}" for resource in resources]
    document = policy({"Effect": "Allow", "Action": "iot:Publish", "Resource": whole})
    assert evaluate([document], Request("iot:Publish", f"{SCOPE}topic/9")).trace == (
        f"document 1, statement 1: {line}",
    )


def test_several_actions_that_miss_are_listed() -> None:
    """The verb agrees, and nothing is said about resources that the action never reaches."""
    document = policy({"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": "*"})
    trace = evaluate([document], Request("iot:Connect", f"{SCOPE}client/9")).trace
    assert trace == ("document 1, statement 1: actions iot:Publish, iot:Receive do not match iot:Connect",)


def test_resources_are_whole_where_the_account_may_be_the_reason() -> None:
    """One resource of another account is enough: shortened, the line would say that topic/a misses topic/a."""
    foreign = "arn:aws:iot:us-east-1:210987654321:topic/a"
    document = policy({"Effect": "Allow", "Action": "iot:Publish", "Resource": [f"{SCOPE}topic/b", foreign]})
    (line,) = evaluate([document], Request("iot:Publish", f"{SCOPE}topic/a")).trace
    assert line.endswith(f"resources {SCOPE}topic/b, {foreign} do not match {SCOPE}topic/a")


def test_a_client_that_invents_topics_cannot_fill_the_memory() -> None:
    """Decisions are remembered up to a bound per action, and stay right beyond it."""
    evaluator = Evaluator([policy({"Effect": "Allow", "Action": "iot:*", "Resource": f"{SCOPE}topic/1*"})], DOOR)
    for number in range(10 * MAX_REMEMBERED):
        allowed = evaluator.allows("iot:Publish", f"{SCOPE}topic/{number}")
        assert allowed == str(number).startswith("1")
    assert [len(table.remembered) for table in evaluator._tables.values()] == [MAX_REMEMBERED]


@pytest.mark.parametrize("action", ["iot:Publish", "IOT:PUBLISH", "iot:publish"])
def test_a_request_may_spell_its_action_as_it_likes(action: str) -> None:
    """Action names do not heed case on either side."""
    evaluator = Evaluator([policy({"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"})])
    assert evaluator.allows(action, f"{SCOPE}topic/a")
    assert evaluator.decide(action, f"{SCOPE}topic/a").allowed
