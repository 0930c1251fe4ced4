"""DynamoDB for the emulator: its parts put together, and time passing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control.dynamodb.items import ItemStore
from iotauth_cli.emulator.control.dynamodb.partiql import PartiqlOperations
from iotauth_cli.emulator.control.dynamodb.read_operations import ReadOperations
from iotauth_cli.emulator.control.dynamodb.served import refuse_unserved
from iotauth_cli.emulator.control.dynamodb.table_settings import TableSettingOperations
from iotauth_cli.emulator.control.dynamodb.table_store import TableStore
from iotauth_cli.emulator.control.dynamodb.tables import TableOperations
from iotauth_cli.emulator.control.dynamodb.transactions import TransactionOperations
from iotauth_cli.emulator.control.dynamodb.write_operations import WriteOperations
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result
from iotauth_cli.emulator.state import State

SWEEP_EVERY_S = 60  # seconds between two looks for expired items
EXPIRED_ITEM_LIFE_S = 48 * 3600  # AWS deletes expired items "typically within a few days"; reads may still see them
OLDEST_EXPIRY_S = 5 * 365 * 86_400  # AWS leaves alone what says it expired more than five years ago


class DynamoDb:
    """The service ``dynamodb``: tables with a partition key and perhaps a sort key, without indexes or streams.

    *clock* gives epoch seconds; expired items are deleted as it goes on.
    """

    name = "dynamodb"

    def __init__(
        self, state: State, *, account: str, clock: Callable[[], float], behaviour: Behaviour | None = None
    ) -> None:
        tables = TableStore(state)
        self._items = ItemStore(state)
        self._clock = clock
        self._next_sweep = 0.0
        on_tables = TableOperations(tables, self._items, account, clock)
        settings = TableSettingOperations(tables, self._items, clock, behaviour or Behaviour())
        reads, writes = ReadOperations(tables, self._items), WriteOperations(tables, self._items)
        transactions = TransactionOperations(tables, self._items, reads, writes, clock)
        statements = PartiqlOperations(tables, self._items, writes)
        handlers: dict[str, Callable[[Parameters, Context], Result]] = {
            "CreateTable": on_tables.create_table,
            "DescribeTable": on_tables.describe_table,
            "ListTables": on_tables.list_tables,
            "UpdateTable": on_tables.update_table,
            "DeleteTable": on_tables.delete_table,
            "UpdateTimeToLive": settings.update_time_to_live,
            "DescribeTimeToLive": settings.describe_time_to_live,
            "UpdateContinuousBackups": settings.update_continuous_backups,
            "DescribeContinuousBackups": settings.describe_continuous_backups,
            "TagResource": settings.tag_resource,
            "UntagResource": settings.untag_resource,
            "ListTagsOfResource": settings.list_tags_of_resource,
            "PutItem": writes.put_item,
            "UpdateItem": writes.update_item,
            "DeleteItem": writes.delete_item,
            "BatchWriteItem": writes.batch_write_item,
            "ExecuteStatement": statements.execute_statement,
            "BatchExecuteStatement": statements.batch_execute_statement,
            "GetItem": reads.get_item,
            "BatchGetItem": reads.batch_get_item,
            "Query": reads.query,
            "Scan": reads.scan,
            "TransactWriteItems": transactions.transact_write_items,
            "TransactGetItems": transactions.transact_get_items,
        }
        self.operations: Mapping[str, Handler] = {
            operation: partial(self._serve, operation, handler) for operation, handler in handlers.items()
        }

    def _serve(
        self,
        operation: str,
        handler: Callable[[Parameters, Context], Result],
        parameters: Parameters,
        context: Context,
    ) -> Result:
        refuse_unserved(operation, parameters)
        self._sweep()
        return handler(parameters, context)

    def _sweep(self) -> None:
        """Delete what expired long enough ago, if it is time to look again."""
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_EVERY_S
            self._items.expire(int(now) - OLDEST_EXPIRY_S, int(now) - EXPIRED_ITEM_LIFE_S)
