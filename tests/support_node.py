"""What the tests of Node.js functions share: a function from files, and what a runtime said in comparable form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iotauth_cli.emulator.lambda_runtime.api import Answer
from iotauth_cli.emulator.lambda_runtime.process import NODE_CLIENT
from iotauth_cli.emulator.model import Function
from support import require_peer
from support_runtime import ARN, Said

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FRAME = re.compile(r" +at |- /")  # of a stack trace, and of Node's "Require stack"


def our_command() -> tuple[str, ...]:
    return (require_peer("node"), str(NODE_CLIENT))


def node_function(
    directory: Path, files: Mapping[str, str] | str, *, handler: str = "app.handler", **members: Any
) -> Function:
    """Write *files*, or one text as ``app.js``, in *directory* and return the function that they are."""
    require_peer("node")
    write(directory, {"app.js": files} if isinstance(files, str) else files)
    settings = {"runtime": "nodejs20.x", "environment": {}, "timeout_s": 3, "memory_mb": 256, **members}
    return Function(ARN, "doors", "eu-west-1", handler=handler, code_directory=directory, code_sha256="one", **settings)


def write(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")


def said_by_node(answer: Answer, output: str, directory: str) -> Said:
    """Leave out times, and the frames and paths that are not the function's own."""
    body = answer.body.decode().replace(directory, "<task>")
    if answer.is_error:
        body = json.loads(body, object_hook=_of_the_function)
    events = output.replace(directory, "<task>").split("\n")
    return Said(body, answer.is_error, [_plain(event) for event in events if event])


def _plain(event: str) -> Any:
    """Return one event of the log; the JSON of an error in it as its members."""
    lines = [line for line in TIME.sub("<time>", event).split("\r") if not _is_foreign(line)]
    text, found, members = "\n".join(lines).partition(" \t{")
    return [text, json.loads("{" + members, object_hook=_of_the_function)] if found else text


def _of_the_function(members: dict[str, Any]) -> dict[str, Any]:
    for name in {"trace", "stack"} & members.keys():
        members[name] = [line for line in members[name] if not _is_foreign(line)]
    for name in {"errorMessage"} & members.keys():
        members[name] = "\n".join(line for line in str(members[name]).splitlines() if not _is_foreign(line))
    return members


def _is_foreign(line: str) -> bool:
    return FRAME.match(line) is not None and "<task>" not in line
