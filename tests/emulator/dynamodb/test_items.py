"""PutItem, GetItem, UpdateItem, DeleteItem: what is stored, returned and refused."""

from __future__ import annotations

from typing import Any

import pytest

from support_dynamodb import Database, plain, typed

INVALID = "One or more parameter values were invalid: "
MISMATCH = "The provided key element does not match the schema"
EMPTY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute "
    "cannot contain an empty string value. Key: id"
)
KEY = {"id": {"S": "door-7"}}


@pytest.fixture
def clients(database: Database) -> Database:
    database.create()
    return database


def test_an_item_is_replaced_as_a_whole(clients: Database) -> None:
    """Put writes the whole item; what is not in the new one is gone."""
    clients.put(id="door-7", a=1, b=2)
    clients.put(id="door-7", b=3)
    assert clients.get(id="door-7") == {"id": "door-7", "b": 3}


def test_nothing_found_means_no_item_member(clients: Database) -> None:
    """GetItem of a missing item is an answer without Item, not an error."""
    assert clients.call("GetItem", TableName="clients", Key=KEY) == {}


def test_an_item_without_the_projected_attributes_is_empty(clients: Database) -> None:
    """An item that is there but shows nothing is an empty Item, unlike one that is not there."""
    clients.put(id="door-7")
    shown = clients.call("GetItem", TableName="clients", Key=KEY, ProjectionExpression="gone")
    assert shown == {"Item": {}}


def test_numbers_come_back_canonical(clients: Database) -> None:
    """DynamoDB returns the value, not the spelling; a number key is found by any spelling."""
    clients.create("counters", partition="n:N")
    clients.call("PutItem", TableName="counters", Item={"n": {"N": "1.50"}, "v": {"N": "1e2"}})
    found = clients.call("GetItem", TableName="counters", Key={"n": {"N": "15e-1"}})
    assert found == {"Item": {"n": {"N": "1.5"}, "v": {"N": "100"}}}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("S", ["a", "A", "ä", "\ud800", "a" * 2048]),
        ("N", ["0", "-1", "1e125", "-1e-130"]),
        ("B", [b"\0", b"\xff", b"a" * 2048]),
    ],
)
def test_keys_of_every_type_are_told_apart(database: Database, kind: str, values: list[Any]) -> None:
    """Each value of a key is its own item, and found again."""
    database.create("keyed", partition=f"id:{kind}")
    for value in values:
        database.call("PutItem", TableName="keyed", Item={"id": {kind: value}})
    assert database.call("DescribeTable", TableName="keyed")["Table"]["ItemCount"] == len(values)
    assert all("Item" in database.call("GetItem", TableName="keyed", Key={"id": {kind: value}}) for value in values)


@pytest.mark.parametrize(
    ("key", "of_item", "of_key"),
    [
        pytest.param({"id": {"S": ""}}, EMPTY, EMPTY, id="empty"),
        pytest.param(
            {"id": {"N": "1"}}, INVALID + "Type mismatch for key id expected: S actual: N", MISMATCH, id="type"
        ),
        pytest.param({"a": {"S": "x"}}, INVALID + "Missing the key id in the item", MISMATCH, id="missing"),
        pytest.param({}, INVALID + "Missing the key id in the item", MISMATCH, id="nothing"),
        pytest.param({"id": {"S": "a"}, "b": {"S": "x"}}, None, MISMATCH, id="too much"),
        pytest.param(
            {"id": {"S": "a" * 2049}},
            INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
            INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
            id="too long",
        ),
    ],
)
def test_a_bad_key_is_refused_everywhere(
    clients: Database, key: dict[str, Any], of_item: str | None, of_key: str
) -> None:
    """An item and a key are held to the schema with different words, as on AWS."""
    if of_item is not None:
        assert clients.refusal("PutItem", TableName="clients", Item=key).message == of_item
    for operation in ("GetItem", "DeleteItem", "UpdateItem"):
        assert clients.refusal(operation, TableName="clients", Key=key).message == of_key


def test_a_sort_key_has_its_own_limit(database: Database) -> None:
    """A sort key is at most 1,024 bytes, and as much part of the key as the partition key."""
    database.create("events", sort="at:S")
    database.put("events", id="a", at="x" * 1024)
    error = database.refusal("PutItem", TableName="events", Item=typed({"id": "a", "at": "x" * 1025}))
    assert error.message == INVALID + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
    assert database.refusal("GetItem", TableName="events", Key=KEY).message == MISMATCH


