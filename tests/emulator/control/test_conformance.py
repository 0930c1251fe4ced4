"""Rows 1 to 37 of the conformance table: AWS IoT's control plane and TestInvokeAuthorizer.

Each test carries its row's number. Functions are real: their zip runs in a child process, and what
an authorizer was asked is read from its own log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli import token as tokens
from iotauth_cli.emulator.behaviour import Behaviour
from support_control import Control, code_of, message_of, signed

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:doors"
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}],
}
ANSWER = {
    "isAuthenticated": True,
    "principalId": "door7",
    "policyDocuments": [DOCUMENT],
    "disconnectAfterInSeconds": 3600,
    "refreshAfterInSeconds": 300,
}
# Prints the event, which the tests read from the log, and answers whatever the test put in its environment.
SOURCE = """
import json, os
def handler(event, context):
    print("EVENT " + json.dumps(event))
    return json.loads(os.environ["ANSWER"])
"""


@pytest.fixture
def iot(control: Control) -> Any:
    return control.client("iot")


@pytest.fixture(scope="module")
def key() -> Any:
    return tokens.load_private_key(tokens.generate())


@pytest.fixture(scope="module")
def other_key() -> Any:
    return tokens.load_private_key(tokens.generate())


def public(key: Any) -> str:
    return tokens.public_key_pem(key)


def create(iot: Any, name: str = "doors", **settings: Any) -> dict[str, Any]:
    settings = {"authorizerFunctionArn": FUNCTION, "signingDisabled": True, "status": "ACTIVE", **settings}
    made: dict[str, Any] = iot.create_authorizer(authorizerName=name, **settings)
    return made


def describe(iot: Any, name: str = "doors") -> dict[str, Any]:
    described: dict[str, Any] = iot.describe_authorizer(authorizerName=name)["authorizerDescription"]
    return described


def refused(call: Callable[[], Any]) -> tuple[str, int, str]:
    """Return code, status and message of the error that *call* ends with."""
    with pytest.raises(ClientError) as error:
        call()
    return *code_of(error), message_of(error)


@pytest.mark.parametrize("name", ["a.b", "a:b", "a b", "tür"])
def test_row_001_a_name_outside_the_pattern_is_refused(iot: Any, name: str) -> None:
    """Dots, colons, spaces and letters beyond ASCII are no part of an authorizer's name."""
    code, status, message = refused(lambda: create(iot, name))
    assert (code, status) == ("InvalidRequestException", 400)
    assert message == (
        f"1 validation error detected: Value '{name}' at 'authorizerName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w=,@-]+"
    )


def test_row_002_a_name_of_129_characters_is_refused(iot: Any) -> None:
    """128 characters are the most that a name may have."""
    create(iot, "a" * 128)
    code, status, message = refused(lambda: create(iot, "a" * 129))
    assert (code, status) == ("InvalidRequestException", 400)
    assert message.endswith("Member must have length less than or equal to 128")


def test_row_003_an_authorizer_is_created_once(iot: Any) -> None:
    """The second is a 409 that carries the first one's id and ARN."""
    arn = create(iot)["authorizerArn"]
    with pytest.raises(ClientError) as error:
        create(iot)
    assert code_of(error) == ("ResourceAlreadyExistsException", 409)
    assert error.value.response["resourceId"] == "doors"  # type: ignore[typeddict-item]
    assert error.value.response["resourceArn"] == arn  # type: ignore[typeddict-item]


@pytest.mark.parametrize("keys", [{}, {"tokenSigningPublicKeys": {}}], ids=["absent", "empty"])
def test_row_004_signing_wants_keys(iot: Any, keys: dict[str, Any]) -> None:
    """With signing on, a map of keys must be there."""
    code, status, message = refused(lambda: create(iot, signingDisabled=False, tokenKeyName="token", **keys))
    assert (code, status) == ("InvalidRequestException", 400)
    assert message == ("Invalid request provided: Token signing keys map for authorizer doors cannot be null or empty.")


def test_row_005_keys_want_the_name_of_the_token(iot: Any, key: Any) -> None:
    """Keys without tokenKeyName are refused."""
    keys = {"one": public(key)}
    code, status, message = refused(lambda: create(iot, signingDisabled=False, tokenSigningPublicKeys=keys))
    assert (code, status) == ("InvalidRequestException", 400)
    assert "Token key name" in message


