"""What a table is set to beside its schema: time to live, point-in-time recovery, tags.

Recovery is a setting only: the emulator keeps no history, and the operations that restore from it
answer that they are not implemented. A change of time to live is over at once, where AWS takes up to
an hour and no second change meanwhile, unless the behaviour says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control.dynamodb.errors import invalid, invalid_value
from iotauth_cli.emulator.control.dynamodb.items import ItemStore
from iotauth_cli.emulator.control.dynamodb.schema import Table
from iotauth_cli.emulator.control.dynamodb.table_store import ARN, TableStore
from iotauth_cli.emulator.control.service import Context, Parameters, Result, ServiceError

DEFAULT_RECOVERY_DAYS = 35
MAX_TAGS = 50
DAY_S = 86_400


class TableSettingOperations:
    def __init__(self, tables: TableStore, items: ItemStore, clock: Callable[[], float], behaviour: Behaviour) -> None:
        self.tables = tables
        self.items = items
        self.clock = clock
        self.behaviour = behaviour

    def update_time_to_live(self, parameters: Parameters, context: Context) -> Result:
        table = self.tables.find(parameters["TableName"], context.region, tell_name=True)
        wanted = parameters["TimeToLiveSpecification"]
        if self._is_changing(table):
            raise invalid("Time to live has been modified multiple times within a fixed interval")
        _check_time_to_live(table.ttl_attribute, wanted)
        attribute = wanted["AttributeName"] if wanted["Enabled"] else None
        changed = replace(table, ttl_attribute=attribute, ttl_changed_at=self.clock())
        self.items.set_expiry(self.tables.save(changed))
        return {"TimeToLiveSpecification": wanted}

    def _is_changing(self, table: Table) -> bool:
        changed_at = table.ttl_changed_at
        return changed_at is not None and self.clock() < changed_at + self.behaviour.time_to_live_change_s

    def describe_time_to_live(self, parameters: Parameters, context: Context) -> Result:
        table = self.tables.find(parameters["TableName"], context.region, tell_name=True)
        is_changing = self._is_changing(table)
        if table.ttl_attribute is None:
            return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLING" if is_changing else "DISABLED"}}
        status = "ENABLING" if is_changing else "ENABLED"
        return {"TimeToLiveDescription": {"TimeToLiveStatus": status, "AttributeName": table.ttl_attribute}}

    def update_continuous_backups(self, parameters: Parameters, context: Context) -> Result:
        table = self._table_with_backups(parameters, context)
        wanted = parameters["PointInTimeRecoverySpecification"]
        if wanted["PointInTimeRecoveryEnabled"]:
            days = wanted.get("RecoveryPeriodInDays", table.recovery_days or DEFAULT_RECOVERY_DAYS)
            since = self.clock() if table.recovery_since is None else table.recovery_since
            table = replace(table, recovery_days=days, recovery_since=since)
        else:
            table = replace(table, recovery_days=None, recovery_since=None)
        return self._describe_backups(self.tables.save(table))

    def describe_continuous_backups(self, parameters: Parameters, context: Context) -> Result:
        return self._describe_backups(self._table_with_backups(parameters, context))

    def _table_with_backups(self, parameters: Parameters, context: Context) -> Table:
        name = parameters["TableName"]
        table = self.tables.get(name, context.region)
        if table is None:
            raise ServiceError("TableNotFoundException", f"Table not found: {name}")
        return table

    def _describe_backups(self, table: Table) -> Result:
        recovery: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
        if table.recovery_days is not None and table.recovery_since is not None:
            now = self.clock()
            recovery = {
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": table.recovery_days,
                "EarliestRestorableDateTime": max(table.recovery_since, now - table.recovery_days * DAY_S),
                "LatestRestorableDateTime": now,
            }
        description = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
        return {"ContinuousBackupsDescription": description}

    def tag_resource(self, parameters: Parameters, context: Context) -> Result:
        table = self._tagged_table(parameters["ResourceArn"], context)
        tags = {**table.tags, **{tag["Key"]: tag["Value"] for tag in parameters["Tags"]}}
        if len(tags) > MAX_TAGS:
            raise invalid_value(f"Number of tags exceeds the limit of {MAX_TAGS}")
        self.tables.save(replace(table, tags=tags))
        return {}

    def untag_resource(self, parameters: Parameters, context: Context) -> Result:
        table = self._tagged_table(parameters["ResourceArn"], context)
        kept = {key: value for key, value in table.tags.items() if key not in parameters["TagKeys"]}
        self.tables.save(replace(table, tags=kept))
        return {}

    def list_tags_of_resource(self, parameters: Parameters, context: Context) -> Result:
        table = self._tagged_table(parameters["ResourceArn"], context)
        return {"Tags": [{"Key": key, "Value": value} for key, value in table.tags.items()]}

    def _tagged_table(self, arn: str, context: Context) -> Table:
        if not ARN.fullmatch(arn):
            raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
        table = self.tables.get(arn, context.region)
        if table is None:
            message = f"Requested resource not found: ResourcArn: {arn} not found"  # AWS's spelling
            raise ServiceError("ResourceNotFoundException", message)
        return table


def _check_time_to_live(current: str | None, wanted: dict[str, Any]) -> None:
    if wanted["Enabled"] and current == wanted["AttributeName"]:
        raise invalid("TimeToLive is already enabled")
    if not wanted["Enabled"] and current is None:
        raise invalid("TimeToLive is already disabled")
    if current not in (None, wanted["AttributeName"]):
        raise invalid(f"TimeToLive is active on a different AttributeName: current AttributeName is {current}")
