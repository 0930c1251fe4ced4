"""The function: made when its role is known, waited for, and whose policy may be absent."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.aws import lambda_
from iotauth_cli.aws.lambda_ import Configuration, FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, InputError
from support_aws import ACCOUNT, Pauses, aws_target, stubbed

NOT_YET = "The role defined for the function cannot be assumed by Lambda."
WANTED = Configuration(f"arn:aws:iam::{ACCOUNT}:role/x", "python3.13", "a.b", 256, 5, {"A": "1"}, "made by iotauth")
ARN = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:doors"


@pytest.fixture
def session() -> Session:
    return Session(aws_target(), sleep=Pauses())


def pauses_of(session: Session) -> list[float]:
    assert isinstance(session.sleep, Pauses)
    return session.sleep.slept


def configuration(**changes: Any) -> dict[str, Any]:
    found = {"FunctionArn": ARN, "CodeSha256": "x" * 44, "Role": WANTED.role, "MemorySize": 256, "Timeout": 5}
    return found | changes


def test_a_new_role_is_waited_for(session: Session) -> None:
    """Lambda does not know a new role at once; the pauses grow."""
    with stubbed(session, "lambda") as stub:
        for _ in range(3):
            stub.add_client_error("create_function", "InvalidParameterValueException", NOT_YET, 400)
        stub.add_response("create_function", configuration())
        lambda_.create(session, "doors", b"zip", "arm64", WANTED)
    assert pauses_of(session) == [0.25, 0.5, 1.0]


def test_waiting_for_a_role_ends(session: Session) -> None:
    """After a minute it is an error after all."""
    with stubbed(session, "lambda") as stub:
        for _ in range(20):
            stub.add_client_error("create_function", "InvalidParameterValueException", NOT_YET, 400)
        with pytest.raises(AwsError, match="cannot be assumed by Lambda"):
            lambda_.create(session, "doors", b"zip", "arm64", WANTED)
    assert sum(pauses_of(session)) == pytest.approx(60)


def test_other_refusals_are_not_waited_for(session: Session) -> None:
    """A wrong runtime does not become right by waiting."""
    with stubbed(session, "lambda") as stub:
        stub.add_client_error("create_function", "InvalidParameterValueException", "Runtime is wrong", 400)
        with pytest.raises(AwsError, match="Runtime is wrong"):
            lambda_.create(session, "doors", b"zip", "arm64", WANTED)
    assert pauses_of(session) == []


def test_a_function_is_waited_for_until_it_is_ready(session: Session) -> None:
    """Pending and in the middle of an update are not ready; Active and Successful are."""
    with stubbed(session, "lambda") as stub:
        stub.add_response("get_function_configuration", configuration(State="Pending"))
        stub.add_response("get_function_configuration", configuration(State="Active", LastUpdateStatus="InProgress"))
        stub.add_response("get_function_configuration", configuration(State="Active", LastUpdateStatus="Successful"))
        lambda_.wait_until_ready(session, "doors")
    assert pauses_of(session) == [0.25, 0.5]


def test_no_policy_means_no_statement(session: Session) -> None:
    """Lambda answers 404 for a function that nobody was ever allowed to call."""
    with stubbed(session, "lambda") as stub:
        stub.add_client_error("get_policy", "ResourceNotFoundException", "no policy", 404)
        assert lambda_.statements(session, FunctionArn.parse(ARN)) == []


def test_a_permission_is_bound_to_source_account_and_qualifier(session: Session) -> None:
    """The alias's own policy is written, for one authorizer of one account."""
    source = f"arn:aws:iot:eu-west-1:{ACCOUNT}:authorizer/doors"
    expected = {
        "FunctionName": "doors",
        "Qualifier": "live",
        "StatementId": "iotauth-doors",
        "Action": "lambda:InvokeFunction",
        "Principal": "iot.amazonaws.com",
        "SourceArn": source,
        "SourceAccount": ACCOUNT,
    }
    with stubbed(session, "lambda") as stub:
        stub.add_response("add_permission", {"Statement": "{}"}, expected)
        lambda_.permit(
            session,
            FunctionArn.parse(f"{ARN}:live"),
            "iotauth-doors",
            principal="iot.amazonaws.com",
            source_arn=source,
            source_account=ACCOUNT,
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARN, ("eu-west-1", "doors", None)),
        (f"{ARN}:live", ("eu-west-1", "doors", "live")),
        (f"{ARN}:$LATEST", ("eu-west-1", "doors", "$LATEST")),
        ("arn:aws-cn:lambda:cn-north-1:123456789012:function:d_1", ("cn-north-1", "d_1", None)),
    ],
)
def test_a_functions_arn_is_taken_apart(text: str, expected: tuple[str, str, str | None]) -> None:
    """Region, name and qualifier, in every partition."""
    found = FunctionArn.parse(text)
    assert (found.region, found.name, found.qualifier) == expected


@pytest.mark.parametrize("text", ["", "doors", ARN + ":", ARN + ":a:b", ARN.replace("lambda", "iot"), ARN + "\n"])
def test_what_is_no_functions_arn_is_refused(text: str) -> None:
    """A name alone, another service's ARN, a stray line end."""
    with pytest.raises(InputError, match="is not the ARN of a function"):
        FunctionArn.parse(text)
