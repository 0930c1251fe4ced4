"""Calls to the other services of the control plane, in this process, as an API caller would make them.

A template says ``MemorySize: !Ref Memory``, and a parameter is text; so values become what the operation's
model wants before they are checked by the same checks that a request over HTTP meets.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from iotauth_cli.emulator.control.cloudformation.errors import invalid
from iotauth_cli.emulator.control.cloudformation.intrinsics import text_of
from iotauth_cli.emulator.control.service import Context, NotImplementedHere, Result, Service, ServiceError
from iotauth_cli.emulator.control.wire import check, models
from iotauth_cli.emulator.control.wire.models import Shape
from iotauth_cli.emulator.control.wire.values import FLOATS, INTEGERS

BOOLEANS = {"true": True, "false": False}
THROTTLED = "ThrottlingException"
ATTEMPTS = 20
PAUSE_S = 0.15  # IoT's limits count calls a second; a stack has patience


class Calls:
    def __init__(self, services: Sequence[Service]) -> None:
        self._services = {service.name: service for service in services}

    async def __call__(self, service: str, operation: str, parameters: Mapping[str, Any], context: Context) -> Result:
        """Call *operation* of *service*; what is throttled is called again.

        Raises:
            ServiceError: the service refuses.
        """
        known = self._services.get(service)
        handler = known.operations.get(operation) if known else None
        model = models.load(service)
        described = model.operation(operation) if model else None
        if handler is None or described is None or described.input is None:
            raise NotImplementedHere(f"{service}:{operation}")
        converted = convert(described.input, parameters)
        check.check(service, described.input, converted)
        for _ in range(ATTEMPTS):
            try:
                result = handler(converted, context)
                return await result if inspect.isawaitable(result) else result
            except ServiceError as error:
                if error.code != THROTTLED:
                    raise
            await asyncio.sleep(PAUSE_S)
        raise ServiceError(THROTTLED, "Rate exceeded")


def convert(shape: Shape, value: Any) -> Any:
    """Return a template's *value* with the types of *shape*: numbers and switches from text, and the other way.

    Raises:
        ServiceError: ValidationError; it is no such value.
    """
    if shape.type == "structure" and isinstance(value, Mapping):
        unknown = [name for name in value if name not in shape.members]
        if unknown:
            raise invalid(f"Encountered unsupported property {unknown[0]}")
        return {name: convert(shape.members[name], each) for name, each in value.items() if each is not None}
    if shape.type == "list" and isinstance(value, (list, tuple)):
        return [convert(shape.element, each) for each in value]
    if shape.type == "map" and isinstance(value, Mapping):
        return {key: convert(shape.value, each) for key, each in value.items()}
    if shape.type == "blob" and isinstance(value, bytes):
        return value
    if isinstance(value, (str, int, float)):
        return _convert_scalar(shape, value)
    raise _mismatch(shape, value)


def _convert_scalar(shape: Shape, value: str | float) -> Any:
    if shape.type == "string":
        return text_of(value)
    if shape.type == "boolean" and text_of(value) in BOOLEANS:
        return BOOLEANS[text_of(value)]
    if shape.type in INTEGERS | FLOATS and not isinstance(value, bool):
        try:
            return int(value) if shape.type in INTEGERS else float(value)
        except ValueError as error:
            raise _mismatch(shape, value) from error
    raise _mismatch(shape, value)


def _mismatch(shape: Shape, value: Any) -> ServiceError:
    shown = "" if shape.traits.get("sensitive") else f", not {json.dumps(value, default=str)[:100]}"
    return invalid(f"Properties validation failed: {shape.name} must be of type {shape.type}{shown}")
