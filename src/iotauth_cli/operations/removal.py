"""Taking an authorizer away with what was made for it, so that whatever stops it, the next run finishes.

    first   nobody new gets in: it is the default no more, its own endpoints are off, it is INACTIVE
    then    the permission and the authorizer, in this order: the authorizer knows which function it calls
    last    function, role, log group; the table only if that was said

Each call is repeated while AWS refuses it for something that passes: a deactivation that has not spread yet, an
update that is still under way. An endpoint of its own can be deleted once it was off for seven days,
so it is marked as the authorizer's, and a later run finds it when everything else is gone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from iotauth_cli.aws import domains, iam, iot, lambda_, tags
from iotauth_cli.aws.domains import DomainConfiguration
from iotauth_cli.aws.polling import retry
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, NotFound
from iotauth_cli.operations.authorizers import Plan, every, why_shared, with_its_function
from iotauth_cli.operations.installation import AnyPart, Authorizer, Step, Wish
from iotauth_cli.operations.installation.authorizer import Permission
from iotauth_cli.operations.installation.function import POLICY_NAME, Function, Role, table_read_by
from iotauth_cli.operations.installation.names import validate_authorizer
from iotauth_cli.operations.installation.part import is_marked
from iotauth_cli.operations.installation.stack import refuse_removal, stack_of
from iotauth_cli.operations.installation.storage import LogGroup, Table
from iotauth_cli.operations.signing.keyring import Keyring

DAYS_OFF = 7  # a managed domain configuration is DISABLED before it goes; source: DeleteDomainConfiguration
MARK = "iotauth-authorizer"  # the tag of a configuration that was taken from its authorizer
BEQUEST = "iotauth-default"  # the tag of an authorizer: whom it leaves being the default to
DEFAULT = "default authorizer"
DOMAIN = "domain configuration"

PASSING: dict[str, tuple[str, ...]] = {  # AWS's words for "not now", by the part that it says them of
    "permission": ("ResourceConflictException",),
    # Which of the two AWS has for an authorizer whose deactivation it has not seen everywhere is not documented.
    "authorizer": ("DeleteConflictException", "InvalidRequestException"),
    "function": ("ResourceConflictException",),
    "role": ("ConcurrentModification", "EntityTemporarilyUnmodifiable", "DeleteConflict"),
    "log group": ("OperationAbortedException",),
    "table": ("ResourceInUseException", "LimitExceededException"),
}


@dataclass(frozen=True)
class Endpoint:
    """A domain configuration of the authorizer's; *is_ours*: iotauth made it."""

    configuration: DomainConfiguration
    is_ours: bool


@dataclass(frozen=True)
class Removal(Plan):
    """*heir* is the authorizer that gets what leads devices to this one, if it is not to be closed."""

    heir: str | None = None


def plan(
    session: Session, wish: Wish, *, with_table: bool, keyring: Keyring | None = None, heir: str | None = None
) -> Removal:
    """Say what deleting the authorizer takes away, and what stays and why.

    *keyring* holds the keys that sign for it. An *heir* becomes the default in its place, and gets its endpoints.

    Raises:
        NotFound: there is neither the authorizer nor anything left of it.
        Conflict: it came with a stack of CloudFormation's, which takes it away.
    """
    validate_authorizer(wish.authorizer)
    found = iot.find(session, wish.authorizer)
    wish = with_its_function(session, wish, found)
    refuse_removal(session, wish)
    endpoints = tuple(endpoints_of(session, wish.authorizer))
    steps = [
        *(shutting(session, wish, endpoints) if heir is None else handing_over(session, wish, endpoints, heir)),
        *deactivating(found),
        *part_steps(session, wish, with_table=with_table),
        *(last_of(each.configuration) for each in endpoints if each.is_ours and heir is None),
    ]
    if all(step.action == "keep" for step in steps):
        raise NotFound(
            f"there is no authorizer `{wish.authorizer}` in {session.target.label}",
            hint="see which there are with `iotauth authorizer list`",
        )
    return Removal(wish, (*steps, *key_steps(keyring)), heir)


