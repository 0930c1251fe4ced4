"""Ordinary boto3 table code, and the AWS CLI, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config
from botocore.exceptions import ClientError

from iotauth_cli.emulator.control.dynamodb import DynamoDb
from iotauth_cli.emulator.model import ACCOUNT
from iotauth_cli.emulator.state import State
from support_control import ACCESS_KEY, REGION, SECRET_KEY, ControlServer
from support_dynamodb import Clock


@pytest.fixture
def resource(control_server: ControlServer, tmp_path: Path, clock: Clock) -> Iterator[Any]:
    """Return boto3's DynamoDB resource, with a fresh emulator behind it."""
    state = control_server.call(lambda: State.open(tmp_path / "state"))
    control_server.serve(lambda: [DynamoDb(state, account=ACCOUNT, clock=clock)])
    session = boto3.session.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
    config = Config(retries={"total_max_attempts": 1})
    resource = session.resource("dynamodb", endpoint_url=control_server.url, config=config)
    yield resource
    resource.meta.client.close()
    control_server.call(state.close)


@pytest.fixture
def events(resource: Any) -> Any:
    table = resource.create_table(
        TableName="events",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "moment", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "moment", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table.wait_until_exists()
    return table


def test_a_table_resource_puts_and_gets_every_type(events: Any) -> None:
    """Python values of every kind go in through the resource and come out the same."""
    item = {
        "id": "door-7",
        "moment": Decimal("1.5"),
        "text": "ä\n",
        "blob": b"\0\xff",
        "flag": True,
        "nothing": None,
        "list": [1, "two", {"three": Decimal("3.25")}],
        "map": {"a": {"b": []}},
        "texts": {"x", "y"},
        "numbers": {Decimal(1), Decimal(2)},
        "blobs": {b"p", b"q"},
    }
    events.put_item(Item=item)
    assert events.get_item(Key={"id": "door-7", "moment": Decimal("1.50")}, ConsistentRead=True)["Item"] == item
    assert "Item" not in events.get_item(Key={"id": "door-7", "moment": 2})


def test_the_table_describes_itself(events: Any, clock: Clock) -> None:
    """The resource's attributes are those of the description, dates as dates."""
    assert events.table_status == "ACTIVE"
    assert events.creation_date_time.astimezone(timezone.utc) == datetime.fromtimestamp(clock.now, timezone.utc)
    assert events.table_arn == f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/events"
    events.put_item(Item={"id": "a", "moment": 1})
    events.reload()
    assert events.item_count == 1


def test_conditions_built_by_boto3_are_understood(events: Any) -> None:
    """boto3's Key and Attr make expressions full of placeholders; they are read like any other."""
    with events.batch_writer() as batch:
        for number in range(60):  # three batches
            batch.put_item({"id": "door-7", "moment": number, "tags": {f"t{number % 3}"}, "m": {"k": number}})
        batch.delete_item({"id": "door-7", "moment": 0})
    found = events.query(
        KeyConditionExpression=Key("id").eq("door-7") & Key("moment").between(10, 20),
        FilterExpression=(Attr("tags").contains("t1") | Attr("m.k").is_in([11, 14])) & ~Attr("gone").exists(),
        ProjectionExpression="moment",
        ScanIndexForward=False,
    )
    expected = [number for number in range(20, 9, -1) if number % 3 == 1 or number in (11, 14)]
    assert [item["moment"] for item in found["Items"]] == expected
    scanned = events.scan(FilterExpression=Attr("moment").lt(3) & Attr("tags").size().eq(1))
    assert sorted(item["moment"] for item in scanned["Items"]) == [1, 2]


def test_paginators_go_through_all_pages(resource: Any, events: Any) -> None:
    """botocore's paginators join the pages of a query and of a parallel scan."""
    with events.batch_writer() as batch:
        for number in range(25):
            batch.put_item({"id": f"door-{number % 2}", "moment": number})
    client = resource.meta.client
    query = client.get_paginator("query").paginate(
        TableName="events", KeyConditionExpression=Key("id").eq("door-1"), PaginationConfig={"PageSize": 5}
    )
    pages = [page["Items"] for page in query]
    assert [len(page) for page in pages] == [5, 5, 2]
    segments = [
        client.get_paginator("scan").paginate(TableName="events", Segment=n, TotalSegments=3).build_full_result()
        for n in range(3)
    ]
    assert sum(len(segment["Items"]) for segment in segments) == 25


def test_a_refused_write_is_the_error_that_programs_catch(resource: Any, events: Any) -> None:
    """The client's own exception class is raised, with the item that stood in the way."""
    events.put_item(Item={"id": "a", "moment": 1, "n": 1})
    client = resource.meta.client
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as raised:
        events.put_item(
            Item={"id": "a", "moment": 1},
            ConditionExpression=Attr("id").not_exists(),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert raised.value.response["Error"]["Message"] == "The conditional request failed"
    assert raised.value.response["Item"] == {"id": {"S": "a"}, "moment": {"N": "1"}, "n": {"N": "1"}}
    guarded = {
        "TableName": "events",
        "Key": {"id": "a", "moment": 1},
        "ConditionExpression": "n = :two",
        "ExpressionAttributeValues": {":two": 2},
    }
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=[{"Delete": guarded}])
    assert cancelled.value.response["CancellationReasons"] == [
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    ]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        resource.Table("nowhere").scan()


def test_an_update_returns_python_values(events: Any) -> None:
    """A counter is raised and its new value returned, in one call."""
    update = {
        "Key": {"id": "a", "moment": 1},
        "UpdateExpression": "SET #c = if_not_exists(#c, :zero) + :one",
        "ExpressionAttributeNames": {"#c": "count"},
        "ExpressionAttributeValues": {":zero": 0, ":one": 1},
        "ReturnValues": "UPDATED_NEW",
    }
    assert [events.update_item(**update)["Attributes"]["count"] for _ in range(3)] == [1, 2, 3]


def test_what_is_not_served_is_named(resource: Any, events: Any) -> None:
    """An operation or a parameter that the emulator lacks is an error that says so."""
    with pytest.raises(ClientError, match="does not implement dynamodb:ListBackups"):
        resource.meta.client.list_backups()
    with pytest.raises(ClientError, match="does not support ScanFilter in dynamodb:Scan; use FilterExpression"):
        events.scan(ScanFilter={})


def test_the_aws_cli_reads_and_writes(events: Any, control_server: ControlServer) -> None:
    """The AWS CLI's table commands work as they do against AWS."""
    put = control_server.aws(
        "dynamodb", "put-item", "--table-name", "events", "--item", '{"id": {"S": "cli"}, "moment": {"N": "7"}}'
    )
    assert (put.returncode, put.stdout) == (0, "")
    scan = control_server.aws("dynamodb", "scan", "--table-name", "events", "--output", "json")
    assert json.loads(scan.stdout)["Items"] == [{"id": {"S": "cli"}, "moment": {"N": "7"}}]
