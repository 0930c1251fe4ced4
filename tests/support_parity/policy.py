"""The IAM policy that docs/guides/parity.md gives to whoever runs the suite on AWS, held to the calls that it makes."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

POLICY_FILE = Path(__file__).parent.parent / "parity" / "policy.json"


# Domain configurations are made on the emulator alone: on AWS they would stay for a week.
NOT_ON_AWS = "DomainConfiguration"
ON_AWS_ALONE = {"iot:CreateThing", "iot:DeleteThing", "servicequotas:GetServiceQuota"}


def grants() -> Iterator[tuple[str, str]]:
    """Yield every action with every resource that the policy allows it on."""
    for statement in json.loads(POLICY_FILE.read_text(encoding="utf-8"))["Statement"]:
        resources = statement["Resource"]
        for action in statement["Action"]:
            yield from ((action, each) for each in ([resources] if isinstance(resources, str) else resources))


def beyond(rights: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield what of *rights* the policy does not allow."""
    allowed = list(grants())
    for action, resource in rights:
        if not action.endswith(NOT_ON_AWS) and not any(
            action == word and fnmatch.fnmatchcase(resource, pattern) for word, pattern in allowed
        ):
            yield f"{action} on {resource}"


def unused(rights: Iterable[tuple[str, str]]) -> list[str]:
    """Return the actions of the policy that none of *rights* needs."""
    return sorted({action for action, _ in grants()} - {action for action, _ in rights} - ON_AWS_ALONE)
