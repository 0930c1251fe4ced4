"""A function's configuration: Lambda's defaults, what a request may set, and what the emulator cannot do."""

from __future__ import annotations

import time
import uuid
from typing import Any

from iotauth_cli.emulator.control.lambda_.code import Package
from iotauth_cli.emulator.control.lambda_.names import LATEST, FunctionName, invalid
from iotauth_cli.emulator.control.service import NotImplementedHere, Parameters

Configuration = dict[str, Any]

TIMEOUT_S = 3  # Lambda's default
MEMORY_MB = 128  # Lambda's default
RUNTIMES = ("python", "nodejs")
MAX_ENVIRONMENT = 4096  # bytes of names and values together
SETTABLE = (
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "Runtime",
    "TracingConfig",
    "EphemeralStorage",
    "LoggingConfig",
    "DeadLetterConfig",
    "KMSKeyArn",
    "Architectures",
)
UNAVAILABLE = {
    "Layers": "layers",
    "FileSystemConfigs": "file systems",
    "ImageConfig": "container images",
}
# fmt: off
RESERVED_VARIABLES = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
})
# fmt: on


def initial(function: FunctionName, chosen: Configuration, package: Package) -> Configuration:
    """Return a new function's configuration: *chosen* over Lambda's defaults, and ready at once, never Pending."""
    return {
        "FunctionName": function.name,
        "FunctionArn": function.unqualified_arn,
        "Version": LATEST,
        "Description": "",
        "Timeout": TIMEOUT_S,
        "MemorySize": MEMORY_MB,
        "TracingConfig": {"Mode": "PassThrough"},
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.name}"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "State": "Active",
        "LastUpdateStatus": "Successful",
        **chosen,
        **code_members(package),
    }


def code_members(package: Package) -> Configuration:
    return {"CodeSha256": package.sha256, "CodeSize": package.size}


def settings(parameters: Parameters) -> Configuration:
    """Return what a request sets.

    Raises:
        ServiceError: 501 for what the emulator does not have; or the environment cannot be.
    """
    for name, what in UNAVAILABLE.items():
        if parameters.get(name):
            raise NotImplementedHere(f"{what} of a function")
    if not parameters.get("Runtime", "python").startswith(RUNTIMES):
        raise NotImplementedHere(f"the runtime {parameters['Runtime']}; functions are Python or Node.js here")
    _check_environment(parameters.get("Environment", {}).get("Variables", {}))
    return {name: parameters[name] for name in SETTABLE if name in parameters}


def touched(configuration: Configuration, now: float) -> Configuration:
    """Return *configuration* as it is after a change: a new revision, the time of it."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}+0000"
    return {**configuration, "RevisionId": str(uuid.uuid4()), "LastModified": moment}


def _check_environment(variables: dict[str, str]) -> None:
    prefix = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = sorted(RESERVED_VARIABLES & variables.keys())
    if reserved:
        raise invalid(
            f"{prefix} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    # AWS repeats the variables in this message; their values may be secrets.
    if sum(len(name.encode()) + len(value.encode()) for name, value in variables.items()) > MAX_ENVIRONMENT:
        raise invalid(f"{prefix} exceeded the 4KB limit.")
