"""A change of a row: only what differs is written, and only over the row that was read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotauth_authorizer.credential import Slot, SlotState
from iotauth_authorizer.dynamodb import Client, Credentials
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.handler import Table
from iotauth_authorizer.record import ClientRecord, Item, TokenNote, key, to_item
from iotauth_cli.aws.client_change import Change
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.errors import Conflict, NotFound
from support_aws import aws_target
from support_table import moto_table

STATES: tuple[SlotState, ...] = ("active", "pending", "retiring")
TIMES = st.none() | st.integers(0, 9)
TOPICS = st.sampled_from([(), ("a",), ("a", "b")])
SLOTS = st.builds(
    Slot,
    hash=st.sampled_from(["$1", "$2"]),
    created_at=st.integers(0, 1),
    state=st.sampled_from(STATES),
    expires_at=TIMES,
    first_used_at=TIMES,
    grace_s=TIMES,
)
RECORDS = st.builds(
    ClientRecord,
    client_id=st.just("door-7"),
    username=st.none() | st.just("door"),
    enabled=st.booleans(),
    slots=st.dictionaries(st.sampled_from("AB"), SLOTS),
    plain_password=st.none() | st.just("hunter2"),
    grants=st.builds(Grants, publish=TOPICS, subscribe=TOPICS, older_read=st.none() | st.just("doors/*")),
    expires_at=TIMES,
    tags=st.sampled_from([{}, {"site": "berlin"}, {"site": "ulm", "floor": "1"}]),
    note=st.none() | st.just("n"),
    version=st.none() | st.integers(1, 3),
    created_at=TIMES,
    updated_at=TIMES,
    token=st.none() | st.builds(TokenNote, TIMES, TIMES, st.booleans(), TIMES, st.sampled_from([None, "k1", "k2"])),
)


@pytest.fixture(scope="module")
def clients() -> Iterator[ClientTable]:
    """A table of moto's: DynamoDB as somebody else understands it."""
    with (
        moto_table() as server,
        closing(Client("eu-west-1", endpoint_url=server.url, credentials=lambda: Credentials("x", "x"))) as client,
    ):
        yield ClientTable("clients", aws_target(), client)


def put(clients: ClientTable, record: ClientRecord, **attributes: Any) -> ClientRecord:
    clients.client.put_item("clients", to_item(record) | attributes)
    return record


def item(clients: ClientTable) -> Item:
    found = clients.client.get_item("clients", key("door-7"))
    assert found is not None
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=RECORDS, after=RECORDS)
def test_any_row_becomes_any_other_and_counts_on(
    clients: ClientTable, before: ClientRecord, after: ClientRecord
) -> None:
    """Whatever differs is written, nothing more is needed, and the version grows by one, from none to 1."""
    after = after._replace(version=before.version)
    put(clients, before)
    written = clients.change(before, after)
    assert clients.find("door-7") == written
    assert written == (after if before == after else after._replace(version=(before.version or 0) + 1))


SLOT = Slot("$1", 1, "pending")
OLD = Slot("$0", 0, "retiring", grace_s=60)
BEFORE = ClientRecord("door-7", slots={"A": OLD, "B": SLOT}, grants=Grants.for_topic("doors/7"), version=4)


def test_what_nobody_changed_is_not_sent() -> None:
    """A row of an older tool keeps its texts for truths and attributes that we do not know."""
    change = Change.between(BEFORE, BEFORE._replace(note="hall", slots={"A": OLD, "B": SLOT._replace(state="active")}))
    assert change.expression == "SET #Note = :new_Note, #Secret_B.#State = :new_Secret_B_State, #Version = :new_Version"
    assert change.condition_expression == "attribute_exists(#Client_ID) AND #Version = :was_Version"


