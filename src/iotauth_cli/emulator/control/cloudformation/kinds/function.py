"""`AWS::Lambda::Function`, its code from the template itself or from what `iotauth emulator deploy` uploaded."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from iotauth_cli.emulator.control.cloudformation.errors import invalid
from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
from iotauth_cli.emulator.control.cloudformation.kinds.kind import Kind, Properties, Site, tag_changes, tags_of
from iotauth_cli.emulator.control.cloudformation.packages import BUCKET, Packages
from iotauth_cli.emulator.control.service import NotImplementedHere

MAX_NAME = 64
RESERVED = "ReservedConcurrentExecutions"
CODE = ("Code", "Architectures")  # what UpdateFunctionCode changes
# What UpdateFunctionConfiguration changes, with what a function has when it is taken out of the template.
SETTINGS: dict[str, Any] = {
    "DeadLetterConfig": {},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "Handler": None,
    "KmsKeyArn": "",
    "Layers": [],
    "LoggingConfig": None,
    "MemorySize": 128,
    "Role": None,
    "Runtime": None,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}
API_NAMES = {"KmsKeyArn": "KMSKeyArn"}  # where the API spells a property otherwise
STAMP = (1980, 1, 1, 0, 0, 0)  # the same source makes the same zip, and so the same CodeSha256


class FunctionKind(Kind):
    """Ref gives the name."""

    type = "AWS::Lambda::Function"
    properties = frozenset({"FunctionName", "PackageType", "Tags", RESERVED, *CODE, *SETTINGS})
    required = frozenset({"Code", "Role"})
    replacing = frozenset({"FunctionName", "PackageType"})
    identifier = "FunctionName"

    def __init__(self, packages: Packages) -> None:
        self._packages = packages

    async def create(self, site: Site, properties: Properties) -> Made:
        made = await site.call(
            "lambda",
            "CreateFunction",
            FunctionName=properties.get("FunctionName") or site.new_name(MAX_NAME),
            Code={"ZipFile": self._zip(properties)},
            Architectures=properties.get("Architectures"),
            PackageType=properties.get("PackageType"),
            Tags={**tags_of(properties), **site.labels},
            **_settings({name: properties[name] for name in SETTINGS if name in properties}),
        )
        return Made(made["FunctionName"], {"Arn": made["FunctionArn"]})

    async def settle(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        if before.get(RESERVED) != after.get(RESERVED):
            reserved = after.get(RESERVED)
            operation = "DeleteFunctionConcurrency" if reserved is None else "PutFunctionConcurrency"
            await site.call("lambda", operation, FunctionName=made.ref, ReservedConcurrentExecutions=reserved)
        if before:
            await self._settle_tags(site, made, before, after)

    async def update(self, site: Site, made: Made, before: Properties, after: Properties) -> Made:
        if any(before.get(name) != after.get(name) for name in CODE):
            architectures = after.get("Architectures", ["x86_64"])
            content = self._zip(after)
            await site.call(
                "lambda", "UpdateFunctionCode", FunctionName=made.ref, ZipFile=content, Architectures=architectures
            )
        changed = [name for name in SETTINGS if before.get(name) != after.get(name)]
        if changed:
            wanted = _settings({name: after.get(name, SETTINGS[name]) for name in changed})
            await site.call("lambda", "UpdateFunctionConfiguration", FunctionName=made.ref, **wanted)
        return made

    async def find(self, site: Site, name: str) -> Made:
        """Label it as the stack's at once. UNCONFIRMED: AWS may do that with the next update."""
        arn = (await site.call("lambda", "GetFunctionConfiguration", FunctionName=name))["FunctionArn"]
        await site.call("lambda", "TagResource", Resource=arn, Tags=site.labels)
        return Made(name, {"Arn": arn})

    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        await site.call_if_there("lambda", "DeleteFunction", FunctionName=made.ref)

    async def _settle_tags(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        gone, new = tag_changes(before, after)
        arn = made.attributes["Arn"]
        if gone:
            await site.call("lambda", "UntagResource", Resource=arn, TagKeys=gone)
        if new:
            await site.call("lambda", "TagResource", Resource=arn, Tags=new)

    def _zip(self, properties: Properties) -> bytes:
        """Return the code as a zip: written in the template, or uploaded before.

        Raises:
            ServiceError: it lies in a bucket or a registry that the emulator cannot reach.
        """
        code = properties["Code"]
        if not isinstance(code, dict):
            raise invalid("Properties validation failed: Code must be a mapping")
        if "ZipFile" in code:
            return _inline_zip(str(code["ZipFile"]), str(properties.get("Runtime", "")))
        if code.get("S3Bucket") == BUCKET:
            return self._packages.get(str(code.get("S3Key")))
        place = f"s3://{code['S3Bucket']}/{code.get('S3Key')}" if "S3Bucket" in code else str(code.get("ImageUri"))
        raise NotImplementedHere(f"code from {place}; deploy its folder with `iotauth emulator deploy`")


def _settings(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {API_NAMES.get(name, name): value for name, value in properties.items()}


def _inline_zip(source: str, runtime: str) -> bytes:
    """Return a zip with *source* as the one module ``index``, as CloudFormation makes it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("index.js" if runtime.startswith("nodejs") else "index.py", STAMP)
        entry.external_attr = 0o100644 << 16
        archive.writestr(entry, source)
    return content.getvalue()