def test_an_item_is_at_most_400_kb(clients: Database) -> None:
    """Names and values count; an update may not grow an item beyond it, either."""
    room = 400 * 1024 - len("id") - len("a") - len("x")
    clients.put(id="a", x="y" * room)
    too_big = typed({"id": "a", "x": "y" * (room + 1)})
    assert clients.refusal("PutItem", TableName="clients", Item=too_big).message == (
        "Item size has exceeded the maximum allowed size"
    )
    error = clients.refusal(
        "UpdateItem",
        TableName="clients",
        Key=typed({"id": "a"}),
        UpdateExpression="SET z = :v",
        ExpressionAttributeValues=typed({":v": 1}),
    )
    assert error.message == "Item size to update has exceeded the maximum allowed size"


def test_a_condition_guards_a_write(clients: Database) -> None:
    """A write whose condition does not hold changes nothing."""
    create = {
        "TableName": "clients",
        "Item": typed({"id": "a", "n": 1}),
        "ConditionExpression": "attribute_not_exists(id)",
    }
    clients.call("PutItem", **create)
    error = clients.refusal("PutItem", **{**create, "Item": typed({"id": "a", "n": 2})})
    assert (error.code, error.message, error.members) == (
        "ConditionalCheckFailedException",
        "The conditional request failed",
        {},
    )
    assert clients.get(id="a") == {"id": "a", "n": 1}


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem"])
def test_a_failed_condition_tells_the_item_if_asked(clients: Database, operation: str) -> None:
    """With ALL_OLD the error carries the item that stood in the way; without one there is nothing to carry."""
    subject = {"Item": typed({"id": "a"})} if operation == "PutItem" else {"Key": typed({"id": "a"})}
    parameters = {
        "TableName": "clients",
        "ConditionExpression": "n = :v",
        "ExpressionAttributeValues": typed({":v": 2}),
        **subject,
    }
    asked = {**parameters, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    assert clients.refusal(operation, **asked).members == {}
    clients.put(id="a", n=1)
    assert clients.refusal(operation, **asked).members == {"Item": typed({"id": "a", "n": 1})}
    assert clients.refusal(operation, **parameters).members == {}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", {"id": "a", "n": 1, "m": {"x": 1, "y": 2}}),
        ("ALL_NEW", {"id": "a", "n": 2, "m": {"x": 5, "y": 2}, "fresh": 5}),
        ("UPDATED_OLD", {"n": 1, "m": {"x": 1}}),
        ("UPDATED_NEW", {"n": 2, "m": {"x": 5}, "fresh": 5}),
    ],
)
def test_an_update_returns_what_is_asked_for(clients: Database, mode: str, expected: dict[str, Any] | None) -> None:
    """Everything or what was changed, as it was or as it is."""
    clients.put(id="a", n=1, m={"x": 1, "y": 2})
    result = clients.call(
        "UpdateItem",
        TableName="clients",
        Key=typed({"id": "a"}),
        UpdateExpression="SET m.x = :v, fresh = :v ADD n :one REMOVE gone",
        ExpressionAttributeValues=typed({":v": 5, ":one": 1}),
        ReturnValues=mode,
    )
    assert (plain(result["Attributes"]) if "Attributes" in result else None) == expected


@pytest.mark.parametrize("mode", ["ALL_OLD", "UPDATED_OLD", "UPDATED_NEW"])
def test_nothing_to_return_means_no_attributes_member(clients: Database, mode: str) -> None:
    """AWS leaves Attributes out rather than returning an empty map."""
    result = clients.call("UpdateItem", TableName="clients", Key=KEY, UpdateExpression="REMOVE gone", ReturnValues=mode)
    assert result == {}


def test_an_update_creates_the_item_it_sets(clients: Database) -> None:
    """SET and ADD create, also without any expression; REMOVE does not."""
    for name, expression in {"set": "SET n = :v", "add": "ADD n :v"}.items():
        clients.call(
            "UpdateItem",
            TableName="clients",
            Key=typed({"id": name}),
            UpdateExpression=expression,
            ExpressionAttributeValues=typed({":v": 1}),
        )
        assert clients.get(id=name) == {"id": name, "n": 1}
    clients.call("UpdateItem", TableName="clients", Key=typed({"id": "bare"}))
    assert clients.get(id="bare") == {"id": "bare"}
    clients.call("UpdateItem", TableName="clients", Key=typed({"id": "gone"}), UpdateExpression="REMOVE x.y")
    assert clients.get(id="gone") is None


@pytest.mark.parametrize("expression", ["SET id = :v", "SET id.x = :v", "ADD id :v"])
def test_a_key_is_never_updated(clients: Database, expression: str) -> None:
    """The key of an item cannot be changed, only another item written."""
    error = clients.refusal(
        "UpdateItem",
        TableName="clients",
        Key=KEY,
        UpdateExpression=expression,
        ExpressionAttributeValues=typed({":v": 1}),
    )
    assert error.message == INVALID + "Cannot update attribute id. This attribute is part of the key"


