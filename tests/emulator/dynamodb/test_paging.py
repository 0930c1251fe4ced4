"""Query and Scan: which items, in which order, in which pages."""

from __future__ import annotations

import operator
import random
from decimal import Decimal
from typing import Any

import pytest

from support_dynamodb import Database, plain, typed

NUMBERS = [Decimal(text) for text in ("-1e20", "-100.5", "-100", "-1", "-0.001", "0", "2e-9", "0.5", "7", "10", "1e20")]
TEXTS = ["", "a", "a0", "ab", "b", "ä", "你", "\U0001f600"]


def pages(database: Database, operation: str, **parameters: Any) -> list[dict[str, Any]]:
    """Return every page, each asked for with the key at which the one before ended."""
    found = [database.call(operation, **parameters)]
    while "LastEvaluatedKey" in found[-1]:
        found.append(database.call(operation, **parameters, ExclusiveStartKey=found[-1]["LastEvaluatedKey"]))
    return found


def items(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [plain(item) for page in found for item in page["Items"]]


@pytest.fixture
def events(database: Database) -> Database:
    """A table with one partition of numbers, put in no order, and another beside it."""
    database.create("events", sort="moment:N")
    shuffled = random.Random(7).sample(NUMBERS, len(NUMBERS))
    for number in shuffled:
        database.put("events", id="door-7", moment=number, said=f"at {number}")
    database.put("events", id="door-8", moment=1)
    return database


def asked(condition: str = "id = :id", **values: Any) -> dict[str, Any]:
    """Return the parameters of a query of door-7's events."""
    known = {":id": "door-7", **{f":{name}": value for name, value in values.items()}}
    return {
        "TableName": "events",
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": typed(known),
    }


def test_a_query_returns_a_partition_in_order(events: Database) -> None:
    """Numbers sort by value; backwards is the same list reversed."""
    forward = events.call("Query", **asked())
    assert [plain(item)["moment"] for item in forward["Items"]] == NUMBERS
    assert (forward["Count"], forward["ScannedCount"]) == (11, 11)
    assert "LastEvaluatedKey" not in forward
    backward = events.call("Query", **asked(), ScanIndexForward=False)
    assert backward["Items"] == forward["Items"][::-1]


COMPARISONS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@pytest.mark.parametrize("comparator", COMPARISONS)
@pytest.mark.parametrize("value", ["-100", "-50", "0", "1e21", "-1e21"])
def test_a_query_compares_the_sort_key(events: Database, comparator: str, value: str) -> None:
    """Each comparison selects what it says, written in either order."""
    number = Decimal(value)
    expected = [moment for moment in NUMBERS if COMPARISONS[comparator](moment, number)]
    for condition in (f"id = :id AND moment {comparator} :v", f":v {MIRRORED[comparator]} moment AND (id = :id)"):
        found = events.call("Query", **asked(condition, v=number))
        assert [plain(item)["moment"] for item in found["Items"]] == expected


def test_a_query_takes_a_range(events: Database) -> None:
    """BETWEEN includes both ends."""
    found = events.call("Query", **asked("id = :id AND moment BETWEEN :a AND :b", a=-100, b=7))
    assert [plain(item)["moment"] for item in found["Items"]] == NUMBERS[2:9]


@pytest.mark.parametrize("prefix", ["a", "ab", "ä", "x"])
def test_a_query_takes_a_beginning(database: Database, prefix: str) -> None:
    """begins_with selects the texts that begin so, in the order of their UTF-8 bytes."""
    database.create("words", sort="word:S")
    for word in TEXTS[1:]:
        database.put("words", id="a", word=word)
    found = database.call(
        "Query",
        TableName="words",
        KeyConditionExpression="id = :id AND begins_with(word, :prefix)",
        ExpressionAttributeValues=typed({":id": "a", ":prefix": prefix}),
    )
    assert [plain(item)["word"] for item in found["Items"]] == [word for word in TEXTS[1:] if word.startswith(prefix)]


def test_blobs_sort_as_unsigned_bytes(database: Database) -> None:
    """128 comes after 127, and a beginning of 255s has no end but the partition's."""
    database.create("blobs", sort="b:B")
    blobs = [b"\x00", b"\x7f", b"\x80", b"\xfe\xff", b"\xff", b"\xff\xff", b"\xff\xff\x01"]
    for blob in reversed(blobs):
        database.put("blobs", id="a", b=blob)

    def query(condition: str, value: bytes) -> list[bytes]:
        found = database.call(
            "Query",
            TableName="blobs",
            KeyConditionExpression=f"id = :id AND {condition}",
            ExpressionAttributeValues=typed({":id": "a", ":v": value}),
        )
        return [item["b"]["B"] for item in found["Items"]]

    assert query("b > :v", b"\x7f") == blobs[2:]
    assert query("begins_with(b, :v)", b"\xff\xff") == blobs[5:]
    assert query("begins_with(b, :v)", b"\xfe") == [b"\xfe\xff"]


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11, 12])
@pytest.mark.parametrize("forward", [True, False])
def test_pages_of_a_query_join_up(events: Database, limit: int, forward: bool) -> None:
    """However small the pages, together they are the whole; a page that reaches its limit says where it ended."""
    found = pages(events, "Query", **asked(), Limit=limit, ScanIndexForward=forward)
    assert [item["moment"] for item in items(found)] == (NUMBERS if forward else NUMBERS[::-1])
    assert all(page["Count"] <= limit for page in found)
    assert len(found) == len(NUMBERS) // limit + 1


