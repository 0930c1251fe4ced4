"""The way back: the authorizer calls its old function again, and what was made beside it is taken away.

A way back that locks devices out is none. The old function reads plain passwords alone, so every row whose secret
iotauth has hashed, rotated or made is a device that it would refuse; those are counted before anything is
changed, and what both functions decide about the others is compared again.

The tag goes last: until then every machine can finish what was begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from iotauth_cli.aws import iot, lambda_, tags
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.errors import AccessDenied, BadAnswer, Conflict, NotFound
from iotauth_cli.operations import authorizers
from iotauth_cli.operations.adoption import memory, switch
from iotauth_cli.operations.adoption.find import OUR_FUNCTION, WAY_BACK
from iotauth_cli.operations.adoption.find import function_of as function_of_arn
from iotauth_cli.operations.adoption.rows import Login, Named
from iotauth_cli.operations.authorizers import Step
from iotauth_cli.operations.installation import AnyPart, Wish
from iotauth_cli.operations.installation.authorizer import Permission, function_of
from iotauth_cli.operations.installation.function import Function, Role, table_read_by
from iotauth_cli.operations.installation.storage import LogGroup
from iotauth_cli.operations.invoke_permission import permission_for

SETTLE_S = 2.0  # between the switch and the end of our function: a call may be under way, and AWS IoT is many machines


@dataclass(frozen=True)
class Adopted:
    """An authorizer that was adopted. *previous* is the old function's ARN, *function* the name of ours."""

    authorizer: str
    previous: str
    function: str
    table: str


@dataclass
class Stranded:
    """Clients that the old function cannot let in, or would treat otherwise. *total* counts all rows."""

    total: int = 0
    hashed: Named = field(default_factory=Named)
    changed: Named = field(default_factory=Named)

    @property
    def is_safe(self) -> bool:
        return not (self.hashed.count or self.changed.count)


@dataclass(frozen=True)
class Plan:
    """What the way back consists of, in order: each part with its step. *was_switched*: AWS IoT asks ours now."""

    adopted: Adopted
    pairs: tuple[tuple[AnyPart, Step], ...]
    was_switched: bool

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for _, step in self.pairs)


def find(session: Session, store: Store, name: str | None, usual: str) -> Adopted:
    """Return the adopted authorizer *name*; without one that of the settings, *usual*, or the only one there is.

    Raises:
        NotFound: there is none, or several and it is not clear which.
    """
    if name is not None:
        return look(session, store, authorizers.require(session, name))
    every = {each.name: each for each in authorizers.every(session)}
    adopted = [each for each in every.values() if previous_of(session, store, each) is not None]
    named = [each for each in adopted if each.name == usual] or adopted
    if not named:
        raise NotFound(
            f"no authorizer in {session.target.label} was adopted, so there is no way back",
            hint="see which there are with `iotauth authorizer list`",
        )
    if len(named) > 1:
        names = ", ".join(f"`{each.name}`" for each in named)
        hint = f"name one: `iotauth init --rollback {named[0].name}`"
        raise NotFound(f"{len(named)} authorizers were adopted: {names}", hint=hint)
    return look(session, store, named[0])


def previous_of(session: Session, store: Store, found: iot.Authorizer) -> str | None:
    """Return the function that *found* called before it was adopted: as its tag says, else as this project knows."""
    known = memory.recall(store, found.name)
    return tags.of(session, found.arn).get(WAY_BACK) or (known.previous_function if known else None)


def look(session: Session, store: Store, found: iot.Authorizer) -> Adopted:
    previous, known = previous_of(session, store, found), memory.recall(store, found.name)
    if previous is None:
        raise NotFound(
            f"authorizer `{found.name}` was not adopted, so there is no way back",
            hint=f"see what it is: `iotauth authorizer show {found.name}`",
        )
    if not (known and known.previous_function == previous):
        refuse_another_account(session, found.name, previous)
    name = tags.of(session, found.arn).get(OUR_FUNCTION) or (known.function if known else "")
    table = table_read_by(lambda_.find(session, name) if name else None)
    return Adopted(found.name, previous, name, table or (known.table if known else ""))


def refuse_another_account(session: Session, authorizer: str, previous: str) -> None:
    """Refuse a way out of the account: passwords are about to be shown to that function, and more may write a tag
    than may say which function an authorizer calls.

    Raises:
        Conflict: *previous* is another account's.
    """
    account = session.account
    if f":{account}:function:" not in previous:
        raise Conflict(
            f"authorizer `{authorizer}` is tagged with `{previous}` as what it called before, "
            f"which is not a function of account {account}",
            hint="go back where it was adopted: there it is known whether that is so",
        )


