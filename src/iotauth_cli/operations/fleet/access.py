"""Letting many clients in no more, or again: each row first, then its session is ended."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from iotauth_authorizer.dynamodb import Client
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws import iot_data
from iotauth_cli.aws.client_table import NO_TABLE, BrokenRow, ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import IotauthError, NotFound
from iotauth_cli.operations.changing import change
from iotauth_cli.operations.fleet.outcome import Outcome, outcomes_of
from iotauth_cli.operations.fleet.selection import Where

__all__ = ["Outcome", "Switch"]

SESSIONS_AT_ONCE = 8  # boto3 keeps ten connections for all threads


@dataclass(frozen=True)
class Switch:
    """One run over the fleet: lets in who is selected, or nobody of them.

    Without *disconnect* open sessions go on until AWS IoT asks the function again.
    """

    session: Session
    table: ClientTable
    where: Where
    lets_in: bool
    disconnect: bool
    now: int

    def outcomes(self) -> Generator[Outcome, None, None]:
        """Switch each client, and yield what became of it, in no order. Can be run again at any time.

        A client that was disabled before has its session ended again: an earlier run may not have come to that.

        Raises:
            IotauthError: what stops all of them, such as keys or the network.
        """
        if self.disconnect:
            self.session.client(iot_data.SERVICE)  # made in one thread, used in all
        yield from outcomes_of(self.table, self.meant(), self.work, limit=SESSIONS_AT_ONCE)

    def meant(self) -> Iterator[ClientRecord]:
        """Yield the clients that are selected. Who has an unreadable row is refused anyway."""
        for row in self.table.rows():
            if not isinstance(row, BrokenRow) and self.where.matches(row, self.now):
                yield row

    def work(self, client: Client, record: ClientRecord) -> Outcome | None:
        """Switch one client, in a worker's thread. None is a client that somebody removed meanwhile."""
        try:
            _, is_new = change(replace(self.table, client=client), record, self.step)
        except NotFound as problem:
            if problem.aws_code == NO_TABLE:
                raise
            return None
        if self.disconnect:
            try:
                iot_data.disconnect(self.session, record.client_id)
            except IotauthError as problem:
                return Outcome(record.client_id, "open", error=problem)
        return Outcome(record.client_id, "switched" if is_new else "done")

    def step(self, found: ClientRecord) -> ClientRecord:
        return found if found.enabled is self.lets_in else found._replace(enabled=self.lets_in, updated_at=self.now)
