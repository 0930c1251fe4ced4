"""From an HTTP request to a checked call, and from a result back to a response.

Which service: the credential scope of the signature (``…/us-east-1/iot/aws4_request``), which
also gives the region. Signatures themselves are not verified: any credentials do.
Which protocol: what the request itself speaks. Which operation: each protocol has its place for
the name. After that the service's model does the work: `parse` reads and checks, `build` writes.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Protocol

from iotauth_cli.emulator.control.service import NotImplementedHere, Parameters, Result, ServiceError
from iotauth_cli.emulator.control.wire import check, json_rpc, models, query, rest_json
from iotauth_cli.emulator.control.wire.faults import Fault, build_fault
from iotauth_cli.emulator.control.wire.models import Operation, ServiceModel
from iotauth_cli.emulator.model import DEFAULT_REGION, HttpRequest, HttpResponse

CREDENTIAL = re.compile(r"(?P<access_key>[^/\s=]+)/\d{8}/(?P<region>[^/]+)/(?P<signing_name>[^/]+)/aws4_request")
SIGNED_AS = {"iotdata": "iot-data"}  # signing name → botocore's service name, where they differ
BY_MODEL = ("rest-json", "rest-xml", "ec2")  # a body, which may be a zip, is not searched for a form's Action
CBOR_PATH = re.compile(r"/service/\w+/operation/(\w+)")


class Codec(Protocol):
    """How one protocol carries calls and results."""

    def operation_name(self, request: HttpRequest, model: ServiceModel | None) -> str | None: ...

    def parse(self, operation: Operation, request: HttpRequest) -> Parameters: ...

    def build(self, operation: Operation, result: Result, request_id: str) -> HttpResponse: ...


CODECS: dict[str, Codec] = {"rest-json": rest_json, "json": json_rpc, "query": query}


@dataclass(frozen=True)
class Envelope:
    """What the outside of a request tells: enough to word any answer, errors included.

    *service* is None for a request that nobody signed.
    """

    request: HttpRequest
    request_id: str
    protocol: str
    service: str | None
    region: str
    model: ServiceModel | None
    operation_name: str | None
    access_key: str = ""

    @property
    def operation(self) -> Operation | None:
        return self.model.operation(self.operation_name) if self.model and self.operation_name else None

    @property
    def title(self) -> str:
        """The call by its name, ``iot:ListThings``, or by its path where the name is not known."""
        path = self.request.target.partition("?")[0]
        return f"{self.service}:{self.operation_name or f'{self.request.method} {path}'}"


@dataclass(frozen=True)
class Call:
    """One call, ready for its handler: *parameters* hold to the service's model."""

    service: str
    operation: str
    parameters: Parameters
    region: str
    request_id: str


def open_envelope(request: HttpRequest) -> Envelope:
    """Read what the outside of *request* tells; never raises."""
    scope = _credential_scope(request)
    service = SIGNED_AS.get(scope["signing_name"], scope["signing_name"]) if scope else _unsigned(request)
    model = models.load(service) if service else None
    protocol = _protocol(request, model)
    return Envelope(
        request=request,
        request_id=str(uuid.uuid4()),
        protocol=protocol,
        service=service,
        region=scope["region"] if scope else DEFAULT_REGION,
        model=model,
        operation_name=_operation_name(protocol, request, model),
        access_key=scope["access_key"] if scope else "",
    )


def _credential_scope(request: HttpRequest) -> re.Match[str] | None:
    # Presigned URLs are left out on purpose. Signatures are not verified here, and a web page
    # can make a browser send any URL, but not an Authorization header: that needs our consent.
    header = request.header("authorization") or ""
    return CREDENTIAL.search(header) if header.startswith("AWS4-") else None


def _unsigned(request: HttpRequest) -> str | None:
    """Return the service of the one call that nobody signs: whoever makes it has a token and no keys yet."""
    is_form = (request.header("content-type") or "").startswith("application/x-www-form-urlencoded")
    is_call = is_form and query.operation_name(request, None) == "AssumeRoleWithWebIdentity"
    return "sts" if is_call else None


def _protocol(request: HttpRequest, model: ServiceModel | None) -> str:
    """Tell what *request* speaks. A model may list several protocols and clients choose differently."""
    if request.header("smithy-protocol") == "rpc-v2-cbor":
        return "smithy-rpc-v2-cbor"
    if request.header("x-amz-target") is not None:
        return "json"
    modelled = model.protocols[-1] if model else None
    if modelled in BY_MODEL:
        return modelled
    return "query" if query.operation_name(request, model) else "rest-json"


def _operation_name(protocol: str, request: HttpRequest, model: ServiceModel | None) -> str | None:
    if protocol == "smithy-rpc-v2-cbor":
        path = CBOR_PATH.search(request.target)
        return path[1] if path else None
    codec = {"ec2": query, "rest-xml": rest_json}.get(protocol) or CODECS.get(protocol)
    return codec.operation_name(request, model) if codec else None


def parse(envelope: Envelope) -> Call:
    """Read the parameters and check them against the model.

    Raises:
        ServiceError: they cannot be read or break a constraint; 501 for a protocol not spoken here.
    """
    operation, service = envelope.operation, envelope.service
    if service is None or operation is None:
        raise NotImplementedHere(envelope.title)
    parameters = _codec(envelope).parse(operation, envelope.request)
    if operation.input is not None:
        check.check(service, operation.input, parameters)
    return Call(service, operation.name, parameters, envelope.region, envelope.request_id)


def build(envelope: Envelope, result: Result) -> HttpResponse:
    """Return *result* as the response to the call in *envelope*."""
    operation = envelope.operation
    assert operation is not None  # parse has seen to it
    return _codec(envelope).build(operation, result, envelope.request_id)


def build_error(envelope: Envelope, error: ServiceError) -> HttpResponse:
    """Return *error* in the words and the shape of the protocol that the request speaks."""
    fault = Fault(error, envelope.request_id, envelope.model, envelope.operation)
    return build_fault(envelope.protocol, fault)


def _codec(envelope: Envelope) -> Codec:
    codec = CODECS.get(envelope.protocol)
    if codec is None:
        raise NotImplementedHere(f"{envelope.title} over {envelope.protocol}")
    return codec