def test_a_row_of_an_older_tool_is_changed_and_keeps_the_rest(clients: ClientTable) -> None:
    """No version yet, truths in words, and somebody's own column."""
    put(clients, ClientRecord("door-7"), allow_connect={"S": "true"}, Colour={"S": "red"}, Password={"S": "hunter2"})
    before = clients.find("door-7")
    assert isinstance(before, ClientRecord)
    clients.change(before, before._replace(note="hall"))
    assert item(clients) == {
        "Client_ID": {"S": "door-7"},
        "allow_connect": {"S": "true"},
        "Colour": {"S": "red"},
        "Password": {"S": "hunter2"},
        "Note": {"S": "hall"},
        "Version": {"N": "1"},
    }


@pytest.mark.parametrize("version", [None, 4])
def test_of_two_who_read_the_same_row_one_is_told(clients: ClientTable, version: int | None) -> None:
    """The second finds another version than it read; nothing of its change is in the row."""
    before = put(clients, BEFORE._replace(version=version))
    first = clients.change(before, before._replace(enabled=False))
    with pytest.raises(Conflict, match="`door-7` was changed by somebody else") as caught:
        clients.change(before, before._replace(note="mine", enabled=False))
    assert caught.value.hint
    assert clients.find("door-7") == first


def test_a_row_that_was_removed_stays_removed(clients: ClientTable) -> None:
    """An update alone would make a new row of the few attributes that it sets."""
    before = put(clients, BEFORE._replace(version=None))
    clients.remove("door-7")
    with pytest.raises(NotFound, match="no client `door-7`"):
        clients.change(before, before._replace(note="mine"))
    assert clients.find("door-7") is None


def test_a_first_use_noted_meanwhile_survives_another_change(clients: ClientTable) -> None:
    """The function's note is no conflict with a note of a person, nor with a confirmation."""
    before = put(clients, BEFORE)
    Table("clients", clients.client).record_first_use(before, "B", 100)
    confirmed = {"A": OLD, "B": SLOT._replace(state="active")}
    clients.change(before, before._replace(note="hall", slots=confirmed))
    found = clients.find("door-7")
    assert isinstance(found, ClientRecord)
    assert found.note == "hall"
    assert found.slots == {"A": OLD._replace(expires_at=160), "B": Slot("$1", 1, "active", first_used_at=100)}


@pytest.mark.parametrize("slots", [{"A": OLD, "B": Slot("$2", 2, "pending")}, {"A": OLD}], ids=["replaced", "removed"])
def test_a_secret_that_came_into_use_meanwhile_is_not_thrown_away(clients: ClientTable, slots: dict[str, Slot]) -> None:
    """Whoever discards it has read that nobody uses it; now a device does."""
    before = put(clients, BEFORE)
    Table("clients", clients.client).record_first_use(before, "B", 100)
    with pytest.raises(Conflict):
        clients.change(before, before._replace(slots=slots))
    assert item(clients)["Secret_B"]["M"]["Hash"] == {"S": "$1"}


class Forgetful(Client):
    """Writes, and then its answer is lost; *meanwhile* happens before the same request is sent again."""

    def __init__(self, real: Client, meanwhile: list[Any]) -> None:
        self.real = real
        self.meanwhile = meanwhile

    def call(self, operation: str, body: Any, *, budget_s: float | None = None) -> dict[str, Any]:
        if operation != "UpdateItem":
            return self.real.call(operation, body)
        self.real.call(operation, body)
        for act in self.meanwhile:
            act()
        return self.real.call(operation, body)


def test_a_change_that_was_sent_twice_is_made_once(clients: ClientTable) -> None:
    """When the first answer got lost, the second meets its own effect, also beside what the function noted."""
    before = put(clients, BEFORE._replace(slots={"A": Slot("$0", 0)}))
    after = before._replace(slots={"A": OLD, "B": SLOT})

    def used() -> None:
        Table("clients", clients.client).record_first_use(after, "B", 100)

    written = ClientTable("clients", clients.target, Forgetful(clients.client, [used])).change(before, after)
    assert written.version == 5
    assert item(clients)["Version"] == {"N": "5"}
    assert item(clients)["Secret_A"]["M"]["Expires"] == {"N": "160"}
