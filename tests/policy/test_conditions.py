"""Operators and keys of a Condition that the vectors leave out."""

from __future__ import annotations

import pytest

from iotauth_cli.policy.conditions import Check, Outcome, check, read_operator
from iotauth_cli.policy.context import Context
from iotauth_cli.policy.document import Condition

DOOR = Context(client_id="door-7", source_ip="192.0.2.7", last_will_topic="arn:aws:iot:us-east-1:123456789012:topic/w")


def outcome(operator: str, key: str, *values: str, action: str = "iot:Connect") -> Outcome:
    return check([Condition(operator, key, values)], DOOR, action, DOOR.variables).outcome


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("StringEquals", "door-7", Outcome.HOLDS),
        ("StringEquals", "Door-7", Outcome.FAILS),
        ("StringEquals", "door-*", Outcome.FAILS),
        ("StringEquals", "${iot:ClientId}", Outcome.HOLDS),
        ("StringNotEquals", "door-7", Outcome.FAILS),
        ("StringEqualsIgnoreCase", "Door-7", Outcome.HOLDS),
        ("StringNotEqualsIgnoreCase", "Door-7", Outcome.FAILS),
        ("StringLike", "door-?", Outcome.HOLDS),
        ("StringLike", "door-${?}", Outcome.FAILS),
        ("StringNotLike", "door-*", Outcome.FAILS),
        ("StringNotLike", "gate-*", Outcome.HOLDS),
        ("stringequals", "door-7", Outcome.HOLDS),
        ("ForAnyValue:StringLike", "door-*", Outcome.HOLDS),
        ("ForAllValues:StringLike", "gate-*", Outcome.FAILS),
        ("ForAnyValue:StringNotEquals", "gate-3", Outcome.HOLDS),
        ("StringLikeIfExists", "gate-*", Outcome.FAILS),
        ("Bool", "door-7", Outcome.HOLDS),
        ("Null", "false", Outcome.HOLDS),
        ("Null", "true", Outcome.FAILS),
        ("NumericEquals", "7", Outcome.UNKNOWN),
        ("ForEachValue:StringEquals", "door-7", Outcome.UNKNOWN),
        ("NullIfExists", "true", Outcome.UNKNOWN),
        ("", "door-7", Outcome.UNKNOWN),
        ("StringEquals", "${iot:DomainName}", Outcome.UNKNOWN),
    ],
)
def test_operators_on_the_client_id(operator: str, value: str, expected: Outcome) -> None:
    """Each operator against the client id `door-7`; what is not known here is never guessed."""
    assert outcome(operator, "iot:ClientId", value) is expected


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("IpAddress", "192.0.2.7", Outcome.HOLDS),
        ("IpAddress", "192.0.2.99/24", Outcome.HOLDS),
        ("IpAddress", "2001:db8::/32", Outcome.FAILS),
        ("NotIpAddress", "192.0.2.0/24", Outcome.FAILS),
        ("IpAddress", "192.0.2", Outcome.UNKNOWN),
        ("NotIpAddress", "somewhere", Outcome.UNKNOWN),
    ],
)
def test_addresses(operator: str, value: str, expected: Outcome) -> None:
    """A range in CIDR notation holds the address 192.0.2.7 or not; anything else cannot be told."""
    assert outcome(operator, "aws:SourceIp", value) is expected


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("ArnEquals", "arn:aws:iot:us-east-1:123456789012:topic/w", Outcome.HOLDS),
        ("ArnEquals", "arn:aws:iot:us-east-1:123456789012:topic/*", Outcome.HOLDS),
        ("ArnLike", "arn:*:iot:us-*-1:*:topic/?", Outcome.HOLDS),
        ("ArnNotEquals", "arn:aws:iot:us-east-1:123456789012:topic/w", Outcome.FAILS),
        ("ArnNotLike", "arn:aws:iot:eu-west-1:123456789012:*", Outcome.HOLDS),
        ("ArnLike", "arn:aws:iot:*", Outcome.FAILS),
        ("ArnLike", "*", Outcome.FAILS),
        ("ArnEquals", "topic/w", Outcome.FAILS),
    ],
)
def test_arns(operator: str, value: str, expected: Outcome) -> None:
    """Six parts against six parts: a wildcard in one never reaches into the next."""
    assert outcome(operator, "iot:LastWillTopic", value) is expected


def test_a_colon_in_a_variables_value_ends_no_part_of_an_arn() -> None:
    """A client id may hold colons; it fills the last part or none."""
    topic = "arn:aws:iot:us-east-1:123456789012:topic/a:b"
    context = Context(client_id="a:b", last_will_topic=topic)
    condition = Condition("ArnLike", "iot:LastWillTopic", ("arn:aws:iot:*:*:topic/${iot:ClientId}",))
    assert check([condition], context, "iot:Connect", context.variables).outcome is Outcome.HOLDS
    moved = Condition("ArnLike", "iot:LastWillTopic", ("arn:aws:iot:${iot:ClientId}:topic/x",))
    context = Context(client_id="*:*", last_will_topic=topic)
    assert check([moved], context, "iot:Connect", context.variables).outcome is Outcome.FAILS


def test_a_colon_in_a_topic_ends_no_part_of_an_arn() -> None:
    """MQTT topics may hold colons, in the policy's text as well as in the request."""
    topic = "arn:aws:iot:us-east-1:123456789012:topic/a:b:c"
    context = Context(last_will_topic=topic)
    for pattern in (topic, topic.replace(":c", ":*")):
        condition = Condition("ArnLike", "iot:LastWillTopic", (pattern,))
        assert check([condition], context, "iot:Connect", {}).outcome is Outcome.HOLDS


def test_null_holds_when_either_of_its_values_does() -> None:
    """Values of one key are alternatives, here as everywhere; a list of both always holds."""
    assert outcome("Null", "iot:ClientId", "true", "false") is Outcome.HOLDS
    assert outcome("Null", "iot:DomainName", "true", "false") is Outcome.HOLDS


def test_the_will_has_no_topic_after_connect() -> None:
    """The key describes the CONNECT packet: for a PUBLISH it is absent."""
    arn = "arn:aws:iot:us-east-1:123456789012:topic/w"
    assert outcome("ArnEquals", "iot:LastWillTopic", arn) is Outcome.HOLDS
    assert outcome("ArnEquals", "iot:LastWillTopic", arn, action="iot:Publish") is Outcome.FAILS
    assert outcome("Null", "iot:LastWillTopic", "true", action="iot:Publish") is Outcome.HOLDS


def test_the_reason_names_the_key_and_both_sides() -> None:
    """What is, and what the policy says: enough to see which one is wrong."""
    condition = Condition("StringEquals", "iot:DomainName", ("a.example.com", "b.example.com"))
    assert check([condition], DOOR, "iot:Connect", {}) == Check(
        Outcome.FAILS,
        "condition StringEquals does not hold: iot:DomainName is absent, the policy says a.example.com, b.example.com",
    )


def test_operator_names_are_taken_apart() -> None:
    """Quantifier, comparison and IfExists are independent of each other."""
    operator = read_operator("ForAllValues:StringNotLikeIfExists")
    assert operator is not None
    assert (operator.is_negated, operator.quantifier, operator.if_exists) == (True, "forallvalues", True)
