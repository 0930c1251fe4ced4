"""`AWS::Lambda::Permission`: a statement of a function's resource policy. Any change makes another statement."""

from __future__ import annotations

from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
from iotauth_cli.emulator.control.cloudformation.kinds.kind import Kind, Properties, Site

MAX_STATEMENT_ID = 100


class PermissionKind(Kind):
    """Ref gives the statement's id, which CloudFormation chooses."""

    type = "AWS::Lambda::Permission"
    properties = frozenset(
        {"Action", "FunctionName", "Principal", "SourceArn", "SourceAccount", "EventSourceToken", "PrincipalOrgID"}
    )
    required = frozenset({"Action", "FunctionName", "Principal"})
    replacing = properties

    async def create(self, site: Site, properties: Properties) -> Made:
        statement_id = site.new_name(MAX_STATEMENT_ID)
        await site.call("lambda", "AddPermission", StatementId=statement_id, **properties)
        return Made(statement_id, {"Id": statement_id})

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        function = properties["FunctionName"]
        await site.call_if_there("lambda", "RemovePermission", FunctionName=function, StatementId=made.ref)
