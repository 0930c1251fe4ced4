"""Changing an authorizer that is there: only what was said, each part by itself, and nothing that was not said.

Memory, architecture, timers, calls kept, retention, caching, tags; or another function.

`authorizer create` brings everything to what makes it work; here nothing is repaired on the way. Another function is
first permitted, then called, and only then the old one's permission is taken away, so that AWS IoT may
call whichever of the two it knows of.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from iotauth_authorizer.authorize import Settings
from iotauth_cli import bundle
from iotauth_cli.aws import domains, iot, lambda_, logs, surroundings, taking_back
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import InputError, NotFound
from iotauth_cli.operations.authorizers import Plan, missing_function, require, with_its_function
from iotauth_cli.operations.installation import AnyPart, FunctionSettings, Step, Wish, parts
from iotauth_cli.operations.installation.authorizer import Permission, function_of
from iotauth_cli.operations.installation.function import TIMERS, Function
from iotauth_cli.operations.installation.names import validate
from iotauth_cli.operations.installation.part import MADE_BY_TAG
from iotauth_cli.operations.installation.stack import refuse_change, stack_behind
from iotauth_cli.operations.installation.storage import LogGroup
from iotauth_cli.operations.installation.ways_in import AlpnFreeEndpoint

SO_ALREADY = "it is so already"
SPREADING_S = 2.0  # AWS IoT may call the old function for a moment longer; how long is not documented


@dataclass(frozen=True)
class Changes:
    """What was said; None, and what is empty, was not. *unreserve* takes back calls that are kept for the function."""

    settings: FunctionSettings = field(default_factory=FunctionSettings)
    unreserve: bool = False
    caching_for_http: bool | None = None
    tags: dict[str, str] = field(default_factory=dict)
    untag: tuple[str, ...] = ()
    function_arn: str | None = None


@dataclass(frozen=True)
class Change(ABC):
    """Something about one part that is to be otherwise."""

    session: Session
    wish: Wish
    changes: Changes

    @property
    @abstractmethod
    def resource(self) -> str: ...

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    def differences(self) -> list[str]:
        """Say what becomes of what; nothing if it is so already."""

    @abstractmethod
    def bring(self) -> None: ...

    def step(self) -> Step:
        found = self.differences()
        return Step("update" if found else "keep", self.resource, self.name, "; ".join(found) or SO_ALREADY)


@dataclass(frozen=True)
class Update(Plan):
    """*todo* has a change for each of the steps."""

    todo: tuple[Change, ...] = ()


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
    return Update(wish, tuple(each.step() for each in todo), todo)


def check(session: Session, wish: Wish, changes: Changes) -> None:
    """Refuse values that AWS would, and what is not iotauth's to change: a stack's authorizer goes by its template."""
    if stack_behind(session, wish):
        refuse_change(session, function_of(session, wish).name)
    function_arn = changes.function_arn or wish.function_arn
    # Taking back is said of the same function as keeping.
    settings = replace(changes.settings, reserved_concurrency=0) if changes.unreserve else changes.settings
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


class RetentionChange(Change):
    resource = "log group"

    @property
    def part(self) -> LogGroup:
        return LogGroup(self.session, self.wish)

    @property
    def name(self) -> str:
        return self.part.name

    def differences(self) -> list[str]:
        refuse_change(self.session, self.wish.function)
        found = self.part.look()
        if found is None:
            raise missing(self.wish, f"log group `{self.name}`")
        is_, wanted = found.retention_days, self.changes.settings.retention_days
        return [] if is_ == wanted else [f"logs are kept {wanted} days, not {f'{is_} days' if is_ else 'forever'}"]

    def bring(self) -> None:
        assert self.changes.settings.retention_days is not None
        logs.retain(self.session, self.name, self.changes.settings.retention_days)


class FunctionChange(Change):
    resource = "function"

    @property
    def name(self) -> str:
        return self.wish.function

    @property
    def said(self) -> FunctionSettings:
        return self.changes.settings

    def look(self) -> lambda_.Function:
        """Return the function as it is.

        Raises:
            NotFound: there is none.
            Conflict: somebody else made it, or a stack.
        """
        part = Function(self.session, replace(self.wish, settings=self.said))
        found = part.look()
        if found is None:
            raise missing(self.wish, f"function `{self.name}`")
        refuse_change(self.session, self.name)
        part.refuse_foreign(found)
        part.refuse(found)
        return found

    def differences(self) -> list[str]:
        found = self.look()
        wanted = self.configuration(found)
        pairs = [
            ("memory", f"{wanted.memory_mb} MB", f"{found.configuration.memory_mb} MB"),
            ("architecture", self.architecture(found), found.architecture),
            *((name, timer(wanted, variable), timer(found.configuration, variable)) for variable, name in WORDS),
        ]
        if self.said.reserved_concurrency is not None or self.changes.unreserve:
            kept = surroundings.reserved_executions(self.session, self.name)
            pairs.append(("reserved concurrency", calls(self.said.reserved_concurrency), calls(kept)))
        words = [f"{what} becomes {should}, from {is_}" for what, should, is_ in pairs if should != is_]
        if found.architecture != self.architecture(found) and found.code_sha256 != bundle.code_sha256(self.code()):
            words.append("with it comes this version's code")
        return words

    def configuration(self, found: lambda_.Function) -> lambda_.Configuration:
        timers = {variable: getattr(self.said, setting) for variable, setting in TIMERS.items()}
        environment = {name: str(value) for name, value in timers.items() if value is not None}
        return replace(
            found.configuration,
            memory_mb=self.said.memory_mb or found.configuration.memory_mb,
            environment={**found.configuration.environment, **environment},
        )

    def architecture(self, found: lambda_.Function) -> str:
        return self.said.architecture or found.architecture

    def code(self) -> bytes:
        return bundle.authorizer_zip()

    def bring(self) -> None:
        lambda_.wait_until_ready(self.session, self.name)
        found = self.look()
        if found.architecture != self.architecture(found):
            lambda_.update_code(self.session, self.name, self.code(), self.architecture(found))
            lambda_.wait_until_ready(self.session, self.name)
        if found.configuration != self.configuration(found):
            lambda_.update_configuration(self.session, self.name, self.configuration(found))
            lambda_.wait_until_ready(self.session, self.name)
        if self.changes.unreserve:
            taking_back.unreserve(self.session, self.name)
        elif self.said.reserved_concurrency is not None:
            lambda_.reserve(self.session, self.name, self.said.reserved_concurrency)


WORDS = (("IOTAUTH_REFRESH_AFTER_S", "refresh"), ("IOTAUTH_DISCONNECT_AFTER_S", "disconnect"))
USUAL = {  # what the function takes where its environment says nothing
    "IOTAUTH_REFRESH_AFTER_S": Settings().refresh_after_s,
    "IOTAUTH_DISCONNECT_AFTER_S": Settings().disconnect_after_s,
}


def timer(found: lambda_.Configuration, variable: str) -> str:
    return f"{found.environment.get(variable, USUAL[variable])} s"


def calls(kept: int | None) -> str:
    return "none" if kept is None else f"{kept} calls at once"


class AuthorizerChange(Change):
    resource = "authorizer"

    @property
    def name(self) -> str:
        return self.wish.authorizer

    def differences(self) -> list[str]:
        found, wanted = require(self.session, self.name), self.changes
        words = []
        if wanted.function_arn not in (None, found.function_arn):
            words.append(f"it calls `{wanted.function_arn}`, not `{found.function_arn}`")
        if wanted.caching_for_http not in (None, found.caching_for_http):
            words.append(
                f"AWS IoT {'keeps' if wanted.caching_for_http else 'no longer keeps'} answers to HTTPS publishes"
            )
        return words

    def bring(self) -> None:
        arn, caching = self.changes.function_arn, self.changes.caching_for_http
        iot.update(self.session, self.name, function_arn=arn, caching_for_http=caching)
        if arn is not None:
            self.session.sleep(SPREADING_S)


@dataclass(frozen=True)
class TagChange(Change):
    part: AnyPart

    @property
    def resource(self) -> str:
        return f"tags of {self.part.resource}"

    @property
    def name(self) -> str:
        return self.part.name

    def put_and_gone(self) -> tuple[dict[str, str], list[str]]:
        """Return the tags that are to be put on the part, and the keys of those that are to go."""
        found = self.part.look()
        if found is None:
            return {}, []
        there = self.part.read_tags(found)
        put = {key: value for key, value in self.changes.tags.items() if there.get(key) != value}
        return put, [key for key in self.changes.untag if key in there]

    def differences(self) -> list[str]:
        put, gone = self.put_and_gone()
        return [*(f"`{key}` becomes `{value}`" for key, value in put.items()), *(f"`{key}` goes" for key in gone)]

    def bring(self) -> None:
        put, gone = self.put_and_gone()
        found = self.part.look()
        if found is not None and put:
            self.part.put_tags(found, put)
        if found is not None and gone:
            is_role = self.part.resource == "role"
            taking_back.untag(
                self.session, self.part.resource, self.name if is_role else arn_of(self.part, found), gone
            )


def arn_of(part: AnyPart, found: object) -> str:
    return str(getattr(found, "arn", None) or getattr(part, "arn"))  # noqa: B009  # a table's is the part's


def tag_changes(session: Session, wish: Wish, changes: Changes) -> Iterator[Change]:
    """Yield a change for each part that has tags and is iotauth's, an endpoint without ALPN among them."""
    wish = replace(wish, tags=changes.tags)
    if not wish.function_arn:
        refuse_change(session, wish.function)
    endpoints = [each.name for each in domains.every(session) if each.authorizer == wish.authorizer]
    candidates: list[AnyPart] = [
        *parts(session, wish),
        *(AlpnFreeEndpoint(session, replace(wish, alpn_free=name)) for name in endpoints),
    ]
    for part in candidates:
        if not part.has_tags:
            continue
        found = part.look()
        if found is not None and not part.is_foreign(found):
            yield TagChange(session, wish, changes, part)


