"""Lifecycle events: AWS IoT's own messages about who connects, fails to, disconnects and subscribes.

They are ordinary messages under `$aws/events/`, delivered under each receiver's policy. A client
whose id has `+` or `#` in it gets none. Source: AWS IoT developer guide, "Lifecycle events".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from iotauth_cli.emulator.gateway import Admission, Refusal
from iotauth_cli.emulator.mqtt.session import DisconnectReason
from iotauth_cli.emulator.mqtt.topics import SERVICE_PREFIX

MAX_COUNTED = 100_000  # client ids whose connections are counted; a stranger may invent them

Publish = Callable[[str, bytes], None]


class Presence:
    """*publish* takes a topic and a payload; *clock* is the emulator's time in seconds."""

    def __init__(self, publish: Publish, clock: Callable[[], float]) -> None:
        self._publish = publish
        self._clock = clock
        self._versions: dict[str, int] = {}  # by client id: of its last connection

    def connected(self, admission: Admission) -> None:
        client_id = admission.client_id
        if len(self._versions) >= MAX_COUNTED:
            self._versions.clear()
        version = self._versions[client_id] = self._versions.get(client_id, -1) + 1
        self._tell("presence", "connected", client_id, **_who(admission), **_where(admission), versionNumber=version)

    def disconnected(self, admission: Admission, reason: DisconnectReason) -> None:
        self._tell(
            "presence",
            "disconnected",
            admission.client_id,
            **_who(admission),
            **_where(admission),
            versionNumber=self._versions.get(admission.client_id, 0),
            clientInitiatedDisconnect=reason is DisconnectReason.CLIENT_INITIATED_DISCONNECT,
            disconnectReason=reason.value,
        )

    def refused(self, client_id: str, peer: str, refusal: Refusal) -> None:
        """Tell that a CONNECT was refused; the principal is known once the authorizer has named it."""
        who = {} if refusal.principal_id is None else {"principalIdentifier": refusal.principal_id}
        self._tell(
            "presence",
            "connect_failed",
            client_id,
            connectFailureReason="AUTHORIZATION_FAILED",
            sessionIdentifier=_session(refusal.connection_id),
            ipAddress=peer,
            **who,
        )

    def subscribed(self, admission: Admission, topic_filters: Sequence[str]) -> None:
        self._tell("subscriptions", "subscribed", admission.client_id, **_who(admission), topics=list(topic_filters))

    def unsubscribed(self, admission: Admission, topic_filters: Sequence[str]) -> None:
        self._tell("subscriptions", "unsubscribed", admission.client_id, **_who(admission), topics=list(topic_filters))

    def _tell(self, kind: str, event_type: str, client_id: str, **members: Any) -> None:
        if "+" in client_id or "#" in client_id:
            return
        event = {"clientId": client_id, "timestamp": int(self._clock() * 1000), "eventType": event_type, **members}
        self._publish(f"{SERVICE_PREFIX}{kind}/{event_type}/{client_id}", json.dumps(event).encode())


def _who(admission: Admission) -> dict[str, str]:
    return {
        "sessionIdentifier": _session(admission.connection_id),
        "principalIdentifier": admission.principal_id,
    }


def _where(admission: Admission) -> dict[str, str]:
    return {"ipAddress": admission.arrival.peer}


def _session(connection_id: str) -> str:
    """AWS IoT writes the connection's UUID without hyphens."""
    return connection_id.replace("-", "")