def test_row_006_a_key_of_1024_bits_is_refused(iot: Any) -> None:
    """AWS IoT wants 2,048 bits; the message names the key."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = tokens.public_key_pem(rsa.generate_private_key(65537, 1024))
    settings: dict[str, Any] = {"tokenKeyName": "token", "tokenSigningPublicKeys": {"short": pem}}
    code, status, message = refused(lambda: create(iot, signingDisabled=False, **settings))
    assert (code, status) == ("InvalidRequestException", 400)
    assert "short" in message
    assert "1024 bits" in message


def test_row_007_without_signing_no_keys_are_wanted(iot: Any) -> None:
    """The answer is the name and the ARN."""
    made = create(iot)
    assert made["authorizerName"] == "doors"
    assert made["authorizerArn"] == "arn:aws:iot:us-east-1:123456789012:authorizer/doors"


@pytest.mark.parametrize("name", ["to ken", "to.ken"])
def test_row_008_a_token_key_name_outside_the_pattern_is_refused(iot: Any, name: str) -> None:
    """Spaces and dots are no part of a token key name."""
    code, status, message = refused(lambda: create(iot, tokenKeyName=name))
    assert (code, status) == ("InvalidRequestException", 400)
    assert "'tokenKeyName'" in message
    assert "[a-zA-Z0-9_-]+" in message


def test_row_009_the_eleventh_authorizer_is_over_the_limit(iot: Any) -> None:
    """LimitExceededException is a 410, not a 429."""
    for number in range(10):
        create(iot, f"doors-{number}")
    code, status, _ = refused(lambda: create(iot, "one-more"))
    assert (code, status) == ("LimitExceededException", 410)


def test_row_010_too_many_calls_are_throttled(control: Control, iot: Any) -> None:
    """ThrottlingException is a 400; the emulator counts calls only where asked to."""
    control.close()
    control.behaviour = Behaviour(authorizer_calls_per_second=2)
    control.open()
    for _ in range(2):
        iot.list_authorizers()
    code, status, _ = refused(iot.list_authorizers)
    assert (code, status) == ("ThrottlingException", 400)
    assert refused(lambda: describe(iot))[0] == "ResourceNotFoundException"  # each operation has its own bucket


def test_row_011_describe_shows_keys_and_dates_but_no_tags(control: Control, iot: Any, key: Any) -> None:
    """Public keys come in clear, dates as epoch seconds on the wire; tags have their own operation."""
    before = time.time()
    create(
        iot,
        signingDisabled=False,
        tokenKeyName="token",
        tokenSigningPublicKeys={"one": public(key)},
        tags=[{"Key": "team", "Value": "doors"}],
    )
    status, _, body = control.server.send("GET", "/authorizer/doors", signed("iot"))
    described = json.loads(body)["authorizerDescription"]
    assert status == 200
    assert described["tokenSigningPublicKeys"] == {"one": public(key)}
    assert before - 1 < described["creationDate"] == described["lastModifiedDate"] < time.time() + 1
    assert described["signingDisabled"] is False
    assert described["status"] == "ACTIVE"
    assert "tags" not in described
    arn = described["authorizerArn"]
    assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "team", "Value": "doors"}]


def test_row_012_an_unknown_authorizer_is_not_found(iot: Any) -> None:
    """404 ResourceNotFoundException."""
    code, status, message = refused(lambda: describe(iot, "nobody"))
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert "nobody" in message


def test_row_013_an_authorizer_is_deactivated(iot: Any) -> None:
    """Describe then shows INACTIVE and a later modification."""
    create(iot)
    before = describe(iot)
    iot.update_authorizer(authorizerName="doors", status="INACTIVE")
    after = describe(iot)
    assert after["status"] == "INACTIVE"
    assert after["lastModifiedDate"] > before["lastModifiedDate"]
    assert after["creationDate"] == before["creationDate"]


def test_row_014_signing_cannot_be_switched(control: Control, iot: Any) -> None:
    """signingDisabled is no member of UpdateAuthorizer: the request succeeds and changes nothing."""
    create(iot)
    body = json.dumps({"signingDisabled": False, "status": "INACTIVE"}).encode()
    status, _, _ = control.server.send("PUT", "/authorizer/doors", signed("iot"), body)
    assert status == 200
    assert describe(iot)["signingDisabled"] is True
    assert describe(iot)["status"] == "INACTIVE"


def test_row_015_signing_fields_do_not_fit_a_signing_disabled_authorizer(iot: Any, key: Any) -> None:
    """An update with keys or a token key name is refused."""
    create(iot)
    for fields in ({"tokenKeyName": "token"}, {"tokenSigningPublicKeys": {"one": public(key)}}):
        code, status, _ = refused(lambda fields=fields: iot.update_authorizer(authorizerName="doors", **fields))  # type: ignore[misc]
        assert (code, status) == ("InvalidRequestException", 400)


def test_row_016_an_active_authorizer_is_not_deleted(iot: Any) -> None:
    """DeleteConflictException, 409."""
    create(iot)
    code, status, _ = refused(lambda: iot.delete_authorizer(authorizerName="doors"))
    assert (code, status) == ("DeleteConflictException", 409)


def test_row_017_an_inactive_authorizer_is_deleted(iot: Any) -> None:
    """Describe is then a 404, and its tags are gone with it."""
    arn = create(iot, status="INACTIVE", tags=[{"Key": "a", "Value": "b"}])["authorizerArn"]
    iot.delete_authorizer(authorizerName="doors")
    assert refused(lambda: describe(iot))[:2] == ("ResourceNotFoundException", 404)
    create(iot)
    assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == []


def test_row_018_listing_shows_names_and_arns_in_pages(control: Control, iot: Any) -> None:
    """nextMarker leads on; page sizes outside 1 to 250 are refused."""
    names = [f"doors-{number}" for number in range(5)]
    for name in names:
        create(iot, name)
    first = iot.list_authorizers(pageSize=3)
    rest = iot.list_authorizers(pageSize=3, marker=first["nextMarker"])
    assert [a["authorizerName"] for a in first["authorizers"] + rest["authorizers"]] == names
    assert all(set(a) == {"authorizerName", "authorizerArn"} for a in first["authorizers"])
    assert "nextMarker" not in rest
    backwards = iot.list_authorizers(pageSize=3, ascendingOrder=False)
    end = iot.list_authorizers(pageSize=3, ascendingOrder=False, marker=backwards["nextMarker"])
    assert [a["authorizerName"] for a in backwards["authorizers"] + end["authorizers"]] == names[::-1]
    for size in (0, 251):
        # boto3 itself refuses 0, so the request is written by hand.
        status, headers, body = control.server.send("GET", f"/authorizers/?pageSize={size}", signed("iot"))
        assert (status, headers["x-amzn-errortype"]) == (400, "InvalidRequestException")
        assert f"Value '{size}' at 'pageSize'" in json.loads(body)["message"]


def test_row_019_listing_by_status(iot: Any) -> None:
    """INACTIVE lists the inactive ones only."""
    create(iot, "on")
    create(iot, "off", status="INACTIVE")
    listed = iot.list_authorizers(status="INACTIVE")["authorizers"]
    assert [authorizer["authorizerName"] for authorizer in listed] == ["off"]


def test_row_020_an_unknown_authorizer_is_no_default(iot: Any) -> None:
    """404."""
    assert refused(lambda: iot.set_default_authorizer(authorizerName="nobody"))[:2] == (
        "ResourceNotFoundException",
        404,
    )


def test_row_021_a_second_default_conflicts_with_the_first(iot: Any) -> None:
    """409 names the present default; setting that one again is fine."""
    create(iot, "one")
    create(iot, "two")
    iot.set_default_authorizer(authorizerName="one")
    iot.set_default_authorizer(authorizerName="one")
    code, status, message = refused(lambda: iot.set_default_authorizer(authorizerName="two"))
    assert (code, status) == ("ResourceAlreadyExistsException", 409)
    assert "one" in message


def test_row_022_no_default_is_not_found(iot: Any) -> None:
    """DescribeDefaultAuthorizer is a 404 before one is set."""
    assert refused(iot.describe_default_authorizer)[:2] == ("ResourceNotFoundException", 404)


def test_row_023_a_default_is_cleared(control: Control, iot: Any) -> None:
    """After ClearDefaultAuthorizer there is none; the default itself cannot be deleted before."""
    create(iot)
    iot.set_default_authorizer(authorizerName="doors")
    assert iot.describe_default_authorizer()["authorizerDescription"]["authorizerName"] == "doors"
    directory = control.authorizers.in_region("us-east-1")
    default = control.server.call(directory.default)
    assert default is not None
    assert default.name == "doors"
    iot.update_authorizer(authorizerName="doors", status="INACTIVE")
    assert refused(lambda: iot.delete_authorizer(authorizerName="doors"))[:2] == ("DeleteConflictException", 409)
    iot.clear_default_authorizer()
    assert refused(iot.describe_default_authorizer)[:2] == ("ResourceNotFoundException", 404)
    assert control.server.call(directory.default) is None


def test_row_024_the_endpoint_without_a_type_is_the_legacy_one(iot: Any) -> None:
    """Its host has no ``-ats``."""
    host, rest = iot.describe_endpoint()["endpointAddress"].split(".", 1)
    assert rest == "iot.us-east-1.localhost"
    assert len(host) == 14
    assert host.isalnum()


def test_row_025_the_ats_endpoint_says_so_and_stays(control: Control, iot: Any) -> None:
    """``<prefix>-ats.iot.<region>``; the prefix survives a restart."""
    legacy = iot.describe_endpoint(endpointType="iot:Data")["endpointAddress"]
    host = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    assert host == legacy.replace(".iot.", "-ats.iot.", 1)
    control.restart()
    assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"] == host


PERMISSION = {
    "FunctionName": "doors",
    "StatementId": "iot",
    "Action": "lambda:InvokeFunction",
    "Principal": "iot.amazonaws.com",
    "SourceArn": "arn:aws:iot:us-east-1:123456789012:authorizer/doors",
    "SourceAccount": "123456789012",
}


def test_row_026_a_statement_id_is_used_once(control: Control) -> None:
    """The same AddPermission again is a ResourceConflictException, although nothing differs."""
    control.function(SOURCE)
    lambda_ = control.client("lambda")
    lambda_.add_permission(**PERMISSION)
    code, status, message = refused(lambda: lambda_.add_permission(**PERMISSION))
    assert (code, status) == ("ResourceConflictException", 409)
    assert message.startswith("The statement id (iot) provided already exists.")


def test_row_027_a_function_without_permissions_has_no_policy(control: Control) -> None:
    """GetPolicy is a 404, not an empty document; also after the last statement is removed."""
    control.function(SOURCE)
    lambda_ = control.client("lambda")
    assert refused(lambda: lambda_.get_policy(FunctionName="doors"))[:2] == ("ResourceNotFoundException", 404)
    lambda_.add_permission(**PERMISSION)
    lambda_.remove_permission(FunctionName="doors", StatementId="iot")
    assert refused(lambda: lambda_.get_policy(FunctionName="doors"))[:2] == ("ResourceNotFoundException", 404)


def test_row_028_a_permission_is_stored_as_aws_stores_it(control: Control) -> None:
    """SourceArn becomes ArnLike, SourceAccount StringEquals."""
    control.function(SOURCE)
    lambda_ = control.client("lambda")
    added = json.loads(lambda_.add_permission(**PERMISSION)["Statement"])
    policy = json.loads(lambda_.get_policy(FunctionName="doors")["Policy"])
    assert policy["Statement"] == [added]
    assert added == {
        "Sid": "iot",
        "Effect": "Allow",
        "Principal": {"Service": "iot.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {"AWS:SourceArn": PERMISSION["SourceArn"]},
        },
    }


class Authorizer:
    """A deployed authorizer: function, permission and the events that the function saw."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._iot = control.client("iot")

    def deploy(self, answer: object = ANSWER, source: str = SOURCE, **settings: Any) -> None:
        self._control.function(source, Environment={"Variables": {"ANSWER": json.dumps(answer)}})
        self._control.client("lambda").add_permission(**PERMISSION)
        create(self._iot, **settings)

    def invoke(self, **request: Any) -> dict[str, Any]:
        answered: dict[str, Any] = self._iot.test_invoke_authorizer(authorizerName="doors", **request)
        answered.pop("ResponseMetadata")
        return answered

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that the function printed."""
        logs = self._control.client("logs")
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/doors", filterPattern="EVENT")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(event["message"].removeprefix("EVENT ")) for event in found]

    @property
    def event(self) -> dict[str, Any]:
        (event,) = self.events
        return event


@pytest.fixture
def authorizer(control: Control) -> Authorizer:
    return Authorizer(control)


def signing(key: Any) -> dict[str, Any]:
    keys = {"one": public(key)}
    return {"signingDisabled": False, "tokenKeyName": "token", "tokenSigningPublicKeys": keys}


def test_row_029_a_signed_token_reaches_the_function_alone(authorizer: Authorizer, key: Any) -> None:
    """The event has the token, signatureVerified true and no protocolData."""
    authorizer.deploy(**signing(key))
    answered = authorizer.invoke(token="abc", tokenSignature=tokens.sign("abc", key))
    assert answered["isAuthenticated"] is True
    event = authorizer.event
    assert event["token"] == "abc"
    assert event["signatureVerified"] is True
    assert "protocolData" not in event
    assert len(event["connectionMetadata"]["id"]) == 36


def test_row_030_a_raw_password_arrives_as_base64(authorizer: Authorizer) -> None:
    """boto3 takes raw bytes; the function sees base64 of them, as from a device."""
    authorizer.deploy()
    context = {"username": "door-7?x-amz-customauthorizer-name=doors", "password": b"test", "clientId": "door-7"}
    authorizer.invoke(mqttContext=context)
    event = authorizer.event
    assert event["protocols"] == ["mqtt"]
    assert event["protocolData"] == {"mqtt": {**context, "password": "dGVzdA=="}}
    assert event["signatureVerified"] is False


def test_row_031_a_wrong_signature_does_not_reach_the_function(
    authorizer: Authorizer, key: Any, other_key: Any
) -> None:
    """A foreign signature, none at all and no token are refused before the function."""
    authorizer.deploy(**signing(key))
    foreign = tokens.sign("abc", other_key)
    for request in ({"token": "abc", "tokenSignature": foreign}, {"token": "abc"}, {}):
        code, status, _ = refused(lambda request=request: authorizer.invoke(**request))  # type: ignore[misc]
        assert (code, status) == ("InvalidRequestException", 400)
    assert authorizer.events == []


@pytest.mark.parametrize("signature", ["YWJj%3D", "YWJj\nYWJj", "YWJj\n"])
def test_row_032_a_signature_that_is_no_plain_base64_is_refused(
    authorizer: Authorizer, key: Any, signature: str
) -> None:
    """Percent-encoding and line breaks break the pattern; the credential is not repeated in the error."""
    authorizer.deploy(**signing(key))
    code, status, message = refused(lambda: authorizer.invoke(token="abc", tokenSignature=signature))
    assert (code, status) == ("InvalidRequestException", 400)
    assert "Value at 'tokenSignature' failed to satisfy constraint: Member must satisfy regular" in message
    assert signature not in message


def test_row_033_policies_come_back_as_texts(authorizer: Authorizer) -> None:
    """The function returned an object; the response has its JSON."""
    authorizer.deploy()
    answered = authorizer.invoke(mqttContext={"clientId": "door-7"})
    assert [json.loads(document) for document in answered["policyDocuments"]] == [DOCUMENT]
    assert answered["principalId"] == "door7"
    assert answered["refreshAfterInSeconds"] == 300
    assert answered["disconnectAfterInSeconds"] == 3600


def test_row_034_a_principal_id_with_a_hyphen_is_refused(authorizer: Authorizer) -> None:
    """The function answered, but AWS IoT cannot use it: InvalidResponseException."""
    authorizer.deploy({**ANSWER, "principalId": "a-b"})
    code, status, message = refused(lambda: authorizer.invoke(token="abc"))
    assert (code, status) == ("InvalidResponseException", 400)
    assert "principalId" in message
    assert len(authorizer.events) == 1


@pytest.mark.parametrize(
    ("body", "settings"),
    [("raise ValueError('secret')", {}), ("import time; time.sleep(60)", {"Timeout": 1})],
    ids=["raises", "too-slow"],
)
def test_row_035_a_function_that_fails_is_an_invalid_response(
    control: Control, iot: Any, body: str, settings: dict[str, Any]
) -> None:
    """An exception or an overrun is InvalidResponseException, without the exception's own text."""
    control.function(f"def handler(event, context):\n    {body}\n", **settings)
    control.client("lambda").add_permission(**PERMISSION)
    create(iot)
    code, status, message = refused(lambda: iot.test_invoke_authorizer(authorizerName="doors", token="abc"))
    assert (code, status) == ("InvalidResponseException", 400)
    assert "secret" not in message


