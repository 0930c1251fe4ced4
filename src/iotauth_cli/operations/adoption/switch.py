"""The switch: ours made beside theirs, the way back noted, one call, and the proof that devices get in.

    log group, role, function     ours, on their table
    permission                    AWS IoT may call ours for their authorizer
    way back                      the ARN of the old function, a tag on the authorizer
    — ours is called as AWS IoT would call it, until it answers as it should —
    authorizer                    UpdateAuthorizer: the one call that devices notice, if anybody did
    — AWS IoT is asked to call it —

Before the one call devices are served by the old function, after it by ours; both may be called for the
authorizer, and the old one is left as it is. If the proof fails, the call is made the other way again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from iotauth_authorizer.event import build_event
from iotauth_cli.aws import iot, lambda_, tags
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.polling import pauses
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, AwsError, BadAnswer, Conflict, NotFound
from iotauth_cli.operations import authorizers
from iotauth_cli.operations.adoption.compare import Verdict, ours, request_of, verdict_of
from iotauth_cli.operations.adoption.find import OUR_FUNCTION, WAY_BACK, is_ours
from iotauth_cli.operations.adoption.rows import Login
from iotauth_cli.operations.authorizers import Attempt, Plan, Step
from iotauth_cli.operations.installation import AnyPart, Wish
from iotauth_cli.operations.installation.authorizer import Permission, function_of
from iotauth_cli.operations.installation.function import Function, Role, table_read_by
from iotauth_cli.operations.installation.names import validate
from iotauth_cli.operations.installation.part import FunctionSettings, Part
from iotauth_cli.operations.installation.storage import LogGroup
from iotauth_cli.secret import Secret

ASK_AGAIN_S = 5.0  # a change of an authorizer may take a moment to be known everywhere
TRIED = 5  # logins that our function is asked about before AWS IoT is told to ask it


@dataclass(frozen=True)
class Proof:
    """What AWS IoT answered through the authorizer. *client_id* is whose login was tried; None: nobody's could be.

    *untried* says why AWS IoT was not asked at all.
    """

    client_id: str | None
    is_authenticated: bool
    untried: str | None = None


@dataclass(frozen=True)
class WayBack(Part[dict[str, str]]):
    """Which function the authorizer called before, and which is ours, noted where every machine finds it."""

    previous: str = ""
    resource = "way back"
    may_be_shared = False

    @property
    def name(self) -> str:
        return WAY_BACK

    @property
    def arn(self) -> str:
        return iot.arn(self.session.scope, self.wish.authorizer)

    @property
    def notes(self) -> dict[str, str]:
        return {WAY_BACK: self.previous, OUR_FUNCTION: self.wish.function}

    def look(self) -> dict[str, str] | None:
        found = tags.of(self.session, self.arn)
        return {key: found[key] for key in self.notes if key in found} or None

    def drift(self, found: dict[str, str]) -> list[str]:
        return [] if found == self.notes else ["it names another function"]

    def create(self) -> None:
        tags.put(self.session, self.arn, self.notes)

    def mend(self, found: dict[str, str]) -> None:
        self.create()

    def remove(self, found: dict[str, str]) -> None:
        tags.remove(self.session, self.arn, list(self.notes))


@dataclass(frozen=True)
class Called(Part[iot.Authorizer]):
    """Which function the authorizer calls, and nothing else of it. *to* is the ARN that is wanted."""

    to: str = ""
    resource = "authorizer"
    may_be_shared = False

    @property
    def name(self) -> str:
        return self.wish.authorizer

    def look(self) -> iot.Authorizer | None:
        found = iot.find(self.session, self.name)
        if found is None:
            raise NotFound(
                f"authorizer `{self.name}` is gone", hint="see which there are with `iotauth authorizer list`"
            )
        return found

    def drift(self, found: iot.Authorizer) -> list[str]:
        if found.function_arn == self.to:
            return []
        return [f"it calls `{short(found.function_arn)}`, and is to call `{short(self.to)}`"]

    def create(self) -> None:
        """It is there, or `look` has said that it is not."""

    def mend(self, found: iot.Authorizer) -> None:
        iot.update(self.session, self.name, function_arn=self.to)

    def remove(self, found: iot.Authorizer) -> None:
        """It is not ours to remove."""


def short(function_arn: str) -> str:
    """Return a function's name, with alias or version."""
    return function_arn.partition(":function:")[2] or function_arn


def ours_beside(session: Session, wish: Wish, previous: str) -> list[AnyPart]:
    """Return what is made before the switch, in order. The table is theirs, and is left as it is."""
    own: list[AnyPart] = [kind(session, wish) for kind in (LogGroup, Role, Function, Permission)]
    return [*own, WayBack(session, wish, previous)]


def plan(session: Session, wish: Wish, previous: str) -> Plan:
    """Compare AWS with what is wanted, and change nothing.

    Raises:
        InputError: a name that AWS would refuse.
        Conflict: our function's name is taken, by somebody else or for another table.
    """
    validate(wish, session.target.region)
    refuse_other_table(session, wish)
    last = Called(session, wish, function_of(session, wish).text)
    return Plan(wish, tuple(part.plan() for part in [*ours_beside(session, wish, previous), last]))


