"""The rows of an older table as our function will see them: counted by kind, and who would be refused.

The rows are read once, page by page; of a large table only a random sample of logins is kept for
`compare`. Passwords stay in memory and in `Secret`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from iotauth_authorizer.grants import ArnScope
from iotauth_authorizer.record import ClientRecord, Item
from iotauth_cli.aws.client_table import BrokenRow, ClientTable, read
from iotauth_cli.operations.policies import held_by
from iotauth_cli.secret import Secret

SHOWN = 10  # rows that are named; the others are counted
ODD = 20  # rows of each odd kind that are compared, whatever the sample


@dataclass(frozen=True)
class Login:
    """What a device of this row presents, as far as the row tells. *record*: None where our function cannot read it."""

    client_id: str
    username: str
    password: Secret
    record: ClientRecord | None


@dataclass
class Named:
    """Clients of one kind: how many, and the first of them, each with a reason."""

    count: int = 0
    first: list[tuple[str, str]] = field(default_factory=list)

    def add(self, client_id: str, reason: str) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append((client_id, reason))


@dataclass
class Census:
    """What a table holds. Each row is *plain*, *ours* (its secret is hashed), *empty* (it has none) or *unreadable*.

    *disabled* and *expired* count rows of any of those; *refused* are those that our function lets in with no
    password at all. *logins* are what is compared.
    """

    total: int = 0
    plain: int = 0
    ours: int = 0
    empty: int = 0
    unreadable: int = 0
    disabled: int = 0
    expired: int = 0
    refused: Named = field(default_factory=Named)
    logins: list[Login] = field(default_factory=list)
    odd: list[Login] = field(default_factory=list)


@dataclass(frozen=True)
class Count:
    """Counts rows into *census*, keeping at most *sample* logins of the usual kind."""

    census: Census
    scope: ArnScope
    now: int
    sample: int
    chance: random.Random = field(default_factory=random.Random)

    def read(self, table: ClientTable) -> Iterator[int]:
        """Read the whole table; yield 1 for each row."""
        with table.translated("Scan"):
            for page in table.client.scan(table.name):
                for item in page:
                    self.add(item)
                    yield 1

    def add(self, item: Item) -> None:
        census, row = self.census, read(item)
        census.total += 1
        if isinstance(row, BrokenRow):
            census.unreadable += 1
            census.refused.add(row.client_id, row.reason)
            self.keep_odd(Login(row.client_id, text_of(item, "Username") or row.client_id, password_of(item), None))
            return
        census.disabled += not row.enabled
        census.expired += row.expires_at is not None and row.expires_at <= self.now
        why = held_by(row, self.scope, self.now, "").kept_out
        if why is not None:
            census.refused.add(row.client_id, why.removeprefix(f"client `{row.client_id}` "))
        login = Login(row.client_id, row.username or row.client_id, Secret(row.plain_password or ""), row)
        if row.slots:
            census.ours += 1
        elif row.plain_password:
            census.plain += 1
            self.keep_odd(login) if why is not None else self.keep(login)
        else:
            census.empty += 1
            self.keep_odd(login)

    def keep(self, login: Login) -> None:
        """Keep each login with the same chance, however many there are (Vitter's algorithm R)."""
        seen = self.census.plain
        if len(self.census.logins) < self.sample:
            self.census.logins.append(login)
        elif self.sample and (place := self.chance.randrange(seen)) < self.sample:
            self.census.logins[place] = login

    def keep_odd(self, login: Login) -> None:
        if len(self.census.odd) < min(ODD, self.sample):
            self.census.odd.append(login)


def text_of(item: Item, name: str) -> str | None:
    """Return a value as an older function would take it for text: a number is one too."""
    value = item.get(name, {})
    found = value.get("S", value.get("N"))
    return None if found is None else str(found)


def password_of(item: Item) -> Secret:
    return Secret(text_of(item, "Password") or "")
