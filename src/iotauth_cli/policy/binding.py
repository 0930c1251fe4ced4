"""One statement, filled in for one connection: what it covers, and why, in words.

Two readers share it. The trace asks `BoundStatement.explain` about one action and resource; the
broker's fast path takes the compiled patterns of all statements apart once per action. Both see
the same patterns, so they cannot disagree about what matches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from iotauth_cli.policy.conditions import Outcome, check
from iotauth_cli.policy.context import Context
from iotauth_cli.policy.document import DENY, Document, Statement
from iotauth_cli.policy.match import Pattern, compile_pattern
from iotauth_cli.policy.variables import NoValue, expand

SHOWN = 3  # names listed in one reason; the others are counted


@dataclass(frozen=True)
class StatementReference:
    """Where a statement stands, both numbers counted from 1, and what it says in short."""

    document: int
    statement: int
    sid: str | None
    text: str

    def __str__(self) -> str:
        name = f" (`{self.sid}`)" if self.sid else ""
        return f"document {self.document}, statement {self.statement}{name}"


@dataclass(frozen=True)
class Verdict:
    """Whether a statement, or a part of it, applies to a request, and the reason in words."""

    applies: bool
    reason: str


@dataclass(frozen=True, slots=True)
class BoundResource:
    """A resource's pattern; without one, why the resource can match nothing."""

    pattern: Pattern | None
    why_not: str = ""

    def matches(self, resource: str) -> bool:
        return self.pattern is not None and self.pattern.matches(resource)


class BoundStatement:
    """A statement with the variables of one connection put in.

    A resource whose variable has no value matches nothing. Under ``NotResource`` that would let
    an Allow give more than its author meant, so such an Allow gives nothing at all; a Deny takes
    away everything but the exceptions that can be told.
    """

    __slots__ = ("_actions", "_context", "_place", "_resources", "_variables", "is_deny", "statement")

    def __init__(
        self, place: tuple[int, int], statement: Statement, context: Context, variables: Mapping[str, str]
    ) -> None:
        self.statement = statement
        self.is_deny = statement.effect == DENY
        self._place = place
        self._context = context
        self._variables = variables
        self._actions = tuple(map(_action_pattern, statement.actions))
        self._resources = tuple(_bind(resource, variables) for resource in statement.resources)

    @property
    def reference(self) -> StatementReference:
        return StatementReference(*self._place, self.statement.sid, in_words(self.statement))

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        return tuple(each.pattern for each in self._resources if each.pattern)

    def covers_action(self, action: str) -> bool:
        # IAM's action names do not heed case; AWS IoT follows IAM's conventions.
        listed = any(pattern.matches(action.lower()) for pattern in self._actions)
        return listed != self.statement.is_not_action

    def may_apply(self, action: str) -> bool:
        """Tell whether it applies to *action*, on whatever resources its patterns say."""
        if not self.covers_action(action) or self._gives_nothing():
            return False
        return self._check(action).applies

    def explain(self, action: str, resource: str) -> Verdict:
        """Return whether it applies to *action* on *resource*, with what decides it."""
        if not self.covers_action(action):
            return Verdict(False, self._wrong_action(action))
        found = self._compare(resource)
        if not found.applies:
            return found
        checked = self._check(action)
        reasons = [found.reason, checked.reason] if checked.applies else [checked.reason]
        return Verdict(checked.applies, "; ".join(filter(None, reasons)))

    def _check(self, action: str) -> Verdict:
        """Return whether the conditions let it apply; what cannot be told goes to the safe side."""
        result = check(self.statement.conditions, self._context, action, self._variables)
        if result.outcome is Outcome.UNKNOWN and self.is_deny:
            return Verdict(True, f"{result.reason}, so it is taken to hold")
        return Verdict(result.outcome is Outcome.HOLDS, result.reason)

    def _compare(self, resource: str) -> Verdict:
        names, asked = in_short(self.statement.resources, resource)
        hits = (name for name, each in zip(names, self._resources, strict=True) if each.matches(resource))
        hit = next(hits, None)
        if self.statement.is_not_resource:
            return self._compare_exceptions(names, hit, asked)
        if hit is not None:
            return Verdict(True, f"resource {hit} matches {asked}")
        return Verdict(False, f"{_do('resource', names)} not match {asked}{self._unresolved()}")

    def _compare_exceptions(self, names: Sequence[str], hit: str | None, asked: str) -> Verdict:
        if hit is not None:
            return Verdict(False, f"NotResource {hit} leaves out {asked}")
        if self._gives_nothing():
            return Verdict(False, f"NotResource {_join(names)} cannot be told{self._unresolved()}")
        return Verdict(True, f"NotResource {_join(names)} does not leave out {asked}{self._unresolved()}")

    def _gives_nothing(self) -> bool:
        is_unresolved = any(each.pattern is None for each in self._resources)
        return is_unresolved and self.statement.is_not_resource and not self.is_deny

    def _unresolved(self) -> str:
        reasons = dict.fromkeys(each.why_not for each in self._resources if each.why_not)
        return "".join(f"; {reason}" for reason in reasons)

    def _wrong_action(self, action: str) -> str:
        if self.statement.is_not_action:
            return f"NotAction {_join(self.statement.actions)} leaves out {action}"
        return f"{_do('action', self.statement.actions)} not match {action}"


def bind(documents: Sequence[Document], context: Context) -> Iterator[BoundStatement]:
    """Yield the statements of *documents* in order, bound to *context*."""
    for number, document in enumerate(documents, 1):
        variables = context.variables if document.has_variables else {}
        for place, statement in enumerate(document.statements, 1):
            yield BoundStatement((number, place), statement, context, variables)


def in_words(statement: Statement) -> str:
    """Return the statement as one phrase: ``Allow iot:Publish on topic/doors/door-7/*``."""
    actions = _join(statement.actions)
    resources = _join([resource_name(each) for each in statement.resources])
    return (
        f"{statement.effect} {'everything but ' if statement.is_not_action else ''}{actions}"
        f" on {'everything but ' if statement.is_not_resource else ''}{resources}"
        f"{' under conditions' if statement.conditions else ''}"
    )


def resource_name(resource: str) -> str:
    """Return what follows the account in an ARN: ``topic/a/b``; other texts as they are."""
    return resource.split(":", 5)[-1]


def in_short(patterns: Sequence[str], resource: str) -> tuple[Sequence[str], str]:
    """Return *patterns* and *resource* without what they share: partition, region and account.

    Where one of them differs there, all stay whole, because then that is the point.
    """
    scope = resource.removesuffix(resource_name(resource))
    if all(pattern == "*" or pattern.startswith(scope) for pattern in patterns):
        return [pattern.removeprefix(scope) for pattern in patterns], resource.removeprefix(scope)
    return patterns, resource


@lru_cache(maxsize=256)  # the same few in every policy
def _action_pattern(action: str) -> Pattern:
    return compile_pattern([action.lower()])


def _bind(resource: str, variables: Mapping[str, str]) -> BoundResource:
    try:
        return BoundResource(compile_pattern(expand(resource, variables)))
    except NoValue as error:
        return BoundResource(None, f"${{{error.name}}} has no value here")


def _do(noun: str, names: Sequence[str]) -> str:
    return f"{noun} {names[0]} does" if len(names) == 1 else f"{noun}s {_join(names)} do"


def _join(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
