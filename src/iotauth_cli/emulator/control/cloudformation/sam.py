"""SAM templates: AWS's own translator turns them into CloudFormation's, in a process of its own.

The translator is an optional part (``pip install 'iotauth[sam]'``): it brings pydantic and a schema of all of
AWS with it. In a child they cost nobody memory or a pause, and it may read its environment as it likes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iotauth_cli.emulator.control.cloudformation.errors import invalid
from iotauth_cli.emulator.control.cloudformation.template import SAM
from iotauth_cli.emulator.control.service import ServiceError

PACKAGE = "samtranslator"
CHILD = Path(__file__).with_name("sam_child.py")
LIMIT_S = 60.0  # a slow machine reads the schema in a second


async def transform(document: Mapping[str, Any], parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    """Return the template without SAM in it.

    Raises:
        ServiceError: ValidationError with the translator's reasons; or the translator is not installed.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        message = f"the transform {SAM} needs a package that is not installed; run `pip install 'iotauth[sam]'`"
        raise ServiceError("NotImplementedException", message, 501)
    answer = await _ask({"template": document, "parameters": {"AWS::Region": region, **parameters}}, region)
    if "template" not in answer:
        raise invalid(f"Transform {SAM} failed with: {answer['error']}")
    found: dict[str, Any] = answer["template"]
    found.pop("Transform", None)
    return found


async def _ask(question: Mapping[str, Any], region: str) -> dict[str, Any]:
    environment = {**os.environ, "AWS_DEFAULT_REGION": region}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    try:
        written, _ = await asyncio.wait_for(child.communicate(json.dumps(question).encode()), LIMIT_S)
        answer: dict[str, Any] = json.loads(written)
    except (asyncio.TimeoutError, ValueError):
        answer = {"error": "the translator gave no answer"}
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return answer
