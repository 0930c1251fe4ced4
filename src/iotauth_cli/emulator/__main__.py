"""The emulator's process: ``python -m iotauth_cli.emulator``, as `lifecycle.start` calls it.

It says one line on standard output, as JSON: the ready file's document, or ``error``, ``message`` and
``hint``. Everything else goes to standard error, which is the log.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

LOG = 2
MOST_FILES = 65_536  # where the system sets no limit of its own


def main() -> int:
    arguments = _arguments()
    if arguments.detach and hasattr(os, "fork"):
        _detach()
    _raise_file_limit()
    # Imported only now: a fork should copy as little as it can.
    from iotauth_cli.emulator import environment, server
    from iotauth_cli.errors import IotauthError

    try:
        settings = server.settings(
            arguments.state_dir,
            arguments.port,
            arguments.control_port,
            arguments.region,
            arguments.behaviour,
            arguments.proxy_port,
            arguments.mqtt_port,
        )
        for ready in server.run(settings, log=LOG):
            _report(environment.build(ready))
    except IotauthError as error:
        _report({"error": error.code, "message": error.message, "hint": error.hint})
        return error.exit_code
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m iotauth_cli.emulator", allow_abbrev=False)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--port", type=int)
    parser.add_argument("--control-port", type=int)
    parser.add_argument("--proxy-port", type=int)
    parser.add_argument("--mqtt-port", type=int)
    parser.add_argument("--region")
    parser.add_argument("--behaviour", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--detach", action="store_true", help="go on without the process that started this one")
    return parser.parse_args()


def _detach() -> None:
    """Become nobody's child, so that whoever started the emulator has nothing left to collect."""
    if os.fork():
        os._exit(0)


def _raise_file_limit() -> None:
    """Take as many open files as the system permits: each connection is one, and the usual limit is 1,024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):  # macOS permits less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _report(document: dict[str, Any]) -> None:
    os.write(1, json.dumps(document).encode() + b"\n")
    os.dup2(LOG, 1)  # closes the pipe: the line is all there is


if __name__ == "__main__":
    sys.exit(main())
