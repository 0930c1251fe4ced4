"""What the outside of a request decides, how errors are said, and AWS's checks in AWS's words."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result, ServiceError
from iotauth_cli.emulator.control.wire import check, exchange, models, query
from iotauth_cli.emulator.model import HttpRequest
from support_control import REGION, Control, ControlServer, code_of, message_of, signed


class Fake:
    """A service with one operation, which the test writes."""

    def __init__(self, name: str, operation: str, handler: Handler) -> None:
        self.name = name
        self.operations = {operation: handler}


def serve(server: ControlServer, service: str, operation: str, handler: Handler) -> Any:
    server.serve(lambda: [Fake(service, operation, handler)])
    return server.client(service)


def request(target: str = "/", method: str = "POST", body: bytes = b"", **headers: str) -> HttpRequest:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest(method, target, named, body)


def scope(service: str, region: str = REGION) -> str:
    return signed(service, region)["Authorization"]


def test_the_signature_names_service_and_region() -> None:
    """The credential scope is what AWS goes by too; the host name says nothing here."""
    envelope = exchange.open_envelope(request("/authorizers/", "GET", authorization=scope("iot", "eu-central-1")))
    assert (envelope.service, envelope.region) == ("iot", "eu-central-1")
    assert envelope.title == "iot:ListAuthorizers"


def test_the_data_plane_is_signed_under_another_name() -> None:
    """``iotdata`` in the scope is botocore's ``iot-data``."""
    path = "/connections/door-7?cleanSession=true"
    envelope = exchange.open_envelope(request(path, "DELETE", authorization=scope("iotdata")))
    assert envelope.title == "iot-data:DeleteConnection"


def test_a_presigned_address_is_not_accepted() -> None:
    """A web page can have a browser open any address; it must not act for the user by that."""
    credential = f"K%2F20260101%2F{REGION}%2Fsts%2Faws4_request"
    target = f"/?Action=GetCallerIdentity&X-Amz-Credential={credential}&X-Amz-Signature=00"
    assert exchange.open_envelope(request(target, "GET")).service is None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:4588", 200),
        ("127.0.0.1", 200),
        ("[::1]:4588", 200),
        ("LocalHost", 200),
        ("a1b2.iot.us-east-1.localhost:4588", 200),
        ("evil.example:4588", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.0.2.7:4588", 403),
    ],
)
def test_only_names_of_this_machine_are_answered(control: Control, host: str, status: int) -> None:
    """Another name that leads to loopback is a web page's way in, and is refused."""
    headers = {"Host": host, **signed("iot")}
    answered, _, body = control.server.send("GET", "/authorizers/", headers)
    assert answered == status
    assert status == 200 or "answers to names of this machine only" in json.loads(body)["message"]


@pytest.mark.parametrize("header", ["Bearer abc", "AWS4-HMAC-SHA256 Credential=broken", "AWS4-HMAC-SHA256", ""])
def test_what_is_no_signature_names_no_service(header: str) -> None:
    """Anything but an AWS signature is as good as none."""
    assert exchange.open_envelope(request(authorization=header)).service is None


@given(st.binary(max_size=60), st.text(max_size=60), st.sampled_from(["GET", "POST", "BREW"]))
def test_no_request_is_too_odd_for_an_envelope(body: bytes, header: str, method: str) -> None:
    """Opening never raises, whatever arrives: the answer is an error in some protocol."""
    for headers in ({"authorization": header}, {"x_amz_target": header}, {"authorization": scope("../../etc")}):
        envelope = exchange.open_envelope(request(f"/{header}", method, body, **headers))
        assert exchange.build_error(envelope, ServiceError("X", "x")).status == 400


