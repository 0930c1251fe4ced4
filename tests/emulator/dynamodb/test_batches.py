"""BatchWriteItem and BatchGetItem."""

from __future__ import annotations

from typing import Any

import pytest

from support_dynamodb import Database, plain, typed

MISMATCH = "The provided key element does not match the schema"
DUPLICATES = "Provided list of item keys contains duplicates"


def put(**item: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": typed(item)}}


def delete(**key: Any) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": typed(key)}}


@pytest.fixture
def clients(database: Database) -> Database:
    database.create()
    database.create("doors")
    database.put(id="old", n=1)
    return database


def test_a_batch_writes_to_several_tables(clients: Database) -> None:
    """Puts and deletes of several tables are done, and nothing is left unprocessed."""
    requests = {"clients": [put(id="a", n=1), delete(id="old"), delete(id="gone")], "doors": [put(id="a")]}
    assert clients.call("BatchWriteItem", RequestItems=requests) == {"UnprocessedItems": {}}
    assert clients.get(id="a") == {"id": "a", "n": 1}
    assert clients.get(id="old") is None
    assert clients.get("doors", id="a") == {"id": "a"}


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        pytest.param({"clients": [put(id="a"), delete(id="a")]}, DUPLICATES, id="same key twice"),
        pytest.param(
            {
                "clients": [put(id=str(number)) for number in range(20)],
                "doors": [put(id=str(number)) for number in range(6)],
            },
            "Too many items requested for the BatchWriteItem call",
            id="26 requests",
        ),
        pytest.param({"clients": [put(id="a"), put(n=1)]}, MISMATCH, id="missing key"),
        pytest.param({"clients": [put(id="a"), put(id=1)]}, MISMATCH, id="type of key"),
        pytest.param(
            {"clients": [put(id="a"), {"PutRequest": {"Item": {"id": {"N": "one"}}}}]},
            "The parameter cannot be converted to a numeric value: one",
            id="no number",
        ),
        pytest.param({"clients": [put(id="a"), delete(id="b", n=1)]}, MISMATCH, id="too much key"),
        pytest.param(
            {"clients": [put(id="a"), put(id="")]},
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            "cannot contain an empty string value. Key: id",
            id="empty key",
        ),
        pytest.param(
            {"clients": [put(id="a"), {}]},
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes",
            id="empty request",
        ),
        pytest.param(
            {"clients": [put(id="a")], "nowhere": [put(id="b")]}, "Requested resource not found", id="no table"
        ),
    ],
)
def test_a_batch_that_is_refused_writes_nothing(clients: Database, requests: dict[str, Any], message: str) -> None:
    """One bad request refuses the whole batch before anything is stored."""
    assert clients.refusal("BatchWriteItem", RequestItems=requests).message == message
    assert clients.get(id="a") is None


def test_a_batch_reads_what_is_there(clients: Database) -> None:
    """Found items are returned by table, missing ones are not mentioned; each table may project."""
    clients.put("doors", id="a", n=1, m={"x": 2, "y": 3})
    result = clients.call(
        "BatchGetItem",
        RequestItems={
            "clients": {"Keys": [typed({"id": "old"}), typed({"id": "gone"})]},
            "doors": {
                "Keys": [typed({"id": "a"})],
                "ProjectionExpression": "#m.x",
                "ExpressionAttributeNames": {"#m": "m"},
            },
        },
    )
    assert {name: [plain(item) for item in items] for name, items in result["Responses"].items()} == {
        "clients": [{"id": "old", "n": 1}],
        "doors": [{"m": {"x": 2}}],
    }
    assert result["UnprocessedKeys"] == {}


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        pytest.param({"clients": {"Keys": [typed({"id": "a"})] * 2}}, DUPLICATES, id="same key twice"),
        pytest.param(
            {
                "clients": {"Keys": [typed({"id": str(n)}) for n in range(60)]},
                "doors": {"Keys": [typed({"id": str(n)}) for n in range(41)]},
            },
            "Too many items requested for the BatchGetItem call",
            id="101 keys",
        ),
        pytest.param({"clients": {"Keys": [typed({"n": 1})]}}, MISMATCH, id="key"),
        pytest.param({"nowhere": {"Keys": [typed({"n": 1})]}}, "Requested resource not found", id="no table"),
        pytest.param(
            {"clients": {"Keys": [typed({"id": "a"})], "AttributesToGet": ["n"]}},
            "the local emulator does not support AttributesToGet in dynamodb:BatchGetItem; use ProjectionExpression",
            id="from before expressions",
        ),
    ],
)
def test_a_bad_batch_of_keys_is_refused(clients: Database, requests: dict[str, Any], message: str) -> None:
    """BatchGetItem refuses what AWS refuses."""
    assert clients.refusal("BatchGetItem", RequestItems=requests).message == message


def test_an_answer_of_16_mb_leaves_keys_unprocessed(clients: Database) -> None:
    """What does not fit in 16 MB comes back as keys to ask for again, with their request's settings."""
    keys = [typed({"id": str(number)}) for number in range(45)]
    for key in keys:
        clients.call("PutItem", TableName="doors", Item={**key, "x": {"S": "y" * 390 * 1024}})
    request = {"Keys": keys, "ConsistentRead": True}
    result = clients.call("BatchGetItem", RequestItems={"doors": request})
    found, left = result["Responses"]["doors"], result["UnprocessedKeys"]["doors"]
    assert 0 < len(found) < 45
    assert [{"id": item["id"]} for item in found] + left["Keys"] == keys
    assert left["ConsistentRead"] is True
    rest = clients.call("BatchGetItem", RequestItems={"doors": left})
    assert len(rest["Responses"]["doors"]) == len(left["Keys"])


def test_a_batch_tells_its_capacity_by_table(clients: Database) -> None:
    """Each table's share is told, every key and every request counted."""
    requests = {"clients": [put(id="a", x="y" * 2000), delete(id="old")], "doors": [put(id="a")]}
    written = clients.call("BatchWriteItem", RequestItems=requests, ReturnConsumedCapacity="TOTAL")
    assert written["ConsumedCapacity"] == [
        {"TableName": "clients", "CapacityUnits": 3.0},
        {"TableName": "doors", "CapacityUnits": 1.0},
    ]
    keys = {"clients": {"Keys": [typed({"id": "a"}), typed({"id": "gone"})]}}
    read = clients.call("BatchGetItem", RequestItems=keys, ReturnConsumedCapacity="TOTAL")
    assert read["ConsumedCapacity"] == [{"TableName": "clients", "CapacityUnits": 1.0}]
