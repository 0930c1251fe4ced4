"""TransactWriteItems and TransactGetItems."""

from __future__ import annotations

from typing import Any

import pytest

from support_dynamodb import Clock, Database, plain, typed

CANCELLED = "Transaction cancelled, please refer cancellation reasons for specific reasons "


@pytest.fixture
def clients(database: Database) -> Database:
    database.create()
    database.put(id="a", n=1)
    return database


def put(condition: str | None = None, /, **item: Any) -> dict[str, Any]:
    guard = {"ConditionExpression": condition} if condition else {}
    return {"Put": {"TableName": "clients", "Item": typed(item), **guard}}


def keyed(action: str, key: str, **more: Any) -> dict[str, Any]:
    return {action: {"TableName": "clients", "Key": typed({"id": key}), **more}}


def add(key: str, value: Any) -> dict[str, Any]:
    return keyed("Update", key, UpdateExpression="ADD n :v", ExpressionAttributeValues=typed({":v": value}))


def test_a_transaction_does_everything(clients: Database) -> None:
    """Put, update, delete and check are carried out together."""
    clients.put(id="old")
    actions = [
        put("attribute_not_exists(id)", id="b"),
        add("a", 2),
        keyed("Delete", "old"),
        keyed("ConditionCheck", "gone", ConditionExpression="attribute_not_exists(id)"),
    ]
    assert clients.call("TransactWriteItems", TransactItems=actions) == {}
    assert clients.get(id="a") == {"id": "a", "n": 3}
    assert clients.get(id="b") == {"id": "b"}
    assert clients.get(id="old") is None
    assert clients.get(id="gone") is None


def test_a_transaction_does_nothing_if_one_action_fails(clients: Database) -> None:
    """Every action gets a reason in its place, and no item is changed."""
    guarded = put("attribute_not_exists(id)", id="a")
    guarded["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    actions = [
        put(id="b"),
        guarded,
        add("c", 1),
        keyed("Delete", "d", ConditionExpression="attribute_exists(id)"),
    ]
    error = clients.refusal("TransactWriteItems", TransactItems=actions)
    assert (error.code, error.message) == (
        "TransactionCanceledException",
        CANCELLED + "[None, ConditionalCheckFailed, None, ConditionalCheckFailed]",
    )
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    assert error.members["CancellationReasons"] == [
        {"Code": "None"},
        {**failed, "Item": typed({"id": "a", "n": 1})},
        {"Code": "None"},
        failed,
    ]
    assert clients.get(id="b") is None
    assert clients.get(id="c") is None


def test_an_update_that_the_item_cannot_take_cancels(clients: Database) -> None:
    """An error that depends on the item is a reason, too."""
    error = clients.refusal("TransactWriteItems", TransactItems=[put(id="b"), add("a", {"x"})])
    assert error.members["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "ValidationError", "Message": "An operand in the update expression has an incorrect data type"},
    ]
    assert clients.get(id="b") is None


@pytest.mark.parametrize(
    ("actions", "code", "message"),
    [
        pytest.param(
            [put(id="b"), keyed("Delete", "b")],
            "ValidationException",
            "Transaction request cannot include multiple operations on one item",
            id="one item twice",
        ),
        pytest.param(
            [{**put(id="b"), **keyed("Delete", "c")}],
            "ValidationException",
            "TransactItems can only contain one of Check, Put, Update or Delete",
            id="two in one",
        ),
        pytest.param(
            [{"Put": {"TableName": "nowhere", "Item": typed({"id": "b"})}}],
            "ResourceNotFoundException",
            "Requested resource not found",
            id="no table",
        ),
        pytest.param(
            [put("bad (", id="b")],
            "ValidationException",
            'Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "("',
            id="bad condition",
        ),
    ],
)
def test_a_transaction_that_cannot_be_read_is_refused(
    clients: Database, actions: list[dict[str, Any]], code: str, message: str
) -> None:
    """What is wrong with the request itself is no cancellation."""
    error = clients.refusal("TransactWriteItems", TransactItems=actions)
    assert (error.code, error.message) == (code, message)
    assert clients.get(id="b") is None


def test_a_repeated_token_is_the_same_transaction(clients: Database, clock: Clock) -> None:
    """Sent again within ten minutes, a transaction is not carried out again; another one may not use its token."""
    parameters = {"TransactItems": [add("a", 1)], "ClientRequestToken": "once"}
    clients.call("TransactWriteItems", **parameters)
    clock.now += 599
    clients.call("TransactWriteItems", **parameters)
    assert clients.get(id="a") == {"id": "a", "n": 2}
    error = clients.refusal("TransactWriteItems", TransactItems=[add("a", 9)], ClientRequestToken="once")
    assert error.code == "IdempotentParameterMismatchException"
    clock.now += 1
    clients.call("TransactWriteItems", **parameters)
    assert clients.get(id="a") == {"id": "a", "n": 3}


def test_a_transaction_reads_in_order(clients: Database) -> None:
    """Answers stand in the order of the questions; what is missing is an empty answer."""
    gets = [keyed("Get", "gone"), keyed("Get", "a", ProjectionExpression="n")]
    result = clients.call("TransactGetItems", TransactItems=gets, ReturnConsumedCapacity="TOTAL")
    assert [plain(answer["Item"]) if answer else None for answer in result["Responses"]] == [None, {"n": 1}]
    assert result["ConsumedCapacity"] == [{"TableName": "clients", "CapacityUnits": 4.0}]


def test_a_transaction_costs_twice(clients: Database) -> None:
    """Every write of a transaction counts double."""
    result = clients.call(
        "TransactWriteItems", TransactItems=[put(id="b"), add("a", 1)], ReturnConsumedCapacity="TOTAL"
    )
    assert result == {"ConsumedCapacity": [{"TableName": "clients", "CapacityUnits": 4.0}]}
