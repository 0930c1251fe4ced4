"""What is made of a denial: who, what, which policy, and the statement that would allow it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.aws.denials import denied, parse
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied
from support_aws import aws_target, stubbed

ANN = "arn:aws:iam::123456789012:user/ann"
ROLE = "arn:aws:iam::123456789012:role/doors-eu-west-1"
ASKED = f"User: {ANN} is not authorized to perform: iam:CreateRole on resource: {ROLE} "
FORMS = [  # IAM user guide, "Troubleshoot access denied error messages", each form once
    ("because no identity-based policy allows the iam:CreateRole action", "", True),
    ("because no permissions boundary allows the iam:CreateRole action", "their permissions boundary does not", True),
    ("because no service control policy allows the iam:CreateRole action", "a service control policy of the", True),
    ("because no resource control policy allows the iam:CreateRole action", "a resource control policy of the", True),
    ("because no session policy allows the iam:CreateRole action", "the policy of this session does not", True),
    ("because no resource-based policy allows the iam:CreateRole action", "the resource's own policy does not", True),
    (
        "because no VPC endpoint policy allows the iam:CreateRole action",
        "the policy of the VPC endpoint does not",
        True,
    ),
    ("with an explicit deny in a service control policy", "a service control policy of the organization denies", False),
    (
        "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/p-1",
        "a service control policy of the organization denies",
        False,
    ),
    ("with an explicit deny in an identity-based policy", "their own policies deny it", False),
    ("with an explicit deny in a permissions boundary", "their permissions boundary denies it", False),
    ("with an explicit deny in a lunar policy", "a lunar policy denies it", False),
    ("with an explicit deny in the session policy", "the policy of this session denies", False),
    ("with an explicit deny", "a policy denies it", False),
]


@pytest.mark.parametrize(("form", "words", "may_help"), FORMS, ids=[form[:60] for form, *_ in FORMS])
def test_which_policy_decides_is_told(form: str, words: str, may_help: bool) -> None:
    """A missing Allow can be added; where something denies, no statement is offered, for it would not help."""
    found = denied(ASKED + form, "iam:CreateRole", aws_target(), {})
    assert found.message.startswith(f"`{ANN}` may not call `iam:CreateRole`")
    assert words in found.message
    assert bool(found.statement) is may_help
    assert ("statement below" in str(found.hint)) is may_help
    assert "`--profile`" in str(found.hint)


@pytest.mark.parametrize(
    ("message", "action", "parameters", "statement"),
    [
        (
            ASKED,
            "iam:CreateRole",
            {"RoleName": "other"},
            {"Effect": "Allow", "Action": "iam:CreateRole", "Resource": ROLE},
        ),
        (
            f"User: {ANN} is not authorized to perform: iot:CreateAuthorizer",
            "iot:CreateAuthorizer",
            {"authorizerName": "doors"},
            {
                "Effect": "Allow",
                "Action": "iot:CreateAuthorizer",
                "Resource": "arn:aws:iot:eu-west-1:123456789012:authorizer/doors",
            },
        ),
        (
            "",
            "dynamodb:PutItem",
            {"TableName": "clients"},
            {
                "Effect": "Allow",
                "Action": "dynamodb:PutItem",
                "Resource": "arn:aws:dynamodb:eu-west-1:*:table/clients",
            },
        ),
        (
            f"User: {ANN} is not authorized to perform: iam:PassRole on resource: {ROLE} because no identity-based "
            "policy allows the iam:PassRole action",
            "lambda:CreateFunction",
            {"FunctionName": "doors", "Role": ROLE},
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": ROLE,
                "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
            },
        ),
        (
            f"User: {ANN} is not authorized to perform: logs:FilterLogEvents on resource: "
            "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/doors:log-stream: because no identity-based",
            "logs:FilterLogEvents",
            {"logGroupName": "/aws/lambda/doors"},
            {
                "Effect": "Allow",
                "Action": "logs:FilterLogEvents",
                "Resource": "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/doors:*",
            },
        ),
        (
            "",
            "iot:ListAuthorizers",
            {},
            {"Effect": "Allow", "Action": "iot:ListAuthorizers", "Resource": "*"},
        ),
        (
            "",
            "lambda:Invoke",
            {"FunctionName": "doors"},
            {
                "Effect": "Allow",
                "Action": "lambda:InvokeFunction",
                "Resource": "arn:aws:lambda:eu-west-1:*:function:doors",
            },
        ),
        (
            "",
            "iot:Publish",
            {"topic": "a/b", "retain": True},
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:RetainPublish"],
                "Resource": "arn:aws:iot:eu-west-1:*:topic/a/b",
            },
        ),
    ],
    ids=["said", "called", "silent", "another-action", "log-group", "no-resource", "other-name", "one-of-two"],
)
def test_the_statement_is_as_narrow_as_can_be_known(
    message: str, action: str, parameters: dict[str, Any], statement: dict[str, Any]
) -> None:
    """The resource is the one that AWS named, else the call's; a role is passed to one service only."""
    assert denied(message, action, aws_target(), parameters).statement == statement


def test_an_encoded_reason_can_be_decoded() -> None:
    """The command to read it is the hint; nobody knows yet what to allow."""
    said = "You are not authorized to perform this operation. Encoded authorization failure message: 4GIOHl-x_Yz"
    found = denied(said, "lambda:CreateFunction", aws_target(), {})
    assert found.hint == "read it with `aws sts decode-authorization-message --encoded-message 4GIOHl-x_Yz`"
    assert found.statement is None


NAMES = st.from_regex(r"[A-Za-z0-9_+=,.@/-]{1,40}", fullmatch=True)


@given(NAMES, st.sampled_from(["dynamodb:GetItem", "iot-data:Publish", "iam:PassRole"]), NAMES)
def test_a_refusal_in_iams_form_is_read_back(user: str, action: str, name: str) -> None:
    """Who, what and on what come out as they went in."""
    who, resource = (
        f"arn:aws:sts::123456789012:assumed-role/{user}",
        f"arn:aws:dynamodb:eu-west-1:123456789012:table/{name}",
    )
    said = parse(
        f"User: {who} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )
    assert (said.who, said.action, said.resource, said.policy) == (who, action, resource, "identity-based policy")


@given(st.text())
def test_whatever_is_said_can_be_read(text: str) -> None:
    """A service may say anything at all, and a denial is still told."""
    found = denied(text, "iot:CreateAuthorizer", aws_target(), {"authorizerName": "doors"})
    assert isinstance(found, AccessDenied)
    assert found.message


def test_a_denied_call_carries_its_statement_and_its_request_id() -> None:
    """From botocore's own exception, with the call's parameters."""
    session = Session(aws_target())
    with stubbed(session, "iot") as stub:
        stub.add_client_error(
            "create_authorizer", "UnauthorizedException", "", 401, response_meta={"RequestId": "5b2d-11"}
        )
        with pytest.raises(AccessDenied) as caught:
            session.call("iot", "create_authorizer", authorizerName="doors", authorizerFunctionArn="arn")
    assert caught.value.request_id == "5b2d-11"
    assert caught.value.statement is not None
    assert caught.value.statement["Resource"] == "arn:aws:iot:eu-west-1:*:authorizer/doors"
