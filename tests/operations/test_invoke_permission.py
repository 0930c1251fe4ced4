"""What a function's resource policy means for one authorizer."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.operations.invoke_permission import permission_for

ACCOUNT = "123456789012"
ARN = f"arn:aws:iot:eu-west-1:{ACCOUNT}:authorizer/doors"
OTHER = f"arn:aws:iot:eu-west-1:{ACCOUNT}:authorizer/windows"


def statement(source: str | list[str] | None = None, account: str | None = None, **members: Any) -> dict[str, Any]:
    """Return a statement as Lambda writes it for AddPermission."""
    condition: dict[str, Any] = {}
    if source is not None:
        condition["ArnLike"] = {"AWS:SourceArn": source}
    if account is not None:
        condition["StringEquals"] = {"AWS:SourceAccount": account}
    return {
        "Sid": "aws-iot",
        "Effect": "Allow",
        "Principal": {"Service": "iot.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:doors",
        **({"Condition": condition} if condition else {}),
        **members,
    }


CASES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no-policy": ([], "none"),
    "somebody-else": ([statement(Principal={"Service": "s3.amazonaws.com"})], "none"),
    "another-action": ([statement(Action="lambda:GetFunction")], "none"),
    "a-denial": ([statement(Effect="Deny")], "none"),
    "as-authorizer-create-writes-it": ([statement(ARN, ACCOUNT)], "given"),
    "without-conditions": ([statement()], "given"),
    "for-any-authorizer": ([statement(f"arn:aws:iot:eu-west-1:{ACCOUNT}:authorizer/*")], "given"),
    "one-of-several": ([statement([OTHER, ARN])], "given"),
    "for-another-authorizer": ([statement(OTHER, ACCOUNT)], "other-authorizer"),
    "the-functions-own-arn": ([statement(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:doors")], "other-authorizer"),
    "for-another-account": ([statement(ARN, "999999999999")], "other-account"),
    "two-halves-do-not-make-one": ([statement(ARN, "999999999999"), statement(OTHER, ACCOUNT)], "other-account"),
    "the-second-one-fits": ([statement(OTHER, ACCOUNT), statement(ARN, ACCOUNT)], "given"),
    "everybody": ([statement(Principal="*", Action="lambda:*")], "given"),
}


@pytest.mark.parametrize(("statements", "state"), CASES.values(), ids=CASES)
def test_a_resource_policy_is_read_for_one_authorizer(statements: list[dict[str, Any]], state: str) -> None:
    """Principal, source and account must all fit, in one statement."""
    assert permission_for(ARN, statements).state == state


def test_what_it_is_given_for_is_told() -> None:
    """The authorizers and accounts of all statements for AWS IoT, each once."""
    found = permission_for(ARN, [statement(OTHER, ACCOUNT), statement(OTHER, "999999999999")])
    assert found.sources == (OTHER,)
    assert found.accounts == (ACCOUNT, "999999999999")
