"""Every code that a call of ours can be answered with has a row, and every row says what can be said."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
from botocore import xform_name
from botocore.model import OperationModel

from iotauth_cli.aws.error_table import BY_CODE, LIMITS, ROWS, Row
from iotauth_cli.aws.errors import from_code
from iotauth_cli.cli import Root
from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.errors import AccessDenied, AwsError, ConfigError
from support_aws import aws_target
from support_operations import SERVICES, called, model, operation

# What any call may meet, which models do not list. Source: "Common Errors" of the API references of IAM, AWS IoT,
# Lambda, DynamoDB, CloudWatch Logs, STS and CloudFormation; DynamoDB developer guide, "Error handling".
COMMON = re.findall(
    r"\w+",
    """
AccessDeniedException ExpiredTokenException IncompleteSignature InternalFailure MalformedHttpRequestException
InvalidClientTokenId MissingAuthenticationToken NotAuthorized OptInRequired RequestAbortedException RequestExpired
RequestEntityTooLargeException RequestTimeoutException ServiceUnavailable ThrottlingException
UnrecognizedClientException UnknownOperationException ValidationError ValidationException
AccessDenied ExpiredToken InvalidAction InvalidParameterCombination InvalidParameterValue InvalidQueryParameter
MalformedQueryString MissingAction MissingParameter SignatureDoesNotMatch InvalidSignatureException Throttling
RequestTimeTooSkewed ConditionalCheckFailedException ItemCollectionSizeLimitExceededException RequestLimitExceeded
ProvisionedThroughputExceededException TransactionConflictException IncompleteSignatureException
MissingAuthenticationTokenException InternalServerError InternalServerException ServiceUnavailableException
SerializationException RegionDisabledException AuthFailure UnauthorizedOperation TooManyRequestsException
400 403 404 405 413 429 500 502 503 504
""",
)


def test_the_calls_are_found() -> None:
    """What the next test goes over is there: each door's calls, of every service."""
    found = called()
    assert {service for service, _ in found} >= {
        "cloudformation",
        "dynamodb",
        "iam",
        "iot",
        "iot-data",
        "lambda",
        "logs",
    }
    assert {("iot", "create_authorizer"), ("iot-data", "publish"), ("lambda", "update_function_code")} <= found


def test_every_error_of_every_operation_that_is_called_has_a_row() -> None:
    """A call that is new brings its errors; who adds it adds their rows."""
    missing = {
        f"{service}:{found.name}: {code}"
        for service, method in called()
        for found in [operation(service, method)]
        for code in codes_of(found)
        if code not in BY_CODE
    }
    assert not missing


def codes_of(found: OperationModel) -> Iterator[str]:
    """Yield AWS's codes of an operation: query protocols have a name of their own for the shape."""
    for shape in found.error_shapes:
        yield shape.metadata.get("error", {}).get("code") or shape.name


def test_every_error_of_a_statement_has_a_row() -> None:
    """Statements of a batch fail alone, with codes that are no operation's."""
    codes = model("dynamodb").shape_for("BatchStatementErrorCodeEnum")
    assert set(codes.metadata["enum"]) <= BY_CODE.keys()


@pytest.mark.parametrize("code", COMMON)
def test_what_any_call_may_meet_has_a_row(code: str) -> None:
    """Signatures, sessions, clocks, regions, throttling, and answers of which only the status was read."""
    assert code in BY_CODE


def test_no_code_has_two_rows() -> None:
    """Else the order of the table would decide."""
    codes = [code for row in ROWS for code in row.codes]
    assert len(codes) == len(set(codes))


CALLS = [
    ("iot:CreateAuthorizer", {"authorizerName": "doors"}, "authorizer `doors`"),
    ("lambda:CreateFunction", {"FunctionName": "doors-f"}, "function `doors-f`"),
    ("iam:GetRole", {"RoleName": "doors-r"}, "role `doors-r`"),
    ("iot:ListAuthorizers", {}, ""),
]


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind is not AccessDenied], ids=lambda row: row.about)
@pytest.mark.parametrize(("action", "parameters", "what"), CALLS, ids=[action for action, *_ in CALLS])
def test_every_row_is_a_sentence_and_a_hint(row: Row, action: str, parameters: dict[str, str], what: str) -> None:
    """Whatever was called: the user's own name is in it if there is one, and no place is left open."""
    found = from_code(row.codes[0], "Said so.", action, aws_target(), parameters)
    assert type(found) is row.kind
    assert found.hint
    for text in (found.message, found.hint):
        assert "{" not in text
        assert "``" not in text
        assert "  " not in text
    assert not found.message.endswith(".")
    if row.kind is not ConfigError and "does not know" not in found.message:
        assert what in found.message


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.about)
def test_a_command_in_a_hint_can_be_typed(row: Row) -> None:
    """Ours exist, with those words; AWS's name an operation of a service that boto3 knows."""
    for command in re.findall(r"`([^`]+)`", row.hint):
        words = shlex.split(command)
        if words[0] == "iotauth":
            exists(words[1:])
        elif words[0] in ("aws", "{aws}") and words[1] in SERVICES:
            operation(words[1], words[2].replace("-", "_"))


def exists(words: list[str]) -> None:
    group: object = Root()
    for word in words:
        if not isinstance(group, LazyGroup) or word.startswith("-"):
            return
        assert word in group.table, f"there is no `iotauth {' '.join(words)}`"
        group = group.load(word)


def test_a_limit_says_which() -> None:
    """The action tells which limit it was; one that is not known is said to be one."""
    found = from_code("LimitExceededException", "No more.", "dynamodb:CreateTable", aws_target(), {"TableName": "t"})
    assert found.message == (
        "`dynamodb:CreateTable` of table `t` failed: No more; "
        "500 tables may be changing at once, and a region has 2,500"
    )
    assert found.hint is not None
    assert "service-quotas list-service-quotas --service-code dynamodb" in found.hint
    other = from_code("LimitExceeded", "No more.", "iam:DeleteRole", aws_target(), {"RoleName": "r"})
    assert other.message.endswith("; a limit of the account is reached")


def test_limits_name_operations_that_exist() -> None:
    """A row for a call that nobody can make would say nothing."""
    for action in LIMITS:
        service, name = action.split(":")
        operation(service, xform_name(name))


@pytest.mark.parametrize(
    "said", ["Signature expired: 20261120T1 is now earlier than 20261120T2", "Signature not yet current"]
)
def test_a_wrong_clock_is_told_from_wrong_keys(said: str) -> None:
    """AWS has one code for both."""
    assert "clock" in from_code("InvalidSignatureException", said, "iot:ListAuthorizers", aws_target()).message
    assert "keys" in from_code("InvalidSignatureException", "No match", "iot:ListAuthorizers", aws_target()).message


def test_an_unknown_code_keeps_awss_words() -> None:
    """Nothing is made up where nothing is known."""
    found = from_code("BrandNewException", "The moon\n is full.", "iot:ListAuthorizers", aws_target())
    assert isinstance(found, AwsError)
    assert (found.message, found.aws_code) == ("`iot:ListAuthorizers` failed: The moon is full", "BrandNewException")
    assert found.said == "The moon\n is full."
    silent = from_code("BrandNewException", "", "iot:ListAuthorizers", aws_target())
    assert silent.message == "`iot:ListAuthorizers` failed: BrandNewException"
