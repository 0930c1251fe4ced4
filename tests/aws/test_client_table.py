"""The rows: errors of the light client become ours, and a repeated write knows itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iotauth_authorizer.credential import CHEAPEST, Slot, hash_secret
from iotauth_authorizer.dynamodb import Client, ConnectionLost, DynamoDBError, NoCredentials
from iotauth_authorizer.record import ClientRecord, to_item
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.errors import AccessDenied, AlreadyExists, AwsError, ConfigError, IotauthError, NotFound, Throttled
from support_aws import aws_target

SLOTS = {"A": Slot(hash_secret(b"canary", "door-7", CHEAPEST), 1763640000)}
RECORD = ClientRecord("door-7", slots=SLOTS, version=1)


class Answers(Client):
    """A client whose calls end as told, in order."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.bodies: list[Any] = []

    def call(self, operation: str, body: Any, *, budget_s: float | None = None) -> dict[str, Any]:
        self.bodies.append(body)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def table(*answers: Any) -> ClientTable:
    return ClientTable("clients", aws_target(), Answers(*answers))


CONDITION_FAILED = DynamoDBError("ConditionalCheckFailedException", "The conditional request failed", 400)


def test_a_row_that_is_there_already_is_left_alone() -> None:
    """Somebody else's row fails the condition, and is not ours."""
    with pytest.raises(AlreadyExists):
        table(CONDITION_FAILED, {"Item": to_item(RECORD) | {"Note": {"S": "mine"}}}).add(RECORD)


def test_a_write_that_was_sent_twice_succeeds_once() -> None:
    """When the first answer got lost, the second write meets its own row: salt and all are the same."""
    table(CONDITION_FAILED, {"Item": to_item(RECORD)}).add(RECORD)


def test_a_new_row_is_the_first_version() -> None:
    """Whatever the record says; the changes count on from there."""
    rows = table({})
    rows.add(RECORD._replace(version=None))
    assert isinstance(rows.client, Answers)
    assert rows.client.bodies[0]["Item"]["Version"] == {"N": "1"}


CALLS: list[Callable[[ClientTable], object]] = [
    lambda rows: rows.add(RECORD),
    lambda rows: rows.change(RECORD, RECORD._replace(enabled=False)),
    lambda rows: rows.find("door-7"),
    lambda rows: list(rows.rows()),
    lambda rows: rows.remove("door-7"),
]


@pytest.mark.parametrize("call", CALLS, ids=["add", "change", "find", "rows", "remove"])
@pytest.mark.parametrize(
    ("problem", "kind", "words"),
    [
        (DynamoDBError("ResourceNotFoundException", "", 400), NotFound, "AWS eu-west-1 has no table `clients`"),
        (DynamoDBError("AccessDeniedException", "", 400), AccessDenied, "may not call `dynamodb:"),
        (DynamoDBError("ThrottlingException", "Slow", 400), Throttled, "failed: Slow"),
        (ConnectionLost("h did not answer"), AwsError, "AWS eu-west-1 gave no answer: h did not answer"),
        (NoCredentials("none"), ConfigError, "no AWS keys were found"),
    ],
    ids=lambda value: value.code if isinstance(value, DynamoDBError) else None,
)
def test_every_call_translates(
    call: Callable[[ClientTable], object], problem: Exception, kind: type[IotauthError], words: str
) -> None:
    """No exception of the light client gets past this module."""
    with pytest.raises(kind) as caught:
        call(table(problem))
    assert words in caught.value.message
    assert caught.value.__cause__ is problem


def test_a_broken_row_does_not_hide_the_others() -> None:
    """It comes as what is wrong with it, by attribute and without a value."""
    broken = {"Client_ID": {"S": "door-8"}, "Created": {"S": "canary"}}
    found = list(table({"Items": [to_item(RECORD), broken, {}]}).rows())
    assert found == [
        RECORD,
        BrokenRow("door-8", "`Created` is not of type N"),
        BrokenRow("?", "`Client_ID` is missing"),
    ]


def test_a_page_begins_behind_the_client_that_is_named() -> None:
    """So a list of a million rows can be read in parts; the key need not exist any more."""
    asked = table({"Items": [{"Client_ID": {"S": "b"}}]})
    assert [row.client_id for row in asked.rows("a", 1)] == ["b"]
    sent = asked.client.bodies[0]  # type: ignore[attr-defined]
    assert (sent["ExclusiveStartKey"], sent["Limit"]) == ({"Client_ID": {"S": "a"}}, 1)


def test_rows_are_counted_without_being_sent() -> None:
    """DynamoDB counts page by page."""
    asked = table({"Count": 3000, "LastEvaluatedKey": {"Client_ID": {"S": "x"}}}, {"Count": 7})
    assert asked.count() == 3007
    first, second = asked.client.bodies  # type: ignore[attr-defined]
    assert first["Select"] == second["Select"] == "COUNT"
