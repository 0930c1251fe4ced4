"""One row changed beside others who change it too: what they did meanwhile is looked at again."""

from __future__ import annotations

from collections.abc import Callable

from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.errors import Conflict
from iotauth_cli.operations import clients

ATTEMPTS = 5  # two operators at work on one client meet once or twice, not five times

Step = Callable[[ClientRecord], ClientRecord]


def change(table: ClientTable, record: ClientRecord, step: Step) -> tuple[ClientRecord, bool]:
    """Write what *step* makes of *record*, or of the row as it is then; return the row, and whether it was written.

    *step* returns the very record it got where nothing is to be done, and raises what ends the attempt.

    Raises:
        Conflict: others kept changing the row.
        NotFound: somebody removed it.
        InputError: it has become unreadable.
    """
    left = ATTEMPTS
    while True:
        after = step(record)
        if after is record:
            return record, False
        try:
            return table.change(record, after), True
        except Conflict:
            left -= 1
            if not left:
                raise
        record = clients.find(table, record.client_id)
