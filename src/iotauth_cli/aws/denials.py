"""What AWS says when it denies a call: who may not do what, which kind of policy decides, and what would allow it.

IAM's refusals follow a form, "User: ARN is not authorized to perform: ACTION on resource: ARN because no
identity-based policy allows the ACTION action". Not every service has all of it; what is missing is taken from the
call. Source: IAM user guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws import iam_actions
from iotauth_cli.aws.iam_actions import ANY
from iotauth_cli.errors import AccessDenied

if TYPE_CHECKING:
    from iotauth_cli.config import Target

KIND = AccessDenied
WHO = re.compile(r"User: (\S+) is not authorized")
ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
RESOURCE = re.compile(r"on resource: (\S+?)(?=\s|\.?$)")
ENCODED = re.compile(r"Encoded authorization failure message: (\S+)")
EXPLICIT = re.compile(r"with an explicit deny in (?:an? |the )?(?P<policy>[a-zA-Z -]+? policy|permissions boundary)")
IMPLICIT = re.compile(r"because no (?P<policy>[a-zA-Z -]+? policy|permissions boundary) allows")


@dataclass(frozen=True)
class Policy:
    """A kind of policy: how it is said, and who can change it."""

    words: str
    owner: str


IDENTITY = Policy("their own policies", "an administrator")
POLICIES = {
    "identity-based policy": IDENTITY,
    "permissions boundary": Policy("their permissions boundary", "an administrator"),
    "service control policy": Policy(
        "a service control policy of the organization", "the organization's administrator"
    ),
    "resource control policy": Policy(
        "a resource control policy of the organization", "the organization's administrator"
    ),
    "session policy": Policy("the policy of this session", "whoever gives out these temporary keys"),
    "resource-based policy": Policy("the resource's own policy", "the owner of the resource"),
    "VPC endpoint policy": Policy("the policy of the VPC endpoint", "the network's administrator"),
    "role trust policy": Policy("the role's trust policy", "the owner of the role"),
}


@dataclass(frozen=True)
class Said:
    """What of IAM's form a message has. *policy* is the kind of policy that decided, *is_explicit* that it denies."""

    who: str | None
    action: str | None
    resource: str | None
    policy: str | None
    is_explicit: bool
    encoded: str | None


def parse(message: str) -> Said:
    """Read a refusal; whatever AWS left out is None."""
    message = " ".join(message.split())
    explicit = EXPLICIT.search(message)
    policy = explicit or IMPLICIT.search(message)
    return Said(
        who=_first(WHO, message),
        action=_first(ACTION, message),
        resource=_first(RESOURCE, message),
        policy=policy["policy"] if policy else None,
        # Older messages do not tell in which policy it is.
        is_explicit=explicit is not None or "with an explicit deny" in message,
        encoded=_first(ENCODED, message),
    )


def denied(message: str, action: str, target: Target, parameters: Mapping[str, Any]) -> AccessDenied:
    """Return the error for a refusal of *action*, `iot:CreateAuthorizer`, that was asked for with *parameters*."""
    said = parse(message)
    what = said.action or iam_actions.name(*action.split(":", 1))
    who = f"`{said.who}`" if said.who else "this AWS user"
    policy = decider(said)
    error = AccessDenied(f"{who} may not call `{what}`{why(said, policy)}", hint(said, what, policy, target))
    error.action = what
    if not said.is_explicit and said.encoded is None:
        error.statement = statement(said, what, action, target, parameters)
    return error


def decider(said: Said) -> Policy:
    """Return the kind of policy that decided; a kind that is new is called what AWS calls it."""
    if said.policy is None:
        return IDENTITY
    return POLICIES.get(said.policy) or Policy(f"a {said.policy}", "an administrator")


def why(said: Said, policy: Policy) -> str:
    """Say which policy decided, unless it is what everybody expects: nobody has allowed it."""
    if said.encoded:
        return ": AWS gives the reason encoded"
    if said.is_explicit:
        return (
            f": {policy.words} {'deny' if policy is IDENTITY else 'denies'} it"
            if said.policy
            else ": a policy denies it"
        )
    return "" if policy is IDENTITY else f": {policy.words} does not allow it"


def hint(said: Said, action: str, policy: Policy, target: Target) -> str:
    elsewhere = "choose another user with `--profile`"
    if said.encoded:
        return f"read it with `{target.aws_command} sts decode-authorization-message --encoded-message {said.encoded}`"
    if said.is_explicit:
        return f"a Deny outweighs every Allow: {policy.owner} would have to change it; or {elsewhere}"
    if policy is IDENTITY:
        return f"let an administrator allow `{action}` with the statement below, or {elsewhere}"
    return f"{policy.owner} can allow `{action}` there with the statement below; or {elsewhere}"


def statement(said: Said, what: str, action: str, target: Target, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement to add: as narrow as AWS's words and the call's parameters allow."""
    service, operation = action.split(":", 1)
    own = iam_actions.rights(service, operation, parameters, scope_of(said, target))
    right = next((each for each in own if each.action == what), None)
    resource = said.resource or (right.resource if right else ANY)
    # Where AWS does not say which of several is missing, all are to be had that are for the same resource.
    beside = [] if said.action or right is None else [each.action for each in own if each.resource == right.resource]
    actions: Any = beside if len(beside) > 1 else what
    allowing: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": widened(what, resource)}
    if right is not None and right.passed_to is not None:
        allowing["Condition"] = {"StringEquals": {"iam:PassedToService": right.passed_to}}
    return allowing


def scope_of(said: Said, target: Target) -> ArnScope:
    """Return where the resource is; an account that nobody told stands open."""
    from iotauth_cli.aws.session import partition

    parts = (said.who or "").split(":")
    account = parts[4] if len(parts) > 5 and parts[4].isdecimal() else target.account
    return ArnScope(partition(target.region), target.region, account or ANY)


def widened(action: str, resource: str) -> str:
    """Return *resource* as a policy names it: a log group stands there with all of its streams."""
    return re.sub(r":log-stream:.*$", ":*", resource) if action.startswith("logs:") else resource


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None
