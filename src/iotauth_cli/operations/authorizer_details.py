"""What there is to know about an authorizer beside itself: its function's settings, tags, endpoints, the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from iotauth_authorizer.authorize import Settings
from iotauth_cli.aws import domains, iot, lambda_, logs, surroundings, tags
from iotauth_cli.aws.domains import DomainConfiguration
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.operations.authorizers import Authorizer, every
from iotauth_cli.operations.installation.function import TIMERS
from iotauth_cli.operations.installation.part import MADE_BY, is_marked

__all__ = ["Details", "DomainConfiguration", "FunctionDetails", "Listed"]


@dataclass(frozen=True)
class FunctionDetails:
    """How an authorizer's function is set. The timers are None for one that is not iotauth's: it has its own.

    *reserved_concurrency* is None where it shares the account's calls, *retention_days* where its log is kept forever
    or there is none.
    """

    is_ours: bool
    memory_mb: int
    architecture: str
    runtime: str
    refresh_after_s: int | None
    disconnect_after_s: int | None
    reserved_concurrency: int | None
    retention_days: int | None
    changed_at: int | None


@dataclass(frozen=True)
class Details:
    """*function* is None where there is none, or where it is in another region.

    *changed_at* is when authorizer or function was changed last, in epoch seconds.
    """

    is_ours: bool
    is_default: bool
    tags: Mapping[str, str]
    endpoints: tuple[DomainConfiguration, ...]
    function: FunctionDetails | None
    changed_at: int | None


@dataclass(frozen=True)
class Listed:
    """An authorizer of the region. *is_ours*: iotauth made it, or the function that it calls."""

    authorizer: Authorizer
    is_ours: bool
    is_default: bool


def details(session: Session, found: Authorizer) -> Details:
    function = function_details(session, found.function_arn)
    there = tags.of(session, found.arn)
    return Details(
        is_ours=is_marked(there) or (function is not None and function.is_ours),
        is_default=default_name(session) == found.name,
        tags=there,
        endpoints=tuple(each for each in domains.every(session) if each.authorizer == found.name),
        function=function,
        changed_at=latest(found.changed_at, function.changed_at if function else None),
    )


def latest(*moments: int | None) -> int | None:
    return max((each for each in moments if each is not None), default=None)


def function_details(session: Session, arn: str) -> FunctionDetails | None:
    called, found = FunctionArn.parse(arn), lambda_.behind(session, arn)
    if found is None:
        return None
    configuration, is_ours = found.configuration, MADE_BY in found.configuration.description
    timers = {setting: seconds(configuration.environment, variable) for variable, setting in TIMERS.items()}
    group = logs.find(session, logs.group_of(called.name))
    return FunctionDetails(
        is_ours=is_ours,
        memory_mb=configuration.memory_mb,
        architecture=found.architecture,
        runtime=configuration.runtime,
        refresh_after_s=timers["refresh_after_s"] if is_ours else None,
        disconnect_after_s=timers["disconnect_after_s"] if is_ours else None,
        reserved_concurrency=surroundings.reserved_executions(session, called.name),
        retention_days=group.retention_days if group else None,
        changed_at=found.changed_at,
    )


def seconds(environment: Mapping[str, str], variable: str) -> int:
    """Return a timer as the function reads it: what is no number is the usual one."""
    usual: int = getattr(Settings(), TIMERS[variable])
    try:
        return int(environment.get(variable, usual))
    except ValueError:
        return usual


def listed(session: Session) -> Iterator[Listed]:
    """Yield every authorizer of the region, ours or not."""
    default = default_name(session)
    for each in every(session):
        yield Listed(each, is_made_by_us(session, each), each.name == default)


def is_made_by_us(session: Session, found: Authorizer) -> bool:
    """Tell by the authorizer's tag; older ones have none, and their function says it."""
    if is_marked(tags.of(session, found.arn)):
        return True
    function = lambda_.behind(session, found.function_arn)
    return function is not None and MADE_BY in function.configuration.description


def default_name(session: Session) -> str | None:
    found = iot.find_default(session)
    return found.name if found else None
