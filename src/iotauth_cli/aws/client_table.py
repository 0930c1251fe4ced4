"""The rows of the client table, through the same light client that the function reads them with.

No boto3 here: one row written over it costs a quarter of a second before the first byte.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from iotauth_authorizer.dynamodb import Client, ConnectionLost, Credentials, DynamoDBError, NoCredentials
from iotauth_authorizer.record import KEY, ClientRecord, Item, MalformedRecord, from_item, key, to_item
from iotauth_cli.aws.client_change import Change
from iotauth_cli.aws.errors import from_code, no_credentials, sentence, unreachable
from iotauth_cli.aws.session import Session
from iotauth_cli.config import Target
from iotauth_cli.errors import AlreadyExists, Conflict, NotFound

C = TypeVar("C", bound=Client)

BUDGET_S = 20.0  # for one call with all its retries: a person waits, not AWS IoT
FIRST_VERSION = 1
NO_TABLE = "ResourceNotFoundException"
IS_ABSENT = f"attribute_not_exists({KEY})"


@dataclass(frozen=True)
class BrokenRow:
    """A row that cannot be read. *reason* names the attribute and never its value."""

    client_id: str
    reason: str


@dataclass(frozen=True)
class ClientTable:
    """The table *name* of one target. *session* is where further connections get their keys."""

    name: str
    target: Target
    client: Client
    session: Session | None = None

    @classmethod
    def open(cls, session: Session, name: str) -> ClientTable:
        """Return the table; nothing is sent before the first call."""
        return cls(name, session.target, connection(session, session.sleep), session)

    def close(self) -> None:
        self.client.close()

    def add(self, record: ClientRecord) -> ClientRecord:
        """Write a row that must not exist yet; return it with its first version.

        Raises:
            AlreadyExists: the table has one of this client id; it is left as it is.
        """
        record = record._replace(version=FIRST_VERSION)
        item = to_item(record)
        try:
            with self.translated("PutItem"):
                self.client.put_item(self.name, item, condition=IS_ABSENT)
        except DynamoDBError as problem:  # the condition's
            # A put whose answer got lost is sent again and then meets its own row.
            if self._item(record.client_id) != item:
                raise AlreadyExists(f"table `{self.name}` has this row already") from problem
        return record

    def change(self, before: ClientRecord, after: ClientRecord) -> ClientRecord:
        """Write what differs between *before*, as it was read, and *after*; return the row's new version.

        One conditional write: a row that somebody changed since it was read is left as it is. What
        the function notes meanwhile, such as a first use, is neither overwritten nor a conflict.

        Raises:
            Conflict: somebody else changed the row meanwhile.
            NotFound: somebody removed it.
        """
        if before == after:
            return before
        change = Change.between(before, after)
        try:
            with self.translated("UpdateItem"):
                self.client.update_item(
                    self.name,
                    key(before.client_id),
                    change.expression,
                    condition=change.condition_expression,
                    names=change.names,
                    values=change.values,
                )
        except DynamoDBError as problem:  # the condition's
            # An update whose answer got lost is sent again and then meets its own effect.
            found = self._item(before.client_id)
            if found is None:
                raise self.unknown(before.client_id) from problem
            if not change.is_made(found):
                raise changed_meanwhile(before.client_id) from problem
        return change.after

    def find(self, client_id: str) -> ClientRecord | BrokenRow | None:
        """Return the row of *client_id* as it is now, or None."""
        item = self._item(client_id)
        return None if item is None else read(item)

    def rows(self, after: str | None = None, page_rows: int | None = None) -> Iterator[ClientRecord | BrokenRow]:
        """Yield every row behind that of *after*, page by page, in DynamoDB's order: it means nothing, and stays.

        *after* need not exist. A page is 1 MB, or *page_rows* if that is less.
        """
        rest: dict[str, Any] = {"ExclusiveStartKey": key(after)} if after else {}
        if page_rows:
            rest["Limit"] = page_rows
        with self.translated("Scan"):
            for page in self.client.scan(self.name, **rest):
                yield from map(read, page)

    def count(self) -> int:
        """Return how many rows there are. They are counted where they lie, and none is sent."""
        body: dict[str, Any] = {"TableName": self.name, "Select": "COUNT"}
        total = 0
        with self.translated("Scan"):
            while True:
                page = self.client.call("Scan", body)
                total += int(page["Count"])
                if "LastEvaluatedKey" not in page:
                    return total
                body["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def remove(self, client_id: str) -> bool:
        """Delete the row of *client_id*; tell whether there was one."""
        with self.translated("DeleteItem"):
            return self.client.delete_item(self.name, key(client_id)) is not None

    def _item(self, client_id: str) -> Item | None:
        with self.translated("GetItem"):
            return self.client.get_item(self.name, key(client_id))

    @contextlib.contextmanager
    def translated(self, operation: str) -> Iterator[None]:
        """Turn what the light client raises inside into an error of ours; a failed condition stays what it is."""
        try:
            yield
        except DynamoDBError as problem:
            if problem.is_condition_failed:
                raise  # what that means, the caller knows
            if problem.code == NO_TABLE:
                raise self._missing() from problem
            action = f"dynamodb:{operation}"
            found = from_code(problem.code, problem.message, action, self.target, {"TableName": self.name})
            found.request_id = problem.request_id
            raise found from problem
        except ConnectionLost as problem:
            raise unreachable(sentence(problem), self.target) from problem
        except NoCredentials as problem:
            raise no_credentials(self.target) from problem

    def unknown(self, client_id: str) -> NotFound:
        return NotFound(
            f"there is no client `{client_id}` in table `{self.name}`",
            hint="see which there are with `iotauth client list`",
        )

    def _missing(self) -> NotFound:
        missing = NotFound(
            f"{self.target.label} has no table `{self.name}`", hint="create it with `iotauth authorizer create`"
        )
        missing.aws_code = NO_TABLE  # which tells it from a row that is not there
        return missing


def connection(
    session: Session,
    sleep: Callable[[float], None],
    budget_s: float = BUDGET_S,
    keys: Callable[[], Credentials] | None = None,
    kind: type[C] = Client,  # type: ignore[assignment]  # mypy: a default for a type variable
) -> C:
    """Return a connection to the tables of *session*'s target. It serves one caller at a time."""
    place = session.endpoint("dynamodb")
    return kind(
        place.region,
        credentials=keys or session.credentials,
        endpoint_url=place.url,
        ca_file=session.ca_file,
        budget_s=budget_s,
        sleep=sleep,
    )


def changed_meanwhile(client_id: str) -> Conflict:
    return Conflict(
        f"client `{client_id}` was changed by somebody else meanwhile",
        hint=f"see it with `iotauth client show {client_id}`, and run the same command again",
    )


def read(item: Item) -> ClientRecord | BrokenRow:
    try:
        return from_item(item)
    except MalformedRecord as problem:
        return BrokenRow(str(item.get(KEY, {}).get("S", "?")), str(problem))
