"""The border where botocore's exceptions end: each becomes one of ours, in words.

What an AWS error code becomes is a table, `error_table`; the light DynamoDB client's errors
carry the same codes and cross the same border.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from json import JSONDecodeError
from shlex import quote
from typing import TYPE_CHECKING, Any

from iotauth_cli.aws import denials, iam_actions
from iotauth_cli.aws.error_table import BY_CODE, LIMITS, MEANT, OTHER_LIMIT, Row
from iotauth_cli.errors import AwsError, ConfigError, InputError, IotauthError
from iotauth_cli.secret import discreet

if TYPE_CHECKING:
    from iotauth_cli.config import Target

# How the parameter that names what a call is about is said. The first that a call has counts.
NOUNS = {
    "authorizerName": "authorizer",
    "domainConfigurationName": "domain configuration",
    "FunctionName": "function",
    "RoleName": "role",
    "TableName": "table",
    "logGroupName": "log group",
    "logGroupNamePrefix": "log group",
    "StackName": "stack",
    "clientId": "client",
    "topic": "topic",
    "RoleArn": "role",
}


@contextlib.contextmanager
def translated(target: Target, service: str, parameters: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Turn whatever botocore raises inside into an error of ours, with the cause kept.

    *parameters* are the call's; of them only names are said.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as problem:
        error = problem.response.get("Error", {})
        action = f"{iam_actions.prefix(service)}:{problem.operation_name}"
        found = from_code(error.get("Code") or "", error.get("Message") or "", action, target, parameters)
        found.request_id = problem.response.get("ResponseMetadata", {}).get("RequestId")
        raise found from problem
    except BotoCoreError as problem:
        raise from_botocore(problem, target) from problem
    except JSONDecodeError:
        # botocore reads nothing else so. `from None`: the cause keeps what was printed, which may be keys.
        raise ConfigError(
            "AWS keys could not be had: what `credential_process` printed is no JSON", hint="see `aws configure list`"
        ) from None


def from_code(
    code: str, message: str, action: str, target: Target, parameters: Mapping[str, Any] | None = None
) -> IotauthError:
    """Return the error for what a service answered. *action* is service and operation: `iot:CreateAuthorizer`.

    A code that nobody knows is told in AWS's own words.
    """
    meant = next((other for words, other in MEANT if words in message), code)
    row = BY_CODE.get(meant)
    if row is not None and row.kind is denials.KIND:
        error: IotauthError = denials.denied(message, action, target, parameters or {})
    else:
        error = worded(row, code, message, action, target, parameters or {})
    if isinstance(error, AwsError):
        error.aws_code = code
        error.said = message.strip()
    return error


def worded(
    row: Row | None, code: str, message: str, action: str, target: Target, parameters: Mapping[str, Any]
) -> IotauthError:
    """Fill in the texts of *row*; without one, say what AWS said."""
    noun, name = named(parameters)
    what = f"{noun} `{name}`" if name else ""
    action = iam_actions.name(*action.split(":", 1))
    failed = f"`{action}` of {what} failed" if name else f"`{action}` failed"
    said = discreet(" ".join(message.split())).rstrip(".") or code or "no reason was given"
    if row is None:
        return AwsError(f"{failed}: {said}")
    limit, service = LIMITS.get(action, (OTHER_LIMIT, action.partition(":")[0]))
    words = {
        "action": action,
        "aws": target.aws_command,
        "failed": failed,
        "label": target.label,
        "limit": limit,
        "login": login(target),
        "name": name,
        "quotas": f"{target.aws_command} service-quotas list-service-quotas --service-code {service}",
        "region": target.region,
        "said": said,
        "what": what,
    }
    says = row.says if name or "{what}" not in row.says else row.unnamed
    hint = (
        row.hint if name or "{name}" not in row.hint else "see whose account and region this is: `iotauth config show`"
    )
    return row.kind(says.format(**words), hint.format(**words))


def named(parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a call is about, as a noun and the name that was given; empty where it names nothing."""
    for parameter, noun in NOUNS.items():
        if isinstance(parameters.get(parameter), str):
            return noun, parameters[parameter]
    return "", ""


def from_botocore(problem: Exception, target: Target) -> IotauthError:
    """Return the error for a call that never got an answer, by the names of the exception's classes."""
    kinds = {kind.__name__ for kind in type(problem).__mro__}
    said = sentence(problem)
    for names, word in WORDS:
        if kinds & names:
            return word(said, target)
    return AwsError(f"AWS could not be asked: {said}")


def no_credentials(target: Target) -> ConfigError:
    profile = target.profile_in_use
    where = f" for profile `{profile}`" if profile else ""
    command = f"aws configure --profile {quote(profile)}" if profile else "aws configure"
    return ConfigError(
        f"no AWS keys were found{where}", hint=f"set them with `{command}`, or work without AWS: add `--emulator`"
    )


def unreachable(said: str, target: Target) -> IotauthError:
    """Return the error for a place where nobody answers; a region that there is not is told as such."""
    from iotauth_cli.aws import regions

    mistaken = regions.mistake(target, "iot" if "://iot." in said else "")
    return mistaken or AwsError(f"{target.label} gave no answer: {said}", hint=target.when_unreachable)


def login(target: Target, otherwise: str = "sso login") -> str:
    """Return what renews the keys: a command, *otherwise* where the profile names none, or variables with keys."""
    from iotauth_cli.aws import login

    if target.access_key and not target.profile:
        return "new keys in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
    return login.command(target, otherwise)


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
            "the AWS login session has expired", hint=f"log in with {login(target, 'login')}"
        ),
    ),
    ({"NoCredentialsError", "NoAuthTokenError"}, lambda _, target: no_credentials(target)),
    (
        {"ProfileNotFound"},
        lambda said, _: ConfigError(
            f"there is no AWS profile `{said.partition('(')[2].rpartition(')')[0]}`",
            hint="see `aws configure list-profiles`",
        ),
    ),
    (
        {"RefreshWithMFAUnsupportedError"},
        lambda _, __: ConfigError(
            "the role's session has expired, and a new one wants an MFA code",
            hint="run the same command again; it asks for the code",
        ),
    ),
    (
        {"MissingDependencyException"},
        lambda said, _: ConfigError(f"AWS keys could not be had: {said}", hint="`pip install 'botocore[crt]'`"),
    ),
    (
        {
            "PartialCredentialsError",
            "CredentialRetrievalError",
            "InvalidConfigError",
            "ConfigParseError",
            "UnknownCredentialError",
        },
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