def test_a_filter_counts_what_it_saw(events: Database) -> None:
    """Limit and ScannedCount count what was read, Count what passed; a page may hold nothing."""
    parameters = {**asked(min=5), "FilterExpression": "size(said) >= :min", "Limit": 4}
    found = pages(events, "Query", **parameters)
    assert sum(page["ScannedCount"] for page in found) == len(NUMBERS)
    assert [page["ScannedCount"] for page in found] == [4, 4, 3]
    assert sum(page["Count"] for page in found) == len(items(found)) == sum(len(f"at {n}") >= 5 for n in NUMBERS)
    nothing = events.call("Query", **{**asked(min=99), "FilterExpression": "size(said) >= :min", "Limit": 4})
    assert (nothing["Items"], nothing["Count"], "LastEvaluatedKey" in nothing) == ([], 0, True)


def test_a_query_may_count_or_project(events: Database) -> None:
    """COUNT returns no items, a projection parts of them; both leave paging as it is."""
    counted = events.call("Query", **asked(), Select="COUNT")
    assert (counted["Count"], "Items" in counted) == (11, False)
    shown = events.call("Query", **{**asked(), "ProjectionExpression": "said", "Limit": 1})
    assert shown["Items"] == [typed({"said": "at -1E+20"})]
    assert shown["LastEvaluatedKey"] == {"id": {"S": "door-7"}, "moment": {"N": "-1" + "0" * 20}}


SCHEMA_TYPE = "One or more parameter values were invalid: Condition parameter type does not match schema type"
PREFIX = "Invalid KeyConditionExpression: "
CONDITION = "Invalid condition in KeyConditionExpression: "


