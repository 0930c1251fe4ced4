"""IAM: the role that the function runs under, with one inline policy."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.polling import retry
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, NotFound

Document = dict[str, Any]

IN_BETWEEN = ("ConcurrentModification", "EntityTemporarilyUnmodifiable", "UnmodifiableEntity")


@dataclass(frozen=True)
class Role:
    """*policy* is the inline policy that was asked for, or None."""

    name: str
    arn: str
    description: str
    trust: Document
    policy: Document | None
    tags: Mapping[str, str] = field(default_factory=dict)
    created_at: int | None = field(default=None, compare=False)  # epoch seconds


def arn(scope: ArnScope, name: str) -> str:
    """Return the ARN that a role *name* has or will have."""
    return f"arn:{scope.partition}:iam::{scope.account}:role/{name}"


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
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", ())},
        created_at=int(found["CreateDate"].timestamp()) if "CreateDate" in found else None,
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


def create(
    session: Session, name: str, *, trust: Document, description: str, tags: Mapping[str, str] | None = None
) -> None:
    session.call(
        "iam",
        "create_role",
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(trust),
        Description=description,
        **({"Tags": listed(tags)} if tags else {}),
    )


def trust(session: Session, name: str, trusted: Document) -> None:
    """Replace who may assume the role."""
    change(session, "update_assume_role_policy", RoleName=name, PolicyDocument=json.dumps(trusted))


def put_policy(session: Session, role: str, name: str, policy: Document) -> None:
    change(session, "put_role_policy", RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


def tag(session: Session, name: str, tags: Mapping[str, str]) -> None:
    """Put *tags* on the role, beside those that it has."""
    change(session, "tag_role", RoleName=name, Tags=listed(tags))


def untag(session: Session, name: str, keys: Sequence[str]) -> None:
    change(session, "untag_role", RoleName=name, TagKeys=list(keys))


def change(session: Session, operation: str, **parameters: Any) -> None:
    """Change a role. One that is new may be unknown yet where this call comes in, and two may change it at once."""

    def passes(problem: AwsError) -> bool:
        return isinstance(problem, NotFound) or problem.aws_code in IN_BETWEEN

    retry(lambda: session.call("iam", operation, **parameters), passes, session.sleep)


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def strip(session: Session, role: str, policies: Sequence[str]) -> None:
    """Free the role of *policies*, its own or attached: with any of them IAM does not delete it."""
    for each in session.call("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]:
        if each["PolicyName"] in policies:
            session.call("iam", "detach_role_policy", RoleName=role, PolicyArn=each["PolicyArn"])
    for name in session.call("iam", "list_role_policies", RoleName=role)["PolicyNames"]:
        if name in policies:
            session.call("iam", "delete_role_policy", RoleName=role, PolicyName=name)


def delete(session: Session, name: str, policy_name: str) -> None:
    """Delete the role and its inline policy; a role with a policy cannot be deleted."""
    with contextlib.suppress(NotFound):  # an earlier run may have come this far
        session.call("iam", "delete_role_policy", RoleName=name, PolicyName=policy_name)
    session.call("iam", "delete_role", RoleName=name)


def document(found: Document | str) -> Document:
    """Return a policy as a mapping; botocore decodes IAM's documents, other services hand out text."""
    return json.loads(found) if isinstance(found, str) else found
