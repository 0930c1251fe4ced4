"""What a client may do, asked of a row, of an authorizer's answer and of a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.grants import ArnScope, Grants
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow
from iotauth_cli.errors import InputError
from iotauth_cli.operations import policies
from iotauth_cli.operations.policies import Held, Verb, held_by, may
from iotauth_cli.policy.context import Context
from iotauth_cli.policy.document import parse_all
from iotauth_cli.policy.evaluate import Evaluator

SCOPE = ArnScope("aws", "us-east-1", "123456789012")
NOW = 1_800_000_000
SLOTS = {"A": Slot("$hash", NOW)}
GRANTS = Grants(publish=("doors/7/#",), subscribe=("doors/+/state",), retain=("doors/7/state",))


def row(grants: Grants = GRANTS, **members: Any) -> ClientRecord:
    return ClientRecord("door-7", grants=grants, slots=members.pop("slots", SLOTS), **members)


def held(grants: Grants = GRANTS, **members: Any) -> Held:
    return held_by(row(grants, **members), SCOPE, NOW, "its row")


@pytest.mark.parametrize(
    ("verb", "topic", "allowed"),
    [
        ("connect", None, True),
        ("publish", "doors/7/state", True),
        ("publish", "doors/8/state", False),
        ("publish", "doors/7", False),
        ("retain", "doors/7/state", True),
        ("retain", "doors/7/log", False),
        ("will", "doors/7/gone", True),
        ("will", "doors/8/gone", False),
        ("subscribe", "doors/+/state", True),
        ("subscribe", "doors/8/state", True),
        ("subscribe", "doors/#", False),
        ("receive", "doors/8/state", True),
        ("receive", "doors/8/log", False),
    ],
)
def test_the_row_answers_as_the_function_would(verb: Verb, topic: str | None, allowed: bool) -> None:
    """Each verb asks the actions that AWS IoT asks for it."""
    assert may(held(), verb, topic).allowed is allowed


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"enabled": False}, "client `door-7` is disabled"),
        ({"expires_at": NOW}, "client `door-7` has expired"),
        ({"slots": {}}, "client `door-7` has no secret"),
    ],
)
def test_a_client_that_is_not_let_in_may_nothing(members: dict[str, Any], why: str) -> None:
    """Its documents may say yes; the function never hands them out."""
    ruling = may(held(**members), "publish", "doors/7/state")
    assert not ruling.allowed
    assert all(decision.allowed for decision in ruling.decisions)
    assert ruling.held.kept_out == why


def test_a_grant_without_connect_is_a_no_to_everything() -> None:
    """What a client may do once connected is of no use if it cannot connect."""
    publish = {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": publish})
    ruling = may(Held("door-7", "a file", (text,), SCOPE), "publish", "a")
    assert not ruling.allowed
    assert [decision.action for decision in ruling.decisions] == ["iot:Connect"]


def test_a_yes_to_subscribe_tells_that_nothing_would_be_delivered() -> None:
    """A subscription without Receive is granted and silent, which is a no of another kind."""
    statements = [{"Effect": "Allow", "Action": ["iot:Connect", "iot:Subscribe"], "Resource": "*"}]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    ruling = may(Held("door-7", "a file", (text,), SCOPE), "subscribe", "$share/group/doors/+/state")
    assert ruling.allowed
    assert ruling.notes == (
        "a message on `doors/test/state` would not be delivered: "
        "no statement allows iot:Receive on topic/doors/test/state",
    )
    assert may(held(), "subscribe", "doors/+/state").notes == ()


def test_a_no_without_a_near_miss_tells_what_is_granted() -> None:
    """So that somebody sees what to publish to instead."""
    ruling = may(held(), "publish", "windows/1")
    assert ruling.near == ()
    assert ruling.granted == ("topic/doors/7/*", "topic/doors/7/state")


@pytest.mark.parametrize(
    ("verb", "topic", "sentence"),
    [
        ("connect", "a", "`connect` takes no topic"),
        ("publish", None, "`publish` wants a topic"),
        ("publish", "a/+", "nothing is published to `a/+`, which has a wildcard"),
        ("subscribe", "a/#/b", "`a/#/b` is no topic filter"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(verb: Verb, topic: str | None, sentence: str) -> None:
    """With the sentence that says which, before anything is asked."""
    with pytest.raises(InputError, match=sentence.replace("+", r"\+")):
        policies.check("door-7", verb, topic)


DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}}
ABROAD = "arn:aws-cn:iot:cn-north-1:210987654321:client/door-7"


@pytest.mark.parametrize(
    "content",
    [
        DOCUMENT,
        [DOCUMENT, json.dumps(DOCUMENT)],
        {"isAuthenticated": True, "policyDocuments": [json.dumps(DOCUMENT)]},
        {"policyDocuments": [DOCUMENT]},
    ],
    ids=["a document", "a list", "an answer with texts", "an answer with objects"],
)
def test_a_file_may_hold_a_policy_in_any_form(tmp_path: Path, content: object) -> None:
    """As it is written for AWS, as the function returns it, as test-invoke shows it."""
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(content))
    assert may(policies.of_file(path, "door-7"), "connect", None).allowed


def test_a_file_is_asked_about_the_account_that_it_names(tmp_path: Path) -> None:
    """No AWS is needed for it; another account's ARNs are compared with their own kind."""
    path = tmp_path / "policy.json"
    statement = {**DOCUMENT["Statement"], "Resource": ABROAD}  # type: ignore[dict-item]
    path.write_text(json.dumps({**DOCUMENT, "Statement": statement}))
    found = policies.of_file(path, "door-7")
    assert found.scope == ArnScope("aws-cn", "cn-north-1", "210987654321")
    assert may(found, "connect", None).allowed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON that holds a policy"),
        ("[]", "is not JSON that holds a policy"),
        ("[3]", "is not JSON that holds a policy"),
        ("[" * 100_000, "is not JSON that holds a policy"),
        ("{}", "document 1: the policy has no statement"),
        ('["x"]', "document 1: the policy is not JSON"),
    ],
)
def test_a_file_that_holds_no_policy_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    """One sentence with the file's name, whatever is in it."""
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence) as error:
        policies.of_file(path, "door-7")
    assert str(path) in error.value.message


