"""Whatever is sent, the answer is a result or a refusal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.control.dynamodb.served import SERVED
from iotauth_cli.emulator.control.service import ServiceError
from support_dynamodb import Clock, Database

TOKENS = [
    *("a", "b", "id", "l", "m", "#n", "#x", ":v", ":w", ":x", "size", "contains", "attribute_exists", "attribute_type"),
    *(
        "begins_with",
        "if_not_exists",
        "list_append",
        "dog",
        "AND",
        "OR",
        "NOT",
        "BETWEEN",
        "IN",
        "SET",
        "REMOVE",
        "ADD",
    ),
    *("DELETE", "=", "<>", "<", ">=", "+", "-", "(", ")", "[", "]", "0", "7", ".", ",", "'", "\u20ac", "\ud800"),
]
TEXTS = st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join)
LIKELY = st.sampled_from(
    [
        "id = :v",
        "id = :v AND a > :w",
        "a = :v OR size(l) < :w",
        "attribute_type(m.x, :v)",
        "SET a = a + :v, m.x = :w REMOVE l[0]",
        "SET l = list_append(l, :v), #n = if_not_exists(m.x, :w)",
        "ADD a :v DELETE b :w",
        "a, l[0], m.x, #n",
    ]
)
CONTENTS = {
    "S": st.text(max_size=3),
    "N": st.sampled_from(["0", "1", "-1.5", "1e125", "1e126", "x", ""]),
    "B": st.binary(max_size=3),
    "BOOL": st.booleans(),
    "NULL": st.booleans(),
    "SS": st.lists(st.text("ab", max_size=1), max_size=3),
    "NS": st.lists(st.sampled_from(["1", "1.0", "2", "x"]), max_size=3),
    "BS": st.lists(st.binary(max_size=1), max_size=3),
}
SCALARS = st.one_of(
    *(content.map(lambda value, kind=kind: {kind: value}) for kind, content in CONTENTS.items()),  # type: ignore[misc]
    st.just({}),
    st.just({"S": "a", "N": "1"}),
)
VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda values: {"L": values}),
        st.dictionaries(st.sampled_from(["x", "id", ""]), inner, max_size=2).map(lambda members: {"M": members}),
    ),
    max_leaves=4,
)
ITEMS = st.dictionaries(st.sampled_from(["id", "a", "b", "l", "m"]), VALUES, max_size=4)
EXPRESSIONS = st.one_of(TEXTS, LIKELY)
PARAMETERS = st.fixed_dictionaries(
    {"TableName": st.sampled_from(["clients", "counters", "nowhere", "b!d", "arn:aws:dynamodb:x"])},
    optional={
        "ExpressionAttributeNames": st.dictionaries(
            st.sampled_from(["#n", "#x", "n", ""]), st.sampled_from(["id", "b", ""])
        ),
        "ExpressionAttributeValues": st.dictionaries(st.sampled_from([":v", ":w", ":x", "v"]), VALUES),
        "ConditionExpression": EXPRESSIONS,
        "UpdateExpression": EXPRESSIONS,
        "KeyConditionExpression": EXPRESSIONS,
        "FilterExpression": EXPRESSIONS,
        "ProjectionExpression": EXPRESSIONS,
        "ExclusiveStartKey": ITEMS,
        "ReturnValues": st.sampled_from(["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"]),
        "ReturnConsumedCapacity": st.sampled_from(["NONE", "TOTAL", "INDEXES"]),
        "ScanIndexForward": st.booleans(),
        "Select": st.sampled_from(["COUNT", "ALL_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"]),
        "Limit": st.integers(1, 3),
        "Segment": st.integers(0, 2),
        "TotalSegments": st.integers(1, 2),
    },
)
OPERATIONS = ["PutItem", "UpdateItem", "DeleteItem", "GetItem", "Query", "Scan"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("fuzz"), Clock())
    database.create("clients", sort="a:S")
    database.create("counters", partition="id:N")
    yield database
    database.state.close()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(OPERATIONS), PARAMETERS, ITEMS)
def test_an_item_operation_answers_or_refuses(
    database: Database, operation: str, parameters: dict[str, Any], item: dict[str, Any]
) -> None:
    """No value, key or expression makes an operation on items fall over."""
    subject = {"PutItem": {"Item": item}, "Query": {}, "Scan": {}}.get(operation, {"Key": item})
    served = {name: value for name, value in parameters.items() if name in SERVED[operation]}
    with contextlib.suppress(ServiceError):
        database.call(operation, **served, **subject)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["PutRequest", "DeleteRequest"]), ITEMS), max_size=3), PARAMETERS)
def test_a_batch_or_transaction_answers_or_refuses(
    database: Database, requests: list[tuple[str, dict[str, Any]]], parameters: dict[str, Any]
) -> None:
    """Nor does what stands in a batch or a transaction."""
    name = parameters["TableName"]
    batch = [{kind: {"Item" if kind == "PutRequest" else "Key": item}} for kind, item in requests]
    expressions = {key: value for key, value in parameters.items() if "Expression" in key}
    actions = [
        {"Put": {"TableName": name, "Item": item, **expressions}}
        if kind == "PutRequest"
        else {"Update": {"TableName": name, "Key": item, **expressions}}
        for kind, item in requests
    ]
    with contextlib.suppress(ServiceError):
        database.call("BatchWriteItem", RequestItems={name: batch})
    with contextlib.suppress(ServiceError):
        database.call("TransactWriteItems", TransactItems=actions)
    with contextlib.suppress(ServiceError):
        database.call("BatchGetItem", RequestItems={name: {"Keys": [item for _, item in requests]}})
