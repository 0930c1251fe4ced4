"""What is a policy document, and the sentence for everything that is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.errors import InputError
from iotauth_cli.policy.document import Condition, Document, PolicyError, Statement, parse, parse_all

TOPIC = "arn:aws:iot:us-east-1:123456789012:topic/doors/door-7"
ALLOW: dict[str, object] = {"Effect": "Allow", "Action": "iot:Publish", "Resource": TOPIC}


def policy(*statements: object, **members: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements), **members}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in ALLOW.items() if key != name}


def test_a_document_becomes_values() -> None:
    """Every element of a full statement, single strings and lists alike."""
    statement = {
        "Sid": "Doors",
        "Effect": "Deny",
        "NotAction": ["iot:Connect", "iot:Publish"],
        "NotResource": TOPIC,
        "Condition": {"StringEquals": {"iot:ClientId": ["a", "b"]}, "Bool": {"x:y": True}, "Null": {"n": 1}},
    }
    document = parse(policy(statement, ALLOW, Id="doors"))
    assert document.statements == (
        Statement(
            effect="Deny",
            actions=("iot:Connect", "iot:Publish"),
            resources=(TOPIC,),
            is_not_action=True,
            is_not_resource=True,
            conditions=(
                Condition("StringEquals", "iot:ClientId", ("a", "b")),
                Condition("Bool", "x:y", ("true",)),
                Condition("Null", "n", ("1",)),
            ),
            sid="Doors",
        ),
        Statement(effect="Allow", actions=("iot:Publish",), resources=(TOPIC,)),
    )
    assert document.has_variables


def test_a_single_statement_needs_no_list() -> None:
    """IAM's grammar allows the bare object, and people write it."""
    document = parse({"Version": "2012-10-17", "Statement": ALLOW})
    assert document.statements == parse(policy(ALLOW)).statements


@pytest.mark.parametrize(
    ("version", "has_variables"),
    [({"Version": "2012-10-17"}, True), ({"Version": "2008-10-17"}, False), ({}, False)],
    ids=["new", "old", "none"],
)
def test_a_document_without_a_version_has_the_old_one(version: dict[str, str], has_variables: bool) -> None:
    """Only the version of 2012 knows variables, and it must be named."""
    assert parse({**version, "Statement": [ALLOW]}).has_variables is has_variables


def test_characters_are_those_of_the_compact_form() -> None:
    """White space does not count, in whichever form the document comes; one letter is one character."""
    body = policy({**ALLOW, "Sid": "Tür"})
    compact = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    assert parse(body).characters == parse(json.dumps(body, indent=4)).characters == len(compact)


BAD: dict[str, tuple[object, str]] = {
    "not JSON": ("{", "the policy is not JSON: Expecting property name"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "a number too long": ("1" * 10_000, "the policy is not"),
    "a list": ("[]", "the policy is not a JSON object"),
    "unknown member": (policy(ALLOW, Statment=[]), "the policy has an unknown element `Statment`"),
    "version": ({"Version": "2012-10-18", "Statement": [ALLOW]}, "Version '2012-10-18' is unknown"),
    "version a list": ({"Version": [], "Statement": [ALLOW]}, r"Version \[\] is unknown"),
    "no statement": ({"Version": "2012-10-17"}, "the policy has no statement"),
    "empty list": (policy(), "the policy has no statement"),
    "statement a string": (policy("Allow"), "statement 1 is not a JSON object"),
    "no effect": (policy(ALLOW, without("Effect")), "statement 2 has no Effect"),
    "effect in small letters": (policy({**ALLOW, "Effect": "allow"}), "statement 1 has Effect 'allow'"),
    "no action": (policy(without("Action")), "statement 1 has no Action"),
    "no resource": (policy(ALLOW, ALLOW, without("Resource")), "statement 3 has no Resource"),
    "both actions": (policy({**ALLOW, "NotAction": "iot:Connect"}), "has both Action and NotAction"),
    "both resources": (policy({**ALLOW, "NotResource": TOPIC}), "has both Resource and NotResource"),
    "principal": (policy({**ALLOW, "Principal": "*"}), "statement 1 names a Principal"),
    "not principal": (policy({**ALLOW, "NotPrincipal": "*"}), "statement 1 names a Principal"),
    "a typo": (policy({**ALLOW, "Resouce": TOPIC}), "statement 1 has an unknown element `Resouce`"),
    "action without service": (policy({**ALLOW, "Action": "Publish"}), "statement 1 has action `Publish`"),
    "action with two colons": (policy({**ALLOW, "Action": "iot::Publish"}), "has action `iot::Publish`"),
    "actions empty": (policy({**ALLOW, "Action": []}), "Action of statement 1 is an empty list"),
    "actions nested": (policy({**ALLOW, "Action": [["iot:Publish"]]}), "Action of statement 1 is neither"),
    "resource a number": (policy({**ALLOW, "Resource": 7}), "Resource of statement 1 is neither a string"),
    "resource no ARN": (policy({**ALLOW, "Resource": "doors/#"}), "statement 1 has resource `doors/#`"),
    "sid a number": (policy({**ALLOW, "Sid": 7}), "statement 1 has a Sid that is not a string"),
    "condition a list": (policy({**ALLOW, "Condition": []}), "Condition of statement 1 is not a JSON object"),
    "condition without key": (
        policy({**ALLOW, "Condition": {"StringEquals": "x"}}),
        "condition StringEquals of statement 1 is not a JSON object of keys",
    ),
    "condition value an object": (
        policy({**ALLOW, "Condition": {"StringEquals": {"k": {}}}}),
        "condition StringEquals on k of statement 1 is neither a string",
    ),
    "element twice": (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Effect": "Deny"}]}',
        "element `Effect` is given twice",
    ),
}


@pytest.mark.parametrize(("source", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_with_its_place(source: Any, message: str) -> None:
    """The sentence names the statement, counted from 1, and the element; it is an input error."""
    with pytest.raises(PolicyError, match=message) as caught:
        parse(source)
    assert isinstance(caught.value, InputError)
    assert caught.value.code == "bad-policy"


def test_among_several_documents_the_wrong_one_is_named() -> None:
    """An authorizer returns up to ten: the number says which to look at."""
    with pytest.raises(PolicyError, match=r"^document 2: statement 1 has no Effect$") as caught:
        parse_all([policy(ALLOW), policy(without("Effect"))])
    assert caught.value.hint == "write Allow or Deny"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
STATEMENTS = st.fixed_dictionaries(
    {},
    optional={
        "Effect": st.sampled_from(["Allow", "Deny"]) | JSON,
        "Action": st.just("iot:Publish") | JSON,
        "Resource": st.just("*") | JSON,
        "Condition": st.dictionaries(st.text(max_size=5), JSON, max_size=2) | JSON,
        "Sid": st.text(max_size=5) | JSON,
    },
)
BODIES = st.fixed_dictionaries({"Statement": st.lists(STATEMENTS, max_size=2) | JSON})


def outcome(source: Any) -> Document | str:
    try:
        return parse(source)
    except PolicyError as error:
        return error.message


@given(BODIES | JSON)
def test_any_json_is_a_document_or_a_policy_error(body: object) -> None:
    """A function may return whatever it likes; nothing but PolicyError comes out of it."""
    result = outcome(json.dumps(body))
    assert result if isinstance(result, str) else result.statements


@given(BODIES)
def test_text_and_object_are_read_alike(body: dict[str, object]) -> None:
    """AWS takes both forms; the document is the same, and so is the refusal."""
    assert outcome(json.dumps(body)) == outcome(json.loads(json.dumps(body)))
