"""The whole story on the emulator: let in, refused, cut off, not even asked.

Every chapter does what one command does, through that command's operation, and says what it
expects of the result. A chapter that comes out otherwise ends the story: nothing here is told
that did not happen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iotauth_authorizer.credential import verify
from iotauth_authorizer.record import Item, from_item, key
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.errors import InputError, NotFound
from iotauth_cli.operations import authorizers, clients, connect, emulator, keys
from iotauth_cli.operations.authorizers import Plan, Step, Wish
from iotauth_cli.operations.clients import Added, NewClient
from iotauth_cli.operations.connect import Asking, Report, Stage, Started, Visit
from iotauth_cli.operations.emulator import Ports, Running
from iotauth_cli.secret import Secret

__all__ = [
    "Added",
    "Asking",
    "Began",
    "Ended",
    "Event",
    "Plan",
    "Replaced",
    "Report",
    "Row",
    "Running",
    "Stage",
    "Started",
    "Step",
    "World",
    "open_emulator",
    "story",
]

CLIENT = "thermo-1"
TOPIC = "sensors/thermo-1"
FOREIGN_TOPIC = "sensors/thermo-2"
WRONG_PASSWORD = "wrong"
READ_ROW = (
    'eval "$(iotauth emulator env)"; aws dynamodb get-item --table-name {table} '
    '--key \'{{"Client_ID":{{"S":"thermo-1"}}}}\''
)
NEXT = (
    "iotauth client add thermo-2 --topic sensors/thermo-2 --emulator",
    "iotauth test-connect thermo-2 --emulator",
    "iotauth emulator logs",
    "iotauth emulator stop",
)


@dataclass(frozen=True)
class World:
    """Where the story plays: the doors of the emulator, and the names of the settings.

    *where* are the flags that commands to type need to mean it.
    """

    session: Session
    store: Store
    table: ClientTable
    settings: Wish
    partition: str
    where: str
    now: int


@dataclass(frozen=True)
class Began:
    """A chapter begins; *command* is what a person would type for it."""

    name: str
    title: str
    command: str


@dataclass(frozen=True)
class Replaced:
    """A client of an earlier run was removed, so that it can be added again."""

    client_id: str


@dataclass(frozen=True)
class Row:
    """The client's item as it lies in the table."""

    item: Item


Detail = Plan | Step | Replaced | Started | Stage | Asking
Result = Running | Plan | Added | Row | Report


@dataclass(frozen=True)
class Ended:
    """A chapter is over. *unexpected* says how it came out otherwise than it should."""

    chapter: Began
    result: Result
    ms: float
    unexpected: str | None = None

    @property
    def ok(self) -> bool:
        return self.unexpected is None

    @property
    def was_answered(self) -> bool:
        """Whether there was an answer at all, be it the wrong one."""
        return not isinstance(self.result, Report) or self.result.ok or self.result.was_refused


Event = Began | Detail | Ended
Play = Generator[Detail, None, tuple[Result, str | None]]


@dataclass(frozen=True)
class Chapter:
    """What to tell: *command* with `{table}` for the table's name, and how it is played."""

    name: str
    title: str
    command: str
    play: Callable[[World], Play]

    def tell(self, world: World) -> Generator[Event, None, Ended]:
        began = Began(self.name, self.title, self.command.format(table=world.table.name))
        yield began
        started = time.perf_counter()
        result, unexpected = yield from self.play(world)
        ended = Ended(began, result, milliseconds_since(started), unexpected)
        yield ended
        return ended


def milliseconds_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def open_emulator(state_dir: Path, ports: Ports) -> Iterator[Event]:
    """Tell the first chapter: the emulator is there, started now or before.

    Raises:
        EmulatorError: it cannot start, or runs on other ports.
    """
    title = "start the emulator: AWS IoT, Lambda and DynamoDB on this machine"
    began = Began("emulator", title, "iotauth emulator start")
    yield began
    started = time.perf_counter()
    running = emulator.start(state_dir, ports)
    yield Ended(began, running, milliseconds_since(started))


def story(world: World) -> Iterator[Event]:
    """Tell the other chapters, until one comes out otherwise than it should.

    Raises:
        IotauthError: a chapter could not be played to its end.
    """
    for chapter in CHAPTERS:
        ended = yield from chapter.tell(world)
        if not ended.ok:
            return


# --- the chapters -------------------------------------------------------------------------------


def create_authorizer(world: World) -> Play:
    plan = authorizers.plan(world.session, world.settings)
    yield plan
    yield from authorizers.apply(world.session, plan)
    return plan, None


