"""The upgrade to a WebSocket, made once by hand before paho makes its own.

paho tells an upgrade that fails from a connection that breaks by no more than an exception's text;
this one knows the status, the words of the answer and the sub-protocol. Nothing else is said over that socket.
Sources: RFC 6455, section 4; AWS IoT developer guide, "MQTT over the WebSocket protocol".
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from iotauth_cli.probe.carriage import headers_of, masked, query_of
from iotauth_cli.probe.http_publish import SHOWN_CHARACTERS, answer_facts, symptom_of, told_by
from iotauth_cli.probe.reach import hanging_up_after
from iotauth_cli.probe.stages import Endpoint, Finding, Login, Manner, Symptom

if TYPE_CHECKING:
    from wsproto.events import AcceptConnection, Event, RejectConnection

PATH = "/mqtt"
SUBPROTOCOL = "mqtt"
HTTPS_PORT = 443
NO_UPGRADE = "the answer was no HTTP that opens a WebSocket"
READ_BYTES = 4096
MAX_ANSWER_BYTES = 65_536


def path_of(login: Login, manner: Manner) -> str:
    query = query_of(login, manner)
    return f"{PATH}?{query}" if query else PATH


def host_header(endpoint: Endpoint) -> str:
    """Return the Host header; AWS IoT compares it with the account's endpoint, which has no port."""
    return endpoint.host if endpoint.port == HTTPS_PORT else str(endpoint)


def upgrade(tls: ssl.SSLSocket, endpoint: Endpoint, login: Login, manner: Manner, timeout_s: float) -> Finding:
    """Ask for a WebSocket with MQTT in it, and read the answer. The caller closes the socket.

    Raises:
        InputError: the login cannot stand in headers.
    """
    from wsproto.utilities import LocalProtocolError, RemoteProtocolError

    headers = headers_of(login, manner)
    facts: dict[str, Any] = {"path": PATH, "carrier": manner.carrier, "headers": sorted(headers)}
    tls.settimeout(timeout_s)
    with hanging_up_after(tls, timeout_s) as is_over:
        try:
            return conclude(facts, exchange(tls, endpoint, path_of(login, manner), headers), login)
        except (OSError, LocalProtocolError, RemoteProtocolError) as error:
            if is_over.is_set() or isinstance(error, TimeoutError):
                return Finding({**facts, "reason": f"no answer within {timeout_s:g} s"}, Symptom.TIMEOUT)
            if isinstance(error, OSError):
                return Finding({**facts, "reason": "closed before an answer"}, Symptom.CLOSED)
            return Finding({**facts, "reason": NO_UPGRADE}, Symptom.NOT_HTTP)


def exchange(tls: ssl.SSLSocket, endpoint: Endpoint, path: str, headers: dict[str, str]) -> list[Event]:
    """Send the request; return the events up to the one that answers it, a refusal with what follows.

    Raises:
        ConnectionError: the other side hung up.
    """
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, RejectConnection, RejectData, Request

    peer = WSConnection(ConnectionType.CLIENT)
    request = Request(
        host=host_header(endpoint),
        target=path,
        subprotocols=[SUBPROTOCOL],
        extra_headers=[(name.encode(), value.encode()) for name, value in headers.items()],
    )
    tls.sendall(peer.send(request))
    events: list[Event] = []
    received = 0
    while received < MAX_ANSWER_BYTES:
        data = tls.recv(READ_BYTES)
        received += len(data)
        if not data and not events:
            raise ConnectionResetError
        peer.receive_data(data or None)
        events += peer.events()
        refusals = [event for event in events if isinstance(event, RejectConnection)]
        is_whole = not refusals or not refusals[0].has_body
        is_whole = is_whole or any(isinstance(event, RejectData) and event.body_finished for event in events)
        if not data or (is_whole and (refusals or any(isinstance(event, AcceptConnection) for event in events))):
            break
    return events


def conclude(facts: dict[str, Any], events: list[Event], login: Login) -> Finding:
    from wsproto.events import AcceptConnection, RejectConnection, RejectData

    accepted = next((event for event in events if isinstance(event, AcceptConnection)), None)
    if accepted is not None:
        return opened(facts, accepted)
    rejected = next((event for event in events if isinstance(event, RejectConnection)), None)
    if rejected is None:
        return Finding({**facts, "reason": NO_UPGRADE}, Symptom.NOT_HTTP)
    body = b"".join(bytes(event.data) for event in events if isinstance(event, RejectData))
    return turned_away(facts, rejected, body, login)


def opened(facts: dict[str, Any], accepted: AcceptConnection) -> Finding:
    facts = {**facts, "status": 101, "subprotocol": accepted.subprotocol}
    if accepted.subprotocol != SUBPROTOCOL:
        return Finding({**facts, "reason": "101, without sub-protocol `mqtt`"}, Symptom.NOT_MQTT)
    return Finding(facts)


def turned_away(facts: dict[str, Any], rejected: RejectConnection, body: bytes, login: Login) -> Finding:
    headers = {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in rejected.headers}
    facts = {**facts, **answer_facts(rejected.status_code, "", headers, login)}
    told = {name: masked(text, login)[:SHOWN_CHARACTERS] for name, text in told_by(body).items()}
    words = f", `{told['message']}`" if told.get("message") else ""
    symptom = symptom_of(rejected.status_code) or Symptom.REJECTED
    return Finding({**facts, **told, "reason": f"status {rejected.status_code}{words}"}, symptom)
