"""Each finding on the smallest policy that has it, and none on a policy that is right."""

from __future__ import annotations

import ast
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.grants import ArnScope, Grants, compile_policies
from iotauth_cli.policy.document import VERSION, Document, parse, parse_all
from iotauth_cli.policy.limits import MAX_POLICY_DOCUMENT_CHARACTERS, MAX_POLICY_DOCUMENTS, characters
from iotauth_cli.policy.lint import Finding, lint
from iotauth_cli.policy.match import compile_pattern, covers
from iotauth_cli.policy.rules import RULES
from support import REPOSITORY

VECTORS = REPOSITORY / "tests" / "vectors" / "lint"

SCOPE = "arn:aws:iot:us-east-1:123456789012:"


def allow(action: str | list[str], *resources: str, **members: object) -> dict[str, object]:
    whole = [resource if resource == "*" else SCOPE + resource for resource in resources]
    return {"Effect": "Allow", "Action": action, "Resource": whole, **members}


def deny(action: str | list[str], *resources: str) -> dict[str, object]:
    return {**allow(action, *resources), "Effect": "Deny"}


CONNECT = allow("iot:Connect", "client/door-7")
RIGHT = [
    CONNECT,
    allow(["iot:Publish", "iot:RetainPublish", "iot:Receive"], "topic/doors/door-7/*"),
    allow("iot:Subscribe", "topicfilter/doors/door-7/*", "topicfilter/doors/+/state"),
]


def findings(*statements: dict[str, object], version: str = "2012-10-17") -> tuple[Finding, ...]:
    return lint([parse({"Version": version, "Statement": list(statements)})])


def test_a_policy_that_is_right_has_no_findings() -> None:
    """A device's ordinary grants: nothing to say, `+` in a topic filter included."""
    assert findings(*RIGHT) == ()


@pytest.mark.parametrize(
    "grants",
    [
        Grants(),
        Grants.for_topic("sensors/thermo-1"),
        Grants(publish=("doors/#",), subscribe=("+/state", "$share/group/doors/#")),
        Grants(subscribe=("$aws/things/thermo-1/#",), retain=("state",), will=("gone",)),
    ],
)
def test_the_policies_of_grants_have_no_findings(grants: Grants) -> None:
    """What the authorizer function returns for our own clients is what lint would have people write."""
    scope = ArnScope("aws", "us-east-1", "123456789012")
    assert lint(parse_all(compile_policies(grants, "thermo-1", scope))) == ()


def test_a_grant_of_every_topic_is_told_and_nothing_else() -> None:
    """`#` is granted as it was asked for, and lint says what that means."""
    scope = ArnScope("aws", "us-east-1", "123456789012")
    found = lint(parse_all(compile_policies(Grants(publish=("#",), subscribe=("#",)), "thermo-1", scope)))
    assert {finding.slug for finding in found} == {"over-broad"}


@pytest.mark.parametrize(
    ("statements", "slug", "sentence", "place"),
    [
        ([allow("iot:Publish", "topic/a/+/c")], "mqtt-wildcard", "resource topic/a/+/c: `+` and `#`", 4),
        ([deny("iot:Receive", "topic/a/#")], "mqtt-wildcard", "resource topic/a/#", 4),
        ([allow("iot:Subscribe", "topic/a")], "wrong-resource-type", "iot:Subscribe is about topicfilter/…", 4),
        ([allow("iot:Publish", "topicfilter/a")], "wrong-resource-type", "iot:Publish is about topic/…", 4),
        (
            [allow("iot:Publish", "topic/b", "topicfilter/a")],
            "wrong-resource-type",
            "resource topicfilter/a is of no use to iot:Publish",
            4,
        ),
        (
            [allow("iot:Publish", "topic/${iot:Connection.Thing.ThingName}")],
            "no-value",
            "${iot:Connection.Thing.ThingName} has no value",
            4,
        ),
        (
            [allow("iot:Publish", "topic/x", Condition={"StringLike": {"iot:ClientId": "${iot:Certificate.Id}"}})],
            "no-value",
            "${iot:Certificate.Id} has no value",
            4,
        ),
        (
            [allow("iot:Publish", "topic/x", Condition={"Bool": {"iot:Connection.Thing.IsAttached": True}})],
            "unknown-condition",
            "condition Bool on iot:Connection.Thing.IsAttached is not known",
            4,
        ),
        (
            [allow("iot:Publish", "topic/x", Condition={"Resembles": {"iot:ClientId": "x"}})],
            "unknown-condition",
            "condition Resembles on iot:ClientId",
            4,
        ),
        ([allow("iot:Connect", "client/${iot:ClientId}")], "any-client", "resource client/${iot:ClientId} lets", 4),
        ([{**CONNECT, "Sid": "Again"}], "duplicate", "it says the same as document 1, statement 1", 4),
        ([deny("iot:Subscribe", "topicfilter/a/*")], "deny-subscribe-only", "it denies iot:Subscribe on some", None),
    ],
)
def test_a_finding_says_what_and_where(
    statements: list[dict[str, object]], slug: str, sentence: str, place: int | None
) -> None:
    """One statement added to a right policy, one finding about it."""
    found = findings(*RIGHT, *statements)
    assert [finding.slug for finding in found] == [slug]
    assert found[0].sentence.startswith(sentence)
    assert found[0].statement == place
    assert found[0].remedy


