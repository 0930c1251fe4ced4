"""A client's row, ours and the ones that older tools and people write."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import Slot, SlotState
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, MalformedRecord, TokenNote, from_item, key, retirement, to_item

TEXTS = st.text(max_size=12)
TIMES = st.integers(0, 2**40)
TOPICS = st.lists(TEXTS, max_size=3).map(tuple)
SLOTS = st.builds(
    Slot,
    hash=TEXTS,
    created_at=TIMES,
    state=st.sampled_from(get_args(SlotState)),
    expires_at=st.none() | TIMES,
    first_used_at=st.none() | TIMES,
    grace_s=st.none() | TIMES,
)
RECORDS = st.builds(
    ClientRecord,
    client_id=st.text(min_size=1, max_size=12),
    username=st.none() | TEXTS,
    enabled=st.booleans(),
    slots=st.dictionaries(st.sampled_from("AB"), SLOTS),
    plain_password=st.none() | TEXTS,
    grants=st.builds(
        Grants,
        publish=TOPICS,
        subscribe=TOPICS,
        retain=TOPICS,
        will=TOPICS,
        older_read=st.none() | TEXTS,
        older_write=st.none() | TEXTS,
    ),
    expires_at=st.none() | TIMES,
    tags=st.dictionaries(TEXTS, TEXTS, max_size=3),
    note=st.none() | TEXTS,
    created_at=st.none() | TIMES,
    updated_at=st.none() | TIMES,
    version=st.none() | TIMES,
    token=st.none()
    | st.builds(TokenNote, *[st.none() | TIMES] * 2, st.booleans(), st.none() | TIMES, st.none() | TEXTS),
)


@given(record=RECORDS)
def test_from_item_undoes_to_item(record: ClientRecord) -> None:
    """A record survives the table, whatever of it is set."""
    assert from_item(to_item(record)) == record


def test_our_row_looks_like_this() -> None:
    """The schema as it lies in the table; people read it in the console."""
    record = ClientRecord(
        "thermo-1",
        slots={"A": Slot("$iota-hmac-sha256$v=1$c2FsdA$ZGlnZXN0", 1_800_000_000, "pending")},
        grants=Grants.for_topic("sensors/thermo-1"),
        tags={"site": "berlin"},
        created_at=1_800_000_000,
    )
    assert to_item(record) == {
        "Client_ID": {"S": "thermo-1"},
        "allow_connect": {"BOOL": True},
        "Secret_A": {
            "M": {
                "Hash": {"S": "$iota-hmac-sha256$v=1$c2FsdA$ZGlnZXN0"},
                "Created": {"N": "1800000000"},
                "State": {"S": "pending"},
            }
        },
        "publish_topics": {"L": [{"S": "sensors/thermo-1"}, {"S": "sensors/thermo-1/#"}]},
        "subscribe_topics": {"L": [{"S": "sensors/thermo-1"}, {"S": "sensors/thermo-1/#"}]},
        "Tags": {"M": {"site": {"S": "berlin"}}},
        "Created": {"N": "1800000000"},
    }


NEW = Slot("$new", 5, "pending")
OLD = Slot("$old", 1, "retiring", grace_s=60)


@pytest.mark.parametrize(
    ("old", "end"),
    [
        pytest.param(OLD, ("A", 160), id="its grace begins"),
        pytest.param(OLD._replace(expires_at=130), ("A", 130), id="ends sooner anyway"),
        pytest.param(OLD._replace(expires_at=900), ("A", 160), id="would end later"),
        pytest.param(OLD._replace(grace_s=0), ("A", 100), id="at once"),
        pytest.param(OLD._replace(grace_s=None), None, id="until it is confirmed"),
        pytest.param(OLD._replace(state="active"), None, id="does not retire"),
        pytest.param(None, None, id="is gone"),
    ],
)
def test_the_grace_of_the_old_secret_begins_with_the_first_use_of_the_new(
    old: Slot | None, end: tuple[str, int] | None
) -> None:
    """And never makes a secret live longer than it would have."""
    slots = {"B": NEW} if old is None else {"A": old, "B": NEW}
    assert retirement(ClientRecord("thermo-1", slots=slots), "B", 100) == end


def older(**attributes: Any) -> dict[str, Any]:
    """A row as the tools before us wrote it."""
    return {
        "Client_ID": {"S": "plug-3"},
        "Username": {"S": "plug"},
        "Password": {"S": "hunter2"},
        "allow_connect": {"BOOL": True},
        "allow_read": {"BOOL": True},
        "allow_write": {"BOOL": True},
        "read_topic": {"S": "plugs/*"},
        "write_topic": {"S": "plugs/plug-3"},
        **attributes,
    }


def test_an_older_row_is_read_as_it_is() -> None:
    """Plain password, user name, and one topic each way in AWS's wildcards."""
    assert from_item(older()) == ClientRecord(
        "plug-3",
        username="plug",
        enabled=True,
        slots={},
        plain_password="hunter2",
        grants=Grants(older_read="plugs/*", older_write="plugs/plug-3"),
        tags={},
    )


