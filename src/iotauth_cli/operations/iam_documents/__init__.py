"""The IAM policies of three roles: who runs iotauth, who only looks, and the function itself.

Each is made of the names in the settings and nothing else, so no AWS is asked but for the account where nobody
named it. A managed policy has 6,144 characters and a role's own policies 10,240 together, white space not counted:
IAM user guide, "IAM and AWS STS quotas".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws import iam, iot, lambda_, logs, table
from iotauth_cli.operations import iot_logging
from iotauth_cli.operations.iam_documents.grants import ADOPTING, CHANGING, READING, READING_A_STACK, Grant, Resource
from iotauth_cli.operations.installation import Wish, function
from iotauth_cli.operations.installation.names import check, validate
from iotauth_cli.operations.signing.migration import target_name

OTHER_FUNCTION = (r"[A-Za-z0-9_-]{1,64}", "letters, digits, `_` and `-`, at most 64 of them")
STACK = (r"[A-Za-z][A-Za-z0-9-]{0,127}", "letters, digits and `-`, at most 128 of them, a letter first")
MAX_MANAGED = 6144
MAX_INLINE = 10240
VERSION = "2012-10-17"


@dataclass(frozen=True)
class Names:
    """What a policy is for: the authorizers by name, their table and function, and where they are.

    *other_function* is somebody else's that is to be adopted, *stack* one of CloudFormation's that is.
    """

    scope: ArnScope
    authorizers: tuple[str, ...]
    table: str
    function: str
    other_function: str | None = None
    stack: str | None = None


def names(
    scope: ArnScope,
    authorizers: tuple[str, ...],
    *,
    table: str,
    function: str,
    other_function: str | None = None,
    stack: str | None = None,
) -> Names:
    """Return what a policy is for.

    Raises:
        InputError: AWS would refuse a name. A pattern is none: it would allow more than was seen.
    """
    for authorizer in authorizers:
        validate(Wish(authorizer, table, function), scope.region)
    if other_function is not None:
        check("a function", other_function, OTHER_FUNCTION)
    if stack is not None:
        check("a stack", stack, STACK)
    return Names(scope, authorizers, table, function, other_function, stack)


def operator(names: Names) -> iam.Document:
    """Return what all commands together need: what is read and changed of one thing in one statement."""
    adopting = ADOPTING if names.other_function else ()
    stack = READING_A_STACK if names.stack else ()
    return document(merged([*READING, *CHANGING, *adopting, *stack]), names)


def readonly(names: Names) -> iam.Document:
    """Return what the commands need that change nothing.

    Without `lambda:InvokeFunction`, which `test-connect` would like to have, and without publishing: the one runs
    code, the other reaches devices.
    """
    return document(READING, names)


def function_policy(names: Names) -> iam.Document:
    """Return what `authorizer create` gives to the function's role."""
    return function.permissions(names.scope, names.table, names.function)


def merged(grants: Iterable[Grant]) -> list[Grant]:
    """Return grants of which no two are for the same names, since these are most of what IAM counts."""
    found: dict[tuple[tuple[Resource, ...], str | None], Grant] = {}
    for grant in grants:
        held_to = grant.resources, grant.sid if grant.resources == ("any",) else grant.passed_to
        before = found.get(held_to)
        actions = tuple(sorted({*grant.actions, *(before.actions if before else ())}))
        found[held_to] = replace(grant, actions=actions)
    return list(found.values())


def document(grants: Iterable[Grant], names: Names) -> iam.Document:
    return {"Version": VERSION, "Statement": [statement(grant, names) for grant in grants]}


def statement(grant: Grant, names: Names) -> dict[str, Any]:
    found = [arn for resource in grant.resources for arn in arns(resource, names)]
    made: dict[str, Any] = {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": list(grant.actions),
        "Resource": found[0] if len(found) == 1 else found,
    }
    if grant.passed_to:
        made["Condition"] = {"StringEquals": {"iam:PassedToService": grant.passed_to}}
    return made


def arns(resource: Resource, names: Names) -> list[str]:
    """Return the ARNs, or patterns of ARNs, that *resource* stands for."""
    scope = names.scope

    def of_iot(ending: str) -> str:
        return f"arn:{scope.partition}:iot:{scope.region}:{scope.account}:{ending}"

    group = logs.arn(scope, logs.group_of(names.function))
    known: dict[Resource, list[str]] = {
        "any": ["*"],
        "authorizers": [iot.arn(scope, "*")],
        "authorizer": [iot.arn(scope, name) for name in with_signed(names.authorizers)],
        "table": [table.arn(scope, names.table)],
        "function": [lambda_.arn(scope, names.function)],
        "role": [iam.arn(scope, function.role_name(names.function, scope.region))],
        "log-group": [f"{group}:*"],
        "log-group-itself": [group],
        "iot-log-group": [f"{logs.arn(scope, logs.IOT_GROUP)}:*"],
        "iot-log-role": [iam.arn(scope, iot_logging.role_name_in(scope.region))],
        "domains": [of_iot("domainconfiguration/*")],
        "domain": [of_iot(f"domainconfiguration/{name}-*") for name in names.authorizers],
        "devices": [of_iot("client/*")],
        "listener": [of_iot("client/iotauth-*")],
        "topics": [of_iot("topic/*")],
        "filters": [of_iot("topicfilter/*")],
        "other-function": [lambda_.arn(scope, names.other_function or "")],
        "stack": [f"arn:{scope.partition}:cloudformation:{scope.region}:{scope.account}:stack/{names.stack}/*"],
    }
    return known[resource]


def with_signed(authorizers: Iterable[str]) -> list[str]:
    """Return the authorizers, each with the signed one that `authorizer migrate` makes beside it."""
    return [name for each in authorizers for name in (each, target_name(each, "signed"))]


def size(document: iam.Document) -> int:
    """Return how many characters IAM counts."""
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))
