"""The recorder that other tests trust: whatever way a call goes out, it is written down."""

from __future__ import annotations

import pytest

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws import iam_actions
from iotauth_cli.aws.iam_actions import Right
from support_desk import Desk
from support_recorded import recorded

SCOPE = ArnScope("aws", "eu-west-1", "123456789012")
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/doors"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:doors"


def test_every_way_out_is_recorded(at_emulator: Desk) -> None:
    """boto3, the light clients for rows and for STS, and the operator's WebSocket; a device's own is none of IAM's."""
    with recorded() as calls:
        at_emulator("authorizer", "create")
        at_emulator("client", "add", "recorded-1", "--topic", "recorded/1")
        at_emulator("listen", "#", "--operator", "--for", "1s")
        at_emulator("publish", "recorded/1", "x", "--operator", "--http")
        at_emulator("publish", "recorded/1", "x", "--operator", "--retain")
        at_emulator("publish", "recorded/1", "x", "--as", "recorded-1")
        at_emulator("client", "remove", "recorded-1", "--yes")
    seen = {call.action for call in calls}
    assert {"iot:CreateAuthorizer", "lambda:CreateFunction", "iam:CreateRole"} <= seen
    assert {"dynamodb:PutItem", "dynamodb:DeleteItem", "iot:DeleteConnection"} <= seen
    assert {"sts:GetCallerIdentity", "iot:Connect", "iot:Subscribe", "iot:Receive", "iot:Publish"} <= seen
    assert [call.parameters["topic"] for call in calls if call.action == "iot:Publish"] == ["recorded/1"] * 2
    assert not any(call.is_mutating for call in calls if call.operation.startswith(("Get", "Describe", "List")))


def test_nothing_is_recorded_afterwards(at_emulator: Desk) -> None:
    """The `with` ends the recording."""
    with recorded() as calls:
        at_emulator("authorizer", "list")
    count = len(calls)
    assert count
    at_emulator("authorizer", "list")
    at_emulator("client", "list")
    assert len(calls) == count


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        (
            "iot",
            "DescribeAuthorizer",
            {"authorizerName": "doors"},
            [("iot:DescribeAuthorizer", "iot", "authorizer/doors")],
        ),
        ("iot", "ListAuthorizers", {}, [("iot:ListAuthorizers", "*", "")]),
        ("sts", "GetCallerIdentity", {}, []),
        (
            "logs",
            "FilterLogEvents",
            {"logGroupName": "g"},
            [("logs:FilterLogEvents", "logs", "log-group:g:log-stream:")],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_usual_right_is_the_operation_on_what_it_names(
    service: str, operation: str, parameters: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    """Service and operation make the action, a parameter the ARN; STS's question needs no right."""
    place = "eu-west-1:123456789012"
    wanted = [
        Right(action, "*" if where == "*" else f"arn:aws:{where}:{place}:{rest}") for action, where, rest in expected
    ]
    assert list(iam_actions.rights(service, operation, parameters, SCOPE)) == wanted


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("lambda", "Invoke", {"FunctionName": FUNCTION}, [Right("lambda:InvokeFunction", FUNCTION)]),
        (
            "lambda",
            "GetPolicy",
            {"FunctionName": "doors", "Qualifier": "live"},
            [Right("lambda:GetPolicy", f"{FUNCTION}:live")],
        ),
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "doors", "Role": "arn:aws:iam::123456789012:role/doors", "Tags": {"a": "b"}},
            [
                Right("lambda:CreateFunction", FUNCTION),
                Right("iam:PassRole", "arn:aws:iam::123456789012:role/doors", "lambda.amazonaws.com"),
                Right("lambda:TagResource", FUNCTION),
            ],
        ),
        (
            "dynamodb",
            "BatchExecuteStatement",
            {"Statements": [{"Statement": "INSERT INTO \"doors\" VALUE {'Client_ID':?}"}] * 2},
            [Right("dynamodb:PartiQLInsert", TABLE)],
        ),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"doors": {}}}, [Right("dynamodb:BatchGetItem", TABLE)]),
        (
            "iot-data",
            "Publish",
            {"topic": "a/b", "retain": True},
            [
                Right("iot:Publish", "arn:aws:iot:eu-west-1:123456789012:topic/a/b"),
                Right("iot:RetainPublish", "arn:aws:iot:eu-west-1:123456789012:topic/a/b"),
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_usual_is_known(
    service: str, operation: str, parameters: dict[str, object], expected: list[Right]
) -> None:
    """Other names, further actions of one call, and resources that no single parameter names."""
    assert list(iam_actions.rights(service, operation, parameters, SCOPE)) == expected