@pytest.mark.parametrize(
    ("attribute", "truth"),
    [
        ({"BOOL": True}, True),
        ({"S": "true"}, True),
        ({"S": "True"}, True),
        ({"N": "1"}, True),
        ({"BOOL": False}, False),
        ({"S": "yes"}, False),
        ({"S": ""}, False),
        ({"N": "2"}, False),
        ({"NULL": True}, False),
        ({"L": []}, False),
        (None, False),
    ],
    ids=str,
)
def test_what_is_not_clearly_true_is_false(attribute: dict[str, Any] | None, truth: bool) -> None:
    """Connecting, reading and writing are each allowed only by a plain yes."""
    item = {**older(), **{f"allow_{name}": attribute for name in ("connect", "read", "write")}}
    present = {name: value for name, value in item.items() if value is not None}
    record = from_item(present)
    assert record.enabled is truth
    assert (record.grants.older_read is not None) is truth
    assert (record.grants.older_write is not None) is truth


def test_attributes_that_we_do_not_know_are_let_be() -> None:
    """People keep notes in their tables."""
    assert from_item(older(Colour={"S": "red"}, Shelf={"N": "3"})) == from_item(older())


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"Client_ID": {"N": "7"}}, id="key is a number"),
        pytest.param({"Client_ID": {"S": ""}}, id="key is empty"),
        pytest.param({"Password": {"N": "1234"}}, id="password is a number"),
        pytest.param({"Username": {"BOOL": True}}, id="user name is a truth"),
        pytest.param({"Expires": {"S": "tomorrow"}}, id="date in words"),
        pytest.param({"Expires": {"N": "1.5"}}, id="half a second"),
        pytest.param({"Expires": {"N": "9" * 30}}, id="date that no calendar has"),
        pytest.param({"Created": {"N": f"-{'9' * 16}"}}, id="date before there were any"),
        pytest.param({"publish_topics": {"S": "a"}}, id="one topic without its list"),
        pytest.param({"publish_topics": {"L": [{"N": "1"}]}}, id="topic is a number"),
        pytest.param({"Tags": {"M": {"a": {"N": "1"}}}}, id="tag is a number"),
        pytest.param({"Secret_A": {"S": "$hash"}}, id="slot is a text"),
        pytest.param({"Secret_A": {"M": {}}}, id="slot is empty"),
        pytest.param(
            {"Secret_A": {"M": {"Hash": {"S": "$"}, "Created": {"N": "1"}, "State": {"S": "lost"}}}},
            id="slot in an unknown state",
        ),
        pytest.param({"read_topic": {"L": []}}, id="older topic is a list"),
    ],
)
def test_a_wrong_type_is_malformed_and_not_quoted(attributes: dict[str, Any]) -> None:
    """The error names the attribute and repeats no value."""
    with pytest.raises(MalformedRecord) as caught:
        from_item(older(**attributes))
    assert "1234" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_null_attribute_is_an_absent_one() -> None:
    """The console writes NULL where a person cleared a field."""
    names = ["Password", "Username", "Secret_A", "Tags", "Expires", "publish_topics"]
    cleared = older(**{name: {"NULL": True} for name in names})
    without = {name: value for name, value in older().items() if name not in names}
    assert from_item(cleared) == from_item(without)


def test_a_row_prints_without_its_password() -> None:
    """A traceback shows a record's repr."""
    assert "hunter2" not in repr(from_item(older())) + f"{from_item(older())}"


def test_the_key_is_the_client_id() -> None:
    """What every read and write of one row needs."""
    assert key("thermo-1") == {"Client_ID": {"S": "thermo-1"}}
