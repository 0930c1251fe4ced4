"""`AWS::IoT::Authorizer`.

Which changes make another authorizer is CloudFormation's own table: its name and the switch for signing. With
a name written in the template, the second meets the first and the update fails, on AWS as here.
"""

from __future__ import annotations

from typing import Any

from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
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
        if wanted:
            await site.call("iot", "UpdateAuthorizer", authorizerName=made.ref, **wanted)
        return made

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Switch it off first: AWS IoT deletes no active authorizer."""
        await site.call_if_there("iot", "UpdateAuthorizer", authorizerName=made.ref, status="INACTIVE")
        await site.call_if_there("iot", "DeleteAuthorizer", authorizerName=made.ref)
