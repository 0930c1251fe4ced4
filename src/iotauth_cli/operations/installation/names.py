"""Names that AWS would refuse, refused in our words and before anything is made."""

from __future__ import annotations

import re

from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.errors import InputError
from iotauth_cli.operations.installation.part import Wish

# Patterns of the service models; the function's is shorter, because its role is named after
# function and region and may have 64 characters.
AUTHORIZER = (r"[A-Za-z0-9_=,@-]{1,128}", "letters, digits and `_ = , @ -`, at most 128 of them")
TABLE = (r"[A-Za-z0-9_.-]{3,255}", "letters, digits and `_ . -`, 3 to 255 of them")
FUNCTION = (r"[A-Za-z0-9_-]{1,45}", "letters, digits, `_` and `-`, at most 45 of them")

TOKEN_KEY = (r"(?!x-amz-)[A-Za-z0-9_-]{1,128}", "letters, digits, `_` and `-`, at most 128 of them, and no `x-amz-`")


def validate_authorizer(name: str) -> None:
    check("an authorizer", name, AUTHORIZER)


def validate(wish: Wish, region: str) -> None:
    """Check every name of *wish*.

    Raises:
        InputError: a name is wrong, or the function's ARN belongs to another region.
    """
    validate_authorizer(wish.authorizer)
    check("a table", wish.table, TABLE)
    check("a function", wish.function, FUNCTION)
    if wish.signing and wish.signing.token_key_name is not None:
        check("a token", wish.signing.token_key_name, TOKEN_KEY)
    if wish.function_arn and FunctionArn.parse(wish.function_arn).region != region:
        raise InputError(
            f"function `{wish.function_arn}` is not in region `{region}`", hint="choose its region with `--region`"
        )


def check(what: str, name: str, rule: tuple[str, str]) -> None:
    pattern, allowed = rule
    if not re.fullmatch(pattern, name):
        raise InputError(f"`{name}` cannot name {what}", hint=f"use {allowed}")
