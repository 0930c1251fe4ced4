"""Functions: made, shown, changed, removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from iotauth_cli.emulator.control.lambda_ import configuration as configurations
from iotauth_cli.emulator.control.lambda_.code import CodeStore, Package
from iotauth_cli.emulator.control.lambda_.configuration import Configuration
from iotauth_cli.emulator.control.lambda_.names import (
    LATEST,
    FunctionName,
    function_not_found,
    invalid,
    parse,
    parse_arn,
    stale_revision,
)
from iotauth_cli.emulator.control.lambda_.store import FunctionStore
from iotauth_cli.emulator.control.lambda_.versions import Versions, version_order
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
PRINCIPAL = "lambda.amazonaws.com"

# Source: AWS Lambda developer guide, "Lambda quotas"; sizes in bytes.
CONCURRENT_EXECUTIONS = 1000
LEAST_UNRESERVED = 100  # calls at once that are left to functions that reserve none
ACCOUNT_LIMITS = {
    "TotalCodeSize": 75 * 1024**3,
    "CodeSizeUnzipped": 250 * 1024**2,
    "CodeSizeZipped": 50 * 1024**2,
    "ConcurrentExecutions": CONCURRENT_EXECUTIONS,
}


class Roles(Protocol):
    def may_be_assumed(self, role_arn: str, service: str) -> bool: ...


class Functions:
    def __init__(
        self,
        store: FunctionStore,
        code: CodeStore,
        versions: Versions,
        roles: Roles,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._code = code
        self._versions = versions
        self._roles = roles
        self._clock = clock
        self.operations: Mapping[str, Handler] = {
            "CreateFunction": self.create_function,
            "GetFunction": self.get_function,
            "GetFunctionConfiguration": self.get_function_configuration,
            "UpdateFunctionCode": self.update_function_code,
            "UpdateFunctionConfiguration": self.update_function_configuration,
            "DeleteFunction": self.delete_function,
            "ListFunctions": self.list_functions,
            "PutFunctionConcurrency": self.put_function_concurrency,
            "GetFunctionConcurrency": self.get_function_concurrency,
            "DeleteFunctionConcurrency": self.delete_function_concurrency,
            "GetAccountSettings": self.get_account_settings,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTags": self.list_tags,
        }

    def create_function(self, parameters: Parameters, context: Context) -> Result:
        function = parse(parameters, context)
        if self._store.find(function) is not None:
            raise ServiceError("ResourceConflictException", f"Function already exist: {function.name}", 409)
        if parameters.get("PackageType") == "Image":
            raise NotImplementedHere("container images of a function")
        if not parameters.get("Runtime") or not parameters.get("Handler"):
            message = "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            raise invalid(message)
        self._check_role(parameters["Role"])
        chosen = configurations.settings(parameters)
        package = self._package(parameters["Code"])
        configuration = configurations.touched(configurations.initial(function, chosen, package), self._clock())
        self._store.add(function, configuration, parameters.get("Tags", {}))
        return self._published(function, configuration, parameters)

    def get_function(self, parameters: Parameters, context: Context) -> Result:
        function = parse(parameters, context)
        configuration, record = self._store.existing(function), self._store.record(function)
        directory = self._code.directory(configuration["CodeSha256"])
        reserved = record.reserved_concurrency
        return {
            "Configuration": configuration,
            "Code": {"RepositoryType": "iotauth", "Location": directory.as_uri()},
            "Tags": dict(record.tags) or None,
            "Concurrency": None if reserved is None else {"ReservedConcurrentExecutions": reserved},
        }

    def get_function_configuration(self, parameters: Parameters, context: Context) -> Result:
        return self._store.existing(parse(parameters, context))

    def update_function_code(self, parameters: Parameters, context: Context) -> Result:
        function, before = self._changeable(parameters, context)
        package = self._package(parameters)
        changed = {**before, **configurations.settings(parameters), **configurations.code_members(package)}
        if parameters.get("DryRun"):
            return changed
        return self._save(function, changed, parameters)

    def update_function_configuration(self, parameters: Parameters, context: Context) -> Result:
        function, before = self._changeable(parameters, context)
        if "Role" in parameters:
            self._check_role(parameters["Role"])
        return self._save(function, {**before, **configurations.settings(parameters)}, parameters)

    def delete_function(self, parameters: Parameters, context: Context) -> Result:
        function = parse(parameters, context)
        self._store.existing(function)
        if function.qualifier is None:
            self._store.remove(function)
        elif function.qualifier == LATEST:
            raise invalid("$LATEST version cannot be deleted without deleting the function.")
        else:
            self._versions.delete(function)
        return {}

    def list_functions(self, parameters: Parameters, context: Context) -> Result:
        with_published = parameters.get("FunctionVersion") == "ALL"
        known = self._store.versions(context.region)
        shown = [found for found in known if with_published or found["Version"] == LATEST]
        limit = parameters.get("MaxItems", PAGE)
        found, marker = page("lambda", shown, _listing_name, parameters.get("Marker"), limit)
        return {"Functions": found, "NextMarker": marker}

    def put_function_concurrency(self, parameters: Parameters, context: Context) -> Result:
        function, reserved = parse(parameters, context), parameters["ReservedConcurrentExecutions"]
        before = self._store.record(function).reserved_concurrency or 0
        left = CONCURRENT_EXECUTIONS - self._store.reserved_concurrency(context.region) + before - reserved
        if left < LEAST_UNRESERVED and reserved > before:
            raise invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{LEAST_UNRESERVED}]."
            )
        self._reserve(function, reserved)
        return {"ReservedConcurrentExecutions": reserved}

    def get_function_concurrency(self, parameters: Parameters, context: Context) -> Result:
        record = self._store.record(parse(parameters, context))
        return {"ReservedConcurrentExecutions": record.reserved_concurrency}

    def delete_function_concurrency(self, parameters: Parameters, context: Context) -> Result:
        self._reserve(parse(parameters, context), None)
        return {}

    def get_account_settings(self, parameters: Parameters, context: Context) -> Result:
        """Return the limits of an account that never asked for more, and what of them is in use."""
        found = self._store.versions(context.region)
        code_bytes = sum(each["CodeSize"] for each in found)
        reserved = self._store.reserved_concurrency(context.region)
        return {
            "AccountLimit": {**ACCOUNT_LIMITS, "UnreservedConcurrentExecutions": CONCURRENT_EXECUTIONS - reserved},
            "AccountUsage": {
                "TotalCodeSize": code_bytes,
                "FunctionCount": sum(each["Version"] == LATEST for each in found),
            },
        }

    def tag_resource(self, parameters: Parameters, context: Context) -> Result:
        return self._change_tags(parameters, lambda tags: {**tags, **parameters["Tags"]})

    def untag_resource(self, parameters: Parameters, context: Context) -> Result:
        gone = parameters["TagKeys"]
        return self._change_tags(parameters, lambda tags: {k: v for k, v in tags.items() if k not in gone})

    def list_tags(self, parameters: Parameters, context: Context) -> Result:
        return {"Tags": dict(self._store.record(_tagged(parameters)).tags)}

    def _check_role(self, role: str) -> None:
        if not self._roles.may_be_assumed(role, PRINCIPAL):
            raise invalid("The role defined for the function cannot be assumed by Lambda.")

    def _package(self, code: Parameters) -> Package:
        for member, place in (("S3Bucket", "in a bucket"), ("ImageUri", "in a container image")):
            if code.get(member):
                raise NotImplementedHere(f"function code {place} ({member}); send it as ZipFile")
        if not code.get("ZipFile"):
            raise invalid("Please provide a source for function code.")
        return self._code.add(code["ZipFile"])

    def _changeable(self, parameters: Parameters, context: Context) -> tuple[FunctionName, Configuration]:
        """Find the unpublished version, and hold the caller to the revision that it has seen."""
        function = replace(parse(parameters, context), qualifier=None)
        configuration = self._store.existing(function)
        if parameters.get("RevisionId", configuration["RevisionId"]) != configuration["RevisionId"]:
            raise stale_revision("GetFunction/GetAlias")
        return function, configuration

    def _save(self, function: FunctionName, changed: Configuration, parameters: Parameters) -> Configuration:
        changed = configurations.touched(changed, self._clock())
        self._store.save(function, changed)
        return self._published(function, changed, parameters)

    def _published(self, function: FunctionName, changed: Configuration, parameters: Parameters) -> Configuration:
        return self._versions.publish(function) if parameters.get("Publish") else changed

    def _reserve(self, function: FunctionName, reserved: int | None) -> None:
        record = self._store.record(function)
        self._store.save_record(function, replace(record, reserved_concurrency=reserved))

    def _change_tags(self, parameters: Parameters, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Result:
        function = _tagged(parameters)
        record = self._store.record(function)
        self._store.save_record(function, replace(record, tags=change(record.tags)))
        return {}


def _tagged(parameters: Parameters) -> FunctionName:
    function = parse_arn(parameters["Resource"])
    if function is None:
        raise invalid(f"Invalid resource: {parameters['Resource']}")
    if function.qualifier is not None:
        raise function_not_found(function)  # tags belong to the function, not to a version
    return function


def _listing_name(configuration: Configuration) -> str:
    return f"{configuration['FunctionName']}:{version_order(configuration['Version'])}"
