"""The border where botocore's exceptions end: each becomes one of ours, in words.

Which of our errors an AWS error code becomes is a table; the light DynamoDB client's errors
carry the same codes and cross the same border.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from iotauth_cli.errors import (
    AccessDenied,
    AlreadyExists,
    AwsError,
    BadAnswer,
    ConfigError,
    Conflict,
    InputError,
    IotauthError,
    NotFound,
    Throttled,
)

if TYPE_CHECKING:
    from iotauth_cli.config import Target

KINDS: dict[str, type[AwsError]] = {
    "AccessDenied": AccessDenied,
    "AccessDeniedException": AccessDenied,
    "AuthorizationError": AccessDenied,
    "ForbiddenException": AccessDenied,
    "UnauthorizedException": AccessDenied,
    "UnauthorizedOperation": AccessDenied,
    "NoSuchEntity": NotFound,
    "ResourceNotFoundException": NotFound,
    "TableNotFoundException": NotFound,
    "EntityAlreadyExists": AlreadyExists,
    "ResourceAlreadyExistsException": AlreadyExists,
    "ResourceInUseException": Conflict,
    "ResourceConflictException": Conflict,
    "DeleteConflict": Conflict,
    "DeleteConflictException": Conflict,
    "OperationAbortedException": Conflict,
    "ConcurrentModification": Conflict,
    "InvalidResponseException": BadAnswer,
    "LimitExceeded": AwsError,
    "LimitExceededException": AwsError,
    "ProvisionedThroughputExceededException": Throttled,
    "RequestLimitExceeded": Throttled,
    "Throttling": Throttled,
    "ThrottlingException": Throttled,
    "TooManyRequestsException": Throttled,
}
IAM_NAMES = {"iot-data": "iot"}  # where boto3's name of a service is not IAM's
OUTDATED_KEYS = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
UNKNOWN_KEYS = (
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
# "User: arn:… is not authorized to perform: iam:CreateRole on resource: …"
DENIAL = re.compile(r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)")


@contextlib.contextmanager
def translated(target: Target, service: str) -> Iterator[None]:
    """Turn whatever botocore raises inside into an error of ours, with the cause kept."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as problem:
        error = problem.response.get("Error", {})
        action = f"{IAM_NAMES.get(service, service)}:{problem.operation_name}"
        raise from_code(error.get("Code", ""), error.get("Message", ""), action, target) from problem
    except BotoCoreError as problem:
        raise from_botocore(problem, target) from problem


def from_code(code: str, message: str, action: str, target: Target) -> IotauthError:
    """Return the error for what a service answered. *action* is IAM's word: `iot:CreateAuthorizer`."""
    if code in OUTDATED_KEYS:
        return ConfigError("the AWS session has expired", hint=f"log in again with {login(target)}")
    if code in UNKNOWN_KEYS:
        return ConfigError("AWS does not accept these keys", hint="see whose they are: `aws sts get-caller-identity`")
    kind = KINDS.get(code, AwsError)
    said = message.strip().rstrip(".") or code or "no reason was given"
    error = denied(message, action) if kind is AccessDenied else kind(f"`{action}` failed: {said}", HINTS.get(kind))
    error.aws_code = code
    return error


HINTS: dict[type[AwsError], str] = {
    Throttled: "AWS slows this account down; wait a little and run the same command again",
    Conflict: "another change is still in progress; wait a little and run the same command again",
}


def denied(message: str, action: str) -> AccessDenied:
    found = DENIAL.search(message)
    who = f"`{found['who']}`" if found else "this AWS user"
    what = found["action"] if found else action
    error = AccessDenied(
        f"{who} may not call `{what}`",
        hint=f"let an administrator allow `{what}`, or choose another user with `--profile`",
    )
    error.action = what
    return error


def from_botocore(problem: Exception, target: Target) -> IotauthError:
    """Return the error for a call that never got an answer, by the names of the exception's classes."""
    kinds = {kind.__name__ for kind in type(problem).__mro__}
    said = sentence(problem)
    for names, word in WORDS:
        if kinds & names:
            return word(said, target)
    return AwsError(f"AWS could not be asked: {said}")


def no_credentials() -> ConfigError:
    return ConfigError(
        "no AWS keys were found", hint="set them with `aws configure`, or work without AWS: add `--emulator`"
    )


def unreachable(said: str, target: Target) -> AwsError:
    return AwsError(f"{target.label} gave no answer: {said}", hint=target.when_unreachable)


def login(target: Target) -> str:
    return f"`aws sso login{profile(target)}`"


def profile(target: Target) -> str:
    return f" --profile {target.profile}" if target.profile else ""


def sentence(problem: Exception) -> str:
    """Return a library's message as part of a sentence of ours: one line, no full stop."""
    text = " ".join(str(problem).split()).rstrip(".: ")
    return text[:1].lower() + text[1:]


# What botocore could not do before or instead of getting an answer; the first that fits counts.
WORDS: tuple[tuple[set[str], Callable[[str, Target], IotauthError]], ...] = (
    (
        {"SSOError", "TokenRetrievalError"},
        lambda _, target: ConfigError("the SSO session has expired", hint=f"log in with {login(target)}"),
    ),
    (
        {"LoginError"},
        lambda _, target: ConfigError(
            "the AWS login session has expired", hint=f"log in with `aws login{profile(target)}`"
        ),
    ),
    ({"NoCredentialsError", "NoAuthTokenError"}, lambda _, __: no_credentials()),
    (
        {"ProfileNotFound"},
        lambda _, target: ConfigError(
            f"there is no AWS profile `{target.profile}`", hint="see `aws configure list-profiles`"
        ),
    ),
    (
        {"PartialCredentialsError", "CredentialRetrievalError", "InvalidConfigError", "ConfigParseError"},
        lambda said, _: ConfigError(f"AWS keys could not be had: {said}", hint="see `aws configure list`"),
    ),
    (
        {"InvalidRegionError", "UnknownRegionError", "NoRegionError"},
        lambda _, target: ConfigError(
            f"`{target.region}` is not an AWS region", hint="choose one with `--region eu-west-1`"
        ),
    ),
    ({"ParamValidationError"}, lambda said, _: InputError(said)),
    ({"ConnectionError", "HTTPClientError"}, unreachable),
)
