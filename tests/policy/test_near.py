"""A refusal names the grant that was meant, and the one thing that keeps it from counting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.policy.context import Context
from iotauth_cli.policy.document import Document, parse
from iotauth_cli.policy.evaluate import Request, evaluate
from iotauth_cli.policy.near import near_misses

SCOPE = "arn:aws:iot:us-east-1:123456789012:"
OTHER = "arn:aws:iot:eu-west-1:123456789012:"


def statement(action: str, resource: str, **members: object) -> dict[str, object]:
    whole = resource if resource.startswith(("arn:", "*")) else SCOPE + resource
    return {"Effect": "Allow", "Action": action, "Resource": whole, **members}


def misses(action: str, asked: str, *statements: dict[str, object]) -> list[str]:
    documents = [parse({"Version": "2012-10-17", "Statement": list(statements)})]
    request = Request(action, SCOPE + asked, Context(client_id="door-7"))
    assert not evaluate(documents, request).allowed
    return [miss.why for miss in near_misses(documents, request)]


@pytest.mark.parametrize(
    ("granted", "asked", "why"),
    [
        (
            ("iot:Subscribe", "topicfilter/a/+/b"),
            ("iot:Subscribe", "topicfilter/a/1/b"),
            "topicfilter/a/+/b is compared as text, where `+` and `#` are plain characters; "
            "topicfilter/a/*/b would match topicfilter/a/1/b",
        ),
        (
            ("iot:Publish", "topic/a/#"),
            ("iot:Publish", "topic/a/b/c"),
            "topic/a/# is compared as text, where `+` and `#` are plain characters; topic/a/* would match topic/a/b/c",
        ),
        (
            ("iot:Publish", "topic/a/*"),
            ("iot:Publish", "topic/a"),
            "topic/a/* covers what lies below topic/a, not topic/a itself",
        ),
        (
            ("iot:Publish", "topic/a"),
            ("iot:Publish", "topic//a"),
            "topic/a and topic//a differ by a slash, which makes another topic",
        ),
        (
            ("iot:Publish", "topic/a/"),
            ("iot:Publish", "topic/a"),
            "topic/a/ and topic/a differ by a slash, which makes another topic",
        ),
        (
            ("iot:Publish", "topic/Door/7"),
            ("iot:Publish", "topic/door/7"),
            "topic/Door/7 and topic/door/7 differ in upper and lower case",
        ),
        (
            ("iot:Publish", OTHER + "topic/a"),
            ("iot:Publish", "topic/a"),
            f"topic/a is granted in `{OTHER}`, and this connection is in `{SCOPE}`",
        ),
        (
            ("iot:Subscribe", "topic/a"),
            ("iot:Subscribe", "topicfilter/a"),
            "topic/a is granted, and iot:Subscribe asks about topicfilter/a",
        ),
        (
            ("iot:Subscribe", "topicfilter/a"),
            ("iot:Publish", "topic/a"),
            "topicfilter/a is granted for iot:Subscribe, and iot:Publish is asked",
        ),
        (
            ("iot:Publish", "topic/${iot:ClientId}/#"),
            ("iot:Publish", "topic/door-7/state"),
            "topic/${iot:ClientId}/# is compared as text, where `+` and `#` are plain characters; "
            "topic/${iot:ClientId}/* would match topic/door-7/state",
        ),
    ],
)
def test_a_near_miss_says_what_differs(granted: tuple[str, str], asked: tuple[str, str], why: str) -> None:
    """One grant, one request that it was meant for, one reason."""
    assert misses(*asked, statement(*granted)) == [why]


def test_a_condition_that_does_not_hold_is_the_nearest_miss() -> None:
    """Action and resource fit; what is left is told as the engine tells it, before anything farther off."""
    conditional = statement("iot:Publish", "topic/a", Condition={"StringEquals": {"iot:ClientId": "door-8"}})
    found = misses("iot:Publish", "topic/a", statement("iot:Receive", "topic/a"), conditional)
    assert len(found) == 2
    assert "iot:ClientId" in found[0]
    assert found[1] == "topic/a is granted for iot:Receive, and iot:Publish is asked"


def test_what_has_nothing_to_do_with_it_is_no_near_miss() -> None:
    """Other topics, other actions on other topics, denials and variables without a value stay unmentioned."""
    nothing = statement("iot:Publish", "topic/${iot:Certificate.Id}")
    denied = {**statement("iot:Publish", "topic/a/+"), "Effect": "Deny"}
    assert misses("iot:Publish", "topic/a/b", statement("iot:Publish", "topic/b"), nothing, denied) == []


TEXTS = st.text(alphabet="ab/+#", min_size=1, max_size=8)


@given(TEXTS, TEXTS)
def test_the_wildcard_that_is_proposed_would_have_allowed_it(granted: str, asked: str) -> None:
    """Where MQTT's wildcards are the difference, the resource with stars in their place lets the request through."""

    def documents(resource: str) -> list[Document]:
        return [parse({"Version": "2012-10-17", "Statement": [statement("iot:Publish", f"topic/{resource}")]})]

    request = Request("iot:Publish", f"{SCOPE}topic/{asked}")
    if evaluate(documents(granted), request).allowed:
        return
    starred = granted.replace("+", "*").replace("#", "*")
    told = any("compared as text" in miss.why for miss in near_misses(documents(granted), request))
    assert told == (starred != granted and evaluate(documents(starred), request).allowed)