def test_a_literal_segment_wins_over_a_label() -> None:
    """``/2015-03-31/functions/x/policy`` is GetPolicy and not some function called ``policy``."""
    model = models.load("lambda")
    assert model is not None
    for method, path, name in (
        ("GET", "/2015-03-31/functions/doors/policy", "GetPolicy"),
        ("GET", "/2015-03-31/functions/doors", "GetFunction"),
        ("GET", "/2015-03-31/functions/", "ListFunctions"),
        ("POST", "/2015-03-31/functions", "CreateFunction"),
        ("GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Ax%2Fy", "ListTags"),
        ("GET", "/2018-10-31/layers?find=LayerVersion&Arn=a", "GetLayerVersionByArn"),
        ("GET", "/2018-10-31/layers?Marker=a", "ListLayers"),
        ("GET", "/nothing/here", None),
    ):
        assert exchange.CODECS["rest-json"].operation_name(request(path, method), model) == name


def test_an_unsigned_request_is_refused_in_its_own_protocol(control_server: ControlServer) -> None:
    """403 MissingAuthenticationToken, as JSON or as XML."""
    status, headers, body = control_server.send("GET", "/authorizers/", {})
    assert (status, headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    assert json.loads(body) == {"message": "Missing Authentication Token"}
    status, _, body = control_server.send("POST", "/", {}, b"Action=GetCallerIdentity&Version=2011-06-15")
    assert status == 403
    assert b"<Code>MissingAuthenticationToken</Code>" in body
    status, _, body = control_server.send("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.GetItem"}, b"{}")
    assert status == 403
    assert json.loads(body)["__type"].endswith("MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "title"),
    [
        ("iot", "list_things", {}, "iot:ListThings"),
        ("iot-data", "get_thing_shadow", {"thingName": "x"}, "iot-data:GetThingShadow"),
        ("lambda", "list_layers", {}, "lambda:ListLayers"),
        ("dynamodb", "list_backups", {}, "dynamodb:ListBackups"),
        ("iam", "list_users", {}, "iam:ListUsers"),
        ("sqs", "list_queues", {}, "sqs:ListQueues"),
        ("ec2", "describe_vpcs", {}, "ec2:DescribeVpcs"),
        ("s3", "list_buckets", {}, "s3:ListBuckets"),
        ("cloudwatch", "list_metrics", {}, "monitoring:ListMetrics"),
    ],
)
def test_what_is_not_served_names_itself(
    control: Control, service: str, operation: str, arguments: dict[str, Any], title: str
) -> None:
    """501 with the operation's name, in whatever protocol the service speaks, and boto3 does not repeat it."""
    client = boto3.session.Session("K", "S", region_name=REGION).client(service, endpoint_url=control.server.url)  # type: ignore[call-overload]
    try:
        with pytest.raises(ClientError) as error:
            getattr(client, operation)(**arguments)
    finally:
        client.close()
    assert code_of(error) == ("NotImplementedException", 501)
    assert message_of(error) == f"the iotauth emulator does not implement {title}"
    assert error.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_an_operation_that_no_model_knows_is_unknown(control: Control) -> None:
    """Not 501: there is nothing to implement."""
    target = {"X-Amz-Target": "Logs_20140328.Nothing", **signed("logs")}
    status, _, body = control.server.send("POST", "/", target, b"{}")
    assert (status, json.loads(body)["__type"]) == (400, "UnknownOperationException")
    status, _, body = control.server.send("POST", "/", signed("iam"), b"Action=Nothing")
    assert status == 400
    assert b"<Code>InvalidAction</Code>" in body
    status, headers, _ = control.server.send("GET", "/nothing", signed("iot"))
    assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")


def test_a_crash_tells_the_caller_nothing_and_the_log_the_place(control_server: ControlServer) -> None:
    """InternalFailure, 500; neither the answer nor the log repeats what the exception says."""

    def crash(parameters: Parameters, context: Context) -> Result:
        raise RuntimeError(f"the password is {parameters['endpointType']}")

    iot = serve(control_server, "iot", "DescribeEndpoint", crash)
    with pytest.raises(ClientError) as error:
        iot.describe_endpoint(endpointType="hunter2")
    assert code_of(error) == ("InternalFailure", 500)
    (line,) = control_server.logged
    assert line.startswith("iot:DescribeEndpoint failed: RuntimeError in test_wire.py:")
    assert "hunter2" not in line + message_of(error)


