"""Published versions, which never change, and the aliases that point to them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from sqlite3 import Row

from iotauth_cli.emulator.control.lambda_.names import (
    LATEST,
    FunctionName,
    invalid,
    not_found,
    parse,
    stale_revision,
)
from iotauth_cli.emulator.control.lambda_.store import Configuration, FunctionStore
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import (
    Context,
    Handler,
    NotImplementedHere,
    Parameters,
    Result,
    ServiceError,
)

PAGE = 50  # items; Lambda's default


class Versions:
    def __init__(self, store: FunctionStore) -> None:
        self._store = store
        self.operations: Mapping[str, Handler] = {
            "PublishVersion": self.publish_version,
            "ListVersionsByFunction": self.list_versions_by_function,
            "CreateAlias": self.create_alias,
            "GetAlias": self.get_alias,
            "UpdateAlias": self.update_alias,
            "DeleteAlias": self.delete_alias,
            "ListAliases": self.list_aliases,
        }

    def publish(self, function: FunctionName, description: str | None = None) -> Configuration:
        """Freeze the unpublished version under the next number; unchanged since the last one, return that."""
        function = replace(function, qualifier=None)
        current, record = self._store.existing(function), self._store.record(function)
        last = self._store.find(replace(function, qualifier=str(record.last_version)))
        if last is not None and last["CodeSha256"] == current["CodeSha256"] and _same_settings(last, current):
            return last
        number = str(record.last_version + 1)
        published = {
            **current,
            "Version": number,
            "FunctionArn": replace(function, qualifier=number).arn,
            "Description": current["Description"] if description is None else description,
            "RevisionId": str(uuid.uuid4()),
        }
        self._store.publish(function, published)
        return published

    def delete(self, function: FunctionName) -> None:
        """Remove one published version; one that an alias points to stays."""
        version = function.qualifier or LATEST
        if not version.isdigit():
            raise invalid("Deletion of aliases is not currently supported.")
        pointing = [row["alias"] for row in self._store.aliases(function) if row["version"] == version]
        if pointing:
            message = f"Version ({version}) cannot be deleted because it is used by aliases: {', '.join(pointing)}"
            raise ServiceError("ResourceConflictException", message, 409)
        self._store.remove_version(function, version)

    def publish_version(self, parameters: Parameters, context: Context) -> Result:
        function = parse(parameters, context)
        current = self._store.existing(replace(function, qualifier=None))
        if parameters.get("RevisionId", current["RevisionId"]) != current["RevisionId"]:
            raise stale_revision("GetFunction/GetAlias")
        if parameters.get("CodeSha256", current["CodeSha256"]) != current["CodeSha256"]:
            raise invalid("CodeSHA256 is different from current CodeSHA256 in $LATEST. Please try again.")
        return self.publish(function, parameters.get("Description"))

    def list_versions_by_function(self, parameters: Parameters, context: Context) -> Result:
        function = parse(parameters, context)
        self._store.existing(replace(function, qualifier=None))
        found, marker = page(
            "lambda",
            self._store.versions(context.region, function.name),
            lambda configuration: version_order(configuration["Version"]),
            parameters.get("Marker"),
            parameters.get("MaxItems", PAGE),
        )
        return {"Versions": found, "NextMarker": marker}

    def create_alias(self, parameters: Parameters, context: Context) -> Result:
        function, alias = parse(parameters, context), parameters["Name"]
        self._store.record(function)
        if self._store.alias(function, alias) is not None:
            arn = replace(function, qualifier=alias).arn
            raise ServiceError("ResourceConflictException", f"Alias already exists: {arn}", 409)
        return self._save(function, alias, parameters["FunctionVersion"], parameters.get("Description", ""), parameters)

    def get_alias(self, parameters: Parameters, context: Context) -> Result:
        function = parse(parameters, context)
        return _shown(function, self._existing(function, parameters["Name"]))

    def update_alias(self, parameters: Parameters, context: Context) -> Result:
        function, alias = parse(parameters, context), parameters["Name"]
        row = self._existing(function, alias)
        if parameters.get("RevisionId", row["revision"]) != row["revision"]:
            raise stale_revision("GetFunction/GetAlias")
        version = parameters.get("FunctionVersion", row["version"])
        return self._save(function, alias, version, parameters.get("Description", row["description"]), parameters)

    def delete_alias(self, parameters: Parameters, context: Context) -> Result:
        self._store.remove_alias(parse(parameters, context), parameters["Name"])
        return {}

    def list_aliases(self, parameters: Parameters, context: Context) -> Result:
        function = parse(parameters, context)
        self._store.record(function)
        wanted = parameters.get("FunctionVersion")
        rows = [row for row in self._store.aliases(function) if wanted in (None, row["version"])]
        limit = parameters.get("MaxItems", PAGE)
        found, marker = page("lambda", rows, lambda row: row["alias"], parameters.get("Marker"), limit)
        return {"Aliases": [_shown(function, row) for row in found], "NextMarker": marker}

    def _save(
        self, function: FunctionName, alias: str, version: str, description: str, parameters: Parameters
    ) -> Result:
        if parameters.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
            raise NotImplementedHere("aliases that share calls between two versions")
        self._store.existing(replace(function, qualifier=version))
        self._store.save_alias(function, alias, version, description, str(uuid.uuid4()))
        return _shown(function, self._existing(function, alias))

    def _existing(self, function: FunctionName, alias: str) -> Row:
        row = self._store.alias(function, alias)
        if row is None:
            raise not_found(f"Cannot find alias arn: {replace(function, qualifier=alias).arn}")
        return row


def version_order(version: str) -> str:
    """Return what sorts versions by number, the unpublished one before them all."""
    return version if version == LATEST else version.zfill(10)  # "$" sorts before every digit


def _same_settings(one: Configuration, other: Configuration) -> bool:
    ignored = {"Version", "FunctionArn", "RevisionId", "LastModified", "Description"}
    return {k: v for k, v in one.items() if k not in ignored} == {k: v for k, v in other.items() if k not in ignored}


def _shown(function: FunctionName, row: Row) -> Result:
    return {
        "AliasArn": replace(function, qualifier=row["alias"]).arn,
        "Name": row["alias"],
        "FunctionVersion": row["version"],
        "Description": row["description"],
        "RevisionId": row["revision"],
    }
