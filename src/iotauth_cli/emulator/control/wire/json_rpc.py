"""AWS's JSON protocols 1.0 and 1.1: DynamoDB, CloudWatch Logs. One path; ``X-Amz-Target`` names the operation."""

from __future__ import annotations

import json
import zlib
from typing import Any

from iotauth_cli.emulator.control.service import Parameters, Result
from iotauth_cli.emulator.control.wire import values
from iotauth_cli.emulator.control.wire.models import Operation, ServiceModel
from iotauth_cli.emulator.model import HttpRequest, HttpResponse


def operation_name(request: HttpRequest, model: ServiceModel | None) -> str | None:
    target = request.header("x-amz-target")
    return target.rpartition(".")[2] if target else None


def parse(operation: Operation, request: HttpRequest) -> Parameters:
    """Read the body as the operation's input.

    Raises:
        ServiceError: the body is not JSON, or a value has the wrong type.
    """
    if operation.input is None:
        return {}
    parameters: Parameters = values.decode(operation.input, load(request.body))
    return parameters


def build(operation: Operation, result: Result, request_id: str) -> HttpResponse:
    document = values.encode(operation.output, result) if operation.output else {}
    return respond(operation.service, operation.metadata.get("jsonVersion", "1.0"), 200, document, request_id)


def respond(service: str, version: str, status: int, document: Any, request_id: str) -> HttpResponse:
    body = dump(document)
    headers = [("content-type", f"application/x-amz-json-{version}"), ("x-amzn-requestid", request_id)]
    if service == "dynamodb":
        headers.append(("x-amz-crc32", str(zlib.crc32(body))))
    return HttpResponse(status, tuple(headers), body)


def load(body: bytes) -> Any:
    """Parse a request's JSON; an empty body means an empty object.

    Raises:
        ServiceError: SerializationException; the text is not repeated, it may hold a secret.
    """
    try:
        return json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise values.serialization_error("Unexpected token received from parser") from error


def dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")
