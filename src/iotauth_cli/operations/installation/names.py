"""What AWS would refuse of a wish, refused in our words and before anything is made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from iotauth_authorizer.event import MAX_TIMER_S, MIN_TIMER_S
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.errors import InputError
from iotauth_cli.operations.installation.part import MADE_BY_TAG, MAX_TAGS, FunctionSettings, Wish

# Patterns of the service models; the function's is shorter, because its role is named after
# function and region and may have 64 characters.
AUTHORIZER = (r"[A-Za-z0-9_=,@-]{1,128}", "letters, digits and `_ = , @ -`, at most 128 of them")
TABLE = (r"[A-Za-z0-9_.-]{3,255}", "letters, digits and `_ . -`, 3 to 255 of them")
FUNCTION = (r"[A-Za-z0-9_-]{1,45}", "letters, digits, `_` and `-`, at most 45 of them")
DOMAIN_CONFIGURATION = (r"[A-Za-z0-9_.-]{1,128}", "letters, digits and `_ . -`, at most 128 of them")

TOKEN_KEY = (r"(?!x-amz-)[A-Za-z0-9_-]{1,128}", "letters, digits, `_` and `-`, at most 128 of them, and no `x-amz-`")

MEMORY_MB = (128, 10240)  # Lambda quotas
RETENTION_DAYS = (  # PutRetentionPolicy, retentionInDays
    *(1, 3, 5, 7, 14, 30),
    *(60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# The strictest of the five services that carry tags: to IAM two keys that differ in case alone are the same.
MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256  # characters
TAG_CHARACTERS = "_.:/=+-@"  # besides letters, digits and spaces
RESERVED_TAG = "aws:"


def validate_authorizer(name: str) -> None:
    check("an authorizer", name, AUTHORIZER)


def validate(wish: Wish, region: str) -> None:
    """Check everything that *wish* says.

    Raises:
        InputError: a name or a value is wrong, or the function's ARN belongs to another region.
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
    if wish.function_arn and wish.settings != FunctionSettings():
        raise InputError(
            f"function `{wish.function_arn}` is your own, and its memory, timers and logs are yours to set",
            hint="leave those options out, or leave `--function` out and iotauth brings its own",
        )
    validate_settings(wish.settings)
    validate_tags(wish.tags)
    if wish.is_default and wish.is_active is False:
        raise InputError(
            f"authorizer `{wish.authorizer}` cannot be inactive and the default", hint="leave one of the two out"
        )
    if wish.alpn_free is not None:
        validate_alpn_free(wish.alpn_free, region)


def validate_settings(settings: FunctionSettings) -> None:
    """Check what was said about the function.

    Raises:
        InputError: Lambda, CloudWatch Logs or AWS IoT would refuse it.
    """
    within("--memory", settings.memory_mb, MEMORY_MB, "MB")
    within("--refresh-after", settings.refresh_after_s, (MIN_TIMER_S, MAX_TIMER_S), "s")
    within("--disconnect-after", settings.disconnect_after_s, (MIN_TIMER_S, MAX_TIMER_S), "s")
    if settings.architecture not in (None, "arm64", "x86_64"):
        raise InputError(f"`--arch {settings.architecture}` is nothing Lambda has", hint="use `arm64` or `x86_64`")
    if settings.reserved_concurrency is not None and settings.reserved_concurrency < 0:
        raise InputError(
            f"`--reserved-concurrency {settings.reserved_concurrency}` is less than none",
            hint="give how many devices may be let in at once; 0 keeps every device out",
        )
    if settings.retention_days not in (None, *RETENTION_DAYS):
        raise InputError(
            f"CloudWatch Logs keeps nothing for {settings.retention_days} days",
            hint=f"`--retention` takes {', '.join(map(str, RETENTION_DAYS[:-1]))} or {RETENTION_DAYS[-1]}",
        )


def within(option: str, value: int | None, limits: tuple[int, int], unit: str) -> None:
    least, most = limits
    if value is not None and not least <= value <= most:
        raise InputError(
            f"`{option}` is {value} {unit}, and AWS takes {least} to {most}",
            hint="choose from `5m` to `24h`" if unit == "s" else "choose a value between the two",
        )


def validate_tags(tags: Mapping[str, str]) -> None:
    """Check the user's tags, which go beside the one of ours.

    Raises:
        InputError: a service would refuse one of them, or all of them together.
    """
    seen: dict[str, str] = {MADE_BY_TAG[0]: MADE_BY_TAG[0]}
    for key, value in tags.items():
        tag = f"tag `{key}={value}`"
        if not key or len(key) > MAX_TAG_KEY:
            raise InputError(f"{tag} has a key of {len(key)} characters", hint=f"use 1 to {MAX_TAG_KEY}")
        if len(value) > MAX_TAG_VALUE:
            raise InputError(f"{tag} has a value of {len(value)} characters", hint=f"use at most {MAX_TAG_VALUE}")
        wrong = next((letter for letter in key + value if not may_be_in_tag(letter)), None)
        if wrong is not None:
            raise InputError(
                f"{tag} contains {wrong!r}, which AWS does not take",
                hint=f"use letters, digits, spaces and `{' '.join(TAG_CHARACTERS)}`",
            )
        if key.lower().startswith(RESERVED_TAG):
            raise InputError(f"{tag} begins with `{RESERVED_TAG}`, which is AWS's own", hint="use another key")
        if (other := seen.setdefault(key.lower(), key)) != key or key == MADE_BY_TAG[0]:
            what = "is iotauth's own" if other == MADE_BY_TAG[0] else f"and `{other}` differ in nothing but case"
            raise InputError(f"{tag} {what}", hint="use another key")
    if len(tags) >= MAX_TAGS:
        raise InputError(
            f"{len(tags)} tags are too many", hint=f"AWS takes {MAX_TAGS} for each part, and one is iotauth's"
        )


def may_be_in_tag(letter: str) -> bool:
    r"""Tell whether AWS's pattern for tags has it: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`."""
    return letter in TAG_CHARACTERS or unicodedata.category(letter)[0] in "LZN"


def validate_alpn_free(name: str, region: str) -> None:
    """Check the name of a domain configuration, and that the region has such.

    Raises:
        InputError: it cannot be one's name; or GovCloud, whose endpoints have no types.
            Source: AWS IoT developer guide, "Device communication protocols".
    """
    check("a domain configuration", name, DOMAIN_CONFIGURATION)
    if region.startswith("us-gov-"):
        raise InputError(
            f"an endpoint without ALPN cannot be had in `{region}`: GovCloud has no types of endpoints",
            hint="let clients offer ALPN `mqtt`, or speak WebSocket, which needs none",
        )


def check(what: str, name: str, rule: tuple[str, str]) -> None:
    pattern, allowed = rule
    if not re.fullmatch(pattern, name):
        raise InputError(f"`{name}` cannot name {what}", hint=f"use {allowed}")