def test_rows_are_surveyed_one_by_one_and_the_unreadable_are_not_hidden() -> None:
    """A row that is well leaves nothing; one that cannot be read or compiled is told with its reason."""
    wide = row(Grants(publish=("#",)))
    impossible = ClientRecord("door-8", grants=Grants(publish=("a/#/b",)), slots=SLOTS)
    rows: list[ClientRecord | BrokenRow] = [row(), wide, BrokenRow("door-9", "`Expires` is not of type N"), impossible]
    found = policies.survey(policies.examine_rows(rows, SCOPE, NOW))
    assert found.looked_at == 4
    assert [(each.subject, [finding.slug for finding in each.findings]) for each in found.unwell] == [
        ("client `door-7`", ["over-broad"]),
        ("client `door-9`", []),
        ("client `door-8`", []),
    ]
    assert [each.problem for each in found.unwell[1:]] == [
        "its row is unreadable: `Expires` is not of type N",
        "topic filter `a/#/b` has a `#` that is not the whole last level",
    ]


@pytest.mark.parametrize(
    ("verb", "topic", "why"),
    [
        ("publish", "doors/7/2/3/4/5/6/7/8", "slashes"),
        ("publish", "doors/7/" + "x" * 256, "bytes"),
        ("publish", "", "empty topic"),
        ("publish", "$events/door", "reserved"),
        ("will", "$aws/events/presence/connected/door-7", "reserved"),
        ("receive", "doors/7/2/3/4/5/6/7/8", "slashes"),
        ("subscribe", "doors/2/3/4/5/6/7/8/#", "slashes"),
        ("subscribe", "$share//doors/+", "group"),
    ],
)
def test_what_aws_iot_takes_from_nobody_is_a_no_whatever_the_policy_allows(verb: Verb, topic: str, why: str) -> None:
    """A wildcard in a policy reaches further than the topics that there can be."""
    ruling = may(everything(), verb, topic)
    assert not ruling.allowed
    assert ruling.barred is not None
    assert why in ruling.barred
    assert may(everything(), verb, "$share/group/doors/7" if verb == "subscribe" else "doors/7").allowed


def test_what_aws_iot_sends_itself_may_be_received() -> None:
    """Lifecycle events and shadows come on topics that nobody else may publish to."""
    assert may(everything(), "receive", "$aws/events/presence/connected/door-7").allowed


@pytest.mark.parametrize(
    "slots",
    [
        {"A": Slot("$hash", NOW, "retired")},
        {"A": Slot("$hash", NOW, "retiring", expires_at=NOW)},
        {"A": Slot("$hash", NOW, "retired"), "B": Slot("$hash", NOW, expires_at=NOW - 1)},
    ],
)
def test_a_client_whose_secrets_are_all_over_is_kept_out(slots: dict[str, Slot]) -> None:
    """The function refuses each of them, so no policy is ever handed out; one that lives is enough."""
    assert held(slots=slots).kept_out == "every secret of client `door-7` is retired or has expired"
    assert held(slots={"A": slots["A"], "B": Slot("$hash", NOW, "pending")}).kept_out is None
    assert held(slots=slots, plain_password="old").kept_out is None


