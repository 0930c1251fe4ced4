"""Two operators at once, and one who is cut off anywhere: nothing torn, no handed-out secret lost, nobody misled.

An operator is a project folder of its own and a connection of its own. Each step that leaves a trace,
on the disk or in the table, is counted; at each in turn something happens: the other operator does all
of theirs, the program dies, the network fails, the disk is full, an answer is lost.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from iotauth_authorizer.dynamodb import Client, ConnectionLost, DynamoDBError
from iotauth_authorizer.handler import Table
from iotauth_authorizer.record import ClientRecord
from iotauth_cli import credentials
from iotauth_cli.aws import table as tables
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Store
from iotauth_cli.errors import AlreadyExists, Conflict, InputError, IotauthError, NotFound
from iotauth_cli.operations import access, client_rotation, clients, updating
from iotauth_cli.operations.client_rotation import RotationWish
from iotauth_cli.operations.clients import NewClient
from iotauth_cli.operations.rotation import holds
from iotauth_cli.operations.updating import Update
from iotauth_cli.secret import Secret
from support_control import ControlServer
from support_installation import WISH, Account

NOW = 1763640000
CLIENT = "door-7"


class Killed(BaseException):
    """What `kill -9` is to a test: nothing catches it and nothing is cleared up."""


@dataclass
class Operator:
    """Somebody with a store and a table. *shown* are the secrets that they have seen on their screen."""

    table: ClientTable
    store: Store
    shown: list[Secret] = field(default_factory=list)
    note: str = "north"

    @property
    def place(self) -> access.Place:
        return access.Place(None, self.table, self.store, "")  # type: ignore[arg-type]  # no session is asked

    def add(self) -> None:
        wish = NewClient(CLIENT, "iotauth", topics=("doors/7",))
        self.shown.append(clients.add(self.table, self.store, wish, partition="aws", now=NOW).credential.password)

    def rotate(self, **wish: Any) -> None:
        asked = RotationWish(CLIENT, "iotauth", **wish)
        rotated = client_rotation.rotate(self.table, self.store, asked, now=NOW)
        self.shown.append(rotated.credential.password)
        client_rotation.handed_out(self.store, rotated)

    def rotate_now(self) -> None:
        self.rotate(at_once=True)

    def replace(self) -> None:
        self.rotate(replace=True)

    def confirm(self) -> None:
        client_rotation.confirm(self.table, self.store, CLIENT, force=False, now=NOW)

    def disable(self) -> None:
        access.disable(self.place, CLIENT, now=NOW, disconnect=False)

    def enable(self) -> None:
        access.enable(self.place, CLIENT, now=NOW)

    def remove(self) -> None:
        access.remove(self.place, CLIENT, now=NOW, disconnect=False)

    def update(self) -> None:
        updating.update(self.table, self.store, Update(CLIENT, note=self.note), partition="aws", now=NOW)


@pytest.fixture(scope="module")
def shared(control_server: ControlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One table for all, in which every test begins without the client."""
    account = Account(control_server, tmp_path_factory.mktemp("concurrency"))
    tables.create(account.session(), WISH.table)
    yield account
    account.close()


@pytest.fixture(autouse=True)
def no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power fails here; waiting for the disk would take most of the time."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


Recruit = Callable[[], Operator]


@pytest.fixture
def recruit(shared: Account, tmp_path: Path) -> Iterator[Recruit]:
    """Give operators, each with a folder and a connection of their own."""
    folders = (tmp_path / f"operator-{number}" / ".iotauth" for number in itertools.count())
    opened: list[ClientTable] = []

    def operator() -> Operator:
        opened.append(shared.table())
        return Operator(opened[-1], Store(next(folders), "emulator"))

    yield operator
    opened[0].remove(CLIENT)
    for table in opened:
        table.close()


def row(operator: Operator) -> ClientRecord | None:
    found = operator.table.find(CLIENT)
    assert found is None or isinstance(found, ClientRecord), "a row is torn"
    return found


def use(operator: Operator) -> None:
    """Have the device use its newest secret, and the function note it."""
    found = row(operator)
    assert found is not None
    Table(operator.table.name, operator.table.client).record_first_use(found, "B", NOW)


STARTS: dict[str, Callable[[Operator], None]] = {
    "nothing": lambda operator: None,
    "added": lambda operator: operator.add(),
    "handed out": lambda operator: (operator.add(), operator.rotate())[0],  # type: ignore[func-returns-value]
    "seen": lambda operator: (operator.add(), operator.rotate(), use(operator))[0],  # type: ignore[func-returns-value]
}
ACTIONS = ("add", "rotate", "replace", "rotate_now", "confirm", "disable", "enable", "remove", "update")
TOLD = (Conflict, AlreadyExists, NotFound, InputError)