def test_a_handler_may_take_its_time(control_server: ControlServer) -> None:
    """Handlers may be coroutines; the context says who asks and where."""

    def handler(parameters: Parameters, context: Context) -> Awaitable[Result]:
        async def answer() -> Result:
            return {"endpointAddress": f"{context.region} {context.account} {len(context.request_id)}"}

        return answer()

    serve(control_server, "iot", "DescribeEndpoint", handler)
    answered = control_server.client("iot", "eu-west-1").describe_endpoint()
    assert answered["endpointAddress"] == "eu-west-1 123456789012 36"


def test_dynamodb_errors_are_said_as_dynamodb_says_them(control_server: ControlServer) -> None:
    """The type carries its namespace, the body its checksum, and modelled members come along."""

    def refuse(parameters: Parameters, context: Context) -> Result:
        raise ServiceError("ConditionalCheckFailedException", "The conditional request failed", Item={"a": {"S": "b"}})

    dynamodb = serve(control_server, "dynamodb", "PutItem", refuse)
    headers = {"X-Amz-Target": "DynamoDB_20120810.PutItem", **signed("dynamodb")}
    status, answered, body = control_server.send("POST", "/", headers, b'{"TableName":"t","Item":{"a":{"S":"b"}}}')
    assert status == 400
    assert json.loads(body)["__type"] == "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
    assert answered["x-amz-crc32"] == str(zlib.crc32(body))
    assert answered["content-type"] == "application/x-amz-json-1.0"
    with pytest.raises(ClientError) as error:
        dynamodb.put_item(TableName="t", Item={"a": {"S": "b"}})
    assert error.value.response["Item"] == {"a": {"S": "b"}}  # type: ignore[typeddict-item]
    status, _, body = control_server.send("POST", "/", headers, b'{"Item":{"a":{"S":"b"}}}')
    assert json.loads(body) == {
        "__type": "com.amazon.coral.validate#ValidationException",
        "message": "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: "
        "Member must not be null",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Unexpected token received from parser"),
        (b"[]", "Start of list found where not expected"),
        (b'{"TableName": 5, "Item": {}}', "NUMBER_VALUE cannot be converted to String"),
        (b'{"TableName": true, "Item": {}}', "TRUE_VALUE cannot be converted to String"),
        (b'{"TableName": {}, "Item": {}}', "Start of structure or map found where not expected"),
        (b'{"TableName": "t", "Item": "x"}', "Unexpected field type"),
        (b'{"TableName": "t", "Item": {"a": {"B": "?"}}}', "Invalid Base64 text"),
        (b'{"TableName": "t", "Item": {"a": {"BOOL": "true"}}}', "STRING_VALUE cannot be converted to Boolean"),
    ],
    ids=["no-json", "list", "number", "true", "structure", "scalar", "base64", "boolean"],
)
def test_a_value_of_the_wrong_type_is_a_serialization_exception(
    control_server: ControlServer, body: bytes, message: str
) -> None:
    """In the words of AWS's framework; botocore would not have sent it."""
    serve(control_server, "dynamodb", "PutItem", lambda parameters, context: {})
    headers = {"X-Amz-Target": "DynamoDB_20120810.PutItem", **signed("dynamodb")}
    status, _, answered = control_server.send("POST", "/", headers, body)
    assert status == 400
    assert json.loads(answered) == {
        "__type": "com.amazon.coral.service#SerializationException",
        "message": message,
    }


def test_a_query_that_cannot_be_a_number_is_refused(control: Control) -> None:
    """In a path, a header or a query string a number is text that must read as one."""
    status, _, body = control.server.send("GET", "/authorizers/?pageSize=many", signed("iot"))
    assert status == 400
    assert json.loads(body) == {"message": "STRING_VALUE cannot be converted to Integer"}
    status, _, body = control.server.send("POST", "/", signed("iam"), b"Action=ListRoles&MaxItems=many")
    assert status == 400
    assert b"STRING_VALUE cannot be converted to Integer" in body


