"""What IAM looks at in a policy document before it keeps it, and whom a trust policy names.

Only the shape is judged. What the statements grant is not evaluated: the emulator enforces
AWS IoT policies and Lambda resource policies, no identity policies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iotauth_cli.emulator.control.service import NotImplementedHere, ServiceError

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


def names(text: str, callers: Iterable[str], action: str, facts: Mapping[str, str]) -> bool:
    """Tell whether a trust policy lets somebody who is called one of *callers* do *action*; a Deny outweighs.

    *facts* are what its conditions may ask for. Of those, `Bool` and `StringEquals` are understood.

    Raises:
        NotImplementedHere: it has another condition.
    """
    effects = {
        statement["Effect"]
        for statement in _statements(text)
        if not {action, "sts:*", "*"}.isdisjoint(map(str, _listed(statement.get("Action", ()))))
        and not set(callers).isdisjoint(_callers(statement))
        and all(_is_met(*condition, facts) for condition in _conditions(statement))
    }
    return effects == {"Allow"}


def _callers(statement: dict[str, Any]) -> Iterator[str]:
    """Yield whom a statement names; whoever an identity provider vouches for is `*`, since no token is looked at."""
    principal = statement.get("Principal", {})
    if principal == "*":
        yield "*"
    elif isinstance(principal, dict):
        yield from map(str, _listed(principal.get("AWS", ())))
        if "Federated" in principal:
            yield "*"


def _conditions(statement: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    if "Federated" in (statement.get("Principal") or ()):
        return  # they ask for what stands in the token
    for operator, asked in statement.get("Condition", {}).items():
        for key, values in asked.items():
            yield operator, key, values


def _is_met(operator: str, key: str, values: Any, facts: Mapping[str, str]) -> bool:
    known = {name.lower(): value for name, value in facts.items()}.get(key.lower())
    if operator == "Bool":
        return known is not None and known in [str(value).lower() for value in _listed(values)]
    if operator == "StringEquals":
        return known is not None and known in _listed(values)
    raise NotImplementedHere(f"the condition {operator} of {key} in a role's trust policy")


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
