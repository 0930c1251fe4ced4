"""What Lambda says around a function, word for word: log lines and the errors of the platform itself.

Sources: AWS Lambda developer guide, "Viewing CloudWatch logs for Python functions" and "Troubleshoot
invocation issues"; the text of `Sandbox.Timedout` and `Runtime.ExitError` as callers of Invoke receive it.
"""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Sequence
from datetime import datetime, timezone

EXIT_ERROR = "Runtime.ExitError"


def init_start(runtime: str) -> str:
    version = runtime.lstrip("abcdefghijklmnopqrstuvwxyz")  # of python3.13: 3.13; of nodejs22.x: 22
    return f"INIT_START Runtime Version: {runtime.removesuffix(version)}:{version.removesuffix('.x')}"


def init_report(init_s: float, error_type: str | None) -> str:
    """Return what stands in the log when loading failed; without *error_type* it took too long.

    Source: AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle".
    """
    return "\t".join([f"INIT_REPORT Init Duration: {init_s * 1000:.2f} ms", "Phase: init", *ending(error_type)])


def ending(error_type: str | None) -> list[str]:
    return ["Status: timeout"] if error_type is None else ["Status: error", f"Error Type: {error_type}"]


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def report(
    request_id: str,
    duration_s: float,
    *,
    memory_mb: int,
    used_mb: int | None = None,
    init_s: float | None = None,
    end: Sequence[str] = (),
) -> str:
    """Return the REPORT line; *used_mb* and *init_s* are left out where they are not known.

    *end* is what `ending` says of a call that the platform, not the handler, ended.
    """
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_s * 1000:.2f} ms",
        f"Billed Duration: {math.ceil(duration_s * 1000)} ms",
        f"Memory Size: {memory_mb} MB",
    ]
    if used_mb is not None:
        fields.append(f"Max Memory Used: {used_mb} MB")
    if init_s is not None:
        fields.append(f"Init Duration: {init_s * 1000:.2f} ms")
    return "\t".join([*fields, *end])


def timed_out_line(request_id: str, limit_s: float, now: float) -> str:
    return f"{timestamp(now)} {request_id} Task timed out after {limit_s:.2f} seconds"


def timed_out_error(request_id: str, limit_s: float) -> bytes:
    return error("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {limit_s:.2f} seconds")


def start_error(request_id: str, reason: object) -> bytes:
    return error("Runtime.InvalidEntrypoint", f"RequestId: {request_id} Error: {reason}")


def exit_line(request_id: str, exit_status: int) -> str:
    return f"RequestId: {request_id} Error: {exit_reason(exit_status)}\n{EXIT_ERROR}"


def exit_error(request_id: str, exit_status: int) -> bytes:
    """*exit_status* as `subprocess` gives it: negative for a signal."""
    return error(EXIT_ERROR, f"RequestId: {request_id} Error: {exit_reason(exit_status)}")


def exit_reason(exit_status: int) -> str:
    if exit_status == 0:
        return "Runtime exited without providing a reason"
    if exit_status > 0:
        return f"Runtime exited with error: exit status {exit_status}"
    return f"Runtime exited with error: signal: {signal_name(-exit_status)}"


def signal_name(number: int) -> str:
    """Name a signal as Go does, which Lambda's supervisor is written in: ``killed``, ``segmentation fault``."""
    text = signal.strsignal(number) or str(number)
    return text.partition(":")[0].lower()  # macOS says "Killed: 9"


def error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
