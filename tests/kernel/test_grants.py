"""Grants and the policy documents they compile to, against a reference of both languages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.event import MAX_POLICY_DOCUMENT_CHARACTERS, MAX_POLICY_DOCUMENTS
from iotauth_authorizer.grants import (
    ArnScope,
    Grants,
    PolicyTooLarge,
    compile_policies,
    principal_id,
    validate_client_id,
    validate_topic_filter,
)

SCOPE = ArnScope("aws", "eu-west-1", "123456789012")
LEVELS = st.text(alphabet="abc-. $é", max_size=3).filter(lambda level: "${" not in level and "$(" not in level)
FIRST_LEVELS = LEVELS.filter(lambda level: not level.startswith("$"))
NAMES = (
    st.lists(FIRST_LEVELS, min_size=1, max_size=1)
    .flatmap(lambda first: st.lists(LEVELS, max_size=4).map(lambda rest: "/".join([*first, *rest])))
    .filter(bool)
)


@st.composite
def filters(draw: st.DrawFn) -> str:
    """A topic filter: levels, some of them `+`, perhaps `#` at the end."""
    levels = [draw(FIRST_LEVELS | st.just("+")), *draw(st.lists(LEVELS | st.just("+"), max_size=4))]
    text = "/".join(levels)
    return f"{text}/#" if draw(st.booleans()) or not text else text


@st.composite
def filters_and_topics(draw: st.DrawFn) -> tuple[str, str]:
    """A topic filter, and a topic that matches it: each wildcard replaced by what it stands for."""
    topic_filter = draw(filters())
    levels = topic_filter.split("/")
    if levels[-1] == "#":
        levels[-1:] = draw(st.lists(LEVELS, min_size=1, max_size=3))
    filled = [draw(LEVELS) if level == "+" else level for level in levels]
    return topic_filter, "/".join(filled)


@st.composite
def filters_and_narrower(draw: st.DrawFn) -> tuple[str, str]:
    """A topic filter, and one that asks for no more: wildcards kept, or replaced by narrower ones."""
    topic_filter = draw(filters())
    levels = topic_filter.split("/")
    if levels[-1] == "#":
        levels[-1:] = [*draw(st.lists(LEVELS | st.just("+"), max_size=2)), draw(LEVELS | st.sampled_from("+#"))]
    narrowed = [draw(LEVELS | st.just("+")) if level == "+" else level for level in levels]
    return topic_filter, "/".join(narrowed)


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT's rule, level by level, in AWS's reading: `sensor/#` leaves out `sensor`."""
    wanted, given_levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    if wanted[-1] == "#":
        wanted, given_levels = wanted[:-1], given_levels[: len(wanted) - 1]
        if len(topic.split("/")) <= len(wanted):
            return False
    return len(wanted) == len(given_levels) and all(
        pattern in ("+", level) for pattern, level in zip(wanted, given_levels, strict=True)
    )


def statements(documents: Iterable[str]) -> list[dict[str, Any]]:
    return [statement for document in documents for statement in json.loads(document)["Statement"]]


def is_allowed(documents: Iterable[str], action: str, resource: str) -> bool:
    """AWS's rule: some Allow matches and no Deny does; `*` and `?` are the wildcards."""
    effects = {
        statement["Effect"]
        for statement in statements(documents)
        for pattern in statement["Resource"]
        if statement["Action"] in (action, "iot:*") and glob(pattern, resource)
    }
    return effects == {"Allow"}


