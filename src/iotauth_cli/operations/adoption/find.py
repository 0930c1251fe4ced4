"""Authorizers that call a function of somebody else's, that function, and the table which it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from iotauth_authorizer.record import KEY
from iotauth_cli.aws import domains, iot, lambda_, surroundings, tags
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, Conflict, InputError, NotFound, did_you_mean
from iotauth_cli.operations import authorizers
from iotauth_cli.operations.installation import stack
from iotauth_cli.operations.installation.function import HANDLER, TABLE_VARIABLE, table_read_by
from iotauth_cli.operations.installation.names import validate_authorizer
from iotauth_cli.operations.installation.part import MADE_BY
from iotauth_cli.operations.invoke_permission import listed, permission_for, unbound
from iotauth_cli.policy.match import compile_pattern

WAY_BACK = "iotauth:previous-function"  # the tag on an adopted authorizer: the ARN of the function that it called
OUR_FUNCTION = "iotauth:function"  # the tag beside it: the name of ours
CLIENT_KEY = ((KEY, "S"),)
READING = ("dynamodb:getitem", "dynamodb:query", "dynamodb:scan", "dynamodb:batchgetitem", "dynamodb:describetable")
USUAL = ("logs:", "xray:", *READING)  # what a function needs that decides, and no more
USUAL_POLICIES = ("AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AmazonDynamoDBReadOnlyAccess")


@dataclass(frozen=True)
class Candidate:
    """An authorizer that may be meant. *previous* is the function it called before it was adopted; None if it was not.

    *function* is what it calls now; None where that is gone, or may not be looked at.
    """

    authorizer: iot.Authorizer
    function: lambda_.Function | None
    previous: str | None = None

    @property
    def name(self) -> str:
        return self.authorizer.name

    @property
    def old_function(self) -> str:
        """The ARN of the function that is or was somebody else's."""
        # What a tag cannot hold, `$`, is no loss: no qualifier at all means the same.
        return self.previous or self.authorizer.function_arn.removesuffix(":$LATEST")


@dataclass(frozen=True)
class TableFound:
    """A table that the function may read. *because* says how it was found."""

    name: str
    because: str


@dataclass(frozen=True)
class Tables:
    """*usable* are keyed by client id alone; *others* is what else the function names, with its key in words."""

    usable: tuple[TableFound, ...] = ()
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Around:
    """What else there is about an authorizer that somebody who adopts it should know. Nothing of it is changed.

    *unbound* are the keys that the old function's permission does not ask for. *may_also* is what its role lets it do
    beside reading rows and writing its log, *reserved* how many calls at once are kept for it. *unseen* says what could
    not be read.
    """

    is_default: bool = False
    domains: tuple[str, ...] = ()
    permission: str = "none"
    unbound: tuple[str, ...] = ()
    stack: str | None = None
    shares_function: tuple[str, ...] = ()
    may_also: tuple[str, ...] = ()
    reserved: int | None = None
    unseen: tuple[str, ...] = ()


def is_ours(function: lambda_.Function | None) -> bool:
    """Tell a function of iotauth: one that says so, or one of its template."""
    if function is None:
        return False
    known = function.configuration
    return MADE_BY in known.description or (known.handler == HANDLER and TABLE_VARIABLE in known.environment)


def function_of(session: Session, arn: str) -> lambda_.Function | None:
    """Return the function behind *arn*, which may be another account's; None where there is none to see."""
    try:
        parsed = FunctionArn.parse(arn)
        found = lambda_.find(session, parsed.text) if parsed.region == session.target.region else None
        return found and replace(found, name=parsed.name)
    except (InputError, AccessDenied):
        return None


def candidates(session: Session) -> Iterator[Candidate]:
    """Yield every authorizer of the region that calls somebody else's function, and those that were adopted."""
    for found in authorizers.every(session):
        candidate = look(session, found)
        if candidate.previous is not None or not is_ours(candidate.function):
            yield candidate


def look(session: Session, found: iot.Authorizer) -> Candidate:
    function = function_of(session, found.function_arn)
    # A tag beside a foreign function is what an interrupted run has left, or a rollback: it is not adopted.
    previous = tags.of(session, found.arn).get(WAY_BACK) if is_ours(function) else None
    return Candidate(found, function, previous)


