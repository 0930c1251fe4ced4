"""What AWS refuses, and how it is said."""

from __future__ import annotations

import traceback
from typing import Any

import botocore.exceptions as foreign
import pytest

from iotauth_authorizer.dynamodb import Client, Credentials, DynamoDBError
from iotauth_authorizer.http1 import Response
from iotauth_cli.aws.caller import refused
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.errors import from_botocore, from_code
from iotauth_cli.aws.session import Session
from iotauth_cli.cli.output import show_bug, show_error
from iotauth_cli.errors import (
    AccessDenied,
    AlreadyExists,
    AwsError,
    ConfigError,
    Conflict,
    InputError,
    IotauthError,
    NotFound,
    Throttled,
)
from support_aws import aws_target, stubbed


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        ("AccessDeniedException", AccessDenied, 3),
        ("UnauthorizedException", AccessDenied, 3),
        ("NoSuchEntity", NotFound, 3),
        ("ResourceNotFoundException", NotFound, 3),
        ("EntityAlreadyExists", AlreadyExists, 3),
        ("DeleteConflictException", Conflict, 3),
        ("ResourceInUseException", Conflict, 3),
        ("ThrottlingException", Throttled, 3),
        ("LimitExceededException", AwsError, 3),
        ("SomethingNewException", AwsError, 3),
        ("ExpiredTokenException", ConfigError, 2),
        ("InvalidClientTokenId", ConfigError, 2),
    ],
)
def test_each_code_is_an_error_of_ours(code: str, kind: type[IotauthError], exit_code: int) -> None:
    """A code decides the class, and with it the exit code; unknown ones stay AWS's failure."""
    found = from_code(code, "Said so.", "iot:CreateAuthorizer", aws_target())
    assert type(found) is kind
    assert found.exit_code == exit_code
    assert not found.message.endswith(".")


def test_a_denial_names_who_may_not_do_what() -> None:
    """Both come from AWS's own sentence, where it has them."""
    said = (
        "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:CreateRole on resource: "
        "arn:aws:iam::123456789012:role/x because no identity-based policy allows the iam:CreateRole action"
    )
    found = from_code("AccessDenied", said, "iam:CreateRole", aws_target())
    assert found.message == "`arn:aws:iam::123456789012:user/ann` may not call `iam:CreateRole`"
    assert "iam:CreateRole" in str(found.hint)


def test_a_denial_without_a_sentence_names_the_call() -> None:
    """Some services say nothing but the code."""
    found = from_code("AccessDeniedException", "", "dynamodb:PutItem", aws_target())
    assert found.message == "this AWS user may not call `dynamodb:PutItem`"