@pytest.mark.parametrize(
    ("statements", "slugs"),
    [
        (RIGHT[1:], ["no-connect"]),
        ([CONNECT, allow("iot:Subscribe", "topicfilter/a")], ["subscribe-without-receive"]),
        ([allow("iot:Subscribe", "topicfilter/a")], ["no-connect", "subscribe-without-receive"]),
        ([*RIGHT, deny(["iot:Subscribe", "iot:Receive"], "topicfilter/a/*", "topic/a/*")], []),
        ([deny("iot:Publish", "topic/a")], []),
        ([*RIGHT, allow(["iot:Publish", "iot:Subscribe"], "topic/b", "topicfilter/b")], []),
        ([*RIGHT, allow(["iot:Publish", "iot:Subscribe"], "*")], ["shadowed", "over-broad"]),
        ([allow("iot:*", "*")], ["any-client", "over-broad"]),
        ([allow("iot:Connect", "client/*"), *RIGHT], ["any-client", "shadowed"]),
        ([*RIGHT, allow(["iot:Publish", "iot:Subscribe"], "topic*/b")], []),
        ([*RIGHT, {"Effect": "Deny", "NotAction": "iot:*", "Resource": f"{SCOPE}topicfilter/a"}], []),
    ],
    ids=[
        "not let in",
        "nothing delivered",
        "both",
        "deny both",
        "only a deny",
        "two types for two actions",
        "any type",
        "everything",
        "any client",
        "a type left open",
        "NotAction",
    ],
)
def test_what_is_missing_or_enough_in_the_whole(statements: list[dict[str, object]], slugs: list[str]) -> None:
    """Some findings are about all statements together, and so is their absence."""
    assert [finding.slug for finding in findings(*statements)] == slugs


def test_statements_are_seen_across_documents() -> None:
    """Connect in one document is enough for Publish in another; a copy in another is still a copy."""
    documents = parse_all([{"Version": "2012-10-17", "Statement": [each]} for each in (*RIGHT, CONNECT)])
    assert [(each.slug, each.document, each.statement) for each in lint(documents)] == [("duplicate", 4, 1)]


def test_variables_under_the_old_version_are_found_once_per_document() -> None:
    """The mistake is the version, not each variable."""
    door = "topic/${iot:ClientId}"
    found = findings(CONNECT, allow("iot:Publish", door), allow("iot:Receive", door), version="2008-10-17")
    assert [(each.slug, each.document, each.statement) for each in found] == [("variables-not-replaced", 1, None)]


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        ([allow("iot:Publish", "topic/a/*"), allow("iot:Publish", "topic/a/b")], [("shadowed", 3)]),
        ([allow("iot:Publish", "topic/a/b"), allow("iot:publish", "topic/a/*")], [("shadowed", 2)]),
        ([allow("iot:P*", "topic/a/*"), allow("iot:Publish", "topic/a/?", "topic/a/b*c")], [("shadowed", 3)]),
        ([allow("iot:Publish", "topic/a/*"), allow(["iot:Publish", "iot:Receive"], "topic/a/b")], []),
        ([allow("iot:Publish", "topic/a/*"), allow("iot:Publish", "topic/a/b", "topic/b")], []),
        ([allow("iot:Publish", "topic/a?"), allow("iot:Publish", "topic/a*")], [("shadowed", 2)]),
        ([allow("iot:Publish", "topic/a/?"), deny("iot:Publish", "topic/a/*")], [("never-applies", 2)]),
        ([allow("iot:Publish", "topic/a/*"), deny("iot:Publish", "topic/a/?")], []),
        ([deny("iot:Publish", "topic/a/*"), deny("iot:Publish", "topic/a/b")], [("shadowed", 3)]),
        (
            [
                allow("iot:Publish", "topic/a/*", Condition={"StringEquals": {"iot:ClientId": "x"}}),
                allow("iot:Publish", "topic/a/b"),
            ],
            [],
        ),
    ],
    ids=[
        "wider before",
        "wider behind",
        "wildcards in both",
        "an action more",
        "a resource more",
        "one character against any number",
        "denied whole",
        "denied in part",
        "denied twice",
        "only under a condition",
    ],
)
def test_a_statement_that_changes_nothing_is_found(
    statements: list[dict[str, object]], found: list[tuple[str, int]]
) -> None:
    """Another covers all of it, by its texts; what is covered in part stays unmentioned."""
    assert [(each.slug, each.statement) for each in findings(CONNECT, *statements)] == found