@contextlib.contextmanager
def interrupted_by(monkeypatch: pytest.MonkeyPatch, operator: Operator, other: Callable[[], None]) -> Iterator[None]:
    """Let *other* happen just before *operator* writes to the table for the first time."""
    waiting = [other]

    def paused(name: str) -> Callable[..., Any]:
        real = getattr(ClientTable, name)

        def call(table: ClientTable, *arguments: Any) -> Any:
            if table is operator.table and waiting:
                waiting.pop()()
            return real(table, *arguments)

        return call

    with monkeypatch.context() as patched:
        for name in ("add", "change", "remove"):
            patched.setattr(ClientTable, name, paused(name))
        yield


def attempt(act: Callable[[], None]) -> IotauthError | None:
    try:
        act()
    except TOLD as told:
        return told
    return None


@pytest.mark.parametrize("first", ACTIONS)
def test_whoever_comes_between_read_and_write_is_noticed(
    recruit: Recruit, monkeypatch: pytest.MonkeyPatch, first: str, tmp_path: Path
) -> None:
    """Ann has read, Bob does all of his, Ann writes: she is told, or hers goes with his; no secret is torn away."""
    ann, bob = recruit(), recruit()
    for number, (start, second) in enumerate(itertools.product(STARTS, ACTIONS)):
        ann, bob = renewed(ann, tmp_path / f"ann-{number}"), renewed(bob, tmp_path / f"bob-{number}")
        ann.table.remove(CLIENT)
        STARTS[start](ann)
        meet(ann, bob, monkeypatch, first, second)


def renewed(operator: Operator, folder: Path) -> Operator:
    return Operator(operator.table, Store(folder, "emulator"), note=folder.name)


def meet(ann: Operator, bob: Operator, monkeypatch: pytest.MonkeyPatch, first: str, second: str) -> None:
    before = len(ann.shown)
    told: list[IotauthError | None] = []
    seen: list[ClientRecord | None] = []

    def comes_between() -> None:
        seen.append(row(bob))
        told.append(attempt(getattr(bob, second)))
        seen.append(row(bob))

    with interrupted_by(monkeypatch, ann, comes_between):
        refused = attempt(getattr(ann, first))
    found, bob_did_it = row(ann), told == [None]
    if seen and seen[0] != seen[-1] and refused is None:
        # Only who takes access away goes on over what has changed, and who has read nothing of it; and there is
        # nothing to tell where what was wanted is so by now.
        assert first in ("disable", "remove", "add") or first == second
    if found is None:
        return  # never there, or removed by one who was asked to
    assert found.slots
    if bob_did_it and bob.shown:
        # What Bob was shown works; whoever would end it has not read of it, and is told.
        assert refused is not None or first in ("disable", "enable", "update", "confirm")
        assert all(holds(found, secret) for secret in bob.shown)
    if refused is None:
        assert all(holds(found, secret) for secret in ann.shown[before:])
    if "disable" in (first, second) and refused is None and bob_did_it and not {first, second} & {"enable", "add"}:
        assert not found.enabled


def at_once(operators: Sequence[Operator], do: Callable[[Operator], None]) -> list[IotauthError | None]:
    """Let all of them *do* it at the same moment; return for each what they were told, None if it worked."""
    barrier = Barrier(len(operators))

    def when_all_are_there(operator: Operator) -> IotauthError | None:
        row(operator)  # opens the connection
        barrier.wait()
        return attempt(lambda: do(operator))

    with ThreadPoolExecutor(len(operators)) as pool:
        return list(pool.map(when_all_are_there, operators))


def test_of_many_who_rotate_at_once_one_is_shown_a_secret(recruit: Recruit) -> None:
    """Eight operators, all at the same moment, over eight connections."""
    ann = recruit()
    ann.add()
    operators = [recruit() for _ in range(8)]
    told = at_once(operators, Operator.rotate)
    assert told.count(None) == 1
    assert all(isinstance(each, Conflict) for each in told if each is not None)
    shown = [secret for operator in [ann, *operators] for secret in operator.shown]
    found = row(ann)
    assert found is not None
    assert [holds(found, secret) for secret in shown] == [True, True]


def test_in_one_project_all_who_rotate_at_once_are_shown_the_same_secret(recruit: Recruit) -> None:
    """They share the store, so that whoever is shown one is shown the one that works."""
    ann = recruit()
    ann.add()
    operators = [Operator(recruit().table, ann.store) for _ in range(6)]
    told = at_once(operators, Operator.rotate)
    assert None in told
    found = row(ann)
    assert found is not None
    shown = [secret for operator in operators for secret in operator.shown]
    kept = ann.store.load(CLIENT)
    assert kept is not None
    assert holds(found, kept.password)
    assert all(secret == kept.password for secret in shown)


