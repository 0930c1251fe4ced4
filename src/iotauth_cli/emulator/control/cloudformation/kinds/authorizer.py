"""`AWS::IoT::Authorizer`.

Which changes make another authorizer is CloudFormation's own table: its name and the switch for signing. With
a name written in the template, the second meets the first and the update fails, on AWS as here. An authorizer
with signing disabled cannot be updated at all: AWS's handler sends the signing fields with every update.
"""

from __future__ import annotations

from typing import Any

from iotauth_cli.emulator.control.cloudformation.intrinsics import Made, comparable
from iotauth_cli.emulator.control.cloudformation.kinds.kind import (
    Kind,
    Properties,
    Site,
    tag_changes,
    tag_list,
)

MAX_NAME = 128
API_NAMES = {
    "AuthorizerFunctionArn": "authorizerFunctionArn",
    "Status": "status",
    "TokenKeyName": "tokenKeyName",
    "TokenSigningPublicKeys": "tokenSigningPublicKeys",
    "EnableCachingForHttp": "enableCachingForHttp",
}
# What an authorizer has when a property is taken out of the template.
DEFAULTS: dict[str, Any] = {"Status": "ACTIVE", "EnableCachingForHttp": False}


class AuthorizerKind(Kind):
    """Ref gives the name."""

    type = "AWS::IoT::Authorizer"
    properties = frozenset({"AuthorizerName", "SigningDisabled", "Tags", *API_NAMES})
    required = frozenset({"AuthorizerFunctionArn"})
    replacing = frozenset({"AuthorizerName", "SigningDisabled"})
    identifier = "AuthorizerName"

    def __init__(self, *, is_updated_unsigned: bool) -> None:
        self._is_updated_unsigned = is_updated_unsigned

    async def create(self, site: Site, properties: Properties) -> Made:
        made = await site.call(
            "iot",
            "CreateAuthorizer",
            authorizerName=properties.get("AuthorizerName") or site.new_name(MAX_NAME),
            signingDisabled=properties.get("SigningDisabled"),
            tags=properties.get("Tags"),
            **{api_name: properties.get(name) for name, api_name in API_NAMES.items()},
        )
        return Made(made["authorizerName"], {"Arn": made["authorizerArn"]})

    async def settle(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        gone, new = tag_changes(before, after) if before else ([], {})
        arn = made.attributes["Arn"]
        if gone:
            await site.call("iot", "UntagResource", resourceArn=arn, tagKeys=gone)
        if new:
            await site.call("iot", "TagResource", resourceArn=arn, tags=tag_list(new))

    async def update(self, site: Site, made: Made, before: Properties, after: Properties) -> Made:
        changed = [name for name in API_NAMES if before.get(name) != after.get(name)]
        wanted = {API_NAMES[name]: after.get(name, DEFAULTS.get(name)) for name in changed}
        if wanted and not await self._is_as_wanted(site, made, wanted):
            if comparable(after.get("SigningDisabled")) == "true" and not self._is_updated_unsigned:
                wanted["tokenSigningPublicKeys"] = {}  # as AWS's handler does, and AWS IoT then refuses
            await site.call("iot", "UpdateAuthorizer", authorizerName=made.ref, **wanted)
        return made

    async def _is_as_wanted(self, site: Site, made: Made, wanted: Properties) -> bool:
        """Tell whether there is nothing to change: an update that failed is undone without another one."""
        found = await site.call("iot", "DescribeAuthorizer", authorizerName=made.ref)
        described = found["authorizerDescription"]
        return all(comparable(described.get(name)) == comparable(value) for name, value in wanted.items())

    async def find(self, site: Site, name: str) -> Made:
        found = await site.call("iot", "DescribeAuthorizer", authorizerName=name)
        return Made(name, {"Arn": found["authorizerDescription"]["authorizerArn"]})

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Switch it off first: AWS IoT deletes no active authorizer."""
        await site.call_if_there("iot", "UpdateAuthorizer", authorizerName=made.ref, status="INACTIVE")
        await site.call_if_there("iot", "DeleteAuthorizer", authorizerName=made.ref)