@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("moment = :id", {}, "Query condition missed key schema element: id"),
        ("id = :id AND extra = :v", {"v": 1}, "Query condition missed key schema element: moment"),
        ("id < :id", {}, "Query key condition not supported"),
        ("id = :id OR moment = :v", {"v": 1}, "Invalid operator used in KeyConditionExpression: OR"),
        ("id = :id AND NOT moment = :v", {"v": 1}, "Invalid operator used in KeyConditionExpression: NOT"),
        ("id = :id AND moment IN (:v)", {"v": 1}, "Invalid operator used in KeyConditionExpression: IN"),
        ("id = :id AND moment <> :v", {"v": 1}, "Invalid operator used in KeyConditionExpression: <>"),
        ("id = :id AND contains(moment, :v)", {"v": 1}, "Invalid operator used in KeyConditionExpression: contains"),
        (
            "id = :id AND attribute_exists(moment)",
            {},
            "Invalid operator used in KeyConditionExpression: attribute_exists",
        ),
        (
            "id = :id AND size(moment) = :v",
            {"v": 1},
            PREFIX + "KeyConditionExpressions cannot contain nested operations",
        ),
        (
            "id = :id AND moment.x = :v",
            {"v": 1},
            PREFIX + "KeyConditionExpressions cannot have conditions on nested attributes",
        ),
        (
            "id = :id AND moment > :v AND moment < :w",
            {"v": 1, "w": 2},
            PREFIX + "KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "id = :id AND moment = :v AND extra = :w",
            {"v": 1, "w": 2},
            "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)",
        ),
        ("id = :id AND moment = id", {}, CONDITION + "Multiple attribute names used in one condition"),
        ("id = :id AND :v = :w", {"v": 1, "w": 2}, CONDITION + "No key attribute specified"),
        (
            "id = :id AND :v BETWEEN moment AND :w",
            {"v": 1, "w": 2},
            CONDITION + "BETWEEN operator must have the key attribute as its first operand",
        ),
        (
            "id = :id AND begins_with(:v, moment)",
            {"v": "x"},
            CONDITION + "begins_with operator must have the key attribute as its first operand",
        ),
        ("id = :id AND moment = :v", {"v": "1"}, SCHEMA_TYPE),
        ("id = :id AND moment = :v", {"v": True}, SCHEMA_TYPE),
        ("id = :id AND begins_with(moment, :v)", {"v": "1"}, SCHEMA_TYPE),
        (
            "id = :id AND begins_with(moment, :v)",
            {"v": 1},
            PREFIX
            + "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        ("((id = :id))", {}, PREFIX + "The expression has redundant parentheses;"),
        ("", {}, PREFIX + "The expression can not be empty;"),
    ],
)
def test_what_a_key_cannot_be_searched_for_is_refused(
    events: Database, condition: str, values: dict[str, Any], message: str
) -> None:
    """A key condition is equality on the partition key and one test of the sort key, against values."""
    parameters = asked(condition, **values)
    error = events.refusal("Query", **parameters)
    assert error.message == message


def test_a_table_without_sort_key_has_one_item_in_a_partition(database: Database) -> None:
    """A query of a whole key finds that item; a second condition has no key to search."""
    database.create()
    database.put(id="a", n=1)
    parameters: dict[str, Any] = {
        "TableName": "clients",
        "KeyConditionExpression": "id = :id",
        "ExpressionAttributeValues": typed({":id": "a"}),
    }
    assert items(pages(database, "Query", **parameters, Limit=1)) == [{"id": "a", "n": 1}]
    error = database.refusal(
        "Query",
        TableName="clients",
        KeyConditionExpression="id = :id AND n = :n",
        ExpressionAttributeValues=typed({":id": "a", ":n": 1}),
    )
    assert error.message == "Query key condition not supported"


@pytest.mark.parametrize(
    ("start", "more", "message"),
    [
        ({"id": "door-7"}, {}, "The provided starting key is invalid"),
        ({"id": "door-7", "n": 1}, {}, "The provided starting key is invalid"),
        (
            {"id": "door-7", "moment": "x"},
            {},
            "The provided starting key is invalid: The provided key element does not match the schema",
        ),
        (
            {"id": "door-8", "moment": 1},
            {},
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            {"id": "door-7", "moment": 0},
            {"over": 5},
            "The provided starting key does not match the range key predicate",
        ),
    ],
)
def test_a_query_starts_within_itself(
    events: Database, start: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    """A starting key is a key of the table, and one that the query could have returned."""
    parameters = asked("id = :id AND moment > :over", **more) if more else asked()
    assert events.refusal("Query", **parameters, ExclusiveStartKey=typed(start)).message == message


def test_a_query_needs_no_item_at_its_start(events: Database) -> None:
    """A page can start behind a key that is gone by now."""
    found = events.call("Query", **asked(), ExclusiveStartKey=typed({"id": "door-7", "moment": -2}))
    assert [plain(item)["moment"] for item in found["Items"]] == NUMBERS[3:]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"FilterExpression": "moment > :id"},
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: moment",
        ),
        (
            {"ProjectionExpression": "id.x"},
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: id",
        ),
        ({"IndexName": "by-name"}, "The table does not have the specified index: by-name"),
        (
            {"Select": "SPECIFIC_ATTRIBUTES"},
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
        (
            {"Select": "COUNT", "ProjectionExpression": "said"},
            "Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
        (
            {"Select": "ALL_ATTRIBUTES", "ProjectionExpression": "said"},
            "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES",
        ),
        (
            {"Select": "ALL_PROJECTED_ATTRIBUTES"},
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        ),
    ],
)
def test_a_query_that_does_not_fit_together_is_refused(events: Database, more: dict[str, Any], message: str) -> None:
    """Filter, projection, index and Select must go with each other and the table."""
    assert events.refusal("Query", **asked(), **more).message == message


