"""What a function's resource policy lets AWS IoT do: call it, for which authorizer and account."""

from __future__ import annotations

from typing import Any

from iotauth_cli.aws.iot import PRINCIPAL
from iotauth_cli.policy.match import compile_pattern
from iotauth_cli.probe.evidence import PermissionFound

CALL = ("lambda:InvokeFunction", "lambda:*", "*")


def permission_for(authorizer_arn: str, statements: list[dict[str, Any]]) -> PermissionFound:
    """Say what a function's resource policy lets AWS IoT do for the authorizer.

    Lambda writes the authorizer as ``ArnLike`` on ``AWS:SourceArn`` and the account as
    ``StringEquals`` on ``AWS:SourceAccount``; a statement may have either, both or none.
    """
    granted = [statement for statement in statements if names_aws_iot(statement)]
    if not granted:
        return PermissionFound("none")
    account = authorizer_arn.split(":")[4]
    sources = tuple(dict.fromkeys(arn for each in granted for arn in values(each, "aws:sourcearn")))
    accounts = tuple(dict.fromkeys(id_ for each in granted for id_ in values(each, "aws:sourceaccount")))
    for_it = [each for each in granted if fits(values(each, "aws:sourcearn"), authorizer_arn)]
    if not for_it:
        return PermissionFound("other-authorizer", sources, accounts)
    if not any(fits(values(each, "aws:sourceaccount"), account) for each in for_it):
        return PermissionFound("other-account", sources, accounts)
    return PermissionFound("given", sources, accounts)


def unbound(statements: list[dict[str, Any]]) -> list[str]:
    """Return the keys that one of the statements does not ask for: through that one, anybody's AWS IoT may call."""
    granted = [statement for statement in statements if names_aws_iot(statement)]
    return [
        key for key in ("SourceArn", "SourceAccount") if not all(values(each, f"aws:{key.lower()}") for each in granted)
    ]


def names_aws_iot(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    named = principal.get("Service", principal.get("AWS")) if isinstance(principal, dict) else principal
    is_allowed = statement.get("Effect") == "Allow" and any(each in CALL for each in listed(statement.get("Action")))
    return is_allowed and any(each in (PRINCIPAL, "*") for each in listed(named))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def values(statement: dict[str, Any], key: str) -> list[str]:
    """Return the values that *statement*'s conditions ask *key* to have."""
    found: list[str] = []
    for pairs in statement.get("Condition", {}).values():
        for name, value in pairs.items():
            if name.lower() == key:
                found += value if isinstance(value, list) else [value]
    return found


def fits(patterns: list[str], text: str) -> bool:
    return not patterns or any(compile_pattern([pattern]).matches(text) for pattern in patterns)
