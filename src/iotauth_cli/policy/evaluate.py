"""May it? Policy documents and a request in, the decision and its reasons out.

An explicit Deny in any document beats every Allow, and what nothing allows is denied: all
documents of an answer count together.
Source: AWS IoT developer guide, "AWS IoT Core policies", which follows IAM's evaluation.

`evaluate` answers once, with the trace that the CLI and the emulator's log print. `Evaluator` is
the same engine kept for the life of a connection: `Evaluator.allows` answers a broker, which asks
about the same few topics again and again, from a table compiled per action.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from iotauth_cli.policy.binding import BoundStatement, StatementReference, bind, resource_name
from iotauth_cli.policy.context import Context
from iotauth_cli.policy.document import Document
from iotauth_cli.policy.match import Matcher, Pattern
from iotauth_cli.policy.variables import names

ALLOWED = "allow"
EXPLICIT_DENY = "explicit-deny"
IMPLICIT_DENY = "implicit-deny"
_VERBS = {ALLOWED: "allows", EXPLICIT_DENY: "denies"}

# Resources remembered per connection and action: a device has a handful of topics. One that goes
# on inventing them has each looked up in the table, which costs twice as much, and fills no memory.
MAX_REMEMBERED = 32


@dataclass(frozen=True)
class Request:
    """May *action* (``iot:Publish``) be done to *resource* (a whole ARN) by this connection?"""

    action: str
    resource: str
    context: Context = field(default_factory=Context)


@dataclass(frozen=True)
class Decision:
    """The answer. *deciding* is the statement that gave it; no statement gives an implicit deny.

    *trace* has one line per statement in order: where it stands, and the reason why it applies
    or does not.
    """

    effect: str  # ALLOWED, EXPLICIT_DENY or IMPLICIT_DENY
    action: str
    resource: str
    deciding: StatementReference | None
    trace: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        return self.effect == ALLOWED

    @property
    def because(self) -> str:
        """The reason in one phrase: ``document 1, statement 2 denies iot:Publish on topic/a``."""
        what = f"{self.action} on {resource_name(self.resource)}"
        if self.deciding is None:
            return f"no statement allows {what}"
        return f"{self.deciding} {_VERBS[self.effect]} {what}"


def evaluate(documents: Sequence[Document], request: Request) -> Decision:
    """Return the decision on *request* under *documents* together."""
    return Evaluator(documents, request.context).decide(request.action, request.resource)


def unknowns(documents: Sequence[Document], action: str, context: Context) -> tuple[str, ...]:
    """Return what statements about *action* ask of a connection and *context* does not know, as they write it."""
    asking = [each.statement for each in bind(documents, context) if each.covers_action(action)]
    keys = [condition.key for each in asking for condition in each.conditions]
    keys += [name for each in asking for resource in each.resources for name in names(resource)]
    return tuple(dict.fromkeys(key for key in keys if key.lower() in context.unknown))


class Evaluator:
    """The policy of one connection, its variables filled in and its patterns compiled."""

    __slots__ = ("_statements", "_tables")

    def __init__(self, documents: Sequence[Document], context: Context | None = None) -> None:
        self._statements = tuple(bind(documents, context or Context()))
        self._tables: dict[str, _Table] = {}

    def allows(self, action: str, resource: str) -> bool:
        """Tell what `decide` would, without its reasons: for every message of a broker."""
        table = self._tables.get(action) or self._compile(action)
        known = table.remembered.get(resource)
        return table.look_up(resource) if known is None else known

    def decide(self, action: str, resource: str) -> Decision:
        """Return the decision on *action* and *resource*, with a reason for every statement."""
        deciding: dict[str, StatementReference] = {}
        trace = []
        for statement in self._statements:
            reference, verdict = statement.reference, statement.explain(action, resource)
            if verdict.applies:
                effect = EXPLICIT_DENY if statement.is_deny else ALLOWED
                deciding.setdefault(effect, reference)
                trace.append(f"{reference} {_VERBS[effect]}: {verdict.reason}")
            else:
                trace.append(f"{reference}: {verdict.reason}")
        effect = next((each for each in (EXPLICIT_DENY, ALLOWED) if each in deciding), IMPLICIT_DENY)
        return Decision(effect, action, resource, deciding.get(effect), tuple(trace))

    def _compile(self, action: str) -> _Table:
        applicable = [each for each in self._statements if each.may_apply(action)]
        table = self._tables[action] = _Table(applicable)
        return table


class _Table:
    """What one action may be done to: the statements that only the resource can still decide."""

    __slots__ = ("_allowed", "_denied", "remembered")

    def __init__(self, statements: Sequence[BoundStatement]) -> None:
        self._allowed = _matcher(each for each in statements if not each.is_deny)
        denying = [each for each in statements if each.is_deny]
        self._denied = _matcher(denying) if denying else None
        self.remembered: dict[str, bool] = {}

    def look_up(self, resource: str) -> bool:
        """Ask the patterns, and remember the answer while there is room."""
        allowed = self._allowed.matches(resource)
        if allowed and self._denied is not None:
            allowed = not self._denied.matches(resource)
        if len(self.remembered) < MAX_REMEMBERED:
            self.remembered[resource] = allowed
        return allowed


def _matcher(statements: Iterable[BoundStatement]) -> Matcher:
    """Return a matcher of the resources that *statements* cover together."""
    listed: list[Pattern] = []
    exceptions: list[Matcher] = []
    for each in statements:
        if each.statement.is_not_resource:
            exceptions.append(Matcher(each.patterns))
        else:
            listed.extend(each.patterns)
    return Matcher(listed, exceptions)
