"""Ending the old secrets of many clients, where the new ones were seen in use."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from iotauth_authorizer.dynamodb import Client
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import NO_TABLE, BrokenRow, ClientTable
from iotauth_cli.credentials import Store
from iotauth_cli.errors import Conflict, NotFound
from iotauth_cli.operations.changing import change
from iotauth_cli.operations.client_rotation import tidy
from iotauth_cli.operations.fleet.outcome import Outcome, outcomes_of
from iotauth_cli.operations.fleet.selection import Where
from iotauth_cli.operations.rotation import finish, pending_slot

__all__ = ["Confirmation", "Outcome"]


class Unseen(Exception):
    """The new secret was not seen in use; *since* is when it was made."""

    def __init__(self, since: int) -> None:
        super().__init__()
        self.since = since


@dataclass(frozen=True)
class Confirmation:
    """One run over the fleet. *force* also ends the old secret of a client that never showed the new one."""

    table: ClientTable
    store: Store
    where: Where
    force: bool
    now: int

    def outcomes(self) -> Generator[Outcome, None, None]:
        """Confirm every rotation under way, and yield what became of it, in no order. Can be run again at any time.

        Raises:
            IotauthError: what stops all of them, such as keys or the network.
        """
        yield from outcomes_of(self.table, self.under_way(), self.work)

    def under_way(self) -> Iterator[ClientRecord]:
        """Yield the clients that are selected and have a rotation to confirm. An unreadable row has none to see."""
        for row in self.table.rows():
            if not isinstance(row, BrokenRow) and pending_slot(row) is not None and self.where.matches(row, self.now):
                yield row

    def is_unseen(self, record: ClientRecord) -> bool:
        """Tell whether to confirm *record* would end the only secret that its device is known to have."""
        pending = pending_slot(record)
        return pending is not None and pending.first_used_at is None

    def work(self, client: Client, record: ClientRecord) -> Outcome | None:
        """Confirm one client, in a worker's thread. None is a client whom somebody else confirmed or removed."""
        try:
            written, is_new = change(replace(self.table, client=client), record, self.step)
        except Unseen as problem:
            return Outcome(record.client_id, "skipped", "unseen", problem.since)
        except NotFound as problem:
            if problem.aws_code == NO_TABLE:
                raise
            return None
        tidy(self.store, written)
        return Outcome(record.client_id, "confirmed") if is_new else None

    def step(self, found: ClientRecord) -> ClientRecord:
        pending = pending_slot(found)
        if pending is None:
            return found
        try:
            return finish(found, force=self.force, now=self.now)
        except Conflict as problem:
            raise Unseen(pending.created_at) from problem