def plan(session: Session, adopted: Adopted, *, keep: bool) -> Plan:
    """Say what going back takes, and change nothing. With *keep* what iotauth made stays.

    Raises:
        Conflict: the old function is gone.
    """
    if function_of_arn(session, adopted.previous) is None:
        name = switch.short(adopted.previous)
        raise Conflict(
            f"function `{name}`, which authorizer `{adopted.authorizer}` called before, is gone",
            hint="deploy it again under that name, and run the same command",
        )
    wish = Wish(adopted.authorizer, adopted.table, adopted.function)
    called = switch.Called(session, wish, adopted.previous)
    back = called.plan()
    pairs: list[tuple[AnyPart, Step]] = [leave_to_call(session, adopted), (called, back)]
    pairs += [] if not adopted.function else removals(session, wish, keep=keep)
    noted = switch.WayBack(session, wish, adopted.previous)
    if noted.look() is not None:
        pairs.append((noted, noted.step("delete", "nothing else needs it")))
    return Plan(adopted, tuple(pairs), back.action != "keep")


def leave_to_call(session: Session, adopted: Adopted) -> tuple[AnyPart, Step]:
    """Return AWS IoT's permission to call the old function: whichever stands, or one that has to be given again."""
    wish = Wish(adopted.authorizer, adopted.table, adopted.function, adopted.previous)
    part = Permission(session, wish)
    statements = lambda_.statements(session, part.function)
    if permission_for(iot.arn(session.scope, adopted.authorizer), statements).state == "given":
        return part, part.step("keep", f"AWS IoT may call `{switch.short(adopted.previous)}`")
    return part, part.plan()


def removals(session: Session, wish: Wish, *, keep: bool) -> list[tuple[AnyPart, Step]]:
    """Return what iotauth made beside the old function, and whether it goes. The table is theirs and stays."""
    because = "`--keep` says so" if keep else authorizers.why_shared(session, wish)
    found: list[tuple[AnyPart, Step]] = []
    for kind in (Permission, Function, Role, LogGroup):
        part: AnyPart = kind(session, wish)
        step = part.plan_removal()
        stays = keep or (because is not None and part.may_be_shared)
        if step is not None:
            found.append((part, part.step("keep", str(because)) if stays else step))
    return found


def stranded(table: ClientTable, into: Stranded) -> Iterator[int]:
    """Count the clients that the old function cannot let in; yield 1 for each row."""
    for row in table.rows():
        into.total += 1
        if not isinstance(row, BrokenRow):
            if row.slots:
                into.hashed.add(row.client_id, "its secret is a hash")
            elif row.grants.publish or row.grants.subscribe or row.grants.retain or row.grants.will:
                into.changed.add(row.client_id, "it was granted topics that older tools do not know")
        yield 1


def apply(session: Session, planned: Plan, logins: list[Login]) -> Iterator[Step]:
    """Go back; yield each change when it is done. *logins* are known to get in at either function.

    Raises:
        Conflict: AWS IoT gets no answer from the old function. Then ours is asked again, and nothing of it is gone.
    """
    for part, step in planned.pairs:
        if step.action == "keep":
            continue
        part.take_away() if step.action == "delete" else part.bring()
        if step.resource == "authorizer":
            untried = prove(session, planned.adopted, logins)
            session.sleep(SETTLE_S)
            yield step
            if untried is not None:
                yield part.step("keep", f"it was not tried through AWS IoT: {untried}")
            continue
        yield step


def prove(session: Session, adopted: Adopted, logins: list[Login]) -> str | None:
    """Let AWS IoT call the old function; where that goes wrong, go back to ours. Return why it could not be asked.

    Without a login nothing is asked: many a function that was made by hand fails over a stranger, and did before.
    """
    if not logins or not authorizers.require(session, adopted.authorizer).is_active:
        return None
    login = logins[0]
    try:
        if switch.ask(session, adopted.authorizer, login):
            return None
        why = f"client `{login.client_id}` was refused with its own password"
    except AccessDenied as denied:
        return denied.message
    except BadAnswer as problem:
        why = f"AWS IoT got no answer from it ({problem.message})"
    wish = Wish(adopted.authorizer, adopted.table, adopted.function)
    switch.undo(session, wish, function_of(session, wish).text)
    raise Conflict(
        f"function `{switch.short(adopted.previous)}` does not do what it did: {why}; "
        f"authorizer `{adopted.authorizer}` calls `{adopted.function}` again",
        hint="see why in the log of that function, and run the same command again",
    )