def test_a_query_needs_a_key_condition(events: Database) -> None:
    """A query without a key condition is refused as AWS refuses it."""
    assert events.refusal("Query", TableName="events").message == (
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
    )


@pytest.fixture
def many(database: Database) -> Database:
    database.create(partition="id:N")
    for number in range(200):
        database.put(id=number, even=number % 2 == 0)
    return database


@pytest.mark.parametrize("limit", [1, 7, 100, 200, 1000])
def test_pages_of_a_scan_join_up(many: Database, limit: int) -> None:
    """However small the pages, together they are every item once."""
    found = items(pages(many, "Scan", TableName="clients", Limit=limit))
    assert sorted(item["id"] for item in found) == list(range(200))


def test_a_scan_has_no_useful_order(many: Database) -> None:
    """As on AWS, items come scattered, so nobody comes to rely on an order that AWS does not give."""
    found = [item["id"] for item in items(pages(many, "Scan", TableName="clients"))]
    assert found != sorted(found)


@pytest.mark.parametrize("total", [1, 2, 3, 7, 1_000_000])
def test_segments_divide_a_scan(many: Database, total: int) -> None:
    """Every item lies in one segment; each segment pages by itself."""
    segments = range(total) if total < 10 else []
    found = [
        item["id"]
        for segment in segments
        for item in items(pages(many, "Scan", TableName="clients", Segment=segment, TotalSegments=total, Limit=9))
    ]
    assert sorted(found) == (list(range(200)) if segments else [])
    last = many.call("Scan", TableName="clients", Segment=total - 1, TotalSegments=total)
    assert last["Count"] <= 200


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"Segment": 0},
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present",
        ),
        (
            {"TotalSegments": 2},
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present",
        ),
        (
            {"Segment": 2, "TotalSegments": 2},
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            "Segment: 2 is not less than TotalSegments: 2",
        ),
        (
            {"ExclusiveStartKey": typed({"n": 1})},
            "The provided starting key is invalid: The provided key element does not match the schema",
        ),
        ({"IndexName": "by-name"}, "The table does not have the specified index: by-name"),
        ({"TableName": "nowhere"}, "Requested resource not found"),
    ],
)
def test_a_scan_that_does_not_fit_together_is_refused(many: Database, parameters: dict[str, Any], message: str) -> None:
    """Segment and start must go with each other and the table."""
    assert many.refusal("Scan", **{"TableName": "clients", **parameters}).message == message


def test_a_start_belongs_to_its_segment(many: Database) -> None:
    """A key of one segment cannot continue another."""
    first = many.call("Scan", TableName="clients", Segment=0, TotalSegments=2, Limit=1)
    error = many.refusal(
        "Scan", TableName="clients", Segment=1, TotalSegments=2, ExclusiveStartKey=first["LastEvaluatedKey"]
    )
    assert error.message == (
        "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
        "correct Segment. TotalSegments: 2 Segment: 1"
    )


def test_a_scan_filters_and_projects(many: Database) -> None:
    """A scan may filter by the key, which a query may not."""
    found = many.call(
        "Scan",
        TableName="clients",
        FilterExpression="even = :yes AND id < :five",
        ExpressionAttributeValues=typed({":yes": True, ":five": 5}),
        ProjectionExpression="id",
    )
    assert sorted(plain(item)["id"] for item in found["Items"]) == [0, 2, 4]
    assert (found["Count"], found["ScannedCount"]) == (3, 200)


def test_a_page_ends_at_one_megabyte(database: Database) -> None:
    """The item that reaches 1 MB is the last of its page, and the capacity is that of what was read."""
    database.create()
    for number in range(7):
        database.put(id=str(number), x="y" * 300 * 1024)
    found = pages(database, "Scan", TableName="clients", ReturnConsumedCapacity="TOTAL")
    assert [page["Count"] for page in found] == [4, 3]
    assert found[0]["ConsumedCapacity"]["CapacityUnits"] == 150.5
    counted = database.call("Scan", TableName="clients", Select="COUNT")
    assert (counted["Count"], "LastEvaluatedKey" in counted) == (4, True)
