"""`AWS::Lambda::Version` and `AWS::Lambda::Alias`."""

from __future__ import annotations

from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
from iotauth_cli.emulator.control.cloudformation.kinds.kind import Kind, Properties, Site


class VersionKind(Kind):
    """Ref gives the ARN with its number. A version never changes, so every change publishes another."""

    type = "AWS::Lambda::Version"
    properties = frozenset({"FunctionName", "Description", "CodeSha256"})
    required = frozenset({"FunctionName"})
    replacing = properties

    async def create(self, site: Site, properties: Properties) -> Made:
        made = await site.call("lambda", "PublishVersion", **properties)
        return Made(made["FunctionArn"], {"Version": made["Version"], "FunctionArn": made["FunctionArn"]})

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        await site.call_if_there("lambda", "DeleteFunction", FunctionName=made.ref)


class AliasKind(Kind):
    """Ref gives the ARN."""

    type = "AWS::Lambda::Alias"
    properties = frozenset({"FunctionName", "FunctionVersion", "Name", "Description", "RoutingConfig"})
    required = frozenset({"FunctionName", "FunctionVersion", "Name"})
    replacing = frozenset({"FunctionName", "Name"})

    async def create(self, site: Site, properties: Properties) -> Made:
        made = await site.call("lambda", "CreateAlias", **properties)
        return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})

    async def update(self, site: Site, made: Made, before: Properties, after: Properties) -> Made:
        await site.call("lambda", "UpdateAlias", **{"Description": "", **after})
        return made

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        function, name = properties["FunctionName"], properties["Name"]
        await site.call_if_there("lambda", "DeleteAlias", FunctionName=function, Name=name)