def choose(found: list[Candidate], name: str | None, where: str) -> list[Candidate]:
    """Return the candidates that may be meant: one if that is clear.

    Raises:
        NotFound: there is nothing to adopt, or nothing of this *name*.
    """
    if name is not None:
        validate_authorizer(name)
        named = [each for each in found if each.name == name]
        if named:
            return named
        hint = did_you_mean(name, [each.name for each in found], "see which there are with `iotauth authorizer list`")
        raise NotFound(f"{where} has no authorizer `{name}` that calls somebody else's function", hint=hint)
    waiting = [each for each in found if each.previous is None] or found
    if not waiting:
        raise NotFound(
            f"no authorizer in {where} calls somebody else's function, so there is nothing to adopt",
            hint="make one of your own: `iotauth authorizer create`",
        )
    return waiting


def check(candidate: Candidate) -> None:
    """Refuse what our function could not serve.

    Raises:
        Conflict: it asks for signed tokens of somebody else's making, or its function is gone.
    """
    name = candidate.name
    if not candidate.authorizer.signing_disabled:
        raise Conflict(
            f"authorizer `{name}` asks for signed tokens, and our function takes only those that were issued "
            "to the client by name, so every device with another token would be refused",
            hint="make a signed one of your own beside it and move the devices: `iotauth authorizer create --signed`",
        )
    if candidate.function is None:
        raise Conflict(
            f"authorizer `{name}` calls `{candidate.authorizer.function_arn}`, which is not there or may not be seen",
            hint=f"without that function nobody is let in now; `iotauth authorizer create {name}` brings ours",
        )


def tables(session: Session, candidate: Candidate) -> Tables:
    """Return the tables that the function may read: those it names first, else every one that is keyed as ours are."""
    function = candidate.function
    assert function is not None
    if candidate.previous is not None:
        name = table_read_by(function) or ""
        return Tables((TableFound(name, "our function reads it"),))
    every = list(surroundings.table_names(session))
    named = dict(named_tables(session, function, every))
    keys = {name: surroundings.table_key(session, name) for name in named}
    usable = tuple(TableFound(name, because) for name, because in named.items() if keys[name] == CLIENT_KEY)
    others = tuple((name, key_words(key)) for name, key in keys.items() if key not in (None, CLIENT_KEY))
    if usable:
        return Tables(usable, others)
    rest = [name for name in every if name not in named and surroundings.table_key(session, name) == CLIENT_KEY]
    return Tables(tuple(TableFound(name, f"it is keyed by `{KEY}`") for name in rest), others)