def shutting(session: Session, wish: Wish, endpoints: Sequence[Endpoint]) -> Iterator[Step]:
    """Say which ways to the authorizer are closed before anything is taken away."""
    if is_default(session, wish.authorizer):
        yield Step("clear", DEFAULT, wish.authorizer, "devices that name no authorizer are refused then")
    for endpoint in endpoints:
        each = endpoint.configuration
        if not endpoint.is_ours:
            reason = "it was not made by iotauth, and lets nobody in without its authorizer"
            yield Step("keep", DOMAIN, each.name, reason)
        elif each.is_enabled or each.authorizer:
            yield Step("disable", DOMAIN, each.name, f"devices that connect to `{each.domain_name}` are refused then")


def handing_over(session: Session, wish: Wish, endpoints: Sequence[Endpoint], heir: str) -> Iterator[Step]:
    """Say which ways lead to *heir* from now on."""
    if is_default(session, wish.authorizer) or is_half_inherited(session, wish.authorizer, heir):
        yield Step(
            "update", DEFAULT, heir, f"it decides about devices that name no authorizer, not `{wish.authorizer}`"
        )
    for endpoint in endpoints:
        each = endpoint.configuration
        if endpoint.is_ours and each.is_enabled:
            yield Step("update", DOMAIN, each.name, f"devices that connect to `{each.domain_name}` get `{heir}`")
        elif endpoint.is_ours:
            yield Step("disable", DOMAIN, each.name, "it is off already, and lets go of its authorizer")
        else:
            reason = f"it was not made by iotauth, and lets nobody in until you give it authorizer `{heir}`"
            yield Step("keep", DOMAIN, each.name, reason)


def is_default(session: Session, name: str) -> bool:
    found = iot.find_default(session)
    return found is not None and found.name == name


def is_half_inherited(session: Session, name: str, heir: str) -> bool:
    """Tell whether a run was stopped between the two calls that make *heir* the default: now there is none."""
    found = None if iot.find_default(session) else iot.find(session, name)
    return found is not None and tags.of(session, found.arn).get(BEQUEST) == tags.holding(heir)


def deactivating(found: iot.Authorizer | None) -> Iterator[Step]:
    if found is not None and found.is_active:
        reason = "nobody new gets in; connected devices stay until they are asked about again"
        yield Step("deactivate", "authorizer", found.name, reason)


def part_steps(session: Session, wish: Wish, *, with_table: bool) -> Iterator[Step]:
    """Say of each part that is there whether it goes."""
    stack = None if wish.function_arn else stack_of(session, wish.function)
    kept_because = f"it belongs to stack `{stack}`" if stack else why_shared(session, wish)
    for part in parts(session, wish):
        step = part.plan_removal()
        if step is None:
            continue
        if part.may_be_shared and kept_because:
            step = part.step("keep", kept_because)
        elif part.resource == "table" and not with_table:
            step = part.step("keep", "add `--table` to delete it and every client in it")
        elif part.resource == "table" and (reader := other_reader(session, wish)):
            step = part.step("keep", reader)
        elif part.resource == "function" and step.action == "keep":
            kept_because = f"function `{step.name}` was not made by iotauth"
        elif part.resource == "role" and step.action == "delete" and (added := added_policies(session, step.name)):
            step = replace(step, reason=f"with what was added to it: {', '.join(f'`{name}`' for name in added)}")
        yield step


def added_policies(session: Session, role: str) -> list[str]:
    """Return the policies of the role that are not iotauth's; with any of them IAM does not delete it."""
    return [name for name in iam.policy_names(session, role) if name != POLICY_NAME]


def last_of(endpoint: DomainConfiguration) -> Step:
    if not endpoint.is_managed:
        return Step("delete", DOMAIN, endpoint.name, "nothing else needs it")
    since = "" if endpoint.is_enabled else f"; it is off since {utc(endpoint.changed)}"
    return Step("delete", DOMAIN, endpoint.name, f"AWS may want it to have been off for {DAYS_OFF} days{since}")


def key_steps(keyring: Keyring | None) -> list[Step]:
    reason = "it is a file here, and nothing will trust it any more"
    return [Step("keep", "signing key", name, reason) for name in (keyring.names() if keyring else ())]