def missing(wish: Wish, what: str) -> NotFound:
    return NotFound(f"there is no {what}", hint=f"finish it: `iotauth authorizer create {wish.authorizer}`")


# --- another function ------------------------------------------------------------------------------


class Permitting(Change):
    """AWS IoT may call the function of the wish, which is the new one."""

    resource = "permission"

    @property
    def part(self) -> Permission:
        return Permission(self.session, self.wish)

    @property
    def name(self) -> str:
        return self.part.name

    def differences(self) -> list[str]:
        found = self.part.look()
        if found is None:
            return [f"AWS IoT may call `{self.wish.function_arn}`"]
        return self.part.drift(found)

    def step(self) -> Step:
        step = super().step()
        return replace(step, action="create") if self.part.look() is None else step

    def bring(self) -> None:
        self.part.bring()


class Forbidding(Permitting):
    """AWS IoT may no longer call the function of the wish, which is the old one."""

    def differences(self) -> list[str]:
        return [f"AWS IoT may no longer call `{function_of(self.session, self.wish).text}`"]

    def step(self) -> Step:
        return self.part.step("delete", *self.differences())

    def bring(self) -> None:
        with contextlib.suppress(NotFound):  # somebody was faster
            self.part.take_away()


class Leaving(Change):
    """The old function is nobody's to delete here: it is the way back."""

    resource = "function"

    @property
    def name(self) -> str:
        return function_of(self.session, self.wish).qualified_name

    def differences(self) -> list[str]:
        return []

    def step(self) -> Step:
        return Step("keep", self.resource, self.name, "it stays as it is, for the way back")

    def bring(self) -> None:
        """Leave it."""


def leaving(session: Session, wish: Wish, changes: Changes) -> Iterator[Change]:
    """Yield what becomes of the functions that AWS IoT may have been permitted to call: its present one, and ours.

    An interrupted run may have left the permission on one that is called no more.
    """
    own = replace(wish, function_arn=None)
    for arn, old in {function_of(session, each).text: each for each in (own, wish)}.items():
        if arn == changes.function_arn:
            continue
        if Permission(session, old).look() is not None:
            yield Forbidding(session, old, changes)
        if old is wish:
            yield Leaving(session, old, changes)