def refuse_other_table(session: Session, wish: Wish) -> None:
    """Refuse a function of ours that serves another table: its clients would be locked out."""
    found = lambda_.find(session, wish.function)
    table = table_read_by(found)
    if found is None or (is_ours(found) and table == wish.table):
        return
    whose = f"serves table `{table}`" if is_ours(found) else "was not made by iotauth"
    raise Conflict(
        f"function `{wish.function}` {whose}",
        hint=f"give ours another name: `iotauth init --adopt {wish.authorizer} --function {another(wish)}`",
    )


def another(wish: Wish) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in wish.authorizer)
    return f"iotauth-{plain}"[:45]


def apply(session: Session, planned: Plan, previous: str, logins: list[Login], now: int) -> Iterator[Step]:
    """Carry *planned* out; yield each change when it is done. *logins* are known to get in at either function.

    Raises:
        Conflict: our function does not answer as it should. Then devices are where they were: at the old one.
    """
    wish = planned.wish
    yield from authorizers.carry_out(ours_beside(session, wish, previous), until_last(planned))
    try_out(session, wish, logins[:TRIED], now)
    called = Called(session, wish, function_of(session, wish).text)
    yield from authorizers.carry_out([called], replace(planned, steps=planned.steps[-1:]))


def until_last(planned: Plan) -> Plan:
    return replace(planned, steps=planned.steps[:-1])


def try_out(session: Session, wish: Wish, logins: list[Login], now: int) -> None:
    """Call our function about *logins* until it answers as its code does here: a new role takes a while to count.

    Raises:
        Conflict: it does not come to that.
    """
    function = function_of(session, wish)
    for login in logins:
        expected = ours(login, wish.authorizer, session.scope, now)
        got = Verdict()
        for pause in pauses():
            got = called(session, function, login, wish.authorizer)
            if is_same(got, expected):
                break
            session.sleep(pause)
        if not is_same(got, expected):
            raise Conflict(
                f"function `{wish.function}` {got.words} where it should not (client `{login.client_id}`), "
                f"so authorizer `{wish.authorizer}` was not switched",
                hint=f"its log says why: `aws logs tail /aws/lambda/{wish.function}`; then run the same command again",
            )


def called(session: Session, function: FunctionArn, login: Login, authorizer: str) -> Verdict:
    try:
        found = lambda_.invoke(session, function, build_event(request_of(login, authorizer, "")))
    except NotFound:  # a function that was made a moment ago
        return Verdict(fault="it is not there yet")
    except AwsError as problem:  # or is being changed, or its role is not known to all of Lambda
        if not (lambda_.is_being_changed(problem) or lambda_.is_role_new(problem)):
            raise
        return Verdict(fault="it is not ready yet")
    return Verdict(fault="it failed") if found.error is not None else verdict_of(found.answer)


def is_same(got: Verdict, expected: Verdict) -> bool:
    return got.fault is None and (got.answer.is_authenticated, got.answer.policy_documents) == (
        expected.answer.is_authenticated,
        expected.answer.policy_documents,
    )


def prove(session: Session, wish: Wish, previous: str, logins: list[Login]) -> Proof:
    """Let AWS IoT call the function through the authorizer; where that goes wrong, switch back at once.

    Raises:
        Conflict: it went wrong, and the authorizer calls the old function again.
    """
    login = logins[0] if logins else None
    if not authorizers.require(session, wish.authorizer).is_active:
        return Proof(None, False, "it is inactive")
    try:
        answer = ask(session, wish.authorizer, login)
    except AccessDenied as denied:
        return Proof(None, False, denied.message)
    except BadAnswer as problem:
        undo(session, wish, previous)
        raise Conflict(
            f"AWS IoT got no answer from function `{wish.function}` ({problem.message}), so authorizer "
            f"`{wish.authorizer}` calls `{short(previous)}` again",
            hint=f"its log says why: `aws logs tail /aws/lambda/{wish.function}`; then run the same command again",
        ) from problem
    if login is not None and not answer:
        undo(session, wish, previous)
        raise Conflict(
            f"through authorizer `{wish.authorizer}` client `{login.client_id}` was refused with its own password, "
            f"so it calls `{short(previous)}` again",
            hint="run the same command again",
        )
    return Proof(login.client_id if login else None, answer)


def undo(session: Session, wish: Wish, previous: str) -> None:
    Called(session, wish, previous).bring()


def ask(session: Session, authorizer: str, login: Login | None) -> bool:
    """Tell whether AWS IoT would let *login* in; without one a stranger is tried, and only an answer is wanted."""
    if login is None:
        attempt = Attempt(client_id="iotauth-nobody", username="iotauth-nobody", password=Secret("of nobody"))
    else:
        attempt = Attempt(client_id=login.client_id, username=login.username, password=login.password)
    for pause in pauses(ASK_AGAIN_S):
        try:
            answer = authorizers.test_invoke(session, authorizer, attempt)
        except BadAnswer:
            pass
        else:
            if answer.is_authenticated or login is None:
                return answer.is_authenticated
        session.sleep(pause)
    return authorizers.test_invoke(session, authorizer, attempt).is_authenticated


def settings_of(timers: tuple[int, int] | None) -> FunctionSettings:
    """Return settings of ours with the old function's timers."""
    refresh, disconnect = timers or (None, None)
    return FunctionSettings(refresh_after_s=refresh, disconnect_after_s=disconnect)