def test_of_many_who_add_at_once_one_is_shown_a_secret(recruit: Recruit) -> None:
    """The others are told that the client exists."""
    operators = [recruit() for _ in range(8)]
    told = at_once(operators, Operator.add)
    assert told.count(None) == 1
    assert all(isinstance(each, AlreadyExists) for each in told if each is not None)
    (shown,) = [secret for operator in operators for secret in operator.shown]
    found = row(operators[0])
    assert found is not None
    assert holds(found, shown)


class Steps:
    """Counts everything that leaves a trace, and lets it fail at the *n*-th: before it is done, or after."""

    def __init__(self, fail_at: int, failure: Callable[[], BaseException], *, is_after: bool) -> None:
        self.fail_at = fail_at
        self.failure = failure
        self.is_after = is_after
        self.count = 0

    @property
    def was_reached(self) -> bool:
        return self.count >= self.fail_at

    def take(self, act: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count != self.fail_at:
            return act()
        if self.is_after:
            act()
        raise self.failure()

    def watch(self, patched: pytest.MonkeyPatch, *places: tuple[Any, str]) -> None:
        for place, name in places:
            real = getattr(place, name)

            def step(*arguments: Any, real: Callable[..., Any] = real, **named: Any) -> Any:
                return self.take(lambda: real(*arguments, **named))

            patched.setattr(place, name, step)


DISK = ((credentials, "write_once"), (credentials, "write_private"), (credentials, "remove"))
NETWORK = ((Client, "call"),)
FAULTS: dict[str, tuple[tuple[tuple[Any, str], ...], Callable[[], BaseException], bool]] = {
    "killed before": ((*DISK, *NETWORK), Killed, False),
    "killed after": ((*DISK, *NETWORK), Killed, True),
    "disk full": (DISK, lambda: InputError("cannot write `x`: no space left on device"), False),
    "throttled": (NETWORK, lambda: DynamoDBError("ThrottlingException", "Rate exceeded", 400), False),
    "login expired": (NETWORK, lambda: DynamoDBError("ExpiredTokenException", "expired", 400), False),
    "timeout before": (NETWORK, lambda: ConnectionLost("timed out"), False),
    "timeout after": (NETWORK, lambda: ConnectionLost("timed out"), True),
    "lost answer": (((Client, "_send"),), lambda: ConnectionLost("reset", was_reused=True), True),
    "sent again": (((Client, "_send"),), lambda: ConnectionLost("reset", was_reused=True), False),
}
FAULTY = {
    "add": "nothing",
    "rotate": "added",
    "replace": "handed out",
    "rotate_now": "handed out",
    "confirm": "seen",
    "disable": "added",
    "remove": "handed out",
    "update": "added",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("action", FAULTY)
def test_after_any_fault_the_same_command_comes_to_the_same_end(
    recruit: Recruit, monkeypatch: pytest.MonkeyPatch, action: str, fault: str, tmp_path: Path
) -> None:
    """At every step in turn: all secrets that were shown work, every row has one that is kept, the re-run is enough."""
    places, failure, is_after = FAULTS[fault]
    clerk = recruit()
    for number in range(1, 30):
        clerk.table.remove(CLIENT)
        ann = renewed(clerk, tmp_path / f"ann-{number}")
        STARTS[FAULTY[action]](ann)
        steps = Steps(number, failure, is_after=is_after)
        broken = None
        with monkeypatch.context() as patched:
            steps.watch(patched, *places)
            try:
                getattr(ann, action)()
            except (Killed, IotauthError) as problem:
                broken = problem
        if not steps.was_reached:
            assert number > 1 or (action, fault) == ("disable", "disk full")  # it writes nothing there
            return
        if fault in ("lost answer", "sent again"):
            assert broken is None, "one answer that got lost is nobody's concern"
        between(ann)
        if broken is not None or ann.store.begun(CLIENT) is not None:
            # Where it was done, and could not be said, there is nothing left to do.
            assert attempt(getattr(ann, action)) is None or ann.store.begun(CLIENT) is None
        ended(ann, action)
    raise AssertionError("there is no end to the steps")


def between(ann: Operator) -> None:
    """What holds at any moment: the row has a secret that the store knows."""
    found, kept = row(ann), ann.store.load(CLIENT)
    known = [ann.store.begun(CLIENT), *([kept.password, kept.previous] if kept else [])]
    assert found is None or any(holds(found, secret) for secret in known if secret is not None)


def ended(ann: Operator, action: str) -> None:
    """What holds in the end: what was shown last works and is kept; what was not to end works too."""
    found, kept = row(ann), ann.store.load(CLIENT)
    assert ann.store.begun(CLIENT) is None
    if action == "remove":
        assert (found, kept) == (None, None)
        return
    assert found is not None
    assert kept is not None
    assert holds(found, kept.password)
    assert kept.password in ann.shown[-1:] or not ann.shown
    if action in ("add", "rotate", "disable", "update"):
        assert all(holds(found, secret) for secret in ann.shown)
    assert (action == "disable") is not found.enabled
