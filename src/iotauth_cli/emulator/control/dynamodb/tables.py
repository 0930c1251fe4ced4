"""The operations on tables: create, describe, list, change, delete.

A table is ACTIVE at once and gone at once. Its item count and size are right at any moment, where
AWS brings them up to date about every six hours. Nobody is ever throttled.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.dynamodb.errors import invalid, invalid_value, unsupported
from iotauth_cli.emulator.control.dynamodb.items import ItemStore
from iotauth_cli.emulator.control.dynamodb.schema import KeyAttribute, KeySchema, Table
from iotauth_cli.emulator.control.dynamodb.table_store import MAX_NAME, TableStore, check_name
from iotauth_cli.emulator.control.service import Context, Parameters, Result, ServiceError

MIN_NAME = 3  # characters
MAX_LISTED = 100  # names in one page
MAX_UNITS = 1_000_000_000_000
ON_DEMAND, PROVISIONED = "PAY_PER_REQUEST", "PROVISIONED"
KEY_TYPES = ("HASH", "RANGE")  # in the order of a key's attributes


class TableOperations:
    def __init__(self, tables: TableStore, items: ItemStore, account: str, clock: Callable[[], float]) -> None:
        self.tables = tables
        self.items = items
        self.account = account
        self.clock = clock

    def create_table(self, parameters: Parameters, context: Context) -> Result:
        name = parameters["TableName"]
        if not MIN_NAME <= len(name) <= MAX_NAME:
            raise invalid(
                f"TableName must be at least {MIN_NAME} characters long and at most {MAX_NAME} characters long"
            )
        check_name(name)
        _refuse_streams("CreateTable", parameters)
        now = self.clock()
        table = Table(
            number=0,
            region=context.region,
            name=name,
            table_id=str(uuid.uuid4()),
            keys=read_keys(parameters),
            created_at=now,
            deletion_protection=parameters.get("DeletionProtectionEnabled", False),
            table_class=parameters.get("TableClass"),
            tags={tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())},
        )
        table = _with_billing(table, parameters, now)
        if self.tables.get(name, context.region) is not None:
            raise ServiceError("ResourceInUseException", f"Table already exists: {name}")
        return {"TableDescription": self.description(self.tables.add(table))}

    def describe_table(self, parameters: Parameters, context: Context) -> Result:
        return {"Table": self.description(self.tables.find(parameters["TableName"], context.region, tell_name=True))}

    def list_tables(self, parameters: Parameters, context: Context) -> Result:
        limit = parameters.get("Limit", MAX_LISTED)
        after = parameters.get("ExclusiveStartTableName", "")
        found = list(islice((name for name in self.tables.names(context.region) if name > after), limit + 1))
        page = found[:limit]
        return {"TableNames": page, **({"LastEvaluatedTableName": page[-1]} if len(found) > limit else {})}

    def delete_table(self, parameters: Parameters, context: Context) -> Result:
        table = self.tables.find(parameters["TableName"], context.region, tell_name=True)
        if table.deletion_protection:
            raise invalid(
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first."
            )
        description = {**self.description(table), "TableStatus": "DELETING"}
        self.tables.remove(table)
        return {"TableDescription": description}

    def update_table(self, parameters: Parameters, context: Context) -> Result:
        _refuse_streams("UpdateTable", parameters)
        table = self.tables.find(parameters["TableName"], context.region, tell_name=True)
        if not parameters.keys() - {"TableName", "StreamSpecification"}:
            raise invalid(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
                "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
            )
        if "BillingMode" in parameters or "ProvisionedThroughput" in parameters:
            table = _with_billing(table, {"BillingMode": table.billing_mode, **parameters}, self.clock())
        table = replace(
            table,
            deletion_protection=parameters.get("DeletionProtectionEnabled", table.deletion_protection),
            table_class=parameters.get("TableClass", table.table_class),
        )
        return {"TableDescription": self.description(self.tables.save(table))}

    def arn(self, table: Table) -> str:
        return arns.build("dynamodb", table.region, self.account, f"table/{table.name}")

    def description(self, table: Table) -> Result:
        count, size = self.items.totals(table)
        return {
            "TableName": table.name,
            "TableArn": self.arn(table),
            "TableId": table.table_id,
            "TableStatus": "ACTIVE",
            "CreationDateTime": table.created_at,
            "KeySchema": [
                {"AttributeName": attribute.name, "KeyType": KEY_TYPES[position]}
                for position, attribute in enumerate(table.keys.attributes)
            ],
            "AttributeDefinitions": [
                {"AttributeName": attribute.name, "AttributeType": attribute.kind}
                for attribute in table.keys.attributes
            ],
            "ProvisionedThroughput": {
                "NumberOfDecreasesToday": 0,
                "ReadCapacityUnits": table.read_units,
                "WriteCapacityUnits": table.write_units,
            },
            "ItemCount": count,
            "TableSizeBytes": size,
            "DeletionProtectionEnabled": table.deletion_protection,
            **_billing_summary(table),
            **({"TableClassSummary": {"TableClass": table.table_class}} if table.table_class else {}),
        }


def _billing_summary(table: Table) -> Result:
    """Tell the billing mode as AWS does: only of tables that are, or once were, on demand."""
    if table.billing_changed_at is None:
        return {}
    summary = {
        "BillingMode": table.billing_mode,
        "LastUpdateToPayPerRequestDateTime": table.billing_changed_at,
    }
    return {"BillingModeSummary": summary}


def _refuse_streams(operation: str, parameters: Parameters) -> None:
    if parameters.get("StreamSpecification", {}).get("StreamEnabled"):
        raise unsupported(operation, "StreamSpecification")


def read_keys(parameters: Parameters) -> KeySchema:
    """Read a table's key from KeySchema and AttributeDefinitions.

    Raises:
        ServiceError: they do not describe one key together.
    """
    schema, definitions = _required(parameters, "KeySchema"), _required(parameters, "AttributeDefinitions")
    kinds = {definition["AttributeName"]: definition["AttributeType"] for definition in definitions}
    names = [element["AttributeName"] for element in schema]
    if len(schema) > 2:
        raise invalid(
            "1 validation error detected: Value at 'KeySchema' failed to satisfy constraint: "
            "Member must have length less than or equal to 2"
        )
    if len(names) > len(definitions):
        raise invalid("Invalid KeySchema: Some index key attribute have no definition")
    _check_defined(names, kinds)
    if len(set(names)) < len(names):
        raise invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    _check_key_types([element["KeyType"] for element in schema])
    if len(names) != len(definitions):
        raise invalid_value(
            "Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions"
        )
    return KeySchema(*(KeyAttribute(name, kinds[name]) for name in names))


def _required(parameters: Parameters, name: str) -> list[dict[str, str]]:
    value: list[dict[str, str]] | None = parameters.get(name)
    if value is None:
        member = name[0].lower() + name[1:]
        raise invalid(
            f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
            "Member must not be null"
        )
    return value


def _check_defined(names: list[str], kinds: Mapping[str, str]) -> None:
    if not all(name in kinds for name in names):
        raise invalid_value(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(kinds)}]"
        )


def _check_key_types(key_types: list[str]) -> None:
    for position, key_type in enumerate(key_types):
        if key_type != KEY_TYPES[position]:
            which = ("first", "second")[position]
            raise invalid(f"Invalid KeySchema: The {which} KeySchemaElement is not a {KEY_TYPES[position]} key type")


def _with_billing(table: Table, parameters: Mapping[str, Any], now: float) -> Table:
    """Return *table* with the billing mode and throughput that *parameters* ask for.

    Raises:
        ServiceError: the one does not go with the other.
    """
    throughput = parameters.get("ProvisionedThroughput")
    if parameters.get("BillingMode", PROVISIONED) == ON_DEMAND:
        if throughput:
            raise invalid_value(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        since = table.billing_changed_at if table.billing_mode == ON_DEMAND else now
        return replace(table, billing_mode=ON_DEMAND, billing_changed_at=since, read_units=0, write_units=0)
    if not throughput:
        raise invalid_value(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    for name, units in throughput.items():
        if units > MAX_UNITS:
            raise invalid(f"Given value {units} for {name} is out of bounds")
    return replace(
        table,
        billing_mode=PROVISIONED,
        read_units=throughput["ReadCapacityUnits"],
        write_units=throughput["WriteCapacityUnits"],
    )
