"""`AWS::IAM::Role`, with its inline policies and the managed ones attached to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
from iotauth_cli.emulator.control.cloudformation.kinds.kind import (
    GONE,
    Kind,
    Properties,
    Site,
    document_text,
    tag_changes,
    tag_list,
)
from iotauth_cli.emulator.control.service import NotImplementedHere, ServiceError

MAX_NAME = 64
TRUST = "AssumeRolePolicyDocument"
FOR_LIFE = ("Description", "MaxSessionDuration", "PermissionsBoundary")  # no operation here changes them


class RoleKind(Kind):
    """Ref gives the name."""

    type = "AWS::IAM::Role"
    properties = frozenset({"RoleName", "Path", TRUST, "Policies", "ManagedPolicyArns", "Tags", *FOR_LIFE})
    required = frozenset({TRUST})
    replacing = frozenset({"RoleName", "Path"})
    identifier = "RoleName"
    entries: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **Kind.entries,
        "Policies": ("PolicyName", "PolicyDocument"),
    }
    texts = frozenset({"ManagedPolicyArns"})

    async def create(self, site: Site, properties: Properties) -> Made:
        given = {name: properties[name] for name in ("Path", "Tags", *FOR_LIFE) if name in properties}
        name = properties.get("RoleName") or site.new_name(MAX_NAME)
        trust = {TRUST: document_text(properties[TRUST])}
        role = (await site.call("iam", "CreateRole", RoleName=name, **trust, **given))["Role"]
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    async def settle(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        old, new = _policies(before), _policies(after)
        for name in old.keys() - new.keys():
            await site.call_if_there("iam", "DeleteRolePolicy", RoleName=made.ref, PolicyName=name)
        for name, document in new.items():
            if old.get(name) != document:
                text = document_text(document)
                await site.call("iam", "PutRolePolicy", RoleName=made.ref, PolicyName=name, PolicyDocument=text)
        await self._settle_attachments(site, made, before, after)
        if before:
            await self._settle_tags(site, made, before, after)

    async def update(self, site: Site, made: Made, before: Properties, after: Properties) -> Made:
        changed = [name for name in FOR_LIFE if before.get(name) != after.get(name)]
        if changed:
            raise NotImplementedHere(f"changing the {changed[0]} of a role")
        if before[TRUST] != after[TRUST]:
            document = document_text(after[TRUST])
            await site.call("iam", "UpdateAssumeRolePolicy", RoleName=made.ref, PolicyDocument=document)
        return made

    async def find(self, site: Site, name: str) -> Made:
        role = (await site.call("iam", "GetRole", RoleName=name))["Role"]
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Take away what the template gave it; what somebody else attached keeps the role, as on AWS."""
        role = {"RoleName": made.ref}
        for arn in await self._held(site, "ListAttachedRolePolicies", role, properties.get("ManagedPolicyArns", [])):
            await site.call_if_there("iam", "DetachRolePolicy", PolicyArn=arn, **role)
        given = [policy["PolicyName"] for policy in properties.get("Policies", ())]
        for name in await self._held(site, "ListRolePolicies", role, given):
            await site.call_if_there("iam", "DeleteRolePolicy", PolicyName=name, **role)
        await site.call_if_there("iam", "DeleteRole", **role)

    async def _held(self, site: Site, operation: str, role: Properties, given: Sequence[Any]) -> list[str]:
        """Return those of *given* that the role really has: the making of a role may have ended half way."""
        try:
            found = await site.call("iam", operation, **role)
        except ServiceError as error:
            if error.code in GONE:
                return []
            raise
        names = found.get("PolicyNames") or [each["PolicyArn"] for each in found.get("AttachedPolicies", ())]
        return [name for name in names if name in given]

    async def _settle_attachments(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        old, new = before.get("ManagedPolicyArns", []), after.get("ManagedPolicyArns", [])
        for arn in (arn for arn in old if arn not in new):
            await site.call_if_there("iam", "DetachRolePolicy", RoleName=made.ref, PolicyArn=arn)
        for arn in (arn for arn in new if arn not in old):
            await site.call("iam", "AttachRolePolicy", RoleName=made.ref, PolicyArn=arn)

    async def _settle_tags(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        gone, new = tag_changes(before, after)
        if gone:
            await site.call("iam", "UntagRole", RoleName=made.ref, TagKeys=gone)
        if new:
            await site.call("iam", "TagRole", RoleName=made.ref, Tags=tag_list(new))


def _policies(properties: Properties) -> dict[str, Any]:
    return {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", ())}
