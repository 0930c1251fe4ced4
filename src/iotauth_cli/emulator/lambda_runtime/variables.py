"""The environment of a function's process, built from nothing: nobody's account, proxies or settings leak in."""

from __future__ import annotations

import os
from pathlib import Path

from iotauth_cli.emulator import environment
from iotauth_cli.emulator.lambda_runtime.logs import LogStream
from iotauth_cli.emulator.model import Function


def child_variables(function: Function, stream: LogStream, *, endpoint_url: str, runtime_api: str) -> dict[str, str]:
    """Return every variable of the child: the function's own, then Lambda's, which win.

    Source: AWS Lambda developer guide, "Defined runtime environment variables". *endpoint_url* is the
    emulator's control port; the last lines keep an SDK from finding credentials or an account elsewhere.
    """
    root = str(function.code_directory)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": f"{root}:{root}/lib",  # a bundle may bring shared libraries, as in /var/task/lib
        **function.environment,
        "LANG": "C.UTF-8",  # Lambda says en_US.UTF-8, which not every machine has
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": root,
        "LAMBDA_RUNTIME_DIR": str(Path(__file__).parent),
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": stream.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream.name,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": environment.ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": environment.SECRET_ACCESS_KEY,
        "AWS_SESSION_TOKEN": environment.SECRET_ACCESS_KEY,  # a role's credentials always have one
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
