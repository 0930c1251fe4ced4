"""TransactWriteItems and TransactGetItems: all of it, or nothing.

A transaction first decides every action against the items as they are; if one cannot be done, the
answer gives a reason for each action, in order, and nothing is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iotauth_cli.emulator.control.dynamodb.capacity import TRANSACTION_FACTOR, Meter
from iotauth_cli.emulator.control.dynamodb.errors import invalid
from iotauth_cli.emulator.control.dynamodb.items import ItemStore
from iotauth_cli.emulator.control.dynamodb.read_operations import ReadOperations
from iotauth_cli.emulator.control.dynamodb.table_store import TableStore
from iotauth_cli.emulator.control.dynamodb.values import Item
from iotauth_cli.emulator.control.dynamodb.write_operations import WriteOperations
from iotauth_cli.emulator.control.dynamodb.writes import Write, read_check, read_delete, read_put, read_update
from iotauth_cli.emulator.control.service import Context, Parameters, Result, ServiceError

READERS: dict[str, Callable[[Parameters, TableStore, str], Write]] = {
    "Put": read_put,
    "Update": read_update,
    "Delete": read_delete,
    "ConditionCheck": read_check,
}
REASONS = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "ValidationException": "ValidationError",
}
TOKEN_LIFE_S = 600  # seconds for which a repeated ClientRequestToken means the same request
MAX_TOKENS = 1000  # kept at most, the youngest


@dataclass(frozen=True)
class Answered:
    """A transaction that was carried out, kept so that a repeated request is not carried out again."""

    parameters: Parameters
    result: Result
    at: float  # epoch seconds


class TransactionOperations:
    def __init__(
        self,
        tables: TableStore,
        items: ItemStore,
        reads: ReadOperations,
        writes: WriteOperations,
        clock: Callable[[], float],
    ) -> None:
        self.tables = tables
        self.items = items
        self.reads = reads
        self.writes = writes
        self.clock = clock
        self._answered: OrderedDict[tuple[str, str], Answered] = OrderedDict()

    def transact_write_items(self, parameters: Parameters, context: Context) -> Result:
        if "ClientRequestToken" not in parameters:
            return self._write_all(parameters, context)
        token = context.region, parameters["ClientRequestToken"]
        earlier = self._answered.get(token)
        if earlier is not None and self.clock() - earlier.at < TOKEN_LIFE_S:
            return _repeated(earlier, parameters)
        result = self._write_all(parameters, context)
        self._remember(token, Answered(parameters, result, self.clock()))
        return result

    def _write_all(self, parameters: Parameters, context: Context) -> Result:
        writes = [self._read_action(action, context) for action in parameters["TransactItems"]]
        _refuse_repeated([(write.table.number, write.place) for write in writes])
        olds = [self.items.get(write.table, write.place) for write in writes]
        news = _decide_all(writes, olds)
        meter = Meter(parameters, TRANSACTION_FACTOR)
        with self.items.transaction():
            for write, old, new in zip(writes, olds, news, strict=True):
                meter.wrote(write.table.name, old, new)
                if new is not old:
                    self.writes.store(write, new)
        return meter.totals()

    def _read_action(self, action: dict[str, Any], context: Context) -> Write:
        if len(action) != 1:
            raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
        ((kind, parameters),) = action.items()
        return READERS[kind](parameters, self.tables, context.region)

    def _remember(self, token: tuple[str, str], answered: Answered) -> None:
        self._answered.pop(token, None)  # so that the youngest stand last
        self._answered[token] = answered
        while len(self._answered) > MAX_TOKENS:
            self._answered.popitem(last=False)

    def transact_get_items(self, parameters: Parameters, context: Context) -> Result:
        lookups = [
            self.reads.read_lookup(
                {**action["Get"], "Keys": [action["Get"]["Key"]], "ConsistentRead": True}, context.region
            )
            for action in parameters["TransactItems"]
        ]
        _refuse_repeated([(lookup.table.number, lookup.places[0]) for lookup in lookups])
        meter = Meter(parameters, TRANSACTION_FACTOR)
        found = [self.reads.look_up(lookup, lookup.places[0], meter) for lookup in lookups]
        return {"Responses": [{} if item is None else {"Item": item} for item in found], **meter.totals()}


def _repeated(earlier: Answered, parameters: Parameters) -> Result:
    if parameters != earlier.parameters:
        raise ServiceError(
            "IdempotentParameterMismatchException",
            "The request uses the same client token as a previous, but non-identical request.",
        )
    return earlier.result


def _refuse_repeated(places: list[tuple[int, Any]]) -> None:
    if len(set(places)) < len(places):
        raise invalid("Transaction request cannot include multiple operations on one item")


def _decide_all(writes: list[Write], olds: list[Item | None]) -> list[Item | None]:
    """Return what becomes of each item.

    Raises:
        ServiceError: at least one action cannot be carried out.
    """
    news: list[Item | None] = []
    reasons: list[dict[str, Any]] = []
    for write, old in zip(writes, olds, strict=True):
        try:
            news.append(write.decide(old))
            reasons.append({"Code": "None"})
        except ServiceError as error:
            reasons.append({"Code": REASONS[error.code], "Message": error.message, **error.members})
    if len(news) < len(writes):
        codes = ", ".join(reason["Code"] for reason in reasons)
        raise ServiceError(
            "TransactionCanceledException",
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
            CancellationReasons=reasons,
        )
    return news
