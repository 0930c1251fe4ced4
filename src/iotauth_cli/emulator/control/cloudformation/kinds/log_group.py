"""`AWS::Logs::LogGroup`."""

from __future__ import annotations

from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
from iotauth_cli.emulator.control.cloudformation.kinds.kind import Kind, Properties, Site, tag_changes, tags_of
from iotauth_cli.emulator.control.service import ServiceError

MAX_NAME = 512


class LogGroupKind(Kind):
    """Ref gives the name, Arn ends in ``:*``."""

    type = "AWS::Logs::LogGroup"
    properties = frozenset({"LogGroupName", "RetentionInDays", "Tags", "KmsKeyId", "LogGroupClass"})
    replacing = frozenset({"LogGroupName", "KmsKeyId", "LogGroupClass"})
    identifier = "LogGroupName"

    async def create(self, site: Site, properties: Properties) -> Made:
        name = properties.get("LogGroupName") or site.new_name(MAX_NAME)
        await site.call(
            "logs",
            "CreateLogGroup",
            logGroupName=name,
            kmsKeyId=properties.get("KmsKeyId"),
            logGroupClass=properties.get("LogGroupClass"),
            tags=tags_of(properties) or None,
        )
        return Made(name, {"Arn": f"{_arn(site, name)}:*"})

    async def settle(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        if before.get("RetentionInDays") != after.get("RetentionInDays"):
            days = after.get("RetentionInDays")
            operation = "DeleteRetentionPolicy" if days is None else "PutRetentionPolicy"
            await site.call("logs", operation, logGroupName=made.ref, retentionInDays=days)
        if before:
            await self._settle_tags(site, made, before, after)

    async def find(self, site: Site, name: str) -> Made:
        found = await site.call("logs", "DescribeLogGroups", logGroupNamePrefix=name)
        if name not in [each["logGroupName"] for each in found["logGroups"]]:
            raise ServiceError("ResourceNotFoundException", f"The specified log group {name} does not exist.")
        return Made(name, {"Arn": f"{_arn(site, name)}:*"})

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        await site.call_if_there("logs", "DeleteLogGroup", logGroupName=made.ref)

    async def _settle_tags(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        gone, new = tag_changes(before, after)
        arn = _arn(site, made.ref)
        if gone:
            await site.call("logs", "UntagResource", resourceArn=arn, tagKeys=gone)
        if new:
            await site.call("logs", "TagResource", resourceArn=arn, tags=new)


def _arn(site: Site, name: str) -> str:
    return arns.build("logs", site.context.region, site.context.account, f"log-group:{name}")
