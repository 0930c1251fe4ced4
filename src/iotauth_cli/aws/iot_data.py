"""AWS IoT's data plane: who is connected, and ending a connection.

`DeleteConnection` and `GetConnection` are younger than much of the software that could call them, and
an account may deny each of them by itself: the one does without the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, NotFound

SERVICE = "iot-data"


@dataclass(frozen=True)
class Connection:
    """What AWS IoT says of a client. *since* is when it connected, or else went, in epoch seconds."""

    is_connected: bool
    since: float | None = None
    reason: str | None = None  # why it is not connected: `API_INITIATED_DISCONNECT`


def disconnect(session: Session, client_id: str) -> bool:
    """End the connection of a client and forget its session; tell whether there was one.

    Nothing keeps the client from coming back: it is decided on anew. Its last will is published.

    Raises:
        AwsError: AWS refused, or this boto3 cannot ask for it.
    """
    try:
        call(session, "delete_connection", clientId=client_id, cleanSession=True)
    except NotFound:
        return False
    return True


def find_connection(session: Session, client_id: str) -> Connection | None:
    """Return what is known of a client's connection; None if nothing is, since it has not been here lately.

    Raises:
        AwsError: AWS refused, or this boto3 cannot ask for it.
    """
    try:
        found = call(session, "get_connection", clientId=client_id)
    except NotFound:
        return None
    is_connected = bool(found.get("connected"))
    at_ms = found.get("connectedSince" if is_connected else "disconnectedSince")
    return Connection(is_connected, None if at_ms is None else at_ms / 1000, found.get("disconnectReason"))


def call(session: Session, operation: str, **parameters: Any) -> dict[str, Any]:
    if not hasattr(session.client(SERVICE), operation):
        action = operation.title().replace("_", "")
        raise AwsError(f"this boto3 does not know `iot:{action}`", hint="update it: `pip install --upgrade boto3`")
    return session.call(SERVICE, operation, **parameters)
