"""`AWS::DynamoDB::Table`."""

from __future__ import annotations

from typing import Any

from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
from iotauth_cli.emulator.control.cloudformation.kinds.kind import Kind, Properties, Site, tag_changes, tag_list

# Encryption at rest has nothing to show in an emulator: no call tells it apart. Taken and not passed on.
WITHOUT_EFFECT = frozenset({"SSESpecification"})
AT_CREATION = frozenset(
    {
        "TableName",
        "AttributeDefinitions",
        "KeySchema",
        "BillingMode",
        "ProvisionedThroughput",
        "DeletionProtectionEnabled",
        "TableClass",
        "Tags",
    }
)
CHANGEABLE = ("BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled", "TableClass")
# What a table has when a property is taken out of the template.
DEFAULTS: dict[str, Any] = {
    "BillingMode": "PROVISIONED",
    "DeletionProtectionEnabled": False,
    "TableClass": "STANDARD",
}
MAX_NAME = 255
RECOVERY = "PointInTimeRecoverySpecification"
EXPIRY = "TimeToLiveSpecification"


class TableKind(Kind):
    """Ref gives the name. With no indexes here, AttributeDefinitions are the key's and go with it."""

    type = "AWS::DynamoDB::Table"
    properties = AT_CREATION | WITHOUT_EFFECT | {RECOVERY, EXPIRY}
    required = frozenset({"KeySchema"})
    replacing = frozenset({"TableName", "KeySchema", "AttributeDefinitions"})
    identifier = "TableName"

    async def create(self, site: Site, properties: Properties) -> Made:
        given = {name: properties[name] for name in AT_CREATION if name in properties}
        given.setdefault("TableName", site.new_name(MAX_NAME))
        made = (await site.call("dynamodb", "CreateTable", **given))["TableDescription"]
        return Made(made["TableName"], {"Arn": made["TableArn"]})

    async def settle(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        if before.get(EXPIRY) != after.get(EXPIRY):
            await self._settle_expiry(site, made, before.get(EXPIRY, {}), after.get(EXPIRY, {}))
        if before.get(RECOVERY) != after.get(RECOVERY):
            wanted = after.get(RECOVERY, {"PointInTimeRecoveryEnabled": False})
            name = {"TableName": made.ref, RECOVERY: wanted}
            await site.call("dynamodb", "UpdateContinuousBackups", **name)
        if before:
            await self._settle_tags(site, made, before, after)

    async def update(self, site: Site, made: Made, before: Properties, after: Properties) -> Made:
        changed = {name for name in CHANGEABLE if before.get(name) != after.get(name)}
        wanted = {name: after.get(name, DEFAULTS.get(name)) for name in changed}
        if any(value is not None for value in wanted.values()):
            await site.call("dynamodb", "UpdateTable", TableName=made.ref, **wanted)
        return made

    async def find(self, site: Site, name: str) -> Made:
        found = (await site.call("dynamodb", "DescribeTable", TableName=name))["Table"]
        return Made(name, {"Arn": found["TableArn"]})

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        await site.call_if_there("dynamodb", "DeleteTable", TableName=made.ref)

    async def _settle_expiry(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        """Turn the old attribute off before the new one on: DynamoDB has room for one."""
        for wanted, enabled in ((before, False), (after, True)):
            if str(wanted.get("Enabled", False)).lower() == "true":
                switch = {"AttributeName": wanted.get("AttributeName"), "Enabled": enabled}
                await site.call("dynamodb", "UpdateTimeToLive", TableName=made.ref, TimeToLiveSpecification=switch)

    async def _settle_tags(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        gone, new = tag_changes(before, after)
        arn = made.attributes["Arn"]
        if gone:
            await site.call("dynamodb", "UntagResource", ResourceArn=arn, TagKeys=gone)
        if new:
            await site.call("dynamodb", "TagResource", ResourceArn=arn, Tags=tag_list(new))
