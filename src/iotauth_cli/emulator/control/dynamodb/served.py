"""Which parameters of each operation are served.

Nothing is silently ignored: a parameter that AWS knows and the emulator does not is named in a
ValidationException. An operation that is missing here is the router's to refuse.
"""

from __future__ import annotations

from iotauth_cli.emulator.control.dynamodb.errors import unsupported
from iotauth_cli.emulator.control.service import Parameters

EXPRESSION = ("ExpressionAttributeNames", "ExpressionAttributeValues")
WRITE = (
    "TableName",
    "ConditionExpression",
    *EXPRESSION,
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",  # only tables with local indexes have any
)
PAGE = (
    "TableName",
    "IndexName",
    "Select",
    "Limit",
    "ConsistentRead",
    "ExclusiveStartKey",
    "FilterExpression",
    "ProjectionExpression",
    *EXPRESSION,
    "ReturnConsumedCapacity",
)

SERVED: dict[str, frozenset[str]] = {
    name: frozenset(parameters)
    for name, parameters in {
        "CreateTable": (
            "TableName",
            "AttributeDefinitions",
            "KeySchema",
            "BillingMode",
            "ProvisionedThroughput",
            "StreamSpecification",
            "Tags",
            "TableClass",
            "DeletionProtectionEnabled",
        ),
        "DescribeTable": ("TableName",),
        "ListTables": ("ExclusiveStartTableName", "Limit"),
        "UpdateTable": (
            "TableName",
            "BillingMode",
            "ProvisionedThroughput",
            "StreamSpecification",
            "TableClass",
            "DeletionProtectionEnabled",
        ),
        "DeleteTable": ("TableName",),
        "UpdateTimeToLive": ("TableName", "TimeToLiveSpecification"),
        "DescribeTimeToLive": ("TableName",),
        "UpdateContinuousBackups": ("TableName", "PointInTimeRecoverySpecification"),
        "DescribeContinuousBackups": ("TableName",),
        "TagResource": ("ResourceArn", "Tags"),
        "UntagResource": ("ResourceArn", "TagKeys"),
        "ListTagsOfResource": ("ResourceArn",),
        "PutItem": (*WRITE, "Item"),
        "UpdateItem": (*WRITE, "Key", "UpdateExpression"),
        "DeleteItem": (*WRITE, "Key"),
        "GetItem": (
            "TableName",
            "Key",
            "ConsistentRead",
            "ProjectionExpression",
            "ExpressionAttributeNames",
            "ReturnConsumedCapacity",
        ),
        "BatchWriteItem": ("RequestItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"),
        "ExecuteStatement": ("Statement", "Parameters", "ReturnConsumedCapacity"),
        "BatchExecuteStatement": ("Statements", "ReturnConsumedCapacity"),
        "BatchGetItem": ("RequestItems", "ReturnConsumedCapacity"),
        "Query": (*PAGE, "KeyConditionExpression", "ScanIndexForward"),
        "Scan": (*PAGE, "Segment", "TotalSegments"),
        "TransactWriteItems": (
            "TransactItems",
            "ClientRequestToken",
            "ReturnConsumedCapacity",
            "ReturnItemCollectionMetrics",
        ),
        "TransactGetItems": ("TransactItems", "ReturnConsumedCapacity"),
    }.items()
}

# The parameters of before 2014, each with what does its work since.
REPLACED_BY = {
    "Expected": "ConditionExpression",
    "AttributeUpdates": "UpdateExpression",
    "AttributesToGet": "ProjectionExpression",
    "KeyConditions": "KeyConditionExpression",
    "QueryFilter": "FilterExpression",
    "ScanFilter": "FilterExpression",
    "ConditionalOperator": "an expression",
}


def refuse_unserved(operation: str, parameters: Parameters) -> None:
    """Refuse what *operation* takes on AWS but not here, and say what to use instead.

    Raises:
        ServiceError: for the first such parameter.
    """
    for name in parameters:
        if name not in SERVED[operation]:
            hint = f"use {REPLACED_BY[name]}" if name in REPLACED_BY else None
            raise unsupported(operation, name, hint)