SNIPPETS = st.text(alphabet="ab/*?", max_size=8)


@given(SNIPPETS, SNIPPETS, st.text(alphabet="ab/", max_size=10))
def test_a_pattern_that_covers_another_matches_whatever_that_matches(wider: str, narrower: str, text: str) -> None:
    """`covers` may miss a pair, and never claims one falsely."""
    if covers(wider, narrower) and compile_pattern([narrower]).matches(text):
        assert compile_pattern([wider]).matches(text)


def vectors() -> list[tuple[str, str, dict[str, object]]]:
    rules = yaml.safe_load((VECTORS / "rules.yaml").read_text())
    return [(rule, kind, rules[rule][kind]) for rule in rules for kind in ("bad", "good")]


@pytest.mark.parametrize(("rule", "kind", "statements"), vectors(), ids=lambda value: str(value)[:30])
def test_each_rule_finds_its_example_and_leaves_the_better_one(
    rule: str, kind: str, statements: list[dict[str, str]]
) -> None:
    """The vectors show each rule on statements in short; the better ones have no finding at all."""
    version = "2008-10-17" if (rule, kind) == ("variables-not-replaced", "bad") else VERSION
    found = {each.slug for each in lint(written_out(statements, version))}
    assert (rule in found) if kind == "bad" else not found


def written_out(statements: list[dict[str, str]], version: str) -> list[Document]:
    """Return the documents that vectors mean: texts repeated as often as they say, ARNs in full."""
    bodies: list[dict[str, object]] = []
    for short in statements:
        times, (effect, rest) = int(short.get("times", 1)), next(iter(short.items()))
        for number in range(times):
            actions, _, resources = rest.replace("{n}", str(number)).replace("{long}", "x" * 2000).partition(" on ")
            body: dict[str, object] = allow(actions.split(", "), *resources.split(", "))
            body["Effect"] = effect
            if "condition" in short:
                body["Condition"] = json.loads(short["condition"])
            bodies.append(body)
    groups = [[body] for body in bodies] if any("times" in each for each in statements) else [bodies]
    return [parse({"Version": version, "Statement": group}) for group in groups]


def test_every_rule_has_its_vectors_and_an_explanation() -> None:
    """A finding without a rule would have no page to point to."""
    rules = set(yaml.safe_load((VECTORS / "rules.yaml").read_text()))
    source = (REPOSITORY / "src" / "iotauth_cli" / "policy" / "lint.py").read_text()
    texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    assert rules == set(RULES) == texts & set(RULES)
    assert {rule.severity for rule in RULES.values()} == {"error", "warning"}


def of_length(length: int) -> Document:
    body = {"Version": "2012-10-17", "Statement": [{**CONNECT, "Sid": ""}]}
    filler = "x" * (length - characters(body))
    document = parse({"Version": "2012-10-17", "Statement": [{**CONNECT, "Sid": filler}]})
    assert document.characters == length
    return document


def test_the_limits_are_inclusive() -> None:
    """2,048 characters and 10 documents pass; one more of either is found, with both numbers."""
    assert lint([of_length(MAX_POLICY_DOCUMENT_CHARACTERS)]) == ()
    (found,) = lint([of_length(MAX_POLICY_DOCUMENT_CHARACTERS + 1)])
    assert (found.slug, found.sentence) == ("document-too-long", "it has 2049 characters; AWS IoT takes 2048")

    def clients(count: int) -> list[Document]:
        return [
            parse({"Version": "2012-10-17", "Statement": allow("iot:Connect", f"client/{n}")}) for n in range(count)
        ]

    assert lint(clients(MAX_POLICY_DOCUMENTS)) == ()
    (found,) = lint(clients(MAX_POLICY_DOCUMENTS + 1))
    assert (found.slug, found.sentence) == ("too-many-documents", "there are 11 documents; AWS IoT takes 10")
