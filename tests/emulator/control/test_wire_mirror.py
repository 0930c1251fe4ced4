"""The wire against botocore's own serialisers and parsers: what one writes, the other reads."""

from __future__ import annotations

import functools
from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, prepare_request_dict
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.control.wire import exchange, models
from iotauth_cli.emulator.model import HttpRequest
from support_shapes import structures_of

# Operations that between them have every place and type that these protocols know.
OPERATIONS = {
    "iot": ("CreateAuthorizer", "ListAuthorizers", "TestInvokeAuthorizer", "TagResource", "DescribeAuthorizer"),
    "iot-data": ("Publish", "DeleteConnection"),
    "lambda": ("CreateFunction", "AddPermission", "Invoke", "UntagResource", "ListFunctions", "GetFunction"),
    "dynamodb": ("PutItem", "BatchGetItem", "CreateTable", "Query", "DescribeTable"),
    "logs": ("PutLogEvents", "FilterLogEvents", "CreateLogGroup", "DescribeLogStreams"),
    "iam": ("CreateRole", "TagRole", "ListRoles", "GetRolePolicy", "ListAttachedRolePolicies"),
    "sts": ("AssumeRole", "GetCallerIdentity"),
}
RAW = {"Invoke"}  # its result is no document: status, headers and bytes; test_lambda.py has it
CASES = [pytest.param(service, name, id=f"{service}-{name}") for service, names in OPERATIONS.items() for name in names]
FAST = settings(
    max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)


@functools.cache
def botocore_model(service: str) -> ServiceModel:
    ours = models.load(service)
    assert ours is not None
    data = {"metadata": ours.metadata, "shapes": ours.shape_data, "operations": ours.operation_data}
    return ServiceModel(data, service)


def operation(service: str, name: str) -> OperationModel:
    return botocore_model(service).operation_model(name)


def written(model: OperationModel, parameters: dict[str, Any]) -> HttpRequest:
    """Return the request that botocore makes of *parameters*."""
    protocol = str(model.service_model.metadata["protocol"])
    serializer = create_serializer(protocol, include_validation=False)
    request_dict = serializer.serialize_to_request(parameters, model)
    prepare_request_dict(request_dict, "http://127.0.0.1")
    request = AWSRequest(request_dict["method"], request_dict["url"], request_dict["headers"], request_dict["body"])
    prepared = request.prepare()
    body: Any = prepared.body or b""
    return HttpRequest(
        prepared.method,
        prepared.url.removeprefix("http://127.0.0.1"),
        tuple((name.lower(), _text(value)) for name, value in prepared.headers.items()),
        body if isinstance(body, bytes) else body.encode(),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def with_epochs(value: Any) -> Any:
    """Write datetimes as epoch seconds, all through *value*."""
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, dict):
        return {key: with_epochs(item) for key, item in value.items()}
    return [with_epochs(item) for item in value] if isinstance(value, list) else value


def envelope_of(service: str, request: HttpRequest) -> exchange.Envelope:
    scope = f"K/20260101/eu-west-1/{service.replace('iot-data', 'iotdata')}/aws4_request"
    authorization = ("authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
    signed = HttpRequest(request.method, request.target, (*request.headers, authorization), request.body)
    return exchange.open_envelope(signed)


@pytest.mark.parametrize(("service", "name"), CASES)
@FAST
@given(data=st.data())
def test_what_botocore_writes_is_read_back(service: str, name: str, data: st.DataObject) -> None:
    """Operation and parameters arrive as the caller gave them, whatever they are."""
    model = operation(service, name)
    parameters = data.draw(structures_of(model.input_shape)) if model.input_shape else {}
    envelope = envelope_of(service, written(model, parameters))
    assert envelope.service == service
    assert envelope.region == "eu-west-1"
    assert envelope.operation_name == name
    assert envelope.operation is not None
    codec = exchange.CODECS[envelope.protocol]
    assert codec.parse(envelope.operation, envelope.request) == parameters


@pytest.mark.parametrize(("service", "name"), CASES)
@FAST
@given(data=st.data())
def test_what_is_written_is_read_by_botocore(service: str, name: str, data: st.DataObject) -> None:
    """A result comes out of botocore's parser as the handler returned it."""
    model = operation(service, name)
    if model.output_shape is None or name in RAW:
        return
    result = data.draw(structures_of(model.output_shape))
    ours = models.load(service)
    assert ours is not None
    ours_operation = ours.operation(name)
    assert ours_operation is not None
    protocol = str(model.service_model.metadata["protocol"])
    response = exchange.CODECS[protocol].build(ours_operation, result, "request-1")
    as_dict = {"status_code": response.status, "headers": dict(response.headers), "body": response.body}
    parsed = create_parser(protocol).parse(as_dict, model.output_shape)
    metadata = parsed.pop("ResponseMetadata")
    assert metadata["RequestId"] == "request-1"
    assert with_epochs(parsed) == result


def test_a_moment_is_written_to_the_second_or_millisecond() -> None:
    """Numbers on the wire are epoch seconds; a datetime serves as well as a number."""
    ours = models.load("iot")
    assert ours is not None
    describe = ours.operation("DescribeAuthorizer")
    assert describe is not None
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for value, wire in ((moment, b"1767225600"), (1767225600.1239, b"1767225600.124")):
        result = {"authorizerDescription": {"creationDate": value}}
        body = exchange.CODECS["rest-json"].build(describe, result, "r").body
        assert body == b'{"authorizerDescription":{"creationDate":' + wire + b"}}"
