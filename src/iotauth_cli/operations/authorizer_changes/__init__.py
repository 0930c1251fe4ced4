"""Changing an authorizer that is there: only what was said, each part by itself, and nothing that was not said.

`authorizer create` brings everything to what makes it work; here nothing is repaired on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import InputError, NotFound
from iotauth_cli.operations.authorizer_changes.called_function import (
    SPREADING_S,
    AuthorizerChange,
    Permitting,
    leaving,
)
from iotauth_cli.operations.authorizer_changes.change import Change, Changes
from iotauth_cli.operations.authorizer_changes.settings import FunctionChange, RetentionChange
from iotauth_cli.operations.authorizer_changes.tagging import tag_changes
from iotauth_cli.operations.authorizers import Plan, missing_function, require, with_its_function
from iotauth_cli.operations.installation import FunctionSettings, Step, Wish
from iotauth_cli.operations.installation.authorizer import function_of
from iotauth_cli.operations.installation.names import validate
from iotauth_cli.operations.installation.part import MADE_BY_TAG
from iotauth_cli.operations.installation.stack import refuse_change, stack_behind

__all__ = ["SPREADING_S", "Change", "Changes", "Update", "apply", "plan"]


@dataclass(frozen=True)
class Update(Plan):
    """*todo* has a change for each of the steps; *left* is the function that is called no more, if another one is."""

    todo: tuple[Change, ...] = ()
    left: str | None = None


def plan(session: Session, wish: Wish, changes: Changes) -> Update:
    """Say what updating the authorizer of *wish* changes.

    Raises:
        InputError: AWS would refuse a value, or nothing was said.
        NotFound: there is no such authorizer, or no such function.
        Conflict: the function is not iotauth's to change.
    """
    if changes == Changes():
        raise InputError("it is not said what to change", hint="see `iotauth authorizer update --help`")
    wish = with_its_function(session, wish, require(session, wish.authorizer))
    check(session, wish, changes)
    todo = tuple(all_changes(session, wish, changes))
    left = function_of(session, wish).text if changes.function_arn else None
    return Update(wish, tuple(each.step() for each in todo), todo, None if left == changes.function_arn else left)


def check(session: Session, wish: Wish, changes: Changes) -> None:
    """Refuse values that AWS would, and what is not iotauth's to change: a stack's authorizer goes by its template."""
    if stack_behind(session, wish):
        refuse_change(session, function_of(session, wish).name)
    function_arn = changes.function_arn or wish.function_arn
    # Taking back is said of the same function as keeping.
    settings = replace(changes.settings, reserved_concurrency=0) if changes.unreserve else changes.settings
    if settings != FunctionSettings() and wish.function_arn and changes.function_arn is None:
        name, called = wish.authorizer, wish.function_arn
        raise InputError(
            f"authorizer `{name}` calls `{called}`, whose memory, timers and logs are set where it was made",
            hint=f"was that by iotauth, name it in iotauth.yaml, `function: {function_of(session, wish).name}`; "
            f"else `iotauth init --adopt {name}` lets iotauth's own take over",
        )
    said = replace(wish, function_arn=function_arn, settings=settings, tags=changes.tags)
    validate(said, session.target.region)
    if changes.unreserve and changes.settings.reserved_concurrency is not None:
        raise InputError("calls cannot be kept and taken back at once", hint="give `--reserved-concurrency` once")
    for key in changes.untag:
        if key == MADE_BY_TAG[0] or key in changes.tags:
            why = "is iotauth's own" if key == MADE_BY_TAG[0] else "cannot be put on and taken away at once"
            raise InputError(f"tag `{key}` {why}", hint=f"leave `--untag {key}` out")
    if changes.function_arn and missing_function(session, said):
        raise NotFound(
            f"there is no function `{changes.function_arn}`",
            hint=f"see which there are: `{session.target.aws_command} lambda list-functions`",
        )


def apply(planned: Update) -> Iterator[Step]:
    """Carry *planned* out; yield each change when it is done. A new plan has what was stopped in the middle."""
    for step, change in zip(planned.steps, planned.todo, strict=True):
        if step.action != "keep":
            change.bring()
            yield step


def all_changes(session: Session, wish: Wish, changes: Changes) -> Iterator[Change]:
    """Yield a change for each part that something was said about, in order."""
    settings = changes.settings
    if settings.retention_days is not None:
        yield RetentionChange(session, wish, changes)
    if changes.unreserve or replace(settings, retention_days=None) != FunctionSettings():
        yield FunctionChange(session, wish, changes)
    if changes.function_arn:
        yield Permitting(session, replace(wish, function_arn=changes.function_arn), changes)
    if changes.function_arn or changes.caching_for_http is not None:
        yield AuthorizerChange(session, wish, changes)
    if changes.function_arn:
        yield from leaving(session, wish, changes)
    if changes.tags or changes.untag:
        yield from tag_changes(session, wish, changes)
