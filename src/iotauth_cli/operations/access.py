"""Taking a client's access away, and giving it back.

The row comes first: the function reads it consistently, so that from then on nobody gets in. A
session that is already open knows nothing of that until the function is asked again, up to a day later;
so it is ended, and then looked at. What is claimed here was seen: by what AWS IoT says of the client,
and by knocking once more with the credential that worked before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iotauth_authorizer.authorize import Settings
from iotauth_authorizer.event import MAX_TIMER_S, MIN_TIMER_S
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws import iot_data, lambda_
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.aws.polling import pauses
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import AccessDenied, InputError, IotauthError
from iotauth_cli.operations import clients
from iotauth_cli.operations.changing import change
from iotauth_cli.operations.connect import Visit, find_endpoint
from iotauth_cli.operations.rotation import holds
from iotauth_cli.probe.stages import Errand, Login, Stage, Symptom
from iotauth_cli.probe.walk import walk

PATIENCE_S = 5.0  # until AWS IoT says that a connection is gone which it has ended
KNOCK_S = 5.0  # for one step of the reconnect; the row stands, whether it is refused or nobody answers

Reconnect = Literal["refused", "let-in"]


@dataclass(frozen=True)
class Place:
    """Where a client's access lies: its row, its sessions, the *function* that decides, what is kept of it."""

    session: Session
    table: ClientTable
    store: Store
    function: str


