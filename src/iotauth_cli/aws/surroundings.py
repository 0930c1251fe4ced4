"""What an account has set beside the authorizer, and what changes what devices meet. All of it is only read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from iotauth_cli.aws import iam
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import NotFound


def concurrent_executions(session: Session) -> int:
    """Return how many function calls may run at once in the account and region."""
    return int(session.call("lambda", "get_account_settings")["AccountLimit"]["ConcurrentExecutions"])


def reserved_executions(session: Session, function: str) -> int | None:
    """Return how many calls are kept for *function* alone, which is also the most it gets; None where none are."""
    found = session.call("lambda", "get_function_concurrency", FunctionName=function)
    return found.get("ReservedConcurrentExecutions")


def table_names(session: Session) -> Iterator[str]:
    """Yield the name of every table of the region."""
    for page in session.pages("dynamodb", "list_tables"):
        yield from page["TableNames"]


def table_key(session: Session, name: str) -> tuple[tuple[str, str], ...] | None:
    """Return the key of table *name*, each attribute with its type (`S`, `N`, `B`); None where there is no table."""
    try:
        found = session.call("dynamodb", "describe_table", TableName=name)["Table"]
    except NotFound:
        return None
    types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
    return tuple((part["AttributeName"], types[part["AttributeName"]]) for part in found["KeySchema"])


def role_documents(session: Session, role: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of a role's own policies; those attached to it are shared, mostly AWS's, and not read."""
    for name in session.call("iam", "list_role_policies", RoleName=role)["PolicyNames"]:
        document = iam.find_policy(session, role, name)
        if document is not None:
            yield document


def attached_policies(session: Session, role: str) -> list[str]:
    """Return the names of the policies that are attached to a role."""
    found = session.call("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]
    return [str(each["PolicyName"]) for each in found]
