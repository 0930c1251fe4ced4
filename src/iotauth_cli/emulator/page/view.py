"""What the page shows of the emulator's state: authorizers, clients, connections, decisions, injections.

Clients are the rows of every table that has a client table's key. Of a secret only that it is there, how old
it is and whether it counts leaves this module: not its hash, and no older row's password.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from iotauth_authorizer.record import KEY, ClientRecord, Item, MalformedRecord, from_item
from iotauth_cli.emulator.admin import Handler, Members
from iotauth_cli.emulator.attempts import Attempt, AttemptLog
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.control.iot.store import AuthorizerStore
from iotauth_cli.emulator.control.service import Context, Parameters, Result, Service
from iotauth_cli.emulator.invoker import function_name
from iotauth_cli.emulator.model import Authorizer, ConnectionInfo

SHOWN_DECISIONS = 100
SHOWN_CLIENTS = 200  # of each table


@dataclass(frozen=True)
class Place:
    """Where the emulator is, for the head of the page."""

    region: str
    account: str
    data_port: Callable[[], int]  # known when the port is open


class View:
    """The nouns of the page. *dynamodb* is asked as any client of the API would ask it."""

    def __init__(
        self,
        place: Place,
        clock: Callable[[], float],
        authorizers: AuthorizerStore,
        broker: Broker,
        attempts: AttemptLog,
        dynamodb: Service,
    ) -> None:
        self._place = place
        self._clock = clock
        self._authorizers = authorizers
        self._broker = broker
        self._attempts = attempts
        self._dynamodb = dynamodb
        self.nouns: Mapping[str, Handler] = {"page": self.show, "page/clients": self.clients}
        self.verbs: Mapping[str, Handler] = {}

    async def show(self, members: Members) -> Members:
        """Return what changes often."""
        region, default = self._place.region, self._authorizers.default_name(self._place.region)
        return {
            "now": self._clock(),
            "region": region,
            "account": self._place.account,
            "data_port": self._place.data_port(),
            "authorizers": [_authorizer(each.authorizer, default) for each in self._authorizers.all(region)],
            "connections": [_connection(each) for each in self._broker.connections()],
            "decisions": [_decision(each) for each in self._attempts.recent(SHOWN_DECISIONS)][::-1],
        }

    async def clients(self, members: Members) -> Members:
        """Return the first clients of each client table."""
        found = [client for table in await self._tables() for client in await self._clients_of(table)]
        return {"clients": found, "shown": SHOWN_CLIENTS}

    async def _tables(self) -> list[str]:
        listed = (await self._ask("ListTables", {}))["TableNames"]
        described = [(await self._ask("DescribeTable", {"TableName": name}))["Table"] for name in listed]
        return [each["TableName"] for each in described if [key["AttributeName"] for key in each["KeySchema"]] == [KEY]]

    async def _clients_of(self, table: str) -> list[dict[str, Any]]:
        scanned = await self._ask("Scan", {"TableName": table, "Limit": SHOWN_CLIENTS})
        return sorted(
            (_client(table, item, self._clock()) for item in scanned["Items"]), key=lambda row: row["client_id"]
        )

    async def _ask(self, operation: str, parameters: Parameters) -> Result:
        context = Context(self._place.region, self._place.account, "page")
        answer = self._dynamodb.operations[operation](parameters, context)
        return await answer if inspect.isawaitable(answer) else answer


def _authorizer(authorizer: Authorizer, default: str | None) -> dict[str, Any]:
    return {
        "name": authorizer.name,
        "function": function_name(authorizer.function_arn),
        "is_active": authorizer.is_active,
        "is_default": authorizer.name == default,
        "is_signed": not authorizer.signing_disabled,
        "token_key_name": authorizer.token_key_name,
        "keys": sorted(authorizer.token_signing_public_keys),
    }


def _connection(connection: ConnectionInfo) -> dict[str, Any]:
    return {**asdict(connection), "policy_documents": list(connection.policy_documents)}


def _decision(attempt: Attempt) -> dict[str, Any]:
    return asdict(attempt)


def _client(table: str, item: Item, now: float) -> dict[str, Any]:
    try:
        record = from_item(item)
    except MalformedRecord as error:
        client_id = item.get(KEY, {}).get("S", "")
        return {"table": table, "client_id": client_id, "state": f"cannot be read: {error}", "secrets": []}
    return {
        "table": table,
        "client_id": record.client_id,
        "state": _state(record, now),
        "publish": [*record.grants.publish, *record.grants.retain, *filter(None, [record.grants.older_write])],
        "subscribe": [*record.grants.subscribe, *filter(None, [record.grants.older_read])],
        "secrets": list(_secrets(record)),
        "note": record.note,
    }


def _state(record: ClientRecord, now: float) -> str:
    if not record.enabled:
        return "disabled"
    return "expired" if record.expires_at is not None and record.expires_at <= now else "enabled"


def _secrets(record: ClientRecord) -> Iterator[str]:
    """Say which secrets there are, and nothing that helps to know one."""
    for name, slot in sorted(record.slots.items()):
        yield f"{name} {slot.state}"
    if record.plain_password is not None:
        yield "an older row's, in plain text"
