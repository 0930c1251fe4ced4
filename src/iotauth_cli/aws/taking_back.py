"""What was given to a part and is taken back: tags, calls kept for a function, further policies of a role."""

from __future__ import annotations

from collections.abc import Sequence

from iotauth_cli.aws.polling import retry
from iotauth_cli.aws.session import Session

UNTAGGING = {  # how each service takes tags away, by the part: service, operation, what to call it by, and its keys
    "authorizer": ("iot", "untag_resource", "resourceArn", "tagKeys"),
    "domain configuration": ("iot", "untag_resource", "resourceArn", "tagKeys"),
    "function": ("lambda", "untag_resource", "Resource", "TagKeys"),
    "log group": ("logs", "untag_resource", "resourceArn", "tagKeys"),
    "role": ("iam", "untag_role", "RoleName", "TagKeys"),
    "table": ("dynamodb", "untag_resource", "ResourceArn", "TagKeys"),
}
IN_BETWEEN = ("ResourceConflictException", "ResourceInUseException", "OperationAbortedException")


def untag(session: Session, resource: str, name: str, keys: Sequence[str]) -> None:
    """Take tags away from a *resource* ("table"), called by its ARN, or a role by its name."""
    service, operation, what, which = UNTAGGING[resource]
    retry(
        lambda: session.call(service, operation, **{what: name, which: list(keys)}),
        lambda problem: problem.aws_code in IN_BETWEEN,
        session.sleep,
    )


def unreserve(session: Session, function: str) -> None:
    """Let the function share the account's calls with all others, with no limit of its own."""
    retry(
        lambda: session.call("lambda", "delete_function_concurrency", FunctionName=function),
        lambda problem: problem.aws_code in IN_BETWEEN,
        session.sleep,
    )


def strip(session: Session, role: str, policies: Sequence[str]) -> None:
    """Free the role of *policies*, its own or attached: with any of them IAM does not delete it."""
    for each in session.call("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]:
        if each["PolicyName"] in policies:
            session.call("iam", "detach_role_policy", RoleName=role, PolicyArn=each["PolicyArn"])
    for name in session.call("iam", "list_role_policies", RoleName=role)["PolicyNames"]:
        if name in policies:
            session.call("iam", "delete_role_policy", RoleName=role, PolicyName=name)