@dataclass(frozen=True)
class Revocation:
    """What became of a client's session, as far as it was seen.

    *was_connected* is None where the session could not be ended, *is_gone* where it could not be seen
    whether it is; *problem* says why. *seen_by* is the call that showed it. *reconnect* is None where
    nobody could try, *let-in* where the function does not go by the row. A session that may still be
    there is over by *lives_until*, in epoch seconds. *statement* is what a policy lacks, where that was why.
    """

    was_connected: bool | None = None
    is_gone: bool | None = None
    seen_by: str | None = None
    reconnect: Reconnect | None = None
    problem: str | None = None
    lives_until: int | None = None
    statement: Mapping[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether no session of the client is left, and nothing that was seen speaks against it."""
        return self.is_gone is True and self.reconnect != "let-in"


@dataclass(frozen=True)
class Changed:
    """A client that was disabled or enabled; *was_so* if it was before."""

    record: ClientRecord
    was_so: bool
    revocation: Revocation | None = None


@dataclass(frozen=True)
class Removed:
    """What there was to remove."""

    row: bool
    credential: bool
    revocation: Revocation | None = None


def disable(place: Place, client_id: str, *, now: int, disconnect: bool = True) -> Changed:
    """Let a client in no more, and end its session.

    Raises:
        NotFound: there is no such client.
        InputError: its row cannot be read; the function refuses such a client anyway.
        Conflict: others kept changing the row.
    """
    found = clients.find(place.table, client_id)
    row, is_new = change(place.table, found, lambda row: disabled(row, now))  # must not lose against a note
    working = working_credential(place.store, row)
    return Changed(row, not is_new, revoke(place, client_id, working, now=now) if disconnect else None)


def disabled(row: ClientRecord, now: int) -> ClientRecord:
    return row._replace(enabled=False, updated_at=now) if row.enabled else row


def enable(place: Place, client_id: str, *, now: int) -> Changed:
    """Let a client in again.

    Raises:
        NotFound, InputError: as for `disable`.
        Conflict: somebody else changed the row meanwhile.
    """
    row = clients.find(place.table, client_id)
    if row.enabled:
        return Changed(row, was_so=True)
    return Changed(place.table.change(row, row._replace(enabled=True, updated_at=now)), was_so=False)


def remove(place: Place, client_id: str, *, now: int, disconnect: bool = True) -> Removed:
    """Remove the row of a client, end its session, and forget what was kept of it.

    The credential goes last: it shows that nobody gets in with it, and a second run finds what is left.

    Raises:
        NotFound: there was neither row nor credential.
    """
    found: ClientRecord | BrokenRow | None = place.table.find(client_id)
    working = working_credential(place.store, found) if isinstance(found, ClientRecord) else None
    if found is None and not place.store.path(client_id).exists():
        raise place.table.unknown(client_id)
    place.table.remove(client_id)
    revocation = revoke(place, client_id, working, now=now) if disconnect else None
    return Removed(found is not None, place.store.remove(client_id), revocation)


def working_credential(store: Store, row: ClientRecord) -> Credential | None:
    """Return the credential that is kept of a client if *row* knows its password: a stale one proves nothing."""
    try:
        kept = store.load(row.client_id)
    except InputError:  # a broken file is no reason to leave anybody connected
        return None
    return kept if kept is not None and holds(row, kept.password) else None


def revoke(place: Place, client_id: str, credential: Credential | None, *, now: int) -> Revocation:
    """End the session of a client whose row says no already; then look whether it is gone.

    *credential* is one that worked before: with it, a reconnect is tried. Never fails: what could not
    be done or seen is in the result.
    """
    was_connected: bool | None = None
    problem: IotauthError | None = None
    try:
        was_connected = iot_data.disconnect(place.session, client_id)
    except IotauthError as failure:
        problem = failure
    reconnect = knock(place.session, credential)
    is_gone, seen_by, why_not = watch(place.session, client_id, may_end=problem is None)
    lives_until = None if is_gone else now + longest_session_s(place.session, place.function)
    problem = problem or why_not
    statement = problem.statement if isinstance(problem, AccessDenied) else None
    return Revocation(
        was_connected, is_gone, seen_by, reconnect, problem.message if problem else None, lives_until, statement
    )


def watch(session: Session, client_id: str, *, may_end: bool) -> tuple[bool | None, str | None, IotauthError | None]:
    """Look until the client is gone; return whether it is, which call showed it, and why none could."""
    try:
        return wait(session, lambda: is_connected(session, client_id)), "GetConnection", None
    except IotauthError as problem:
        if not may_end:
            return None, None, problem
    try:
        # Ending a connection that is not there answers so.
        return wait(session, lambda: iot_data.disconnect(session, client_id)), "DeleteConnection", None
    except IotauthError as problem:
        return None, None, problem


def wait(session: Session, is_there: Callable[[], bool]) -> bool:
    """Tell whether something goes within some seconds: AWS IoT's servers learn of a change one after the other."""
    for pause in pauses(PATIENCE_S):
        if not is_there():
            return True
        session.sleep(pause)
    return not is_there()


def is_connected(session: Session, client_id: str) -> bool:
    found = iot_data.find_connection(session, client_id)
    return found is not None and found.is_connected


def knock(session: Session, credential: Credential | None) -> Reconnect | None:
    """Connect as the client, and tell what became of it; None if it did not come as far as an answer."""
    if credential is None:
        return None
    login = Login(credential.client_id, credential.device_username, credential.password)
    try:
        endpoint = find_endpoint(session, Visit())
        steps = walk(endpoint, login, Errand(), timeout_s=KNOCK_S)
        answers = [step for step in steps if isinstance(step, Stage) and step.name == "connect"]
    except IotauthError:
        return None
    if not answers:
        return None
    if answers[0].ok:
        return "let-in"
    return "refused" if answers[0].symptom in (Symptom.CLOSED, Symptom.REFUSED) else None


def longest_session_s(session: Session, function: str) -> int:
    """Return when AWS IoT asks the function again at the latest, or ends a session by itself, in seconds.

    Source: AWS IoT developer guide, "Defining your Lambda function": 300 to 86,400 for both timers.
    """
    try:
        found = lambda_.find(session, function)
    except IotauthError:
        found = None
    if found is None:
        return MAX_TIMER_S
    return shorter_timer(found.configuration.environment)


def shorter_timer(environment: Mapping[str, str]) -> int:
    """Return the sooner of the function's timers, read from its environment as it reads them."""
    usual = Settings()
    timers = {
        "IOTAUTH_REFRESH_AFTER_S": usual.refresh_after_s,
        "IOTAUTH_DISCONNECT_AFTER_S": usual.disconnect_after_s,
    }
    return min(_seconds(environment.get(name), default) for name, default in timers.items())


def _seconds(text: str | None, default: int) -> int:
    try:
        seconds = default if text is None else int(text)
    except ValueError:
        seconds = default
    return max(MIN_TIMER_S, min(seconds, MAX_TIMER_S))