def test_an_error_in_xml_survives_any_character(control: Control) -> None:
    """A control character in a bad name would end the XML; it comes back replaced."""
    body = b"Action=GetRole&RoleName=%01%3Cb%3E"
    status, _, answered = control.server.send("POST", "/", signed("iam"), body)
    assert status == 400
    assert "Value '\ufffd&lt;b&gt;' at 'roleName'" in answered.decode()


def violations(service: str, operation: str, parameters: dict[str, Any]) -> str:
    model = models.load(service)
    found = model.operation(operation) if model else None
    assert found is not None
    assert found.input is not None
    with pytest.raises(ServiceError) as error:
        check.check(service, found.input, parameters)
    return error.value.message


def test_all_violations_come_in_one_sentence() -> None:
    """They are counted, and pattern comes before length as AWS has it."""
    message = violations("iam", "CreateRole", {"RoleName": "?" * 65})
    name = "?" * 65
    assert message.startswith("3 validation errors detected: Value null at 'assumeRolePolicyDocument'")
    assert f"Value '{name}' at 'roleName' failed to satisfy constraint: Member must satisfy regular" in message
    assert f"Value '{name}' at 'roleName' failed to satisfy constraint: Member must have length less" in message


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "sentence"),
    [
        (
            "iot",
            "ListAuthorizers",
            {"status": "ASLEEP"},
            "Value 'ASLEEP' at 'status' failed to satisfy constraint: "
            "Member must satisfy enum value set: [ACTIVE, INACTIVE]",
        ),
        (
            "iot",
            "TagResource",
            {"resourceArn": "a", "tags": [{"Key": "a"}, {"Key": "#"}]},
            "Value '#' at 'tags.2.member.key' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$",
        ),
        (
            "iot",
            "CreateAuthorizer",
            {"authorizerName": "a", "authorizerFunctionArn": "a", "tokenSigningPublicKeys": {"a.b": "pem"}},
            "Value '{a.b=pem}' at 'tokenSigningPublicKeys' failed to satisfy constraint: Map keys must satisfy "
            "constraint: [Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+, Member must have length "
            "less than or equal to 128, Member must have length greater than or equal to 1]",
        ),
        (
            "lambda",
            "UpdateFunctionConfiguration",
            {"FunctionName": "doors", "Timeout": 0},
            "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "lambda",
            "UpdateFunctionConfiguration",
            {"FunctionName": "doors", "Environment": {"Variables": {"1": "hunter2"}}},
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy "
            "constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
        ),
    ],
    ids=["enum", "in-a-list", "map-keys", "number", "secret"],
)
def test_constraints_are_worded_as_aws_words_them(
    service: str, operation: str, parameters: dict[str, Any], sentence: str
) -> None:
    """Path, value and rule; a value that the model calls sensitive is left out."""
    assert violations(service, operation, parameters) == f"1 validation error detected: {sentence}"


@given(
    st.dictionaries(
        st.lists(st.sampled_from(["a", "b", "1", "2", "member", "entry"]), min_size=1, max_size=4).map(".".join),
        st.text(max_size=4),
        max_size=6,
    )
)
def test_a_form_of_any_names_is_read(form: dict[str, str]) -> None:
    """Dotted names nest, contradictions included, and reading them as an input gives one or refuses."""
    model = models.load("iam")
    operation = model.operation("CreateRole") if model else None
    assert operation is not None
    names = {name.replace("a", "Tags").replace("b", "RoleName"): value for name, value in form.items()}
    asked = request(body=urlencode(names).encode())
    with contextlib.suppress(ServiceError):
        assert set(query.parse(operation, asked)) <= {"Tags", "RoleName"}