def glob(pattern: str, text: str) -> bool:
    parts = {"*": ".*", "?": "."}
    translated = "".join(parts.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(translated, text, re.DOTALL) is not None


@given(pair=filters_and_topics())
def test_a_topic_that_matches_a_granted_filter_is_covered(pair: tuple[str, str]) -> None:
    """What MQTT's filter matches may be published and received, unless it begins with `$`."""
    topic_filter, topic = pair
    documents = compile_policies(Grants(publish=(topic_filter,), subscribe=(topic_filter,)), "door-7", SCOPE)
    if matches(topic_filter, topic):
        assert is_allowed(documents, "iot:Publish", SCOPE.topic(topic))
        assert is_allowed(documents, "iot:Receive", SCOPE.topic(topic))


@given(pair=filters_and_narrower())
def test_a_granted_filter_and_narrower_ones_may_be_subscribed_to(pair: tuple[str, str]) -> None:
    """A policy compares the filter as text, and the text of a narrower one is covered too."""
    topic_filter, narrower = pair
    documents = compile_policies(Grants(subscribe=(topic_filter,)), "door-7", SCOPE)
    assert is_allowed(documents, "iot:Subscribe", SCOPE.topicfilter(topic_filter))
    assert is_allowed(documents, "iot:Subscribe", SCOPE.topicfilter(narrower))


@given(granted=NAMES, asked=NAMES)
def test_without_wildcards_a_grant_is_exact(granted: str, asked: str) -> None:
    """A plain topic covers itself and no other."""
    documents = compile_policies(Grants(publish=(granted,)), "door-7", SCOPE)
    assert is_allowed(documents, "iot:Publish", SCOPE.topic(asked)) == (asked == granted)


@given(topic_filter=filters(), suffix=st.sampled_from(["things/x/shadow/update", "rules/r/a", ""]))
def test_no_wildcard_reaches_the_reserved_topics(topic_filter: str, suffix: str) -> None:
    """`#` and `+/x` do not match `$aws/…` in MQTT, so the `*` they become is kept out of it."""
    documents = compile_policies(Grants(publish=(topic_filter,), subscribe=(topic_filter,)), "door-7", SCOPE)
    for action, resource in (
        ("iot:Publish", SCOPE.topic(f"$aws/{suffix}")),
        ("iot:Receive", SCOPE.topic(f"$aws/{suffix}")),
        ("iot:Subscribe", SCOPE.topicfilter(f"$aws/{suffix}")),
    ):
        assert not is_allowed(documents, action, resource)


def test_a_sensor_filter_leaves_out_its_parent() -> None:
    """As AWS IoT's broker does, against the MQTT specification: `sensor/#` does not match `sensor`."""
    documents = compile_policies(Grants(publish=("sensor/#",)), "door-7", SCOPE)
    assert is_allowed(documents, "iot:Publish", SCOPE.topic("sensor/a/b"))
    assert is_allowed(documents, "iot:Publish", SCOPE.topic("sensor/"))
    assert not is_allowed(documents, "iot:Publish", SCOPE.topic("sensor"))


def test_for_topic_writes_the_expected_document() -> None:
    """Concrete ARNs, one statement per action, no condition, no variable, no white space."""
    (document,) = compile_policies(Grants.for_topic("doors/7"), "door-7", SCOPE)
    arn = "arn:aws:iot:eu-west-1:123456789012"
    topics = [f"{arn}:topic/doors/7", f"{arn}:topic/doors/7/*"]
    assert json.loads(document) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": [f"{arn}:client/door-7"]},
            {"Effect": "Allow", "Action": "iot:Publish", "Resource": topics},
            {
                "Effect": "Allow",
                "Action": "iot:Subscribe",
                "Resource": [f"{arn}:topicfilter/doors/7", f"{arn}:topicfilter/doors/7/*"],
            },
            {"Effect": "Allow", "Action": "iot:Receive", "Resource": topics},
        ],
    }
    assert document == json.dumps(json.loads(document), separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize(
    ("topic", "filters"),
    [
        ("a", ("a", "a/#")),
        ("a/#", ("a/#",)),
        ("#", ("#",)),
        ("0/1/2/3/4/5/6/7", ("0/1/2/3/4/5/6/7",)),
        ("$aws/rules/r/1/2/3", ("$aws/rules/r/1/2/3", "$aws/rules/r/1/2/3/#")),
    ],
)
def test_for_topic_grants_the_topic_and_what_is_below(topic: str, filters: tuple[str, ...]) -> None:
    """Below the eighth level, and below `#`, there is nothing."""
    assert Grants.for_topic(topic) == Grants(publish=filters, subscribe=filters)
    for topic_filter in filters:
        validate_topic_filter(topic_filter)


def test_retain_and_will_may_also_be_published() -> None:
    """AWS IoT wants Publish beside RetainPublish, and checks it for a will at CONNECT."""
    documents = compile_policies(Grants(retain=("a",), will=("b",)), "door-7", SCOPE)
    assert is_allowed(documents, "iot:Publish", SCOPE.topic("a"))
    assert is_allowed(documents, "iot:RetainPublish", SCOPE.topic("a"))
    assert is_allowed(documents, "iot:Publish", SCOPE.topic("b"))
    assert not is_allowed(documents, "iot:RetainPublish", SCOPE.topic("b"))


def test_without_grants_a_client_may_connect_as_itself_alone() -> None:
    """Nothing is allowed that was not granted, under no other client id either."""
    documents = compile_policies(Grants(), "door-7", SCOPE)
    assert [statement["Action"] for statement in statements(documents)] == ["iot:Connect"]
    assert is_allowed(documents, "iot:Connect", SCOPE.client("door-7"))
    assert not is_allowed(documents, "iot:Connect", SCOPE.client("door-77"))


def test_a_shared_subscription_receives_its_filter_s_topics() -> None:
    """Subscribing names the share; what is delivered does not."""
    documents = compile_policies(Grants(subscribe=("$share/workers/jobs/+",)), "door-7", SCOPE)
    assert is_allowed(documents, "iot:Subscribe", SCOPE.topicfilter("$share/workers/jobs/+"))
    assert is_allowed(documents, "iot:Receive", SCOPE.topic("jobs/1"))
    assert not is_allowed(documents, "iot:Subscribe", SCOPE.topicfilter("jobs/+"))


def test_older_topics_are_used_in_aws_s_own_wildcards() -> None:
    """What an older row reads it may subscribe to and receive; what it writes it may publish."""
    documents = compile_policies(Grants(older_read="plugs/*", older_write="plugs/pl?g"), "plug 3/x", SCOPE)
    assert is_allowed(documents, "iot:Subscribe", SCOPE.topicfilter("plugs/#"))
    assert is_allowed(documents, "iot:Receive", SCOPE.topic("plugs/1/2"))
    assert is_allowed(documents, "iot:Publish", SCOPE.topic("plugs/plug"))
    assert not is_allowed(documents, "iot:Publish", SCOPE.topic("plugs/1"))
    assert is_allowed(documents, "iot:Connect", SCOPE.client("plug 3/x"))


@pytest.mark.parametrize(
    ("grants", "client_id"),
    [
        (Grants(), "door*"),
        (Grants(), "door?"),
        (Grants(), "${iot:ClientId}"),
        (Grants(), ""),
        (Grants(), "door\x00"),
        (Grants(publish=("${iot:ClientId}",)), "door-7"),
        (Grants(subscribe=("a*",)), "door-7"),
        (Grants(retain=("a?",)), "door-7"),
        (Grants(will=("a/$(*)",)), "door-7"),
        (Grants(older_read="a/${iot:ClientId}"), "door-7"),
        (Grants(older_write="a/$(*)"), "door-7"),
        (Grants(older_write='a"\n'), "door-7"),
        (Grants(publish=("#", "$aws/things/door-7/shadow/#")), "door-7"),
    ],
    ids=str,
)
def test_what_a_policy_would_read_as_its_own_is_refused(grants: Grants, client_id: str) -> None:
    """A row edited by hand cannot smuggle in a wildcard or a policy variable."""
    with pytest.raises(ValueError, match=r"client id|topic"):
        compile_policies(grants, client_id, SCOPE)


def test_quotes_and_backslashes_stay_inside_their_text() -> None:
    """JSON's own characters in a topic do not end the resource."""
    topic = 'a"],"Effect":"Allow\\'
    (document,) = compile_policies(Grants(publish=(topic,)), "door-7", SCOPE)
    assert json.loads(document)["Statement"][1]["Resource"] == [SCOPE.topic(topic)]


@given(
    publish=st.lists(NAMES, max_size=40, unique=True),
    subscribe=st.lists(NAMES, max_size=40, unique=True),
    tail=st.integers(0, 200),
)
def test_documents_stay_within_aws_s_limits_and_lose_nothing(
    publish: list[str], subscribe: list[str], tail: int
) -> None:
    """However the grants are cut into documents, together they say what one long document would."""
    grants = Grants(publish=tuple(publish), subscribe=tuple(f"{name}/{'x' * tail}" for name in subscribe))
    try:
        documents = compile_policies(grants, "door-7", SCOPE)
    except PolicyTooLarge:
        assert sum(map(len, publish)) + 2 * len(subscribe) * (tail + 60) > 10_000
        return
    assert len(documents) <= MAX_POLICY_DOCUMENTS
    assert all(len(document) <= MAX_POLICY_DOCUMENT_CHARACTERS for document in documents)
    granted = [
        (statement["Action"], resource) for statement in statements(documents) for resource in statement["Resource"]
    ]
    assert granted == [
        ("iot:Connect", SCOPE.client("door-7")),
        *(("iot:Publish", SCOPE.topic(topic)) for topic in grants.publish),
        *(("iot:Subscribe", SCOPE.topicfilter(topic)) for topic in grants.subscribe),
        *(("iot:Receive", SCOPE.topic(topic)) for topic in grants.subscribe),
    ]


def test_a_document_is_filled_to_the_last_character() -> None:
    """2,048 characters are one document; one more makes a second."""
    (short,) = compile_policies(Grants(older_write="x"), "door-7", SCOPE)
    room = MAX_POLICY_DOCUMENT_CHARACTERS - len(short)
    assert len(compile_policies(Grants(older_write="x" * (room + 1)), "door-7", SCOPE)) == 1
    assert len(compile_policies(Grants(older_write="x" * (room + 2)), "door-7", SCOPE)) == 2


@pytest.mark.parametrize(
    "grants",
    [
        pytest.param(Grants(publish=tuple(f"{n:0100}" for n in range(150))), id="eleven documents"),
        pytest.param(Grants(older_read="x" * 2000), id="one resource that fits nowhere"),
    ],
)
def test_grants_that_do_not_fit_are_refused(grants: Grants) -> None:
    """Ten documents of 2,048 characters are all that AWS IoT takes."""
    with pytest.raises(PolicyTooLarge):
        compile_policies(grants, "door-7", SCOPE)


@pytest.mark.parametrize("text", ["a", "door-7", "tür_7", "A" * 128, "é" * 64, "a:b.c@d=e,f"])
def test_client_ids_that_are_fine(text: str) -> None:
    """128 bytes of nearly anything."""
    validate_client_id(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("door 7", "a space"),
        ("door/7", "`/`"),
        ("door+", "`+`"),
        ("door#", "`#`"),
        ("door*", "`*`"),
        ("door?", "`?`"),
        ("$door", "`$`"),
        ("door\n", r"`\n`"),
        ("door\x00", r"`\x00`"),
        ("door\ud800", r"`\ud800`"),
        ("door\u2003", r"`\u2003`"),
        ("A" * 129, "128 bytes"),
        ("é" * 65, "128 bytes"),
    ],
)
def test_client_ids_that_are_refused(text: str, named: str) -> None:
    """The sentence names what is wrong and can be printed."""
    with pytest.raises(ValueError, match=re.escape(named)) as caught:
        validate_client_id(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "#",
        "+",
        "+/+",
        "a/+/#",
        "/",
        "a//b",
        "a b",
        "a/$b",
        "0/1/2/3/4/5/6/7",
        "x" * 256,
        "$aws/things/thermo-1/shadow/name/config/update/delta",
        "$aws/rules/" + "r" * 200 + "/" + "x" * 256,
        "$aws/rules/r/0/1/2/3/4/5/6/7",
        "$share/workers/" + "x" * 256,
        "$share/workers/0/1/2/3/4/5/6/7",
    ],
    ids=lambda text: text[:30],
)
def test_topic_filters_that_are_fine(text: str) -> None:
    """What MQTT and AWS IoT take; prefixes that AWS does not count are not counted."""
    validate_topic_filter(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("a#", "`#`"),
        ("#/a", "`#`"),
        ("a/#/b", "`#`"),
        ("##", "`#`"),
        ("#/#", "`#`"),
        ("a+", "`+`"),
        ("a/+b/c", "`+`"),
        ("a*", "`*`"),
        ("a?", "`?`"),
        ("a/${iot:ClientId}", "`${`"),
        ("a/$(*)", "`$(`"),
        ("a\x00", r"`\x00`"),
        ("a\ud800", r"`\ud800`"),
        ("$SYS/broker", "begins with `$`"),
        ("$share/workers", "begins with `$`"),
        ("$share//a", "begins with `$`"),
        ("$share/w+/a", "begins with `$`"),
        ("0/1/2/3/4/5/6/7/8", "7 slashes"),
        ("x" * 257, "256 bytes"),
        ("é" * 129, "256 bytes"),
    ],
    ids=lambda text: text[:30].encode("ascii", "backslashreplace").decode(),
)
def test_topic_filters_that_are_refused(text: str, named: str) -> None:
    """The sentence names what is wrong and can be printed."""
    with pytest.raises(ValueError, match=re.escape(named)) as caught:
        validate_topic_filter(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("validate", [validate_client_id, validate_topic_filter])
@given(text=st.text(alphabet=st.characters(exclude_categories=()), max_size=20))
def test_validation_accepts_or_says_why(validate: Callable[[str], None], text: str) -> None:
    """Any text is fine or refused with a sentence that names it; half surrogate pairs included."""
    with suppress(ValueError):
        validate(text)
        text.encode()
        return
    with pytest.raises(ValueError, match=r"^(the )?(client id|topic filter) "):
        validate(text)


@pytest.mark.parametrize(
    ("arn", "scope"),
    [
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:iotauth-doors",
            ArnScope("aws", "eu-west-1", "123456789012"),
        ),
        (
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live",
            ArnScope("aws-cn", "cn-north-1", "123456789012"),
        ),
    ],
)
def test_the_scope_comes_from_the_function_s_arn(arn: str, scope: ArnScope) -> None:
    """Partition, region and account are the function's own, in China and GovCloud too."""
    assert ArnScope.parse(arn) == scope
    assert scope.client("door-7") == f"arn:{scope.partition}:iot:{scope.region}:123456789012:client/door-7"


