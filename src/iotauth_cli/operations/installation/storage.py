"""What the function needs around it: the table it reads and the log group it writes to."""

from __future__ import annotations

from iotauth_authorizer.record import KEY
from iotauth_cli.aws import logs, table
from iotauth_cli.errors import Conflict
from iotauth_cli.operations.installation.part import Part

RETENTION_DAYS = 30  # long enough to look back at an outage, short enough to cost nothing


class LogGroup(Part[logs.LogGroup]):
    """Made before the function, which else would make one that keeps its logs forever."""

    resource = "log group"
    at_stake = "with its logs"

    @property
    def name(self) -> str:
        return logs.group_of(self.wish.function)

    def look(self) -> logs.LogGroup | None:
        return logs.find(self.session, self.name)

    def drift(self, found: logs.LogGroup) -> list[str]:
        if found.retention_days == RETENTION_DAYS:
            return []
        kept = f"{found.retention_days} days" if found.retention_days else "forever"
        return [f"logs are kept {kept}, not {RETENTION_DAYS} days"]

    def create(self) -> None:
        logs.create(self.session, self.name)

    def mend(self, found: logs.LogGroup) -> None:
        logs.retain(self.session, self.name, RETENTION_DAYS)

    def remove(self, found: logs.LogGroup) -> None:
        logs.delete(self.session, self.name)


class Table(Part[table.Table]):
    """One row for each client, keyed by client id."""

    resource = "table"
    at_stake = "with every client in it"

    @property
    def name(self) -> str:
        return self.wish.table

    def look(self) -> table.Table | None:
        found = table.find(self.session, self.name)
        return None if found is None or found.status == "DELETING" else found

    def drift(self, found: table.Table) -> list[str]:
        if found.key != (KEY,):
            raise Conflict(
                f"table `{self.name}` has the key `{', '.join(found.key)}`, and clients need `{KEY}` alone",
                hint="choose another table with `--table NAME`",
            )
        checks = {
            "it is still being made": found.status == "ACTIVE",
            "it can be deleted by accident": found.is_protected,
            "point-in-time recovery is off": found.is_recoverable,
        }
        return [words for words, is_well in checks.items() if not is_well]

    def create(self) -> None:
        table.wait_until_gone(self.session, self.name)  # one of this name may be on its way out
        table.create(self.session, self.name)

    def mend(self, found: table.Table) -> None:
        table.wait_until_active(self.session, self.name)
        if not found.is_protected:
            table.protect(self.session, self.name, on=True)
            table.wait_until_active(self.session, self.name)
        if not found.is_recoverable:
            table.make_recoverable(self.session, self.name)

    def remove(self, found: table.Table) -> None:
        table.wait_until_active(self.session, self.name)
        if found.is_protected:
            table.protect(self.session, self.name, on=False)
            table.wait_until_active(self.session, self.name)
        table.delete(self.session, self.name)
