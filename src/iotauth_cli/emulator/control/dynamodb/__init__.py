"""The emulator's DynamoDB: tables and items in SQLite, expressions as AWS reads them."""

from __future__ import annotations

from iotauth_cli.emulator.control.dynamodb.service import DynamoDb

__all__ = ["DynamoDb"]
