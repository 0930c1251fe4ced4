"""What IAM looks at in a policy document before it keeps it, and whom a trust policy names.

Only the shape is judged. What the statements grant is not evaluated: the emulator enforces
AWS IoT policies and Lambda resource policies, no identity policies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from iotauth_cli.emulator.control.service import ServiceError

VERSIONS = ("2012-10-17", "2008-10-17")
ASSUME = {"sts:AssumeRole", "sts:*", "*"}


def check_trust_policy(text: str) -> None:
    """Hold a role's trust policy to its form: statements with Effect, Principal and Action, no Resource.

    Raises:
        ServiceError: MalformedPolicyDocument.
    """
    for statement in _statements(text):
        _require(statement, "Effect")
        _require(statement, "Principal", "NotPrincipal")
        _require(statement, "Action", "NotAction")
        if "Resource" in statement or "NotResource" in statement:
            raise malformed("Has prohibited field Resource")


def check_inline_policy(text: str) -> None:
    """Hold a policy that grants to its form: statements with Effect, Action and Resource, no Principal.

    Raises:
        ServiceError: MalformedPolicyDocument.
    """
    for statement in _statements(text):
        _require(statement, "Effect")
        if not {"Action", "NotAction"} & set(statement):
            raise malformed("Policy statement must contain actions.")
        if not {"Resource", "NotResource"} & set(statement):
            raise malformed("Policy statement must contain resources.")
        if "Principal" in statement or "NotPrincipal" in statement:
            raise malformed("Policy document should not specify a principal.")


def trusts(text: str, service: str) -> bool:
    """Tell whether a trust policy lets *service* assume the role."""
    return any(
        statement["Effect"] == "Allow"
        and service in _listed(_services(statement))
        and not ASSUME.isdisjoint(map(str, _listed(statement.get("Action", ()))))
        for statement in _statements(text)
    )


def malformed(message: str) -> ServiceError:
    return ServiceError("MalformedPolicyDocument", message)


def _statements(text: str) -> Iterator[dict[str, Any]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise malformed("This policy contains invalid Json") from error
    if not isinstance(document, dict) or "Statement" not in document:
        raise malformed("Syntax errors in policy.")
    if document.get("Version", VERSIONS[0]) not in VERSIONS:
        raise malformed("The policy version is not valid.")
    for statement in _listed(document["Statement"]):
        if not isinstance(statement, dict):
            raise malformed("Syntax errors in policy.")
        yield statement


def _require(statement: dict[str, Any], field: str, opposite: str = "") -> None:
    if field not in statement and opposite not in statement:
        raise malformed(f"Missing required field {field}")
    if field == "Effect" and statement[field] not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {statement[field]}")


def _services(statement: dict[str, Any]) -> Any:
    principal = statement.get("Principal")
    return principal.get("Service", ()) if isinstance(principal, dict) else ()


def _listed(value: Any) -> list[Any]:
    """Take a lone value as a list of one, as policy documents allow everywhere."""
    return list(value) if isinstance(value, (list, tuple)) else [value]
