"""How each of AWS's protocols says that something went wrong.

An error must be readable by whoever asked, also when the service is one that the emulator
does not have. So this module speaks more protocols than the codecs beside it: enough of
each to carry a code and a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iotauth_cli.emulator.control.service import ServiceError
from iotauth_cli.emulator.control.wire import json_rpc, values
from iotauth_cli.emulator.control.wire.models import ErrorShape, Operation, ServiceModel
from iotauth_cli.emulator.control.wire.query import xml_text
from iotauth_cli.emulator.model import HttpResponse

DYNAMODB_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"
FRAMEWORK_NAMESPACE = "com.amazon.coral.service#"  # errors that AWS's framework raises in front of DynamoDB
VALIDATION_NAMESPACE = "com.amazon.coral.validate#"


@dataclass(frozen=True)
class Fault:
    """An error on its way out, with what is known of the request that it answers."""

    error: ServiceError
    request_id: str
    model: ServiceModel | None = None
    operation: Operation | None = None

    @property
    def modelled(self) -> ErrorShape | None:
        return self.operation.errors.get(self.error.code) if self.operation else None

    @property
    def status(self) -> int:
        """The model's status wins: it knows that LimitExceededException of IoT is a 410."""
        return self.modelled.status if self.modelled else self.error.status

    @property
    def document(self) -> dict[str, Any]:
        """The error's members as JSON, by the names that its shape gives them."""
        if self.modelled is None:
            return {"message": self.error.message, **self.error.members}
        shape = self.modelled.shape
        message = next((name for name in shape.members if name.lower() == "message"), None)
        members: dict[str, Any] = {"Type": "User" if self.status < 500 else "Service", **self.error.members}
        if message is None:
            return {"message": self.error.message, **values.encode(shape, members)}
        encoded: dict[str, Any] = values.encode(shape, {**members, message: self.error.message})
        return encoded


def build_fault(protocol: str, fault: Fault) -> HttpResponse:
    """Return *fault* as *protocol* says it."""
    return _BUILDERS.get(protocol, _rest_json)(fault)


def _rest_json(fault: Fault) -> HttpResponse:
    headers = (
        ("content-type", "application/json"),
        ("x-amzn-requestid", fault.request_id),
        ("x-amzn-errortype", fault.error.code),
    )
    return HttpResponse(fault.status, headers, json_rpc.dump(fault.document))


def _json(fault: Fault) -> HttpResponse:
    service = fault.model.name if fault.model else ""
    version = fault.model.metadata.get("jsonVersion", "1.0") if fault.model else "1.0"
    namespace = _dynamodb_namespace(fault) if service == "dynamodb" else ""
    document = {"__type": namespace + fault.error.code, **fault.document}
    return json_rpc.respond(service, version, fault.status, document, fault.request_id)


def _dynamodb_namespace(fault: Fault) -> str:
    if fault.modelled:
        return DYNAMODB_NAMESPACE
    is_validation = fault.error.code == "ValidationException"
    return VALIDATION_NAMESPACE if is_validation else FRAMEWORK_NAMESPACE


def _query(fault: Fault) -> HttpResponse:
    namespace = fault.model.metadata.get("xmlNamespace") if fault.model else None
    attribute = f' xmlns="{namespace}"' if namespace else ""
    who = "Sender" if fault.status < 500 else "Receiver"
    return _xml(
        fault,
        f"<ErrorResponse{attribute}><Error><Type>{who}</Type>{_code_and_message(fault)}</Error>"
        f"<RequestId>{fault.request_id}</RequestId></ErrorResponse>",
    )


def _ec2(fault: Fault) -> HttpResponse:
    return _xml(
        fault,
        f"<Response><Errors><Error>{_code_and_message(fault)}</Error></Errors>"
        f"<RequestID>{fault.request_id}</RequestID></Response>",
    )


def _rest_xml(fault: Fault) -> HttpResponse:
    return _xml(fault, f"<Error>{_code_and_message(fault)}<RequestId>{fault.request_id}</RequestId></Error>")


def _cbor(fault: Fault) -> HttpResponse:
    headers = (
        ("content-type", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("x-amzn-requestid", fault.request_id),
    )
    texts = {"__type": fault.error.code, "message": fault.error.message}
    return HttpResponse(fault.status, headers, _cbor_map(texts))


_BUILDERS: dict[str, Callable[[Fault], HttpResponse]] = {
    "rest-json": _rest_json,
    "json": _json,
    "query": _query,
    "ec2": _ec2,
    "rest-xml": _rest_xml,
    "smithy-rpc-v2-cbor": _cbor,
}


def _xml(fault: Fault, body: str) -> HttpResponse:
    headers = (("content-type", "text/xml"), ("x-amzn-requestid", fault.request_id))
    return HttpResponse(fault.status, headers, body.encode())


def _code_and_message(fault: Fault) -> str:
    return f"<Code>{xml_text(fault.error.code)}</Code><Message>{xml_text(fault.error.message)}</Message>"


def _cbor_map(texts: dict[str, str]) -> bytes:
    """Encode a small map of texts (RFC 8949, major types 5 and 3)."""
    encoded = bytes([0xA0 | len(texts)])
    for text in (part.encode() for pair in texts.items() for part in pair):
        encoded += b"\x79" + len(text).to_bytes(2, "big") + text  # 0x79: a text, its length in two bytes
    return encoded
