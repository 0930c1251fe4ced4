"""The emulator's DynamoDB as the router calls it: checked parameters in, a result or a refusal out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control.dynamodb import DynamoDb
from iotauth_cli.emulator.control.service import Context, ServiceError
from iotauth_cli.emulator.model import ACCOUNT, DEFAULT_REGION
from iotauth_cli.emulator.state import State

_SERIALIZER, _DESERIALIZER = TypeSerializer(), TypeDeserializer()


def typed(plain: dict[str, Any]) -> dict[str, Any]:
    """Write plain Python values as attribute values: ``{"a": 1}`` is ``{"a": {"N": "1"}}``."""
    return {name: _bytes_for_binary(_SERIALIZER.serialize(value)) for name, value in plain.items()}


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Read attribute values as plain Python values; numbers become `Decimal`."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in values.items()}


def _bytes_for_binary(value: Any) -> Any:
    """Undo boto3's wrapping of blobs, which botocore takes off before it sends them."""
    if isinstance(value, Binary):
        return value.value  # type: ignore[attr-defined]  # missing from the stubs
    if isinstance(value, dict):
        return {name: _bytes_for_binary(member) for name, member in value.items()}
    return [_bytes_for_binary(member) for member in value] if isinstance(value, list) else value


class Clock:
    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Database:
    """A DynamoDB in its own state directory. *region* is where calls are made unless they say otherwise."""

    behaviour = Behaviour()

    def __init__(self, directory: Path, clock: Clock, region: str = DEFAULT_REGION) -> None:
        self.directory = directory
        self.clock = clock
        self.region = region
        self.open()

    def open(self) -> None:
        self.state = State.open(self.directory)
        self.dynamodb = DynamoDb(self.state, account=ACCOUNT, clock=self.clock, behaviour=self.behaviour)

    def reopen(self) -> None:
        """Do as the emulator does when it is stopped and started."""
        self.state.close()
        self.open()

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        context = Context(self.region, ACCOUNT, "request")
        result = self.dynamodb.operations[operation](parameters, context)
        assert isinstance(result, dict)
        return result

    def refusal(self, operation: str, **parameters: Any) -> ServiceError:
        """Return the error that a call ends with."""
        with pytest.raises(ServiceError) as raised:
            self.call(operation, **parameters)
        return raised.value

    def create(self, name: str = "clients", partition: str = "id:S", sort: str | None = None, **more: Any) -> None:
        """Create a table; keys are written ``name:type``."""
        keys = [key.split(":") for key in (partition, sort) if key is not None]
        self.call(
            "CreateTable",
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": key_type}
                for (key, _), key_type in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys],
            **{"BillingMode": "PAY_PER_REQUEST", **more},
        )

    def put(self, table: str = "clients", /, **item: Any) -> None:
        self.call("PutItem", TableName=table, Item=typed(item))

    def get(self, table: str = "clients", /, **key: Any) -> dict[str, Any] | None:
        result = self.call("GetItem", TableName=table, Key=typed(key))
        return plain(result["Item"]) if "Item" in result else None