@pytest.mark.parametrize(
    ("problem", "kind", "message", "hint"),
    [
        (foreign.UnauthorizedSSOTokenError(), ConfigError, "SSO session has expired", "aws sso login --profile dev"),
        (foreign.SSOTokenLoadError(error_msg="x"), ConfigError, "SSO session", "aws sso login --profile dev"),
        (
            foreign.TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
            ConfigError,
            "SSO session has expired",
            "aws sso login --profile dev",
        ),
        (foreign.LoginRefreshRequired(), ConfigError, "login session has expired", "aws login --profile dev"),
        (foreign.NoCredentialsError(), ConfigError, "no AWS keys were found", "--emulator"),
        (foreign.ProfileNotFound(profile="dev"), ConfigError, "no AWS profile `dev`", "list-profiles"),
        (
            foreign.PartialCredentialsError(provider="env", cred_var="x"),
            ConfigError,
            "partial credentials",
            "configure",
        ),
        (foreign.InvalidRegionError(region_name="mars"), ConfigError, "`eu-west-1` is not an AWS region", "--region"),
        (foreign.InvalidConfigError(error_msg="no `x`"), ConfigError, "AWS keys could not be had: no `x`", "configure"),
        (foreign.ReadTimeoutError(endpoint_url="https://iot"), AwsError, "read timeout", "the network"),
        (foreign.WaiterConfigError(error_msg="Odd"), AwsError, "AWS could not be asked", None),
        (foreign.EndpointConnectionError(endpoint_url="https://iot"), AwsError, "could not connect", "the network"),
        (foreign.ConnectTimeoutError(endpoint_url="https://iot"), AwsError, "connect timeout", "the network"),
        (
            foreign.SSLError(endpoint_url="https://iot", error=OSError("bad")),
            AwsError,
            "SSL validation failed",
            "the network",
        ),
        (foreign.ParamValidationError(report="Invalid length"), InputError, "parameter validation failed", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_call_without_an_answer_says_why(
    problem: Exception, kind: type[IotauthError], message: str, hint: str | None
) -> None:
    """Expired logins name the command that renews them; the network's failures name the network."""
    found = from_botocore(problem, aws_target(profile="dev"))
    assert type(found) is kind
    assert message.lower() in found.message.lower()
    assert hint is None or hint in str(found.hint)
    assert "\n" not in found.message


def test_a_call_translates_what_botocore_raises() -> None:
    """The cause is kept for --debug; the action is IAM's word for the call."""
    session = Session(aws_target())
    with stubbed(session, "iot") as stub:
        stub.add_client_error("describe_authorizer", "ServiceUnavailableException", "Try later.", 503)
        with pytest.raises(
            AwsError, match="`iot:DescribeAuthorizer` of authorizer `doors` failed: Try later"
        ) as caught:
            session.call("iot", "describe_authorizer", authorizerName="doors")
    assert isinstance(caught.value.__cause__, foreign.ClientError)


def test_pages_are_translated_too() -> None:
    """An error on the second page is an error of ours as well."""
    session = Session(aws_target())
    with stubbed(session, "iot") as stub:
        stub.add_response("list_authorizers", {"authorizers": [], "nextMarker": "bW9yZQ=="})
        stub.add_client_error("list_authorizers", "ThrottlingException", "Rate exceeded")
        with pytest.raises(Throttled, match="`iot:ListAuthorizers` failed: Rate exceeded"):
            list(session.pages("iot", "list_authorizers"))


def test_a_password_does_not_reach_an_error() -> None:
    """botocore's complaint about parameters, and the traceback around it, do not repeat the password."""
    session = Session(aws_target())
    context: dict[str, Any] = {"password": b"canary-password", "clientId": 7}
    with pytest.raises(InputError) as caught:
        session.call("iot", "test_invoke_authorizer", authorizerName="doors", mqttContext=context)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_every_way_to_aws_tells_its_request_id() -> None:
    """boto3's calls, the light DynamoDB client's and STS's question: it is what AWS's support asks for."""
    session = Session(aws_target())
    with stubbed(session, "iot") as stub:
        stub.add_client_error("list_authorizers", "ThrottlingException", response_meta={"RequestId": "id-1"})
        with pytest.raises(Throttled) as slow:
            session.call("iot", "list_authorizers")
    table = ClientTable("doors", aws_target(), Client("eu-west-1", credentials=lambda: Credentials("a", "b")))
    with pytest.raises(Throttled) as light, table.translated("GetItem"):
        raise DynamoDBError("ThrottlingException", "Slow", 400, "id-2")
    answer = Response(403, {"x-amzn-requestid": "id-3"}, b"")
    asked = refused(answer, "<Code>InvalidClientTokenId</Code><Message>no</Message>", aws_target())
    assert isinstance(asked, ConfigError)
    assert [slow.value.request_id, light.value.request_id, asked.request_id] == ["id-1", "id-2", "id-3"]


TOKEN = "IQoJb3JpZ2luX2VjEJz//canary+token=="
CANONICAL = f"The Canonical String should have been 'POST\n/\n\nx-amz-security-token:{TOKEN}\n\nhost'"
TOO_MANY = 'the variables exceeded the 4KB limit. String measured: {"DB_PASSWORD":"canary of theirs"}'


@pytest.mark.parametrize(
    ("code", "message", "secret"),
    [
        ("SignatureDoesNotMatch", CANONICAL, TOKEN),
        ("SomethingNewException", CANONICAL, TOKEN),
        ("SomethingNewException", f"https://x/mqtt?X-Amz-Security-Token={TOKEN}&a=b", TOKEN),
        ("InvalidParameterValueException", TOO_MANY, "canary of theirs"),
    ],
)
def test_what_aws_repeats_of_a_request_is_not_passed_on(
    code: str, message: str, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session token in a signature's canonical string, a function's variables: in no message and no traceback."""
    problem = foreign.ClientError({"Error": {"Code": code, "Message": message}}, "UpdateFunctionConfiguration")
    told = from_code(code, message, "lambda:UpdateFunctionConfiguration", aws_target(), {"FunctionName": "doors"})
    told.__cause__ = problem
    for as_json in (False, True):
        show_error(told, as_json=as_json, debug=True)
    show_bug(problem, as_json=False, debug=True)
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err
    assert "canary" not in printed.out + printed.err
    assert "ClientError" in printed.err