def test_row_036_a_refusal_is_an_answer(authorizer: Authorizer) -> None:
    """isAuthenticated false comes back with 200 and nothing else."""
    authorizer.deploy({**ANSWER, "isAuthenticated": False})
    assert authorizer.invoke(token="abc") == {"isAuthenticated": False}


def test_row_037_a_token_of_6145_characters_is_refused(authorizer: Authorizer) -> None:
    """6,144 are the most; the token is not repeated in the error."""
    authorizer.deploy()
    authorizer.invoke(token="t" * 6144)
    code, status, message = refused(lambda: authorizer.invoke(token="t" * 6145))
    assert (code, status) == ("InvalidRequestException", 400)
    assert message == (
        "1 validation error detected: Value at 'token' failed to satisfy constraint: "
        "Member must have length less than or equal to 6144"
    )


def test_every_part_of_a_test_invocation_is_in_the_event(authorizer: Authorizer) -> None:
    """Names of headers come in lower case, the query string begins with a question mark."""
    authorizer.deploy()
    authorizer.invoke(
        token="abc",
        httpContext={"headers": {"X-Door": "7"}, "queryString": "a=b&c=d"},
        tlsContext={"serverName": "a1b2-ats.iot.us-east-1.localhost"},
    )
    event = authorizer.event
    assert sorted(event["protocols"]) == ["http", "tls"]
    assert event["protocolData"] == {
        "http": {"headers": {"x-door": "7"}, "queryString": "?a=b&c=d"},
        "tls": {"serverName": "a1b2-ats.iot.us-east-1.localhost"},
    }
    assert event["token"] == "abc"


