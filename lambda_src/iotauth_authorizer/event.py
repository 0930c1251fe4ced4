"""The custom-authentication event that AWS IoT sends the function, and the answer it expects.

Members that do not apply to a request are absent from the event, not null: there is no
`mqtt` over HTTP, no `http` over plain MQTT, no `password` when CONNECT had none. So every
member may be missing here, and only a member of the wrong *type* makes an event malformed.
Source: AWS IoT developer guide, "Defining your Lambda function".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

MAX_POLICY_DOCUMENTS = 10  # per answer
MAX_POLICY_DOCUMENT_CHARACTERS = 2048  # each, counted without white space
MIN_TIMER_S = 300  # both timers of an answer
MAX_TIMER_S = 86_400  # both timers of an answer
ANSWER_LIMIT_S = 5.0  # AWS IoT waits no longer, whatever the function's own timeout

_NONE: Mapping[str, str] = MappingProxyType({})


class MalformedEvent(ValueError):
    """The event has a member of the wrong type. The message names the member, never its value."""


class InvalidAnswer(ValueError):
    """AWS IoT would refuse this answer. *rule* is a stable slug for the rule that it breaks."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class ConnectRequest(NamedTuple):
    """What AWS IoT tells the function about one attempt to connect or publish.

    *username* is complete, with its `?…` suffix; *password* is raw, as the device sent it;
    names in *http_headers* are lower case; *query_string* begins with `?`.
    """

    protocols: tuple[str, ...] = ()
    connection_id: str | None = None
    client_id: str | None = None
    username: str | None = None
    password: bytes | None = None
    token: str | None = None
    signature_verified: bool = False
    server_name: str | None = None
    http_headers: Mapping[str, str] = _NONE
    query_string: str | None = None

    def __repr__(self) -> str:
        # Password, token, user name suffix, headers and query string may all carry a secret.
        return f"ConnectRequest(client_id={self.client_id!r}, connection_id={self.connection_id!r}, …)"


class Answer(NamedTuple):
    """What the function answers. *policy_documents* are compact JSON texts; timers are seconds."""

    is_authenticated: bool
    principal_id: str
    policy_documents: tuple[str, ...]
    disconnect_after_s: int
    refresh_after_s: int


# Every member is valid, so that a refusal never depends on AWS IoT ignoring the others.
REFUSAL = Answer(False, "refused", (), MIN_TIMER_S, MIN_TIMER_S)


def parse_event(event: object) -> ConnectRequest:
    """Read an event; absent and null members are the same.

    Raises:
        MalformedEvent: a member has the wrong type, or the password is not base64.
    """
    whole = _object(event, "event")
    data = _object(whole.get("protocolData"), "protocolData")
    http = _object(data.get("http"), "http")
    mqtt = _object(data.get("mqtt"), "mqtt")
    return ConnectRequest(
        protocols=_texts(whole.get("protocols"), "protocols"),
        connection_id=_text(_object(whole.get("connectionMetadata"), "connectionMetadata"), "id"),
        client_id=_text(mqtt, "clientId"),
        username=_text(mqtt, "username"),
        password=_bytes(mqtt, "password"),
        token=_text(whole, "token"),
        signature_verified=_boolean(whole, "signatureVerified"),
        server_name=_text(_object(data.get("tls"), "tls"), "serverName"),
        http_headers=_headers(http),
        query_string=_text(http, "queryString"),
    )


def build_event(request: ConnectRequest) -> dict[str, Any]:
    """Write the event as AWS IoT does: `parse_event(build_event(request)) == request`."""
    return _without_absent(
        token=request.token,
        signatureVerified=request.signature_verified,
        protocols=list(request.protocols) or None,
        protocolData=_protocol_data(request) or None,
        connectionMetadata=_without_absent(id=request.connection_id) or None,
    )


