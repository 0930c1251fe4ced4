"""A whole account to install into: the emulator's control plane with tables, and a session that does not wait."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.config import Target
from iotauth_cli.emulator.control.dynamodb.service import DynamoDb
from iotauth_cli.emulator.control.service import Service
from iotauth_cli.emulator.model import ACCOUNT
from iotauth_cli.errors import IotauthError
from iotauth_cli.operations.installation import Wish
from iotauth_cli.secret import Secret
from support_aws import Pauses, aws_target
from support_control import ACCESS_KEY, REGION, SECRET_KEY, Control, ControlServer

READS = ("describe_", "get_", "list_")
WISH = Wish("doors", "doors-clients", "doors-authorizer")
CLIENTS: dict[str, dict[str, Any]] = {}  # boto3's, by address and service: making one takes longer than a test


class Account(Control):
    """The services of `Control`, and DynamoDB."""

    def __init__(self, server: ControlServer, directory: Path) -> None:
        self._tables: list[ClientTable] = []
        super().__init__(server, directory)

    def _build(self) -> Sequence[Service]:
        others = super()._build()
        return [*others, DynamoDb(self.state, account=ACCOUNT, clock=time.time)]

    def session(self, *, fail_at: int | None = None, after: bool = False) -> Watched:
        """Return a session whose change number *fail_at* (from 1) breaks before AWS gets it, or *after*."""
        target = aws_target(
            label="the account",
            region=REGION,
            endpoint_url=self.server.url,
            table_url=self.server.url,
            access_key=ACCESS_KEY,
            secret_key=Secret(SECRET_KEY),
        )
        return Watched.sharing(target, fail_at=fail_at, after=after)

    def table(self, name: str = WISH.table) -> ClientTable:
        self._tables.append(ClientTable.open(self.session(), name))
        return self._tables[-1]

    def close(self) -> None:
        for table in self._tables:
            table.close()
        super().close()


class Broken(IotauthError):
    """The call that was told to break."""


@dataclass(frozen=True)
class Watched(Session):
    """A session that can break at one of the calls that change something, and remembers them all."""

    fail_at: int | None = None
    after: bool = False
    calls: list[str] = field(default_factory=list)

    @classmethod
    def sharing(cls, target: Target, *, fail_at: int | None = None, after: bool = False) -> Watched:
        """Return a session that waits for nothing and shares its clients with all others of the same address."""
        session = cls(target, Pauses(), fail_at, after)
        session.__dict__["_clients"] = CLIENTS.setdefault(str(target.endpoint_url), {})
        return session

    @property
    def changes(self) -> list[str]:
        return [call for call in self.calls if not call.partition(":")[2].startswith(READS)]

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self.calls.append(f"{service}:{operation}")
        is_due = len(self.changes) == self.fail_at and self.calls[-1] == self.changes[-1]
        if is_due and not self.after:
            raise Broken(f"before {operation}")
        answer = super().call(service, operation, **parameters)
        if is_due:
            raise Broken(f"after {operation}")
        return answer