def test_without_the_permission_the_function_is_not_called(control: Control, iot: Any) -> None:
    """AWS IoT has no other right to call it; the sentence says what is missing."""
    control.function(SOURCE, Environment={"Variables": {"ANSWER": json.dumps(ANSWER)}})
    create(iot)
    code, status, message = refused(lambda: iot.test_invoke_authorizer(authorizerName="doors", token="abc"))
    assert (code, status) == ("InvalidResponseException", 400)
    assert "may not invoke function `doors`" in message


def test_either_of_two_keys_may_have_signed(authorizer: Authorizer, control: Control, key: Any, other_key: Any) -> None:
    """During a roll-over both keys verify; a key that an update leaves out no longer does."""
    authorizer.deploy(**signing(key))
    iot = control.client("iot")
    both = {"one": public(key), "two": public(other_key)}
    iot.update_authorizer(authorizerName="doors", tokenSigningPublicKeys=both)
    signature = tokens.sign("abc", other_key)
    assert authorizer.invoke(token="abc", tokenSignature=signature)["isAuthenticated"]
    iot.update_authorizer(authorizerName="doors", tokenSigningPublicKeys={"one": public(key)})
    assert refused(lambda: authorizer.invoke(token="abc", tokenSignature=signature))[0] == "InvalidRequestException"


