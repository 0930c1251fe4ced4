"""What the program can call: every operation of AWS that its sources name, with botocore's model of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.loaders
from botocore import xform_name
from botocore.model import OperationModel, ServiceModel

from support import REPOSITORY

SOURCES = REPOSITORY / "src" / "iotauth_cli"
ROWS_OF_CLIENTS = {  # through the kernel's client, whose operations are its methods' names
    ("dynamodb", xform_name(name))
    for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan", "BatchGetItem", "BatchExecuteStatement")
}


def called() -> set[tuple[str, str]]:
    """Return every service and operation that the program's sources name, as boto3's methods are called."""
    found = set(ROWS_OF_CLIENTS)
    for path in SOURCES.rglob("*.py"):
        if not path.is_relative_to(SOURCES / "emulator"):
            found |= set(calls_of(path))
    return found


def calls_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what the texts in *path* name: methods of the services that are named there too.

    A call may be put together in parts, so that what looks like a method is taken for one.
    """
    source = path.read_text(encoding="utf-8")
    nodes = ast.walk(ast.parse(source))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for service in texts & SERVICES | ({"iot-data"} if "iot_data.call(" in source else set()):
        yield from ((service, text) for text in texts if text in methods(service))


@cache
def methods(service: str) -> frozenset[str]:
    return frozenset(xform_name(name) for name in model(service).operation_names)


SERVICES = {"cloudformation", "dynamodb", "iam", "iot", "iot-data", "lambda", "logs", "sts", "service-quotas", "sso"}


@cache
def model(service: str) -> ServiceModel:
    return ServiceModel(botocore.loaders.create_loader().load_service_model(service, "service-2"), service)


def operation(service: str, method: str) -> OperationModel:
    names = {xform_name(name): name for name in model(service).operation_names}
    assert method in names, f"{service} has no operation `{method}`"
    return model(service).operation_model(names[method])
