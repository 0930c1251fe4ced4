"""Every call that the program makes to AWS, written down: what was called, with what, and what IAM decides on.

``with recorded() as calls:`` and then type commands into this process. Seen are boto3's calls through botocore's
events, also those of botocore's own credentials; what the kernel's light clients send (rows of the client table,
STS's question) where they put it on the wire; and the operator's WebSocket, whose path is signed: its CONNECT, each
filter, each message. A client that a test itself makes inside the `with` is seen too. Other processes are not: what
the function does is asked of the emulator.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import botocore.session
import pytest

from iotauth_authorizer import http1
from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws import iam_actions
from iotauth_cli.aws.session import Session
from iotauth_cli.probe.conversation import Conversation

WEBSOCKET = "iotdevicegateway"  # the service that the WebSocket's path is signed for


@dataclass(frozen=True)
class Call:
    """One call. *service* is boto3's name, *operation* the model's (`CreateAuthorizer`), *action* IAM's word.

    Several calls that need the same are several; retries of one call by botocore are one.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def action(self) -> str:
        return iam_actions.name(self.service, self.operation)

    @property
    def is_mutating(self) -> bool:
        return iam_actions.is_mutating(self.service, self.operation, self.parameters)

    def rights(self, scope: ArnScope) -> tuple[iam_actions.Right, ...]:
        """Return the actions and resources that IAM decides on, the call's own first."""
        return iam_actions.rights(self.service, self.operation, self.parameters, scope)

    def __str__(self) -> str:
        return self.action


@contextlib.contextmanager
def recorded() -> Iterator[list[Call]]:
    """Record what is called from here on; the list grows while the calls are made."""
    calls: list[Call] = []
    lock = threading.Lock()

    is_on = True

    def note(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        with lock:
            if is_on:  # a client outlives its recording, and goes on telling
                calls.append(Call(service, operation, dict(parameters)))

    with pytest.MonkeyPatch.context() as patch:
        hear_botocore(patch, note)
        hear_light_clients(patch, note)
        hear_websockets(patch, note)
        try:
            yield calls
        finally:
            is_on = False


def hear_botocore(patch: pytest.MonkeyPatch, note: Any) -> None:
    """Listen to the events of every client that is made, and of those that a session made before."""

    def before_call(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        note(model.service_model.service_name, model.name, params)

    def listened(client: Any) -> Any:
        # `before-parameter-build` is the event that has the parameters as they were given; with the id,
        # a client that is met twice is listened to once.
        client.meta.events.register_last("before-parameter-build", before_call, unique_id=f"recorded-{id(note)}")
        return client

    create_client, client_of = botocore.session.Session.create_client, Session.client
    patch.setattr(
        botocore.session.Session, "create_client", lambda *given, **named: listened(create_client(*given, **named))
    )
    patch.setattr(Session, "client", lambda self, service: listened(client_of(self, service)))


def hear_light_clients(patch: pytest.MonkeyPatch, note: Any) -> None:
    """Look at what goes out signed: DynamoDB says in a header what is asked, STS in a form."""
    request = http1.Connection.request

    def seen(self: Any, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", **named: Any) -> Any:
        scope = headers.get("authorization", "").partition("Credential=")[2].split(",")[0].split("/")
        if len(scope) == 5:  # key, date, region, service, aws4_request
            note(scope[3], *light_call(headers, body))
        return request(self, method, path, headers, body, **named)

    patch.setattr(http1.Connection, "request", seen)


def light_call(headers: Mapping[str, str], body: bytes) -> tuple[str, Mapping[str, Any]]:
    if "x-amz-target" in headers:
        return headers["x-amz-target"].partition(".")[2], json.loads(body)
    form = dict(pair.partition("=")[::2] for pair in body.decode().split("&"))
    return form.pop("Action"), form


def hear_websockets(patch: pytest.MonkeyPatch, note: Any) -> None:
    """Hear the operator, who logs in with a signed path and no user name; a device needs no right of IAM's."""
    opened, subscribe, publish = Conversation.open, Conversation.subscribe, Conversation.publish

    def is_operator(conversation: Conversation) -> bool:
        return conversation.line.login.username is None

    def open_(self: Conversation) -> None:
        if is_operator(self):
            note(WEBSOCKET, "Connect", {"clientId": self.line.login.client_id})
        opened(self)

    def subscribe_(self: Conversation, topic_filter: str, qos: int) -> Any:
        if is_operator(self):
            note(WEBSOCKET, "Subscribe", {"topicFilter": topic_filter})
            # What may come is decided message by message, and the filter says which may.
            note(WEBSOCKET, "Receive", {"topic": topic_filter})
        return subscribe(self, topic_filter, qos)

    def publish_(self: Conversation, topic: str, payload: bytes, **how: Any) -> Any:
        if is_operator(self):
            note(WEBSOCKET, "Publish", {"topic": topic, "retain": how.get("retain", False)})
        return publish(self, topic, payload, **how)

    patch.setattr(Conversation, "open", open_)
    patch.setattr(Conversation, "subscribe", subscribe_)
    patch.setattr(Conversation, "publish", publish_)