def test_authorizers_are_kept_by_region_and_survive_a_restart(control: Control, iot: Any) -> None:
    """Another region has its own authorizers, with its own name in the ARN."""
    create(iot)
    create(control.client("iot", "cn-north-1"), "elsewhere")
    control.restart()
    assert [a["authorizerName"] for a in iot.list_authorizers()["authorizers"]] == ["doors"]
    elsewhere = control.client("iot", "cn-north-1").list_authorizers()["authorizers"]
    assert [a["authorizerArn"] for a in elsewhere] == ["arn:aws-cn:iot:cn-north-1:123456789012:authorizer/elsewhere"]
    directory = control.authorizers.in_region("us-east-1")
    assert control.server.call(lambda: directory.find("elsewhere")) is None
    found = control.server.call(lambda: directory.find("doors"))
    assert found is not None
    assert found.function_arn == FUNCTION


def test_a_function_arn_is_held_to_its_form(iot: Any) -> None:
    """Whether the function exists is not asked, but it must be the ARN of one."""
    create(iot)
    code, status, message = refused(lambda: create(iot, "other", authorizerFunctionArn="doors"))
    assert (code, status) == ("InvalidRequestException", 400)
    assert "is not the ARN of a Lambda function" in message


def test_tags_of_an_authorizer_are_merged_and_removed(iot: Any) -> None:
    """TagResource adds and replaces; a resource that is not there is a 404."""
    arn = create(iot, tags=[{"Key": "a", "Value": "1"}])["authorizerArn"]
    iot.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "2"}, {"Key": "b c:/=+-@ä", "Value": ""}])
    iot.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b c:/=+-@ä", "Value": ""}]
    assert refused(lambda: iot.list_tags_for_resource(resourceArn=f"{arn}x"))[:2] == ("ResourceNotFoundException", 404)


def test_an_endpoint_that_is_not_there_is_not_handed_out(iot: Any) -> None:
    """Credential provider and jobs are not served, and the error says so."""
    code, status, message = refused(lambda: iot.describe_endpoint(endpointType="iot:Jobs"))
    assert (code, status) == ("NotImplementedException", 501)
    assert message == "the iotauth emulator does not implement the endpoint iot:Jobs"
    assert refused(lambda: iot.describe_endpoint(endpointType="iot:Nothing"))[:2] == ("InvalidRequestException", 400)