@pytest.mark.parametrize("arn", ["", "arn:aws:s3:::bucket", "x:aws:lambda:r:1:f", "arn:aws:lambda:eu-west-1:1"])
def test_an_arn_without_region_or_account_is_refused(arn: str) -> None:
    """A policy could not be written for it."""
    with pytest.raises(ValueError, match="ARN"):
        ArnScope.parse(arn)


@given(client_id=st.text(min_size=1, max_size=128))
def test_a_principal_id_is_what_aws_takes(client_id: str) -> None:
    """1 to 128 ASCII letters and digits, whatever the client id."""
    assert re.fullmatch(r"[A-Za-z0-9]{1,128}", principal_id(client_id))


def test_principal_ids_are_stable_and_tell_clients_apart() -> None:
    """A fixed vector, because people filter logs by it; ids with the same letters still differ."""
    assert principal_id("door-7") == "door7xe326ab91a9dece167dbc"
    ids = ["door-7", "door7", "door_7", "d-oor7", "DOOR7", "x" * 127 + "a", "x" * 127 + "b"]
    assert len({principal_id(each) for each in ids}) == len(ids)


def test_a_name_of_any_length_makes_a_short_sentence() -> None:
    """It is shown to somebody, who gave a whole file for a name."""
    for check in (validate_client_id, validate_topic_filter):
        with pytest.raises(ValueError, match=r"a…` is longer than") as caught:
            check("a" * 1_000_000)
        assert len(str(caught.value)) < 400
