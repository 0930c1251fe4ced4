"""Bulk inserts: 25 at a time, each conditional, and recognised when the answer got lost."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, Item, to_item
from iotauth_cli.aws import bulk
from iotauth_cli.aws.bulk import Row, Shape
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.aws.workers import run
from iotauth_cli.errors import AccessDenied, AwsError, ConfigError, NotFound, Throttled
from support_aws import aws_target
from support_bulk import Table
from support_table import HANG_UP, Answerer, Asked, answer, error, serving


def record(client_id: str, digest: str = "$x$y", note: str | None = None) -> ClientRecord:
    return ClientRecord(client_id, slots={"A": Slot(digest, 1)}, grants=Grants(("a",), ("b/#",)), note=note, version=1)


def item(client_id: str, digest: str = "$x$y") -> Item:
    return to_item(record(client_id, digest))


def rows(*client_ids: str) -> list[Row]:
    return [bulk.row("clients", item(client_id)) for client_id in client_ids]


def inserted(table: Answerer, wanted: list[Row]) -> Any:
    """Insert *wanted* as one task, without pauses, and return its result."""
    with serving(table) as server:
        target = aws_target(table_url=server.url)
        clients = ClientTable.open(Session(target), "clients")
        return next(iter(run(clients, [wanted], lambda line, batch: bulk.insert(clients, line, batch), limit=1)))[1]


def test_a_batch_is_one_request() -> None:
    """Every row is in the table, as it was given."""
    table = Table()
    names = [f"thermo-{number}" for number in range(25)]
    assert inserted(table, rows(*names)) == [None] * 25
    assert table.items == {name: item(name) for name in names}
    assert table.batches == [25]


def test_a_row_that_exists_is_given_back_and_left_alone() -> None:
    """Its neighbours are written."""
    table = Table()
    table.items["b"] = item("b", "theirs")
    assert inserted(table, rows("a", "b", "c")) == [None, item("b", "theirs"), None]
    assert table.items["b"] == item("b", "theirs")


def test_an_answer_that_got_lost_is_no_duplicate() -> None:
    """The request is sent again and meets its own rows: they are equal to what was sent."""
    table = Table(HANG_UP)
    assert inserted(table, rows("a", "b")) == [None, None]
    assert table.batches == [2, 2]


@pytest.mark.parametrize("code", sorted(bulk.PUT_OFF))
def test_rows_that_are_put_off_are_sent_again_alone(code: str) -> None:
    """What was taken is not sent a second time."""
    table = Table({"b": code})
    assert inserted(table, rows("a", "b", "c")) == [None] * 3
    assert table.batches == [3, 1]


def test_a_throttled_request_is_repeated_whole() -> None:
    """The light client does so."""
    table = Table(error("ThrottlingException"))
    assert inserted(table, rows("a")) == [None]
    assert table.batches == [1, 1]


def test_rows_that_are_put_off_for_ever_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it."""
    monkeypatch.setattr(bulk, "MAX_TRIES", 3)
    result = inserted(Table(*[{"b": "ThrottlingError"}] * 3), rows("a", "b"))
    assert isinstance(result, Throttled)
    assert "same command again" in str(result.hint)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"b": "ResourceNotFound"}, NotFound),
        ({"b": "AccessDenied"}, AccessDenied),
        (error("ExpiredTokenException"), ConfigError),
    ],
    ids=["table", "rights", "keys"],
)
def test_what_no_row_could_survive_stops_the_run(fault: Any, kind: type[Exception]) -> None:
    """In our words."""
    with pytest.raises(kind):
        inserted(Table(fault), rows("a", "b"))


def test_a_row_that_is_refused_is_an_error_of_its_batch() -> None:
    """With what DynamoDB said."""
    assert isinstance(inserted(Table({"b": "ValidationError"}), rows("a", "b")), AwsError)


def test_keys_that_are_left_out_are_read_again() -> None:
    """UnprocessedKeys come with a later request."""
    table = Table()
    table.items = {name: item(name, "theirs") for name in "ab"}
    turns = iter((1, 2))

    def reluctant(asked: Asked) -> bytes:
        if asked.operation != "BatchGetItem" or next(turns, 3) > 1:
            return table(asked)
        left = {"clients": {"Keys": [{"Client_ID": {"S": "b"}}], "ConsistentRead": True}}
        return answer({"Responses": {"clients": [table.items["a"]]}, "UnprocessedKeys": left})

    assert inserted(reluctant, rows("a", "b")) == [item("a", "theirs"), item("b", "theirs")]


def test_any_row_is_inserted_once_however_the_table_fails() -> None:
    """Lost answers, rows put off and requests refused, in any order: every row is there, and as it was sent."""
    for seed in range(30):
        luck = random.Random(seed)
        names = [f"thermo-{number}" for number in range(luck.randint(1, 25))]
        faults = [
            luck.choice([HANG_UP, error("ThrottlingException"), {luck.choice(names): "ThrottlingError"}, None])
            for _ in range(2)
        ]
        table = Table(*faults)
        assert inserted(table, rows(*names)) == [None] * len(names)
        assert table.items == {name: item(name) for name in names}


@given(st.text(), st.sampled_from(["thermo-1", "a", "100%"]))
def test_a_shape_makes_the_statement_of_the_whole_row(note: str, client_id: str) -> None:
    """Whatever else the row holds, percent signs included."""

    def item_of(client_id: str, digest: str) -> Item:
        return to_item(record(client_id, digest, note))

    assert Shape.of("clients", item_of).row(client_id, "$h$") == bulk.row("clients", item_of(client_id, "$h$"))
