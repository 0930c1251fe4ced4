"""Tables: created, described, listed, changed, deleted; refused as AWS refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from support_dynamodb import Clock, Database

INVALID = "One or more parameter values were invalid: "
PARTITION = {"AttributeName": "id", "KeyType": "HASH"}
SORT = {"AttributeName": "at", "KeyType": "RANGE"}
ID, AT = {"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "at", "AttributeType": "N"}
UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 2}


def test_a_table_is_active_at_once(database: Database, clock: Clock) -> None:
    """CreateTable returns what DescribeTable then returns: an ACTIVE table with its key, ARN and billing mode."""
    created = database.call(
        "CreateTable",
        TableName="doors",
        KeySchema=[PARTITION, SORT],
        AttributeDefinitions=[AT, ID],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    described = database.call("DescribeTable", TableName="doors")["Table"]
    assert described == created
    table_id = described.pop("TableId")
    assert [len(part) for part in table_id.split("-")] == [8, 4, 4, 4, 12]
    assert described == {
        "TableName": "doors",
        "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/doors",
        "TableStatus": "ACTIVE",
        "CreationDateTime": clock.now,
        "KeySchema": [PARTITION, SORT],
        "AttributeDefinitions": [ID, AT],
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": clock.now},
        "ItemCount": 0,
        "TableSizeBytes": 0,
        "DeletionProtectionEnabled": False,
    }


def test_a_provisioned_table_shows_its_units(database: Database) -> None:
    """Without a billing mode a table is provisioned; it has no billing summary then, as on AWS."""
    database.create("doors", BillingMode="PROVISIONED", ProvisionedThroughput=UNITS, TableClass="STANDARD")
    table = database.call("DescribeTable", TableName="doors")["Table"]
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **UNITS}
    assert table["TableClassSummary"] == {"TableClass": "STANDARD"}
    assert "BillingModeSummary" not in table


def test_a_table_counts_its_items(database: Database) -> None:
    """Item count and size are right at any moment."""
    database.create()
    database.put(id="a", n=1)
    database.put(id="bb")
    table = database.call("DescribeTable", TableName="clients")["Table"]
    assert (table["ItemCount"], table["TableSizeBytes"]) == (2, (2 + 1 + 1 + 2) + (2 + 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"TableName": "ab"},
            "TableName must be at least 3 characters long and at most 255 characters long",
            id="short name",
        ),
        pytest.param(
            {"TableName": "bad name"},
            "1 validation error detected: Value 'bad name' at 'tableName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
            id="bad name",
        ),
        pytest.param(
            {"KeySchema": None},
            "1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: "
            "Member must not be null",
            id="no key",
        ),
        pytest.param(
            {"AttributeDefinitions": None},
            "1 validation error detected: Value null at 'attributeDefinitions' failed to satisfy constraint: "
            "Member must not be null",
            id="no definitions",
        ),
        pytest.param(
            {"KeySchema": [PARTITION, SORT, SORT]},
            "1 validation error detected: Value at 'KeySchema' failed to satisfy constraint: "
            "Member must have length less than or equal to 2",
            id="three keys",
        ),
        pytest.param(
            {"KeySchema": [PARTITION, SORT]},
            "Invalid KeySchema: Some index key attribute have no definition",
            id="too few definitions",
        ),
        pytest.param(
            {"KeySchema": [SORT]},
            INVALID + "Some index key attributes are not defined in AttributeDefinitions. "
            "Keys: [at], AttributeDefinitions: [id]",
            id="other definition",
        ),
        pytest.param(
            {"KeySchema": [{**PARTITION, "KeyType": "RANGE"}]},
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
            id="first is not HASH",
        ),
        pytest.param(
            {"KeySchema": [PARTITION, {**SORT, "KeyType": "HASH"}], "AttributeDefinitions": [ID, AT]},
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
            id="second is not RANGE",
        ),
        pytest.param(
            {"KeySchema": [PARTITION, {**PARTITION, "KeyType": "RANGE"}], "AttributeDefinitions": [ID, AT]},
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
            id="same name twice",
        ),
        pytest.param(
            {"AttributeDefinitions": [ID, AT]},
            INVALID + "Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions",
            id="definition without use",
        ),
        pytest.param(
            {"BillingMode": "PROVISIONED"},
            INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            id="no units",
        ),
        pytest.param(
            {"ProvisionedThroughput": UNITS},
            INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
            "BillingMode is PAY_PER_REQUEST",
            id="units on demand",
        ),
        pytest.param(
            {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {**UNITS, "ReadCapacityUnits": 10**13}},
            "Given value 10000000000000 for ReadCapacityUnits is out of bounds",
            id="too many units",
        ),
        pytest.param(
            {"GlobalSecondaryIndexes": []},
            "the local emulator does not support GlobalSecondaryIndexes in dynamodb:CreateTable",
            id="global index",
        ),
        pytest.param(
            {"LocalSecondaryIndexes": []},
            "the local emulator does not support LocalSecondaryIndexes in dynamodb:CreateTable",
            id="local index",
        ),
        pytest.param(
            {"StreamSpecification": {"StreamEnabled": True}},
            "the local emulator does not support StreamSpecification in dynamodb:CreateTable",
            id="stream",
        ),
    ],
)
def test_a_table_that_cannot_be_is_refused(database: Database, changes: dict[str, Any], message: str) -> None:
    """CreateTable refuses what AWS refuses in its words, and names what the emulator does not have."""
    parameters = {
        "TableName": "doors",
        "KeySchema": [PARTITION],
        "AttributeDefinitions": [ID],
        "BillingMode": "PAY_PER_REQUEST",
        **changes,
    }
    given = {name: value for name, value in parameters.items() if value is not None}
    error = database.refusal("CreateTable", **given)
    assert (error.code, error.message) == ("ValidationException", message)
    assert database.call("ListTables")["TableNames"] == []


def test_a_stream_that_is_off_is_no_stream(database: Database) -> None:
    """Deployments that say that they want no stream get their table."""
    database.create("doors", StreamSpecification={"StreamEnabled": False})
    assert database.call("ListTables")["TableNames"] == ["doors"]


def test_a_name_is_taken_once_in_a_region(database: Database) -> None:
    """The same name in the same region is in use; in another region it is another table."""
    database.create("doors")
    error = database.refusal(
        "CreateTable",
        TableName="doors",
        KeySchema=[PARTITION],
        AttributeDefinitions=[ID],
        BillingMode="PAY_PER_REQUEST",
    )
    assert (error.code, error.message) == ("ResourceInUseException", "Table already exists: doors")
    database.region = "eu-west-1"
    database.create("doors")
    database.put("doors", id="abroad")
    database.region = "us-east-1"
    assert database.get("doors", id="abroad") is None


def test_tables_are_listed_in_pages(database: Database) -> None:
    """Names come sorted; a page that is not the last says with which name it ended."""
    for name in ("ccc", "aaa", "bbb"):
        database.create(name)
    first = database.call("ListTables", Limit=2)
    assert first == {"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"}
    rest = database.call("ListTables", Limit=2, ExclusiveStartTableName="bbb")
    assert rest == {"TableNames": ["ccc"]}
    assert database.call("ListTables", Limit=3) == {"TableNames": ["aaa", "bbb", "ccc"]}


def test_a_deleted_table_is_gone_with_its_items(database: Database) -> None:
    """DeleteTable shows the table DELETING; a new table of that name starts empty."""
    database.create("doors")
    database.put("doors", id="a")
    deleted = database.call("DeleteTable", TableName="doors")["TableDescription"]
    assert (deleted["TableStatus"], deleted["ItemCount"]) == ("DELETING", 1)
    database.create("doors")
    assert database.get("doors", id="a") is None
    assert database.state.db.execute("SELECT count(*) FROM dynamodb_item").fetchone()[0] == 0


def test_a_protected_table_is_not_deleted(database: Database) -> None:
    """Deletion protection must be taken off first."""
    database.create("doors", DeletionProtectionEnabled=True)
    error = database.refusal("DeleteTable", TableName="doors")
    assert (error.code, error.message) == (
        "ValidationException",
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
    )
    changed = database.call("UpdateTable", TableName="doors", DeletionProtectionEnabled=False)["TableDescription"]
    assert changed["DeletionProtectionEnabled"] is False
    database.call("DeleteTable", TableName="doors")
    assert database.call("ListTables")["TableNames"] == []


def test_the_billing_mode_changes_both_ways(database: Database, clock: Clock) -> None:
    """A table that was on demand once says so ever after, and since when."""
    database.create("doors", BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    clock.now += 60
    on_demand = database.call("UpdateTable", TableName="doors", BillingMode="PAY_PER_REQUEST")["TableDescription"]
    assert on_demand["BillingModeSummary"] == {
        "BillingMode": "PAY_PER_REQUEST",
        "LastUpdateToPayPerRequestDateTime": clock.now,
    }
    back = database.call("UpdateTable", TableName="doors", BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)[
        "TableDescription"
    ]
    assert back["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert back["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    more = database.call("UpdateTable", TableName="doors", ProvisionedThroughput={**UNITS, "ReadCapacityUnits": 7})[
        "TableDescription"
    ]
    assert more["ProvisionedThroughput"]["ReadCapacityUnits"] == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {},
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
            "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ),
        (
            {"ProvisionedThroughput": UNITS},
            INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be "
            "specified when BillingMode is PAY_PER_REQUEST",
        ),
        (
            {"GlobalSecondaryIndexUpdates": []},
            "the local emulator does not support GlobalSecondaryIndexUpdates in dynamodb:UpdateTable",
        ),
        (
            {"StreamSpecification": {"StreamEnabled": True}},
            "the local emulator does not support StreamSpecification in dynamodb:UpdateTable",
        ),
    ],
    ids=["nothing", "units on demand", "index", "stream"],
)
def test_a_change_that_cannot_be_is_refused(database: Database, changes: dict[str, Any], message: str) -> None:
    """UpdateTable refuses what it does not do, and changes nothing then."""
    database.create("doors")
    before = database.call("DescribeTable", TableName="doors")
    assert database.refusal("UpdateTable", TableName="doors", **changes).message == message
    assert database.call("DescribeTable", TableName="doors") == before


@pytest.mark.parametrize("operation", ["DescribeTable", "DeleteTable", "UpdateTable", "DescribeTimeToLive"])
def test_an_operation_on_a_missing_table_names_it(database: Database, operation: str) -> None:
    """Operations on tables say which table is missing; operations on items do not."""
    more = {"BillingMode": "PAY_PER_REQUEST"} if operation == "UpdateTable" else {}
    error = database.refusal(operation, TableName="nowhere", **more)
    assert (error.code, error.message) == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: nowhere not found",
    )
    item_error = database.refusal("GetItem", TableName="nowhere", Key={"id": {"S": "a"}})
    assert (item_error.code, item_error.message) == ("ResourceNotFoundException", "Requested resource not found")


def test_a_name_that_no_table_can_have_is_not_merely_missing(database: Database) -> None:
    """The model no longer holds names to their form, since an ARN may stand for one; the service does."""
    error = database.refusal("GetItem", TableName="a" * 256, Key={"id": {"S": "a"}})
    assert error.message.endswith("Member must have length less than or equal to 255")
    assert "regular expression" in database.refusal("DescribeTable", TableName="a!b").message


def test_an_arn_stands_for_a_name(database: Database) -> None:
    """Wherever a table is named, its ARN will do."""
    database.create("doors")
    arn = database.call("DescribeTable", TableName="doors")["Table"]["TableArn"]
    database.put(arn, id="a")
    assert database.get("doors", id="a") == {"id": "a"}
    missing = database.refusal("GetItem", TableName=arn.replace("doors", "other"), Key={"id": {"S": "a"}})
    assert missing.code == "ResourceNotFoundException"


def test_tables_and_items_survive_a_restart(database: Database) -> None:
    """What was stored is there when the emulator is started again, settings included."""
    database.create("doors", sort="at:N", DeletionProtectionEnabled=True, Tags=[{"Key": "site", "Value": "hall"}])
    database.put("doors", id="a", at=1, blob=b"\0\xff", more={"x": {1, 2}})
    before = database.call("DescribeTable", TableName="doors")
    database.reopen()
    assert database.call("DescribeTable", TableName="doors") == before
    item = database.get("doors", id="a", at=1)
    assert item is not None
    assert (item["blob"].value, item["more"]) == (b"\0\xff", {"x": {1, 2}})
    arn = before["Table"]["TableArn"]
    assert database.call("ListTagsOfResource", ResourceArn=arn) == {"Tags": [{"Key": "site", "Value": "hall"}]}
