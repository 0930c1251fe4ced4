"""The table of causes: each row by the evidence that it needs, and none without."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import new_secret
from iotauth_authorizer.grants import ArnScope, Grants, compile_policies
from iotauth_authorizer.username import SIGNATURE
from iotauth_cli.probe.cause import REFUSED, UNKNOWN
from iotauth_cli.probe.causes import CAUSES
from iotauth_cli.probe.diagnose import Diagnosis, diagnose
from iotauth_cli.probe.evidence import (
    ABSENT,
    AnswerFault,
    Attempt,
    AuthorizerFound,
    Call,
    Case,
    DomainFound,
    FunctionFound,
    Names,
    OtherSide,
    PermissionFound,
    Trial,
)
from iotauth_cli.probe.stages import STAGES, Endpoint, Errand, Login, Manner, Stage, StageName, Symptom
from iotauth_cli.secret import Secret

SCOPE = ArnScope("aws", "eu-west-1", "123456789012")
ARN = "arn:aws:iot:eu-west-1:123456789012:authorizer/doors"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:doors-function"
NAMES = Names("doors", "doors-function", "doors-clients", "AWS, eu-west-1")
AWS_HOST = "a1b2-ats.iot.eu-west-1.amazonaws.com"
USERNAME = "door-7?x-amz-customauthorizer-name=doors"
PASSWORD = "iota_the_canary_that_nobody_may_see_"

AUTHORIZER = AuthorizerFound(ARN, FUNCTION_ARN, is_active=True, signing_disabled=True)
SIGNED = replace(AUTHORIZER, signing_disabled=False, token_key_name="token")
FUNCTION = FunctionFound("doors-function", is_ready=True, is_ours=True)
GIVEN = PermissionFound("given", (ARN,), ("123456789012",))
ALLOWED = Trial("allowed", compile_policies(Grants.for_topic("doors/door-7"), "door-7", SCOPE))
IN_ORDER = OtherSide(AUTHORIZER, FUNCTION, GIVEN, ALLOWED, data_endpoint=f"{AWS_HOST}:443")
NOT_CALLED = replace(IN_ORDER, was_called=False)

Where = tuple[StageName, Symptom]
HUNG_UP: Where = ("connect", Symptom.CLOSED)


def attempt_at(where: Where, facts: Mapping[str, Any] | None = None, **changes: Any) -> Attempt:
    """Return an attempt that went well until *where*. *changes* are members of endpoint, login or attempt."""
    name, symptom = where
    endpoint = Endpoint(
        changes.pop("host", AWS_HOST),
        changes.pop("port", 443),
        changes.pop("ca_file", None),
        changes.pop("alpn", ("mqtt",)),
        changes.pop("asked_for", None),
    )
    login = Login("door-7", changes.pop("username", USERNAME), changes.pop("password", Secret(PASSWORD)))
    errand = Errand(
        changes.pop("publish", "doors/door-7"), changes.pop("subscribe", "doors/door-7"), **changes.pop("errand", {})
    )
    server_name = changes.pop("server_name", endpoint.host)
    walked = [
        Stage("tls", 1.0, 0.0, {"server_name": server_name}),
        Stage("alpn", 0.0, 0.0, {"offered": list(endpoint.alpn), "selected": None}),
    ]
    before = [stage for stage in walked if STAGES.index(stage.name) < STAGES.index(name)]
    failed = Stage(name, 5.0, 1_800_000_000.0, {"reason": "the connection was closed", **(facts or {})}, symptom)
    return Attempt(endpoint, login, errand, (*before, failed), **changes)


def case_of(where: Where, other: OtherSide | None = None, **changes: Any) -> Case:
    return Case(attempt_at(where, **changes), NAMES, other or OtherSide())


def logged(reason: str, **members: Any) -> OtherSide:
    return replace(IN_ORDER, was_called=True, call=Call(0, "door-7", allowed=False, reason=reason, **members))


def answering(*statements: Mapping[str, Any]) -> OtherSide:
    """Return another side whose function answers with one document of *statements*."""
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return replace(IN_ORDER, was_called=True, test=Trial("allowed", (document,)))


def allow(action: str, resource: str, effect: str = "Allow") -> Mapping[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


FOREIGN = replace(FUNCTION, is_ours=False)
CERTIFICATE = {
    "error": "certificate verify failed",
    "subject": "doors.example.com",
    "issuer": "some CA",
    "not_before": "2020-01-01T00:00:00Z",
    "not_after": "2020-02-01T00:00:00Z",
    "names": ["doors.example.com"],
}
CA = Path("ca.pem")

ALL = allow("iot:*", "*")
NO_PUBACK: Where = ("publish", Symptom.CLOSED)
STAYING: Where = ("stay", Symptom.CLOSED)
UNAUTHORIZED = {"code": 0x87}
REJECTED: Where = ("request", Symptom.REJECTED)
SOCKET, HTTP, FIVE = Manner("websocket"), Manner("http", "headers"), Manner(is_mqtt5=True)
WILL, RETAIN = {"will": "doors/gone"}, {"retain": True}
SIGNED_NAME = f"{USERNAME}&token=door-7.1&{SIGNATURE}=x"
IN_BASE64 = Secret(base64.b64encode(new_secret().encode()).decode())


def spoilt(mended: Literal["trimmed", "encoded"]) -> OtherSide:
    return replace(NOT_CALLED, authorizer=replace(SIGNED, is_signature_right=False, signed_when=mended))


# cause: the case, and a piece of the remedy.
BY_DOMAIN = DomainFound("front", "locks", allows_override=False, is_enabled=True, chooses_protocol=True)
ELSEWHERE = {"host": "front.example.com", "typed": frozenset({"endpoint"})}

TABLE: list[tuple[str, Case, str]] = [
    ("wrong-endpoint", case_of(("dns", Symptom.NO_SUCH_HOST), IN_ORDER, host="typo.example.com"), "leave out"),
    ("no-such-host", case_of(("dns", Symptom.NO_SUCH_HOST)), "getent hosts"),
    ("resolver-failed", case_of(("dns", Symptom.NAME_NOT_RESOLVED), IN_ORDER), "getent hosts"),
    ("port-closed", case_of(("tcp", Symptom.PORT_CLOSED), host="localhost", port=8443), "iotauth emulator start"),
    ("port-closed", case_of(("tcp", Symptom.PORT_CLOSED), port=8883), "port 443"),
    ("unreachable", case_of(("tcp", Symptom.TIMEOUT), IN_ORDER), f"nc -vz {AWS_HOST} 443"),
    ("foreign-ca", case_of(("tls", Symptom.UNTRUSTED), ca_file=CA, typed=frozenset({"ca"})), "leave out `--ca`"),
    ("foreign-ca", case_of(("tls", Symptom.UNTRUSTED)), "--ca FILE"),
    (
        "expired-ca",
        case_of(("tls", Symptom.EXPIRED), facts={**CERTIFICATE, "not_after": "2099-01-01T00:00:00Z"}),
        "--ca FILE",
    ),
    ("expired-certificate", case_of(("tls", Symptom.EXPIRED), facts=CERTIFICATE, host="::1"), "emulator stop"),
    ("expired-certificate", case_of(("tls", Symptom.EXPIRED), facts=CERTIFICATE), "date -u"),
    ("clock-behind", case_of(("tls", Symptom.NOT_YET_VALID), facts=CERTIFICATE), "date -u"),
    ("wrong-host-name", case_of(("tls", Symptom.WRONG_NAME), facts=CERTIFICATE), "--endpoint doors.example.com"),
    ("invalid-certificate", case_of(("tls", Symptom.INVALID_CERTIFICATE), facts=CERTIFICATE), "openssl s_client"),
    ("not-tls", case_of(("tls", Symptom.NOT_TLS)), "leave out `--endpoint`"),
    ("wrong-alpn", case_of(("tls", Symptom.NO_COMMON_PROTOCOL), alpn=("h2",)), "leave out `--alpn`"),
    ("handshake-broken-off", case_of(("tls", Symptom.CLOSED)), "leave out `--endpoint`"),
    ("handshake-unanswered", case_of(("tls", Symptom.TIMEOUT)), "leave out `--endpoint`"),
    ("no-alpn", case_of(HUNG_UP, NOT_CALLED, alpn=()), "leave out `--no-alpn`"),
    ("wrong-alpn", case_of(HUNG_UP, NOT_CALLED, alpn=("x-amzn-mqtt-ca",)), "leave out `--alpn`"),
    ("two-question-marks", case_of(HUNG_UP, NOT_CALLED, username=USERNAME + "?SDK=x"), "--username"),
    ("no-authorizer-named", case_of(HUNG_UP, OtherSide(ABSENT), username="door-7"), "--authorizer NAME"),
    ("authorizer-missing", case_of(HUNG_UP, OtherSide(ABSENT)), "authorizer create doors"),
    (
        "domain-disabled",
        case_of(HUNG_UP, replace(NOT_CALLED, domain=replace(BY_DOMAIN, is_enabled=False)), **ELSEWHERE),
        "iot update-domain-configuration --domain-configuration-name front",
    ),
    (
        "authorizer-inactive",
        case_of(HUNG_UP, replace(NOT_CALLED, authorizer=replace(AUTHORIZER, is_active=False))),
        "authorizer enable doors",
    ),
    (
        "signature-missing",
        case_of(HUNG_UP, replace(NOT_CALLED, authorizer=replace(AUTHORIZER, signing_disabled=False))),
        "iotauth keys sign --for-client door-7",
    ),
    (
        "signature-missing",
        case_of(HUNG_UP, replace(NOT_CALLED, authorizer=SIGNED), username=f"{USERNAME}&{SIGNATURE}=x"),
        "iotauth keys sign --for-client door-7",
    ),
    (
        "signature-wrong",
        case_of(
            HUNG_UP,
            replace(NOT_CALLED, authorizer=replace(SIGNED, is_signature_right=False)),
            username=f"{USERNAME}&token=door-7.1&{SIGNATURE}=x",
        ),
        "iotauth keys sign --for-client door-7 --authorizer doors",
    ),
    ("function-missing", case_of(HUNG_UP, replace(IN_ORDER, function=ABSENT)), "authorizer create doors"),
    (
        "no-permission",
        case_of(HUNG_UP, replace(NOT_CALLED, permission=PermissionFound("none"))),
        "authorizer create doors",
    ),
    (
        "permission-for-another-authorizer",
        case_of(HUNG_UP, replace(NOT_CALLED, permission=PermissionFound("other-authorizer", ("windows",)))),
        "authorizer create doors",
    ),
    (
        "permission-for-another-account",
        case_of(HUNG_UP, replace(NOT_CALLED, permission=PermissionFound("other-account", (), ("999999999999",)))),
        "authorizer create doors",
    ),
    ("function-not-ready", case_of(HUNG_UP, replace(NOT_CALLED, function=replace(FUNCTION, is_ready=False))), "wait"),
    (
        "wrong-password",
        case_of(HUNG_UP, logged("wrong-password"), typed=frozenset({"password"})),
        "leave out `--password-stdin`",
    ),
    ("wrong-password", case_of(HUNG_UP, logged("wrong-password")), "iotauth client rotate door-7"),
    ("unknown-client", case_of(HUNG_UP, logged("unknown-client")), "iotauth client add door-7"),
    ("wrong-username", case_of(HUNG_UP, logged("wrong-username")), "iotauth client show door-7"),
    ("disabled", case_of(HUNG_UP, logged("disabled")), "iotauth client enable door-7"),
    ("expired", case_of(HUNG_UP, logged("expired")), "iotauth client update door-7 --ttl 30d"),
    ("secret-retired", case_of(HUNG_UP, logged("secret-retired")), "iotauth client rotate door-7"),
    ("secret-expired", case_of(HUNG_UP, logged("secret-expired")), "iotauth client rotate door-7"),
    ("no-password", case_of(HUNG_UP, logged("no-password")), "--password-stdin"),
    ("no-client-id", case_of(HUNG_UP, logged("no-client-id")), "test-connect CLIENT"),
    ("signature-required", case_of(HUNG_UP, logged("signature-required")), "IOTAUTH_REQUIRE_SIGNATURE"),
    ("wrong-token", case_of(HUNG_UP, logged("wrong-token")), "iotauth keys sign --for-client door-7"),
    ("policy-too-large", case_of(HUNG_UP, logged("policy-too-large")), "iotauth client update door-7"),
    ("malformed-record", case_of(HUNG_UP, logged("malformed-record")), "iotauth client show door-7"),
    (
        "table-unavailable",
        case_of(HUNG_UP, logged("table-unavailable", cause="ResourceNotFoundException")),
        "authorizer create doors",
    ),
    ("misconfigured", case_of(HUNG_UP, logged("misconfigured")), "authorizer create doors"),
    ("refused-by-function", case_of(HUNG_UP, logged("moon-in-the-wrong-phase")), "aws logs filter-log-events"),
    (
        "function-timeout",
        case_of(HUNG_UP, replace(IN_ORDER, was_called=True, call=Call(0, error="Task timed out after 5.00 seconds"))),
        "aws logs filter-log-events",
    ),
    (
        "function-timeout",
        case_of(HUNG_UP, replace(IN_ORDER, was_called=True, call=Call(0, duration_ms=6200.0))),
        "aws logs filter-log-events",
    ),
    (
        "function-timeout",
        case_of(HUNG_UP, replace(IN_ORDER, test=Trial("no-answer", took_s=5.1))),
        "aws logs filter-log-events",
    ),
    (
        "function-error",
        case_of(HUNG_UP, replace(IN_ORDER, was_called=True, call=Call(0, error="[ERROR] KeyError: 'password'"))),
        "aws logs filter-log-events",
    ),
    (
        "function-error",
        case_of(HUNG_UP, replace(IN_ORDER, test=Trial("no-answer"), fault=AnswerFault("error", "KeyError"))),
        "aws logs filter-log-events",
    ),
    (
        "invalid-answer",
        case_of(
            HUNG_UP,
            replace(
                IN_ORDER,
                test=Trial("no-answer"),
                fault=AnswerFault("principal-id", "`principalId` must be 1 to 128 letters and digits"),
            ),
        ),
        "test-invoke doors --client door-7",
    ),
    ("no-valid-answer", case_of(HUNG_UP, replace(IN_ORDER, test=Trial("no-answer"))), "aws logs filter-log-events"),
    ("refused", case_of(HUNG_UP, replace(IN_ORDER, test=Trial("refused"))), "aws logs filter-log-events"),
    ("connect-denied", case_of(HUNG_UP, answering(allow("iot:Connect", "*", "Deny"))), "take that statement out"),
    (
        "connect-not-granted",
        case_of(HUNG_UP, answering(allow("iot:Connect", SCOPE.client("door-8")))),
        "allow `iot:Connect` on `arn:aws:iot:eu-west-1:123456789012:client/door-7`",
    ),
    (
        "subscribe-denied",
        case_of(("subscribe", Symptom.CLOSED), answering(allow("iot:*", "*"), allow("iot:Subscribe", "*", "Deny"))),
        "take that statement out",
    ),
    ("subscribe-not-granted", case_of(("subscribe", Symptom.CLOSED), IN_ORDER, subscribe="x"), "--add --subscribe 'x'"),
    (
        "subscribe-not-granted",
        case_of(("subscribe", Symptom.REFUSED), replace(IN_ORDER, function=FOREIGN), subscribe="x"),
        "topicfilter/x`",
    ),
    (
        "publish-denied",
        case_of(("publish", Symptom.CLOSED), answering(allow("iot:*", "*"), allow("iot:Publish", "*", "Deny"))),
        "take that statement out",
    ),
    ("publish-not-granted", case_of(("publish", Symptom.CLOSED), IN_ORDER, publish="x"), "--add --publish 'x'"),
    (
        "publish-not-granted",
        case_of(("publish", Symptom.CLOSED), replace(IN_ORDER, function=FOREIGN), publish="x"),
        "topic/x`",
    ),
    (
        "receive-denied",
        case_of(("receive", Symptom.TIMEOUT), answering(allow("iot:*", "*"), allow("iot:Receive", "*", "Deny"))),
        "take that statement out",
    ),
    (
        "receive-not-granted",
        case_of(("receive", Symptom.TIMEOUT), answering(allow("iot:Subscribe", "*"))),
        "allow `iot:Receive`",
    ),
    ("session-taken-over", case_of(("publish", Symptom.CLOSED), IN_ORDER, facts={"code": 0x8E}), "client show door-7"),
    ("session-ended", case_of(STAYING, IN_ORDER, facts={"code": 0x98, "lasted_s": 2}), "client show door-7"),
    (
        "ended-without-a-word",
        case_of(STAYING, IN_ORDER, facts={"lasted_s": 2}, errand={"stay_s": 9.0}),
        "test-connect door-7 --mqtt5 --stay 9",
    ),
    ("wrong-server-name", case_of(HUNG_UP, NOT_CALLED, asked_for="other.example.com"), f"(SNI): `{AWS_HOST}`"),
    ("wrong-server-name", case_of(("tls", Symptom.CLOSED), asked_for="other.example.com"), f"(SNI): `{AWS_HOST}`"),
    ("no-server-name", case_of(("tls", Symptom.CLOSED), facts={"server_name": None}), "connect to the name"),
    ("port-for-certificates", case_of(HUNG_UP, NOT_CALLED, port=8883), "leave out `--port`"),
    ("token-with-newline", case_of(HUNG_UP, spoilt("trimmed"), username=SIGNED_NAME), "line end"),
    ("signature-not-encoded", case_of(HUNG_UP, spoilt("encoded"), username=SIGNED_NAME), "`%2B`"),
    ("password-in-base64", case_of(HUNG_UP, logged("wrong-password"), password=IN_BASE64), "the password itself"),
    ("will-denied", case_of(HUNG_UP, answering(ALL, allow("iot:Publish", "*", "Deny")), errand=WILL), "take that"),
    ("will-not-granted", case_of(HUNG_UP, IN_ORDER, errand=WILL), "iotauth client show door-7"),
    ("will-not-granted", case_of(HUNG_UP, replace(IN_ORDER, function=FOREIGN), errand=WILL), "leave the will out"),
    ("retain-denied", case_of(NO_PUBACK, answering(ALL, allow("iot:RetainPublish", "*", "Deny")), errand=RETAIN), "ta"),
    ("retain-not-granted", case_of(NO_PUBACK, IN_ORDER, errand=RETAIN), "iotauth client update door-7 --retain"),
    (
        "retain-not-granted",
        case_of(NO_PUBACK, replace(IN_ORDER, function=FOREIGN), errand=RETAIN),
        "allow `iot:RetainPublish`",
    ),
    ("qos-2", case_of(("publish", Symptom.TIMEOUT), IN_ORDER, errand={"qos": 2}), "QoS 0 or 1"),
    ("payload-too-large", case_of(NO_PUBACK, IN_ORDER, facts={"bytes": 131_073}), "in pieces"),
    ("topic-too-deep", case_of(NO_PUBACK, IN_ORDER, publish="1/2/3/4/5/6/7/8/9"), "seven slashes"),
    ("topic-too-long", case_of(("subscribe", Symptom.CLOSED), IN_ORDER, subscribe="x" * 257), "256 bytes"),
    ("alpn-for-mqtt", case_of(("upgrade", Symptom.CLOSED), NOT_CALLED, manner=SOCKET), "no ALPN"),
    ("not-http", case_of(("request", Symptom.NOT_HTTP), manner=HTTP, alpn=()), "leave out `--endpoint`"),
    ("no-mqtt-in-websocket", case_of(("upgrade", Symptom.NOT_MQTT), manner=SOCKET, alpn=()), "no proxy between"),
    ("throttled", case_of(REJECTED, facts={"status": 429}, manner=HTTP, alpn=()), "wait a little"),
    ("server-failed", case_of(REJECTED, facts={"status": 502}, manner=HTTP, alpn=()), "wait a little"),
    ("request-rejected", case_of(REJECTED, facts={"status": 404}, manner=HTTP, alpn=()), "leave out `--endpoint`"),
    ("no-server-name", case_of(HUNG_UP, NOT_CALLED, host="52.1.2.3", server_name=None), "leave out `--endpoint`"),
    ("wrong-endpoint", case_of(HUNG_UP, NOT_CALLED, host="other.example.com"), "leave out `--endpoint`"),
    ("not-called", case_of(HUNG_UP, NOT_CALLED), "AWSIotLogsV2"),
    ("connect-unanswered", case_of(("connect", Symptom.TIMEOUT)), "--timeout 30"),
    ("connect-refused", case_of(HUNG_UP), "aws logs filter-log-events"),
    ("second-connection-failed", case_of(("connect", Symptom.UNTRUSTED)), "run the same command again"),
    ("message-not-delivered", case_of(("receive", Symptom.TIMEOUT), IN_ORDER), "--timeout 30"),
    ("subscribe-not-granted", case_of(("subscribe", Symptom.REFUSED), facts=UNAUTHORIZED), "policy show door-7"),
    ("publish-not-granted", case_of(("publish", Symptom.REFUSED), facts=UNAUTHORIZED), "policy show door-7"),
    (
        "message-not-delivered",
        case_of(("receive", Symptom.TIMEOUT)),
        "iotauth policy can door-7 receive doors/door-7",
    ),
    ("cut-off", case_of(NO_PUBACK, manner=SOCKET), "MQTT 5 tells which: `iotauth test-connect door-7 --websocket"),
    ("cut-off", case_of(NO_PUBACK, IN_ORDER, manner=Manner(client="awscrt")), "test-connect door-7 --mqtt5`"),
    ("cut-off", case_of(NO_PUBACK, IN_ORDER, manner=FIVE), "stop whatever else"),
]


@pytest.mark.parametrize(("cause", "case", "remedy"), TABLE, ids=[f"{n}-{row[0]}" for n, row in enumerate(TABLE)])
def test_each_cause_is_found_by_its_evidence(cause: str, case: Case, remedy: str) -> None:
    """The diagnosis names the cause and ends with what mends it."""
    found = diagnose(case)
    assert found.cause == cause
    assert remedy in found.remedy
    assert_is_well_said(found)


def assert_is_well_said(found: Diagnosis) -> None:
    for text in (found.sentence, found.remedy, found.reference, *found.evidence):
        assert text
        assert "{" not in text
        assert "None" not in text
        assert text.count("`") % 2 == 0
    assert not found.sentence.endswith(".")
    assert found.evidence, "a diagnosis shows what it rests on"


def test_every_row_of_the_table_is_tried() -> None:
    """No cause stands in the table that these tests never reach."""
    reached = {id(next(cause for cause in CAUSES if cause.fits(case))) for _, case, _ in TABLE}
    assert [cause.name for cause in CAUSES if id(cause) not in reached] == []


CONFUSABLE = {
    "no-alpn-but-the-function-was-called": (case_of(HUNG_UP, logged("wrong-password"), alpn=()), "wrong-password"),
    "inactive-but-the-function-was-called": (
        case_of(HUNG_UP, replace(logged("disabled"), authorizer=replace(AUTHORIZER, is_active=False))),
        "disabled",
    ),
    "no-permission-in-sight-but-called": (
        case_of(HUNG_UP, replace(logged("expired"), permission=PermissionFound("none"))),
        "expired",
    ),
    "refused-and-the-log-is-closed": (
        case_of(HUNG_UP, replace(IN_ORDER, test=Trial("refused"), unseen=("`logs:FilterLogEvents`",))),
        "refused",
    ),
    "policy-unknown-because-the-test-call-was-not-permitted": (
        case_of(("publish", Symptom.CLOSED), replace(IN_ORDER, test=None), publish="x"),
        "cut-off",
    ),
    "an-address-but-called": (case_of(HUNG_UP, logged("wrong-password"), server_name=None), "wrong-password"),
    "qos-2-and-no-grant": (
        case_of(NO_PUBACK, IN_ORDER, publish="x", errand={"qos": 2}),
        "publish-not-granted",
    ),
    "retained-and-no-grant-at-all": (case_of(NO_PUBACK, IN_ORDER, publish="x", errand=RETAIN), "publish-not-granted"),
    "a-will-but-no-connect": (
        case_of(HUNG_UP, answering(allow("iot:Receive", "*")), errand=WILL),
        "connect-not-granted",
    ),
    "a-will-that-is-granted": (
        case_of(HUNG_UP, replace(NOT_CALLED, test=answering(ALL).test), errand=WILL),
        "not-called",
    ),
    "no-alpn-over-http": (case_of(("request", Symptom.REFUSED), NOT_CALLED, manner=HTTP, alpn=()), "not-called"),
    "an-alpn-over-http-but-called": (
        case_of(("request", Symptom.CLOSED), logged("disabled"), manner=HTTP),
        "disabled",
    ),
    "base64-of-something-else": (
        case_of(HUNG_UP, logged("wrong-password"), password=Secret("c2VjcmV0")),
        "wrong-password",
    ),
    "base64-but-another-reason": (case_of(HUNG_UP, logged("disabled"), password=IN_BASE64), "disabled"),
    "spoilt-token-but-called": (
        case_of(HUNG_UP, replace(logged("wrong-token"), authorizer=spoilt("trimmed").authorizer), username=SIGNED_NAME),
        "wrong-token",
    ),
    "port-8883-but-called": (case_of(HUNG_UP, logged("disabled"), port=8883), "disabled"),
    "a-deep-topic-of-basic-ingest": (
        case_of(NO_PUBACK, answering(ALL), publish="$aws/rules/r/1/2/3/4/5/6/7/8"),
        "cut-off",
    ),
    "ended-with-a-code-that-says-neither": (case_of(STAYING, IN_ORDER, facts={"code": 0x8D}), "cut-off"),
    "closed-in-the-middle-without-a-code": (case_of(NO_PUBACK, answering(ALL)), "cut-off"),
    "not-called-and-permission-not-seen": (case_of(HUNG_UP, replace(NOT_CALLED, permission=None)), "connect-refused"),
}


@pytest.mark.parametrize(("case", "cause"), CONFUSABLE.values(), ids=CONFUSABLE)
def test_what_looks_alike_is_told_apart_by_the_evidence(case: Case, cause: str) -> None:
    """A cause that the evidence rules out, or does not carry, is not named."""
    assert diagnose(case).cause == cause


def test_what_may_not_be_seen_is_said_and_hides_nothing() -> None:
    """A missing permission of the operator becomes a line of evidence, not the diagnosis."""
    closed = "the function's log: this AWS user may not call `logs:FilterLogEvents`"
    found = diagnose(case_of(HUNG_UP, replace(logged("disabled"), unseen=(closed,))))
    assert found.cause == "disabled"
    assert found.evidence[-1] == f"not seen: {closed}"


def test_a_policy_diagnosis_shows_the_decision_and_the_near_miss() -> None:
    """Which statement decided, or that none did, and what the nearest ones cover instead."""
    evidence = diagnose(case_of(("publish", Symptom.CLOSED), IN_ORDER, publish="windows/1")).evidence
    assert "no statement allows iot:Publish on topic/windows/1" in evidence
    assert any("topic/doors/door-7/* do not match topic/windows/1" in line for line in evidence)
    assert not any("iot:Connect" in line for line in evidence)


def test_a_denial_names_its_statement() -> None:
    """An explicit Deny is found where it stands."""
    other = answering(allow("iot:*", "*"), allow("iot:Publish", "*", "Deny"))
    evidence = diagnose(case_of(("publish", Symptom.CLOSED), other)).evidence
    assert "document 1, statement 2 denies iot:Publish on topic/doors/door-7" in evidence


def test_a_mistyped_secret_is_found_by_its_checksum() -> None:
    """A password that begins like one of ours and does not check out was mistyped; it is not shown."""
    found = diagnose(case_of(HUNG_UP, logged("wrong-password"), typed=frozenset({"password"})))
    assert any("checksum" in line for line in found.evidence)
    assert PASSWORD not in repr(found)


def test_whoever_was_never_reached_gave_no_answer() -> None:
    """Refusals are a no; an endpoint that cannot be reached is an answer that could not be had."""
    assert diagnose(case_of(HUNG_UP, logged("disabled"))).answer == REFUSED
    assert diagnose(case_of(("tls", Symptom.UNTRUSTED))).answer == REFUSED
    assert diagnose(case_of(("tcp", Symptom.TIMEOUT))).answer == UNKNOWN
    assert diagnose(case_of(("connect", Symptom.TIMEOUT))).answer == UNKNOWN


@given(
    stage=st.sampled_from(STAGES),
    symptom=st.sampled_from(Symptom),
    alpn=st.sampled_from([(), ("mqtt",), ("h2",)]),
    username=st.sampled_from([None, "", USERNAME, USERNAME + "?x", "door-7"]),
    authorizer=st.sampled_from([None, ABSENT, AUTHORIZER, replace(AUTHORIZER, is_active=False)]),
    function=st.sampled_from([None, ABSENT, FUNCTION, FOREIGN]),
    permission=st.sampled_from([None, GIVEN, PermissionFound("none")]),
    test=st.sampled_from([None, ALLOWED, Trial("refused"), Trial("allowed", ("no policy",))]),
    was_called=st.sampled_from([None, True, False]),
)
def test_whatever_happens_there_is_one_diagnosis(
    stage: StageName, symptom: Symptom, alpn: tuple[str, ...], username: str | None, **members: Any
) -> None:
    """Every combination ends in a row of the table, fully worded."""
    case = case_of((stage, symptom), OtherSide(**members), alpn=alpn, username=username)
    found = diagnose(case)
    assert found.cause in {cause.name for cause in CAUSES}
    assert "{" not in found.sentence + found.remedy


@given(st.sampled_from(Symptom), st.sampled_from([(), ("mqtt",), ("h2",)]))
def test_without_the_other_side_nothing_is_claimed_about_it(symptom: Symptom, alpn: tuple[str, ...]) -> None:
    """With no evidence from AWS only what the device itself saw can be a cause."""
    found = diagnose(case_of(("connect", symptom), alpn=alpn))
    own = {"no-alpn", "wrong-alpn", "connect-unanswered", "connect-refused", "second-connection-failed"}
    assert found.cause in own


REMAINING = {
    "the-policy-cannot-be-seen": (case_of(NO_PUBACK), ("the policy", "another connection")),
    "the-policy-allows-it": (case_of(NO_PUBACK, IN_ORDER), ("another connection", "the line broke")),
    "nothing-comes-back-and-nobody-sees-why": (case_of(("receive", Symptom.TIMEOUT)), ("late", "not receive")),
    "nobody-sees-the-other-side": (case_of(HUNG_UP), ("did not ask the function", "did not like the answer")),
    "it-ended-while-connected": (case_of(STAYING), ("another one has taken", "ended on purpose")),
    "the-certificate-or-the-clock": (case_of(("tls", Symptom.EXPIRED), facts=CERTIFICATE), ("has expired", "clock")),
}


@pytest.mark.parametrize(("case", "two"), REMAINING.values(), ids=REMAINING)
def test_where_two_causes_remain_both_are_named_and_what_tells_them_apart(case: Case, two: tuple[str, str]) -> None:
    """A guess would be worse: the sentence has both, and the remedy is something to look at."""
    found = diagnose(case)
    assert all(cause in found.sentence for cause in two)
    assert any(word in found.remedy for word in ("tells which", "see which", "compare")), found.remedy


def test_in_mqtt_5_the_reason_decides_between_them() -> None:
    """The same hang-up: taken over, ended on purpose, or not granted; each by its code."""
    codes = {0x8E: "session-taken-over", 0x98: "session-ended"}
    for code, cause in codes.items():
        assert diagnose(case_of(NO_PUBACK, facts={"code": code}, manner=FIVE)).cause == cause


def test_a_policy_that_asks_for_the_address_is_blamed_for_nothing() -> None:
    """It may have let the device in: where it comes from is known to AWS IoT alone, so two causes remain."""
    here = {**ALL, "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
    found = diagnose(case_of(NO_PUBACK, answering(here)))
    assert found.cause == "cut-off"
    assert "either the policy does not allow this, or another connection" in found.sentence
    assert diagnose(case_of(NO_PUBACK, answering(ALL, here))).cause == "cut-off"
    assert diagnose(case_of(NO_PUBACK, answering(allow("iot:Connect", "*")))).cause == "publish-not-granted"


def test_a_domain_configuration_has_its_say_before_anybody_is_blamed() -> None:
    """Its name is an endpoint too, ALPN may count for nothing there, and it chooses who is asked."""
    by_domain = replace(NOT_CALLED, domain=BY_DOMAIN)
    found = diagnose(case_of(HUNG_UP, by_domain, alpn=(), **ELSEWHERE))
    assert found.cause == "not-called"
    assert "the device came by domain configuration `front`, which chooses authorizer `locks`" in found.evidence
    assert diagnose(case_of(HUNG_UP, replace(NOT_CALLED, domain=ABSENT), **ELSEWHERE)).cause == "wrong-endpoint"
    assert diagnose(case_of(HUNG_UP, replace(NOT_CALLED, domain=None), alpn=(), **ELSEWHERE)).cause == "not-called"
    missing = diagnose(case_of(HUNG_UP, replace(by_domain, authorizer=ABSENT), username="door-7", **ELSEWHERE))
    assert (missing.cause, "`locks`" in missing.sentence) == ("authorizer-missing", True)


def test_a_domain_configuration_that_is_off_is_told() -> None:
    """It refuses everybody who comes by it, before anything else is looked at."""
    off = replace(NOT_CALLED, domain=replace(BY_DOMAIN, is_enabled=False))
    (told,) = (line for line in diagnose(case_of(HUNG_UP, off, **ELSEWHERE)).evidence if "front" in line)
    assert told.endswith("chooses authorizer `locks` and is DISABLED")


@pytest.mark.parametrize(
    ("own", "override", "named", "asked"),
    [
        ("locks", False, "doors", "locks"),
        ("locks", True, "doors", "doors"),
        ("locks", True, None, "locks"),
        (None, False, "doors", "doors"),
        (None, False, None, None),
    ],
)
def test_who_is_asked_is_the_domain_configurations_choice_first(
    own: str | None, override: bool, named: str | None, asked: str | None
) -> None:
    """As the emulator's gateway has it, after AWS IoT's guide."""
    domain = replace(BY_DOMAIN, authorizer=own, allows_override=override)
    assert domain.authorizer_for(named) == asked


def test_a_refusal_whose_reason_nobody_may_see_is_not_laid_on_the_password_alone() -> None:
    """A client that is disabled is refused in the same way; only the log tells them apart."""
    unlogged = replace(IN_ORDER, test=Trial("refused"), unseen=("the function's log: you may not call it",))
    found = diagnose(case_of(HUNG_UP, unlogged))
    assert found.sentence.endswith("client id, user name or password is wrong, or the client is disabled or expired")
    assert "not seen: the function's log: you may not call it" in found.evidence
