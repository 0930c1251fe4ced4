"""`AWS::IoT::DomainConfiguration`."""

from __future__ import annotations

from typing import Any

from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
from iotauth_cli.emulator.control.cloudformation.kinds.kind import Kind, Properties, Site, tag_changes, tag_list

MAX_NAME = 128
STATUS = "DomainConfigurationStatus"
FOR_LIFE = ("DomainName", "ServerCertificateArns", "ServiceType", "ValidationCertificateArn")
# What UpdateDomainConfiguration changes, with what a domain has when it is taken out of the template.
CHANGEABLE: dict[str, Any] = {
    "ApplicationProtocol": "DEFAULT",
    "AuthenticationType": "DEFAULT",
    "AuthorizerConfig": None,
    "ClientCertificateConfig": {},
    "ServerCertificateConfig": {},
    "TlsConfig": {},
}


class DomainKind(Kind):
    """Ref gives the configuration's name."""

    type = "AWS::IoT::DomainConfiguration"
    properties = frozenset({"DomainConfigurationName", STATUS, "Tags", *FOR_LIFE, *CHANGEABLE})
    replacing = frozenset({"DomainConfigurationName", *FOR_LIFE})
    identifier = "DomainConfigurationName"

    async def create(self, site: Site, properties: Properties) -> Made:
        given = {name: properties[name] for name in (*FOR_LIFE, *CHANGEABLE) if name in properties}
        made = await site.call(
            "iot",
            "CreateDomainConfiguration",
            domainConfigurationName=properties.get("DomainConfigurationName") or site.new_name(MAX_NAME),
            tags=properties.get("Tags"),
            **api_members(given),
        )
        name = made["domainConfigurationName"]
        described = await site.call("iot", "DescribeDomainConfiguration", domainConfigurationName=name)
        return Made(name, {"Arn": made["domainConfigurationArn"], "DomainType": described.get("domainType")})

    async def settle(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        status = after.get(STATUS, "ENABLED")
        if before.get(STATUS, "ENABLED") != status:
            await self._update(site, made, domainConfigurationStatus=status)
        gone, new = tag_changes(before, after) if before else ([], {})
        arn = made.attributes["Arn"]
        if gone:
            await site.call("iot", "UntagResource", resourceArn=arn, tagKeys=gone)
        if new:
            await site.call("iot", "TagResource", resourceArn=arn, tags=tag_list(new))

    async def update(self, site: Site, made: Made, before: Properties, after: Properties) -> Made:
        changed = [name for name in CHANGEABLE if before.get(name) != after.get(name)]
        wanted = api_members({name: after.get(name, CHANGEABLE[name]) for name in changed})
        if "AuthorizerConfig" in changed and "AuthorizerConfig" not in after:
            wanted["removeAuthorizerConfig"] = True
        if wanted:
            await self._update(site, made, **wanted)
        return made

    async def find(self, site: Site, name: str) -> Made:
        found = await site.call("iot", "DescribeDomainConfiguration", domainConfigurationName=name)
        return Made(name, {"Arn": found["domainConfigurationArn"], "DomainType": found.get("domainType")})

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Switch it off first: AWS IoT deletes no configuration that is enabled."""
        off = {"domainConfigurationName": made.ref, "domainConfigurationStatus": "DISABLED"}
        await site.call_if_there("iot", "UpdateDomainConfiguration", **off)
        await site.call_if_there("iot", "DeleteDomainConfiguration", domainConfigurationName=made.ref)

    async def _update(self, site: Site, made: Made, **members: Any) -> None:
        await site.call("iot", "UpdateDomainConfiguration", domainConfigurationName=made.ref, **members)


def api_members(value: Any) -> Any:
    """Return properties as the API spells them, which begins its names with a small letter."""
    if isinstance(value, dict):
        return {f"{name[:1].lower()}{name[1:]}": api_members(each) for name, each in value.items()}
    return value