def test_a_key_can_be_read_in_an_update(clients: Database) -> None:
    """The key of an item that the update creates is there to be copied from."""
    clients.call("UpdateItem", TableName="clients", Key=KEY, UpdateExpression="SET twin = id")
    assert clients.get(id="door-7") == {"id": "door-7", "twin": "door-7"}


def test_put_and_delete_return_the_old_item_only(clients: Database) -> None:
    """ALL_OLD is all there is to ask of them; AWS refuses the other words."""
    put = {"TableName": "clients", "Item": typed({"id": "a", "n": 2})}
    delete = {"TableName": "clients", "Key": typed({"id": "a"})}
    assert clients.call("PutItem", **put, ReturnValues="ALL_OLD") == {}
    assert clients.call("PutItem", **put, ReturnValues="ALL_OLD") == {"Attributes": put["Item"]}
    assert clients.call("DeleteItem", **delete, ReturnValues="ALL_OLD") == {"Attributes": put["Item"]}
    assert clients.call("DeleteItem", **delete, ReturnValues="ALL_OLD") == {}
    for operation, parameters in (("PutItem", put), ("DeleteItem", delete)):
        error = clients.refusal(operation, **parameters, ReturnValues="ALL_NEW")
        assert error.message == "ReturnValues can only be ALL_OLD or NONE"


@pytest.mark.parametrize(
    ("kilobytes", "write", "read"),
    [(0, 1.0, 0.5), (1, 2.0, 0.5), (3, 4.0, 0.5), (4, 5.0, 1.0), (9, 10.0, 1.5)],
)
def test_capacity_grows_with_size(clients: Database, kilobytes: int, write: float, read: float) -> None:
    """A write counts every KB, a read every 4 KB and half of that unless consistent; the old item counts, too."""
    item = typed({"id": "a", "x": "y" * (kilobytes * 1024)})
    for wanted, table in (("TOTAL", {}), ("INDEXES", {"Table": {"CapacityUnits": write}})):
        result = clients.call("PutItem", TableName="clients", Item=item, ReturnConsumedCapacity=wanted)
        assert result == {"ConsumedCapacity": {"TableName": "clients", "CapacityUnits": write, **table}}
    got = clients.call("GetItem", TableName="clients", Key=typed({"id": "a"}), ReturnConsumedCapacity="TOTAL")
    assert got["ConsumedCapacity"]["CapacityUnits"] == read
    consistent = clients.call(
        "GetItem", TableName="clients", Key=typed({"id": "a"}), ReturnConsumedCapacity="TOTAL", ConsistentRead=True
    )
    assert consistent["ConsumedCapacity"]["CapacityUnits"] == 2 * read
    deleted = clients.call("DeleteItem", TableName="clients", Key=typed({"id": "a"}), ReturnConsumedCapacity="TOTAL")
    assert deleted["ConsumedCapacity"]["CapacityUnits"] == write


@pytest.mark.parametrize(
    ("operation", "parameter", "instead"),
    [
        ("PutItem", "Expected", "ConditionExpression"),
        ("UpdateItem", "AttributeUpdates", "UpdateExpression"),
        ("GetItem", "AttributesToGet", "ProjectionExpression"),
        ("Query", "KeyConditions", "KeyConditionExpression"),
        ("Query", "QueryFilter", "FilterExpression"),
        ("Scan", "ScanFilter", "FilterExpression"),
        ("DeleteItem", "ConditionalOperator", "an expression"),
    ],
)
def test_a_parameter_from_before_expressions_is_named(
    clients: Database, operation: str, parameter: str, instead: str
) -> None:
    """What the emulator does not serve is refused by its name, with what to use instead, never ignored."""
    error = clients.refusal(operation, **{"TableName": "clients", parameter: {}})
    assert (error.code, error.message) == (
        "ValidationException",
        f"the local emulator does not support {parameter} in dynamodb:{operation}; use {instead}",
    )


def test_blobs_go_in_and_come_out_as_bytes(clients: Database) -> None:
    """Binary values keep every byte, in sets and documents, too."""
    item = {
        "id": {"S": "a"},
        "b": {"B": bytes(range(256))},
        "bs": {"BS": [b"\0", b"\xff"]},
        "l": {"L": [{"B": b"in"}, {"M": {"B": {"B": b""}}}]},
    }
    clients.call("PutItem", TableName="clients", Item=item)
    assert clients.call("GetItem", TableName="clients", Key=typed({"id": "a"})) == {"Item": item}
