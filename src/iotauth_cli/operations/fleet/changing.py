"""One client of many changed, in a worker's thread: what others changed meanwhile is looked at again."""

from __future__ import annotations

from collections.abc import Callable

from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.errors import Conflict, InputError

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
        record = read_again(table, record.client_id)


def read_again(table: ClientTable, client_id: str) -> ClientRecord:
    found = table.find(client_id)
    if found is None:
        raise table.unknown(client_id)
    if isinstance(found, BrokenRow):
        raise InputError(f"the row of client `{client_id}` has become unreadable: {found.reason}")
    return found