def test_what_only_a_connection_has_is_never_taken_for_granted() -> None:
    """Where a Deny hangs on the address that a device comes from, the answer is no, and says on what it hangs."""
    deny: dict[str, Any] = {"Effect": "Deny", "Action": "iot:Publish", "Resource": "*"}
    for operator in ("NotIpAddress", "IpAddress"):
        deny = {**deny, "Condition": {operator: {"aws:SourceIp": "10.0.0.0/8"}}}
        ruling = may(everything(deny), "publish", "doors/7")
        assert not ruling.allowed
        assert ruling.notes[0].startswith("the policy asks for `aws:SourceIp`, which only a connection has")
    assert may(everything(deny), "subscribe", "doors/7").notes == ()


CONDITIONS = st.sampled_from(
    [
        None,
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"StringNotEquals": {"iot:DomainName": "example.com"}},
        {"StringEqualsIfExists": {"iot:DomainName": "example.com"}},
        {"ForAnyValue:StringEquals": {"iot:ConnectAttributes": ["LastWill"]}},
        {"ArnLike": {"iot:LastWillTopic": "arn:aws:iot:*:*:topic/a"}},
    ]
)
RESOURCES = ("*", *(f"arn:aws:iot:us-east-1:123456789012:{name}" for name in ("client/door-7", "topic/a", "topic/a/*")))
STATEMENTS = st.builds(
    lambda effect, action, resource, condition: {
        "Effect": effect,
        "Action": action,
        "Resource": resource,
        **({"Condition": condition} if condition else {}),
    },
    st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
    st.sampled_from(["iot:*", "iot:Connect", "iot:Publish", "iot:RetainPublish", "iot:Receive"]),
    st.sampled_from([*RESOURCES, "arn:aws:iot:us-east-1:123456789012:topicfilter/a/+"]),
    CONDITIONS,
)


@given(
    statements=st.lists(STATEMENTS, min_size=1, max_size=4),
    verb=st.sampled_from(["publish", "retain", "will", "receive"]),
    topic=st.sampled_from(["a", "a/b", "b"]),
    address=st.sampled_from(["10.0.0.1", "192.0.2.1"]),
    name=st.sampled_from([None, "example.com", "other.example.com"]),
)
def test_a_yes_is_a_yes_from_wherever_the_device_connects(
    statements: list[dict[str, Any]], verb: Verb, topic: str, address: str, name: str | None
) -> None:
    """The emulator, which knows the whole connection, decides the same, or the answer was a no that says why."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    ruling = may(Held("door-7", "a file", (text,), SCOPE), verb, topic)
    known = Context("door-7", address, name)
    if verb == "will":
        known = replace(known, connect_attributes=("LastWill",), last_will_topic=SCOPE.topic(topic))
    policy = Evaluator(parse_all([text]), known)
    actions = {"receive": ("iot:Receive",), "retain": ("iot:Publish", "iot:RetainPublish")}.get(verb, ("iot:Publish",))
    really = policy.allows("iot:Connect", SCOPE.client("door-7")) and all(
        policy.allows(action, SCOPE.topic(topic)) for action in actions
    )
    if ruling.allowed:
        assert really
    elif not ruling.notes:
        assert not really


def everything(*statements: dict[str, Any]) -> Held:
    """A policy that allows everything, and what else is said."""
    allow = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allow, *statements]})
    return Held("door-7", "a file", (text,), SCOPE)


def test_a_file_that_is_no_policy_by_its_size_is_not_read(tmp_path: Path) -> None:
    """A device has no end, and a list of a million resources would be compared for minutes."""
    place = tmp_path / "policy.json"
    place.write_text(" " * policies.MAX_FILE_BYTES + "{}")
    for path in (place, Path("/dev/zero")):
        with pytest.raises(InputError, match="is longer than the 131,072 characters"):
            policies.of_file(path, "door-7")


def test_a_shared_subscription_is_asked_as_a_whole_and_by_the_filter_inside() -> None:
    """What AWS leaves unsaid is told with the no; a Deny inside is one for the whole, as on the emulator."""
    ruling = may(held(), "subscribe", "$share/group/doors/+/state")
    assert not ruling.allowed
    assert "topicfilter/doors/+/state, and AWS does not say whether that is enough" in ruling.notes[0]
    deny = {"Effect": "Deny", "Action": "iot:Subscribe", "Resource": SCOPE.topicfilter("doors/*")}
    denied = may(everything(deny), "subscribe", "$share/group/doors/7")
    assert denied.decisions[-1].effect == "explicit-deny"
    assert not denied.allowed
    assert may(everything(deny), "subscribe", "$share/group/windows/7").allowed
