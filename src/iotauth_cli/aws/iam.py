"""IAM: the role that the function runs under, with one inline policy."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import Any

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import NotFound

Document = dict[str, Any]


@dataclass(frozen=True)
class Role:
    """*policy* is the inline policy that was asked for, or None."""

    name: str
    arn: str
    description: str
    trust: Document
    policy: Document | None


def find(session: Session, name: str, policy_name: str) -> Role | None:
    found = find_bare(session, name)
    return None if found is None else replace(found, policy=find_policy(session, name, policy_name))


def find_bare(session: Session, name: str) -> Role | None:
    """Return the role *name* and ask for no policy of it."""
    try:
        found = session.call("iam", "get_role", RoleName=name)["Role"]
    except NotFound:
        return None
    return Role(
        name=name,
        arn=found["Arn"],
        description=found.get("Description", ""),
        trust=document(found["AssumeRolePolicyDocument"]),
        policy=None,
    )


def find_policy(session: Session, role: str, name: str) -> Document | None:
    try:
        return document(session.call("iam", "get_role_policy", RoleName=role, PolicyName=name)["PolicyDocument"])
    except NotFound:
        return None


def policy_names(session: Session, role: str) -> list[str]:
    """Return the names of all policies of the role: its own, and those attached to it."""
    own = session.call("iam", "list_role_policies", RoleName=role)["PolicyNames"]
    attached = session.call("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]
    return [*own, *(each["PolicyName"] for each in attached)]


def create(session: Session, name: str, *, trust: Document, description: str) -> None:
    session.call(
        "iam",
        "create_role",
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(trust),
        Description=description,
    )


def trust(session: Session, name: str, trusted: Document) -> None:
    """Replace who may assume the role."""
    session.call("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=json.dumps(trusted))


def put_policy(session: Session, role: str, name: str, policy: Document) -> None:
    session.call("iam", "put_role_policy", RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


def delete(session: Session, name: str, policy_name: str) -> None:
    """Delete the role and its inline policy; a role with a policy cannot be deleted."""
    with contextlib.suppress(NotFound):  # an earlier run may have come this far
        session.call("iam", "delete_role_policy", RoleName=name, PolicyName=policy_name)
    session.call("iam", "delete_role", RoleName=name)


def document(found: Document | str) -> Document:
    """Return a policy as a mapping; botocore decodes IAM's documents, other services hand out text."""
    return json.loads(found) if isinstance(found, str) else found
