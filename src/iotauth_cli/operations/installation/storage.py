"""What the function needs around it: the table it reads and the log group it writes to."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from iotauth_authorizer.record import KEY
from iotauth_cli.aws import lambda_, logs, table
from iotauth_cli.aws.polling import pauses
from iotauth_cli.errors import AccessDenied, Conflict
from iotauth_cli.operations.installation.part import TaggedPart, is_marked

RETENTION_DAYS = 30  # long enough to look back at an outage, short enough to cost nothing
TAGS_S = 10.0  # until the tags of a new table are shown, at the longest
EXPIRY = "Expires"  # the attribute of a row that says when the client's time is over


class LogGroup(TaggedPart[logs.LogGroup]):
    """Made before the function, which else would make one that keeps its logs forever."""

    resource = "log group"
    at_stake = "with its logs"

    @property
    def name(self) -> str:
        return logs.group_of(self.wish.function)

    @property
    def arn(self) -> str:
        return logs.arn(self.session.scope, self.name)

    def look(self) -> logs.LogGroup | None:
        return logs.find(self.session, self.name)

    def drift(self, found: logs.LogGroup) -> list[str]:
        wanted = self.retention_of(found)
        if wanted == found.retention_days or wanted is None:
            return []
        kept = f"{found.retention_days} days" if found.retention_days else "forever"
        return [f"logs are kept {kept}, not {wanted} days"]

    def retention_of(self, found: logs.LogGroup) -> int | None:
        """Return how many days of *found* are wanted: what was said, else what is there.

        A group cannot be made with its retention. One that keeps its lines forever may want that, or a run was
        stopped between the two calls: then it is ours, and the function, which comes later, is not there yet.
        """
        said = self.wish.settings.retention_days
        if said is not None or found.retention_days is not None:
            return said or found.retention_days
        is_unfinished = lambda_.find(self.session, self.wish.function) is None and is_marked(self.read_tags(found))
        return RETENTION_DAYS if is_unfinished else None

    def create(self) -> None:
        logs.create(self.session, self.name, self.first_tags)
        logs.retain(self.session, self.name, self.wish.settings.retention_days or RETENTION_DAYS)

    def mend(self, found: logs.LogGroup) -> None:
        logs.retain(self.session, self.name, self.retention_of(found) or RETENTION_DAYS)

    def remove(self, found: logs.LogGroup) -> None:
        logs.delete(self.session, self.name)

    def read_tags(self, found: logs.LogGroup) -> Mapping[str, str]:
        return logs.tags(self.session, self.arn)

    def put_tags(self, found: logs.LogGroup, added: Mapping[str, str]) -> None:
        logs.tag(self.session, self.arn, added)

    def take_tags(self, found: logs.LogGroup, keys: Sequence[str]) -> None:
        logs.untag(self.session, self.arn, keys)


class Table(TaggedPart[table.Table]):
    """One row for each client, keyed by client id."""

    resource = "table"
    at_stake = "with every client in it"

    @property
    def name(self) -> str:
        return self.wish.table

    @property
    def arn(self) -> str:
        return table.arn(self.session.scope, self.name)

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

    def remark(self, found: table.Table) -> str | None:
        """Rows that go by a wrong attribute are lost; whether they are to be is for somebody to decide."""
        attribute = None
        with contextlib.suppress(AccessDenied):  # nothing is to be done about it, so it need not be seen
            attribute = table.expiry_attribute(self.session, self.name)
        if attribute in (None, EXPIRY):
            return None
        return f"DynamoDB deletes its rows by `{attribute}`, which iotauth does not set, and that is left to you"

    def create(self) -> None:
        table.wait_until_gone(self.session, self.name)  # one of this name may be on its way out
        table.create(self.session, self.name, self.first_tags)

    def mend(self, found: table.Table) -> None:
        """Make it safe. Time to live comes before recovery: a run that is stopped in between finds recovery off.

        Only a table of ours that was never finished gets it: where there are rows already, some of them may be
        over, and would go. If DynamoDB does not take it now, the function refuses clients whose time is over all
        the same, and their rows stay.
        """
        table.wait_until_active(self.session, self.name)
        if not found.is_protected:
            table.protect(self.session, self.name, on=True)
            table.wait_until_active(self.session, self.name)
        if self.is_recoverable(found):
            return
        if self.is_unfinished(found):
            table.expire_by(self.session, self.name, EXPIRY)
        table.make_recoverable(self.session, self.name)

    def is_recoverable(self, found: table.Table) -> bool:
        # What was found while the table was being made does not say it.
        return found.is_recoverable or (found.status != "ACTIVE" and table.is_recoverable(self.session, self.name))

    def is_unfinished(self, found: table.Table) -> bool:
        """Tell whether the table is ours and new: the function comes after it."""
        if lambda_.find(self.session, self.wish.function) is not None or not self.is_tagged(found):
            return False
        return table.expiry_attribute(self.session, self.name) is None

    def is_tagged(self, found: table.Table) -> bool:
        """Tell whether it has our tag. Those of a table that is being made may show seconds later than the table.

        Source: ListTagsOfResource is eventually consistent (DynamoDB API reference, TagResource).
        """
        for pause in pauses(TAGS_S):
            if is_marked(self.read_tags(found)):
                return True
            if found.status == "ACTIVE":
                return False
            self.session.sleep(pause)
        return False

    def remove(self, found: table.Table) -> None:
        table.wait_until_active(self.session, self.name)
        if found.is_protected:
            table.protect(self.session, self.name, on=False)
            table.wait_until_active(self.session, self.name)
        table.delete(self.session, self.name)

    def read_tags(self, found: table.Table) -> Mapping[str, str]:
        return table.tags(self.session, self.arn)

    def put_tags(self, found: table.Table, added: Mapping[str, str]) -> None:
        table.wait_until_active(self.session, self.name)
        table.tag(self.session, self.arn, added)

    def take_tags(self, found: table.Table, keys: Sequence[str]) -> None:
        table.untag(self.session, self.arn, keys)
