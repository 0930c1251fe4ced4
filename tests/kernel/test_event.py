"""The event that AWS IoT sends and the answer that it takes."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.event import (
    MAX_TIMER_S,
    MIN_TIMER_S,
    REFUSAL,
    Answer,
    ConnectRequest,
    InvalidAnswer,
    MalformedEvent,
    build_answer,
    build_event,
    parse_answer,
    parse_event,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.none() | st.text(max_size=12)
REQUESTS = st.builds(
    ConnectRequest,
    protocols=st.lists(st.sampled_from(["tls", "http", "mqtt", "later"]), unique=True).map(tuple),
    connection_id=TEXTS,
    client_id=TEXTS,
    username=TEXTS,
    password=st.none() | st.binary(max_size=12),
    token=TEXTS,
    signature_verified=st.booleans(),
    server_name=TEXTS,
    http_headers=st.dictionaries(
        st.text(max_size=8).filter(lambda name: name == name.lower()), st.text(max_size=8), max_size=3
    ),
    query_string=TEXTS,
)
DOCUMENTS = st.dictionaries(st.text(max_size=8), JSON, max_size=2).map(
    lambda document: json.dumps(document, separators=(",", ":"), ensure_ascii=False)
)
TIMERS = st.integers(MIN_TIMER_S, MAX_TIMER_S)
ANSWERS = st.builds(
    Answer,
    is_authenticated=st.just(True),
    principal_id=st.from_regex(r"\A[A-Za-z0-9]{1,128}\Z"),
    policy_documents=st.lists(DOCUMENTS, max_size=10).map(tuple),
    disconnect_after_s=TIMERS,
    refresh_after_s=TIMERS,
)


@given(request=REQUESTS)
def test_parse_event_undoes_build_event(request: ConnectRequest) -> None:
    """A request survives the event, and the event survives JSON."""
    assert parse_event(json.loads(json.dumps(build_event(request)))) == request


@given(answer=ANSWERS)
def test_parse_answer_undoes_build_answer(answer: Answer) -> None:
    """An answer survives, as an object and as the JSON text of one."""
    assert parse_answer(build_answer(answer)) == answer
    assert parse_answer(json.dumps(build_answer(answer))) == answer


@given(event=JSON)
def test_any_json_is_an_event_or_malformed(event: object) -> None:
    """No event raises anything else than MalformedEvent."""
    with suppress(MalformedEvent):
        assert isinstance(parse_event(event), ConnectRequest)


@given(body=JSON | st.text())
def test_any_json_is_an_answer_or_invalid(body: object) -> None:
    """No answer raises anything else than InvalidAnswer."""
    with suppress(InvalidAnswer):
        assert isinstance(parse_answer(body), Answer)


def test_an_mqtt_event_looks_as_aws_writes_it() -> None:
    """The shape of the developer guide, with the password in base64 and what does not apply left out."""
    request = ConnectRequest(
        protocols=("tls", "mqtt"),
        connection_id="e2a6b4a4-0000-4000-8000-0123456789ab",
        client_id="door-7",
        username="door-7?x-amz-customauthorizer-name=doors",
        password=b"test",
        server_name="example.com",
    )
    assert build_event(request) == {
        "signatureVerified": False,
        "protocols": ["tls", "mqtt"],
        "protocolData": {
            "tls": {"serverName": "example.com"},
            "mqtt": {
                "username": "door-7?x-amz-customauthorizer-name=doors",
                "password": "dGVzdA==",
                "clientId": "door-7",
            },
        },
        "connectionMetadata": {"id": "e2a6b4a4-0000-4000-8000-0123456789ab"},
    }


def test_a_token_alone_has_no_protocol_data() -> None:
    """As TestInvokeAuthorizer sends it when it is given nothing but a token."""
    event = build_event(ConnectRequest(token="abc", signature_verified=True))
    assert event == {"token": "abc", "signatureVerified": True}


def test_header_names_are_read_in_lower_case() -> None:
    """AWS does not say in which case they come."""
    event = {"protocolData": {"http": {"headers": {"X-Iotauth-Client-Id": "door-7"}}}}
    assert parse_event(event).http_headers == {"x-iotauth-client-id": "door-7"}


def test_null_members_are_absent_ones() -> None:
    """A null is what some tools write where AWS leaves the member out."""
    event = {"protocolData": None, "protocols": None, "token": None, "signatureVerified": None}
    assert parse_event(event) == ConnectRequest()


@pytest.mark.parametrize(
    "event",
    [
        pytest.param([], id="a list"),
        pytest.param("hunter2", id="a text"),
        pytest.param({"protocolData": "hunter2"}, id="protocolData"),
        pytest.param({"protocolData": {"mqtt": ["hunter2"]}}, id="mqtt"),
        pytest.param({"protocolData": {"mqtt": {"password": "hunter2!"}}}, id="not base64"),
        pytest.param({"protocolData": {"mqtt": {"password": "pä"}}}, id="not ASCII"),
        pytest.param({"protocolData": {"mqtt": {"clientId": 7}}}, id="clientId"),
        pytest.param({"protocolData": {"http": {"headers": {"hunter2": ["hunter2"]}}}}, id="header"),
        pytest.param({"protocols": "mqtt hunter2"}, id="protocols"),
        pytest.param({"protocols": ["mqtt", 5]}, id="protocol"),
        pytest.param({"signatureVerified": "true"}, id="a truth in words"),
        pytest.param({"signatureVerified": 1}, id="a truth in numbers"),
    ],
)
def test_a_wrong_type_is_malformed_and_not_quoted(event: object) -> None:
    """The error names the member and repeats nothing of what a device sent."""
    with pytest.raises(MalformedEvent) as caught:
        parse_event(event)
    assert caught.value.__cause__ is None
    assert "hunter2!" not in str(caught.value)


def test_a_request_prints_without_its_secrets() -> None:
    """Password, token, user name suffix, headers and query string stay out of tracebacks."""
    request = ConnectRequest(
        client_id="door-7",
        username="door-7?token=hunter2",
        password=b"hunter2",
        token="hunter2",
        http_headers={"x-iotauth-password": "hunter2"},
        query_string="?token=hunter2",
    )
    assert "hunter2" not in repr(request) + str(request) + f"{request}"
    assert "door-7" in repr(request)


def valid(**members: Any) -> dict[str, Any]:
    return {
        "isAuthenticated": True,
        "principalId": "door7",
        "policyDocuments": [{"Version": "2012-10-17", "Statement": []}],
        "disconnectAfterInSeconds": 3600,
        "refreshAfterInSeconds": 300,
        **members,
    }


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param("{", "answer-not-json", id="broken JSON"),
        pytest.param("[" * 100_000, "answer-not-json", id="nested too deep"),
        pytest.param([], "answer-not-json", id="a list"),
        pytest.param(None, "answer-not-json", id="null"),
        pytest.param(valid(isAuthenticated="true"), "is-authenticated", id="a truth in words"),
        pytest.param({}, "is-authenticated", id="empty"),
        pytest.param(valid(principalId=""), "principal-id", id="empty principal"),
        pytest.param(valid(principalId="door-7"), "principal-id", id="principal with a hyphen"),
        pytest.param(valid(principalId="door7\n"), "principal-id", id="principal with a line end"),
        pytest.param(valid(principalId="a" * 129), "principal-id", id="long principal"),
        pytest.param(valid(policyDocuments=None), "policy-documents", id="no documents"),
        pytest.param(valid(policyDocuments={}), "policy-documents", id="documents in an object"),
        pytest.param(valid(policyDocuments=[{}] * 11), "too-many-documents", id="eleven documents"),
        pytest.param(valid(policyDocuments=["{}", "{"]), "document-not-json", id="document not JSON"),
        pytest.param(valid(policyDocuments=["[]"]), "document-not-json", id="document not an object"),
        pytest.param(valid(policyDocuments=['{"a":NaN}']), "document-not-json", id="document with NaN"),
        pytest.param(valid(policyDocuments=[{"a": "x" * 2041}]), "document-too-long", id="2049 characters"),
        pytest.param(valid(disconnectAfterInSeconds=299), "disconnect-after", id="disconnect too soon"),
        pytest.param(valid(disconnectAfterInSeconds=86_401), "disconnect-after", id="disconnect too late"),
        pytest.param(valid(refreshAfterInSeconds=299), "refresh-after", id="refresh too soon"),
        pytest.param(valid(refreshAfterInSeconds=True), "refresh-after", id="refresh is a truth"),
        pytest.param(valid(refreshAfterInSeconds="300"), "refresh-after", id="refresh is a text"),
    ],
)
def test_an_answer_that_breaks_a_rule_is_invalid(body: object, rule: str) -> None:
    """Each rule has its slug, which does not change."""
    with pytest.raises(InvalidAnswer) as caught:
        parse_answer(body)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(valid(password="x", context={"a": 1}), id="extra members"),
        pytest.param(json.dumps(valid()), id="as a text"),
        pytest.param(valid(policyDocuments=['{"Version": "2012-10-17", "Statement": []}']), id="documents as texts"),
    ],
)
def test_an_answer_may_be_written_in_several_ways(body: object) -> None:
    """AWS IoT takes objects and JSON texts, and ignores what it does not know."""
    assert parse_answer(body) == parse_answer(valid())


def test_a_document_is_counted_without_white_space() -> None:
    """2,048 characters are enough for a document that is longer with its indentation."""
    document = json.dumps({"a": "x" * 2040}, indent=200)
    assert parse_answer(valid(policyDocuments=[document])).policy_documents == ('{"a":"' + "x" * 2040 + '"}',)


def test_of_a_refusal_nothing_else_is_read() -> None:
    """Zero timers, a bad principal and missing documents do not matter once somebody is refused."""
    assert parse_answer({"isAuthenticated": False, "principalId": "-", "refreshAfterInSeconds": 0}) == REFUSAL


def test_our_refusal_is_valid_in_every_member() -> None:
    """Whoever checked a refusal's other members would find nothing wrong with them."""
    accepted = build_answer(REFUSAL) | {"isAuthenticated": True}
    assert parse_answer(accepted)._replace(is_authenticated=False) == REFUSAL
