"""A table of many clients without sockets or threads, for tests that break something at every single step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from iotauth_authorizer.credential import Slot, hash_secret, verify
from iotauth_authorizer.dynamodb import Client, DynamoDBError
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.emulator.control.service import ServiceError
from iotauth_cli.errors import IotauthError
from support_aws import aws_target
from support_dynamodb import Clock, Database

NOW = 1763640000
DAY = 86400
OLD = "iota_the-old-secret"


class Killed(BaseException):
    """`kill -9`: nothing runs after it. Each further step of the dead process raises it again."""


class Steps:
    """Counts what a process does to the world, and kills it at step number *at* (from 1): before it, or *after*."""

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.at = at
        self.after = after
        self.taken = 0
        self.is_dead = False

    def take(self, act: Callable[[], Any]) -> Any:
        if self.is_dead:
            raise Killed
        self.taken += 1
        self.is_dead = self.taken == self.at
        if self.is_dead and not self.after:
            raise Killed
        result = act()
        if self.is_dead:
            raise Killed
        return result


class DirectClient(Client):
    """Calls the emulator's DynamoDB in this thread. *meanwhile* is what happens before a call is answered."""

    def __init__(self, database: Database, steps: Steps) -> None:
        self.database = database
        self.steps = steps
        self.meanwhile: Callable[[str, dict[str, Any]], None] = lambda operation, body: None

    def call(self, operation: str, body: Any, *, budget_s: float | None = None) -> dict[str, Any]:
        sent = json.loads(json.dumps(body))
        self.meanwhile(operation, sent)
        try:
            answer: dict[str, Any] = self.steps.take(lambda: self.database.call(operation, **sent))
        except ServiceError as problem:
            raise DynamoDBError(problem.code, problem.message, problem.status) from problem
        return answer

    def close(self) -> None:
        """There is no connection."""


class Fleet:
    """A table of clients that any number of processes may work on, one after the other."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(directory, Clock(NOW))
        self.database.create("clients", "Client_ID:S")
        self.table = self.as_process(Steps())

    def as_process(self, steps: Steps) -> ClientTable:
        return ClientTable("clients", aws_target(), DirectClient(self.database, steps))

    def add(self, *client_ids: str, **members: Any) -> None:
        for client_id in client_ids:
            slots = {"A": Slot(hash_secret(OLD.encode(), client_id), NOW - DAY)}
            self.table.add(ClientRecord(client_id, **{"slots": slots, "created_at": NOW - DAY, **members}))

    def row(self, client_id: str) -> ClientRecord:
        found = self.table.find(client_id)
        assert isinstance(found, ClientRecord)
        return found

    def rows(self) -> dict[str, ClientRecord]:
        return {row.client_id: row for row in self.table.rows() if not isinstance(row, BrokenRow)}

    def change(self, client_id: str, change: Callable[[ClientRecord], ClientRecord]) -> ClientRecord:
        """Do as another operator does, or the function."""
        return self.table.change(self.row(client_id), change(self.row(client_id)))

    def use(self, client_id: str, at: int = NOW, grace_s: int = 7 * DAY) -> None:
        """Note, as the function does, that a client has shown its new secret."""
        for name, slot in self.row(client_id).slots.items():
            pending = slot.state == "pending"
            member, value = ("First_used", at) if pending else ("Expires", at + grace_s)
            self.table.client.update_item(
                "clients",
                {"Client_ID": {"S": client_id}},
                f"SET Secret_{name}.{member} = :v",
                values={":v": {"N": str(value)}},
            )

    def close(self) -> None:
        self.database.state.close()


def state_of(record: ClientRecord, password: str) -> str | None:
    """Return the state of the slot that holds *password*, or None if none does."""
    for slot in record.slots.values():
        if verify(slot.hash, record.client_id, password.encode()):
            return slot.state
    return None


def one_by_one(
    table: ClientTable, tasks: Iterable[Any], work: Callable[[Client, Any], Any], *, limit: int = 64
) -> Iterator[tuple[Any, Any]]:
    """Do as `aws.workers.run` does, in this thread: SQLite's connections stay in theirs."""
    for task in tasks:
        try:
            result = work(table.client, task)
        except IotauthError as problem:
            result = problem
        yield task, result