def add_client(world: World) -> Play:
    """Add the client; one of an earlier run makes room first, so that the story can be told again."""
    try:
        clients.remove(world.table, world.store, CLIENT)
        yield Replaced(CLIENT)
    except NotFound:
        pass
    token = keys.for_clients(world.store, world.settings.authorizer)
    wish = NewClient(CLIENT, world.settings.authorizer, topics=(TOPIC,), token=token)
    added = clients.add(world.table, world.store, wish, partition=world.partition, now=world.now)
    if added.why_not_kept is not None:
        raise InputError(added.why_not_kept, hint="run `iotauth quickstart` in a folder that you may write to")
    return added, None


def look_at_row(world: World) -> Play:
    """Read the item past our own row client, and hold it against the secret."""
    yield from ()
    answer = world.session.call(
        "dynamodb", "get_item", TableName=world.table.name, Key=key(CLIENT), ConsistentRead=True
    )
    item: Item = answer.get("Item", {})
    return Row(item), item_fault(item, kept_password(world), CLIENT)


def item_fault(item: Item, password: Secret, client_id: str) -> str | None:
    """Say what is wrong with a stored item; None if it holds the secret's hash and not the secret."""
    if not item:
        return f"client `{client_id}` is not in the table"
    if password.reveal() in json.dumps(item):
        return "the secret lies in the table as it is"
    slots = from_item(item).slots.values()
    if not any(verify(slot.hash, client_id, password.reveal().encode()) for slot in slots):
        return "the hash in the table is not the secret's"
    return None


def kept_password(world: World) -> Secret:
    kept = world.store.load(CLIENT)
    if kept is None:
        raise NotFound(f"the credential of client `{CLIENT}` is gone from `{world.store.folder}`")
    return kept.password


def be_let_in(world: World) -> Play:
    report = yield from knock(world, Visit(CLIENT))
    came_back = any(stage.name == "receive" for stage in report.stages)
    if report.diagnosis is not None:
        return report, f"the device should have been let in: {report.diagnosis.sentence}"
    return report, None if came_back else "the message should have come back"


def be_refused(visit: Visit, cause: str, *, before_the_function: bool = False) -> Callable[[World], Play]:
    """Return a chapter in which the device of *visit* is refused, and *cause* is why."""

    def play(world: World) -> Play:
        report = yield from knock(world, visit)
        return report, refusal_fault(report, cause, before_the_function)

    return play


def refusal_fault(report: Report, cause: str, before_the_function: bool) -> str | None:
    """Say how a refusal is not the one that should have come; None if it is."""
    if report.diagnosis is None:
        return "the device should have been refused, and was let in"
    if report.diagnosis.cause != cause:
        return f"the device should have been refused for another reason than this: {report.diagnosis.sentence}"
    if before_the_function and report.was_called is not False:
        return "it cannot be seen that the function was not called"
    return None


def knock(world: World, visit: Visit) -> Generator[Any, None, Report]:
    prepared = connect.prepare(world.session, world.store, world.settings, visit, where=world.where)
    return (yield from connect.knock(world.session, prepared))


CHAPTERS = (
    Chapter(
        "authorizer",
        "create the authorizer with all that it needs",
        "iotauth authorizer create --emulator",
        create_authorizer,
    ),
    Chapter(
        "client",
        "add a client that may use one topic",
        f"iotauth client add {CLIENT} --topic {TOPIC} --emulator",
        add_client,
    ),
    Chapter(
        "row",
        "look at its row in the table: the secret is a hash",
        READ_ROW,
        look_at_row,
    ),
    Chapter(
        "connect",
        "connect as the device would",
        f"iotauth test-connect {CLIENT} --emulator",
        be_let_in,
    ),
    Chapter(
        "wrong-password",
        "connect with a wrong password",
        f"echo {WRONG_PASSWORD} | iotauth test-connect {CLIENT} --password-stdin --emulator",
        be_refused(Visit(CLIENT, password=Secret(WRONG_PASSWORD)), "wrong-password"),
    ),
    Chapter(
        "foreign-topic",
        "publish to a topic that is not granted",
        f"iotauth test-connect {CLIENT} --publish {FOREIGN_TOPIC} --emulator",
        be_refused(Visit(CLIENT, publish=FOREIGN_TOPIC), "publish-not-granted"),
    ),
    Chapter(
        "no-alpn",
        "connect without ALPN, as a device with an old TLS library would",
        f"iotauth test-connect {CLIENT} --no-alpn --emulator",
        be_refused(Visit(CLIENT, alpn=()), "no-alpn", before_the_function=True),
    ),
)