def named_tables(session: Session, function: lambda_.Function, every: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each of the tables *every* that the function's environment or its role's policies name, and where."""
    role = function.configuration.role.rpartition("/")[2]
    try:
        resources = [text for each in surroundings.role_documents(session, role) for text in resources_of(each)]
    except (AccessDenied, NotFound):
        resources = []
    for resource in resources:
        _, is_table, rest = resource.partition(":table/")
        pattern = compile_pattern([rest.partition("/")[0]])
        if is_table and rest != "*":
            yield from ((name, f"role `{role}` may read it") for name in every if pattern.matches(name))
    # The environment is the better witness, and comes last: of two reasons for one table it is the one that stays.
    for variable, value in function.configuration.environment.items():
        name = value.rpartition(":table/")[2]
        if name in every:
            yield name, f"variable `{variable}` of function `{function.name}` names it"


def resources_of(document: dict[str, Any]) -> Iterator[str]:
    for statement in listed(document.get("Statement", [])):
        yield from listed(statement.get("Resource", []))


def choose_table(session: Session, candidate: Candidate, found: Tables, name: str | None) -> list[TableFound]:
    """Return the tables that may be meant: one if that is clear.

    Raises:
        NotFound: there is none.
        Conflict: it is keyed by something else than client ids.
    """
    if name is not None:
        key = surroundings.table_key(session, name)
        if key is None:
            hint = tables_hint(candidate, tables(session, candidate))
            raise NotFound(f"{session.target.label} has no table `{name}`", hint=hint)
        if key != CLIENT_KEY:
            raise wrong_key(name, key_words(key))
        return [TableFound(name, "you named it")]
    if found.usable:
        return list(found.usable)
    if found.others:
        raise wrong_key(*found.others[0])
    raise NotFound(
        f"no table that function `{candidate.function and candidate.function.name}` may read is keyed by `{KEY}`",
        hint=f"name it: `iotauth init --adopt {candidate.name} --table NAME`",
    )


def tables_hint(candidate: Candidate, found: Tables) -> str:
    names = ", ".join(f"`{each.name}`" for each in found.usable[:5])
    return f"function `{candidate.function and candidate.function.name}` may read {names or 'none that is known'}"


def wrong_key(name: str, key: str) -> Conflict:
    return Conflict(
        f"table `{name}` has the key {key}, and our function looks clients up by `{KEY}` (S) alone",
        hint="import its clients into a table of ours: `iotauth client import`",
    )


def key_words(key: tuple[tuple[str, str], ...] | None) -> str:
    return ", ".join(f"`{name}` ({type_})" for name, type_ in key or ())


def around(session: Session, candidate: Candidate) -> Around:
    """Look at what else concerns the authorizer; what may not be read is named and stops nothing."""
    authorizer, unseen = candidate.authorizer, []
    facts: dict[str, Any] = {}
    for what, question in QUESTIONS.items():
        try:
            facts |= question(session, authorizer, candidate.old_function)
        except (AccessDenied, NotFound, InputError) as problem:
            unseen.append(f"{what}: {problem.message}")
    return Around(**facts, unseen=tuple(unseen))


def default_of(session: Session, authorizer: iot.Authorizer, _function: str) -> dict[str, Any]:
    found = iot.find_default(session)
    return {"is_default": found is not None and found.name == authorizer.name}


def domains_of(session: Session, authorizer: iot.Authorizer, _function: str) -> dict[str, Any]:
    every = domains.every(session, with_awss_own=True)
    return {"domains": tuple(each.name for each in every if each.authorizer == authorizer.name)}


def permission_of(session: Session, authorizer: iot.Authorizer, function: str) -> dict[str, Any]:
    statements = lambda_.statements(session, FunctionArn.parse(function))
    found = permission_for(authorizer.arn, statements)
    missing = tuple(unbound(statements)) if found.state == "given" else ()
    return {"permission": found.state, "unbound": missing}


def stack_of(session: Session, _authorizer: iot.Authorizer, function: str) -> dict[str, Any]:
    # An authorizer does not say that it belongs to a stack; its function does, and mostly came with it.
    return {"stack": stack.stack_of(session, FunctionArn.parse(function).name)}


def sharers_of(session: Session, authorizer: iot.Authorizer, function: str) -> dict[str, Any]:
    others = [
        each.name
        for each in authorizers.every(session)
        if each.function_arn == function and each.name != authorizer.name
    ]
    return {"shares_function": tuple(others)}


def side_effects_of(session: Session, _authorizer: iot.Authorizer, function: str) -> dict[str, Any]:
    """Say what else the function may do: when it is asked no more, that ends; when it is compared, it may do it."""
    found = function_of(session, function)
    role = found.configuration.role.rpartition("/")[2] if found else ""
    if not role:
        return {}
    allowed = {action for each in surroundings.role_documents(session, role) for action in actions_of(each)}
    attached = surroundings.attached_policies(session, role)
    more = sorted(each for each in allowed if not each.lower().startswith(USUAL))
    return {"may_also": (*more, *(each for each in attached if each not in USUAL_POLICIES))}


def actions_of(document: dict[str, Any]) -> Iterator[str]:
    for statement in listed(document.get("Statement", [])):
        yield from listed(statement.get("Action", [])) if statement.get("Effect") == "Allow" else ()


def reserved_of(session: Session, _authorizer: iot.Authorizer, function: str) -> dict[str, Any]:
    return {"reserved": surroundings.reserved_executions(session, FunctionArn.parse(function).name)}


QUESTIONS = {
    "the default authorizer": default_of,
    "domain configurations": domains_of,
    "the old function's permission": permission_of,
    "the old function's stack": stack_of,
    "other authorizers": sharers_of,
    "the old function's role": side_effects_of,
    "the old function's concurrency": reserved_of,
}