def parse_answer(body: object) -> Answer:
    """Check an answer as AWS IoT does; *body* is the object itself or the JSON text of one.

    Documents may be objects or JSON texts and come out compact. Members that AWS IoT does
    not know are ignored, and so is all else once `isAuthenticated` is false.

    Raises:
        InvalidAnswer: a rule is broken; AWS IoT closes the connection.
    """
    answer = _decoded(body, "answer-not-json", "the answer")
    is_authenticated = answer.get("isAuthenticated")
    if not isinstance(is_authenticated, bool):
        raise InvalidAnswer("is-authenticated", "`isAuthenticated` must be true or false")
    if not is_authenticated:
        return REFUSAL
    return Answer(
        is_authenticated=True,
        principal_id=_principal_id(answer.get("principalId")),
        policy_documents=_documents(answer.get("policyDocuments")),
        disconnect_after_s=_timer(answer, "disconnectAfterInSeconds", "disconnect-after"),
        refresh_after_s=_timer(answer, "refreshAfterInSeconds", "refresh-after"),
    )


def build_answer(answer: Answer) -> dict[str, Any]:
    """Write the answer as the function returns it.

    The documents stay texts, so that what AWS IoT counts is what was counted here; it takes
    objects too, and writes those out itself.
    """
    return {
        "isAuthenticated": answer.is_authenticated,
        "principalId": answer.principal_id,
        "policyDocuments": list(answer.policy_documents),
        "disconnectAfterInSeconds": answer.disconnect_after_s,
        "refreshAfterInSeconds": answer.refresh_after_s,
    }


def _object(value: object, name: str) -> Mapping[str, Any]:
    if value is None:
        return _NONE
    if not isinstance(value, dict):
        raise MalformedEvent(f"`{name}` is not an object")
    return value


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise MalformedEvent(f"`{name}` is not a text")
    return value


def _texts(value: object, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise MalformedEvent(f"`{name}` is not a list of texts")
    return tuple(value)


def _boolean(members: Mapping[str, Any], name: str) -> bool:
    value = members.get(name)
    if value is not None and not isinstance(value, bool):
        raise MalformedEvent(f"`{name}` is not true or false")
    return value is True


def _bytes(members: Mapping[str, Any], name: str) -> bytes | None:
    text = _text(members, name)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        # `from None`: the cause would print what a device sent as its password.
        raise MalformedEvent(f"`{name}` is not base64") from None


def _headers(http: Mapping[str, Any]) -> Mapping[str, str]:
    headers = _object(http.get("headers"), "headers")
    return {name.lower(): _text(headers, name) or "" for name in headers}


def _without_absent(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _protocol_data(request: ConnectRequest) -> dict[str, Any]:
    password = request.password
    members = {
        "tls": _without_absent(serverName=request.server_name),
        "http": _without_absent(headers=dict(request.http_headers) or None, queryString=request.query_string),
        "mqtt": _without_absent(
            username=request.username,
            password=None if password is None else base64.b64encode(password).decode(),
            clientId=request.client_id,
        ),
    }
    return {name: data for name, data in members.items() if data or name in request.protocols}


def _decoded(body: object, rule: str, name: str) -> dict[str, Any]:
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidAnswer(rule, f"{name} is a text, but not JSON") from error
    if not isinstance(body, dict):
        raise InvalidAnswer(rule, f"{name} is not a JSON object")
    return body


def _principal_id(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z0-9]{1,128}", value):
        raise InvalidAnswer("principal-id", "`principalId` must be 1 to 128 letters and digits")
    return value


def _documents(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InvalidAnswer("policy-documents", "`policyDocuments` must be a list")
    if len(value) > MAX_POLICY_DOCUMENTS:
        raise InvalidAnswer(
            "too-many-documents",
            f"`policyDocuments` has {len(value)} documents, and AWS IoT takes {MAX_POLICY_DOCUMENTS}",
        )
    return tuple(_document(entry, number) for number, entry in enumerate(value, 1))


def _document(entry: object, number: int) -> str:
    name = f"policy document {number}"
    decoded = _decoded(entry, "document-not-json", name)
    try:
        text = json.dumps(decoded, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer("document-not-json", f"{name} cannot be written as JSON") from error
    if len(text) > MAX_POLICY_DOCUMENT_CHARACTERS:
        raise InvalidAnswer(
            "document-too-long",
            f"{name} has {len(text)} characters, and AWS IoT takes {MAX_POLICY_DOCUMENT_CHARACTERS}",
        )
    return text


def _timer(answer: Mapping[str, Any], name: str, rule: str) -> int:
    value = answer.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and MIN_TIMER_S <= value <= MAX_TIMER_S:
        return value
    raise InvalidAnswer(rule, f"`{name}` must be a whole number from {MIN_TIMER_S} to {MAX_TIMER_S}")