def apply(session: Session, plan: Removal) -> Iterator[Step]:
    """Take away what *plan* says, in its order; yield each step when it is done.

    A domain configuration that AWS does not let go yet is yielded as kept, with the time until which.
    """
    by_resource = {part.resource: part for part in parts(session, plan.wish)}
    for step in plan.changes:
        if (step.action, step.resource) == ("delete", DOMAIN):
            yield delete_endpoint(session, step)
            continue
        if step.resource in (DEFAULT, DOMAIN):
            divert(session, plan, step)
        elif step.action == "deactivate":
            deactivate(session, step.name)
        else:
            take_away(session, by_resource[step.resource])
        yield step


def divert(session: Session, plan: Removal, step: Step) -> None:
    """Close a way to the authorizer, or let it lead to the heir."""
    if step.action == "update" and plan.heir is not None:
        if step.resource == DEFAULT:
            inherit(session, plan.wish.authorizer, plan.heir)
        else:
            domains.make_alpn_free(session, step.name, plan.heir)
    elif step.resource == DOMAIN:
        shut(session, plan.wish, step.name)
    elif is_default(session, step.name):
        iot.clear_default(session)


def inherit(session: Session, name: str, heir: str) -> None:
    """Make *heir* the default. AWS may want none in between, so it is noted whose it is to be."""
    found = iot.find(session, name)
    if found is not None:
        tags.put(session, found.arn, {BEQUEST: tags.holding(heir)})
    iot.set_default(session, heir)


def take_away(session: Session, part: AnyPart) -> None:
    """Take *part* away, however often AWS says "not now"; somebody else may have been faster."""

    def attempt() -> None:
        with contextlib.suppress(NotFound):
            if part.resource == "role":
                iam.strip(session, part.name, added_policies(session, part.name))
            part.take_away()

    retry(attempt, lambda problem: problem.aws_code in PASSING[part.resource], session.sleep)


def deactivate(session: Session, name: str) -> None:
    found = iot.find(session, name)
    if found is not None and found.is_active:
        iot.update(session, name, is_active=False)


def shut(session: Session, wish: Wish, name: str) -> None:
    """Take an endpoint out of service. It is marked before it lets go of its authorizer, to be found again."""
    found = domains.find(session, name)
    if found is not None and (found.is_enabled or found.authorizer):
        tags.put(session, found.arn, {MARK: tags.holding(wish.authorizer)})
        domains.take_out_of_service(session, name)


def delete_endpoint(session: Session, step: Step) -> Step:
    """Delete an endpoint that is out of service; what AWS does not let go yet is kept, and until when."""
    try:
        with contextlib.suppress(NotFound):
            domains.delete(session, step.name)
    except AwsError as problem:
        found = domains.find(session, step.name)
        if problem.aws_code != "InvalidRequestException" or found is None or found.is_enabled or not found.is_managed:
            raise
        due = utc(found.changed + DAYS_OFF * 86_400)
        return replace(step, action="keep", reason=f"it is off, and AWS lets it go on {due}; run the same command then")
    return step


def utc(epoch_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(epoch_s))


def parts(session: Session, wish: Wish) -> list[AnyPart]:
    """Return the parts in the order in which they go. Each is looked at again before it is touched."""
    shared: list[AnyPart] = [kind(session, wish) for kind in (Permission, Authorizer)]
    own: list[AnyPart] = [kind(session, wish) for kind in (Function, Role, LogGroup, Table)]
    return shared if wish.function_arn else shared + own


def endpoints_of(session: Session, name: str) -> Iterator[Endpoint]:
    """Yield the endpoints whose authorizer *name* is, or was until it began to be deleted."""
    for each in domains.every(session):
        is_off = not (each.is_enabled or each.authorizer)
        if not is_off and each.authorizer != name:
            continue
        found = tags.of(session, each.arn)
        if each.authorizer == name or found.get(MARK) == tags.holding(name):
            yield Endpoint(each, is_marked(found))


def other_reader(session: Session, wish: Wish) -> str | None:
    """Return why the table has to stay though the function goes: another authorizer's function reads it."""
    for other in every(session):
        function = None if other.name == wish.authorizer else lambda_.behind(session, other.function_arn)
        if table_read_by(function) == wish.table:
            return f"authorizer `{other.name}` needs it"
    return None
