"""ARNs without account, region and partition in them: the template asks where it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iotauth_authorizer.grants import ArnScope

# Stand for what is put in later; no ARN has these characters.
PARTITION, REGION, ACCOUNT = "\x00", "\x01", "\x02"


def marked(text: str, scope: ArnScope) -> str:
    """Return *text* with marks in place of the partition, region and account of *scope*."""
    parts = text.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        return text.replace(scope.account, ACCOUNT)
    return ":".join(
        [
            "arn",
            PARTITION if parts[1] == scope.partition else parts[1],
            parts[2],
            REGION if parts[3] == scope.region else parts[3],
            ACCOUNT if parts[4] == scope.account else parts[4],
            parts[5].replace(scope.account, ACCOUNT),
        ]
    )


def is_marked(text: str) -> bool:
    return any(mark in text for mark in (PARTITION, REGION, ACCOUNT))


def everywhere(value: Any, scope: ArnScope, written: Callable[[str], Any]) -> Any:
    """Return *value* with each text of it that names the account or the place as *written* says."""
    if isinstance(value, dict):
        return {key: everywhere(each, scope, written) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [everywhere(each, scope, written) for each in value]
    if isinstance(value, str) and is_marked(found := marked(value, scope)):
        return written(found)
    return value
