"""An entry of AWS IoT's own log, the group `AWSIotLogsV2`.

Source: AWS IoT developer guide, "CloudWatch Logs AWS IoT log entries".
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from iotauth_cli.aws.logs import LogEvent

CONNECT, DISCONNECT = "Connect", "Disconnect"
PUBLISH_IN, PUBLISH_OUT, SUBSCRIBE = "Publish-In", "Publish-Out", "Subscribe"
FAILURE = "Failure"
# How a connection ends when nothing is wrong: the client's wish, its owner's, or a time that is over.
ORDERLY_ENDS = (
    "CLIENT_INITIATED_DISCONNECT",
    "API_INITIATED_DISCONNECT",
    "CUSTOMAUTH_TTL_EXPIRATION",
    "WEBSOCKET_TTL_EXPIRATION",
)


@dataclass(frozen=True)
class IotEntry:
    """What AWS IoT logs of one event; *topic* may be a filter. *at_ms* is epoch milliseconds."""

    at_ms: int
    event: str
    ok: bool
    trace_id: str | None = None
    protocol: str | None = None
    client_id: str | None = None
    principal_id: str | None = None
    source_ip: str | None = None
    topic: str | None = None
    reason: str | None = None
    details: str | None = None
    disconnect_reason: str | None = None

    @property
    def is_trouble(self) -> bool:
        is_bad_end = self.event == DISCONNECT and self.disconnect_reason not in (None, *ORDERLY_ENDS)
        return not self.ok or is_bad_end


MEMBERS = {
    "trace_id": "traceId",
    "protocol": "protocol",
    "client_id": "clientId",
    "principal_id": "principalId",
    "source_ip": "sourceIp",
    "topic": "topicName",
    "reason": "reason",
    "details": "details",
    "disconnect_reason": "disconnectReason",
}


def read(event: LogEvent) -> IotEntry | None:
    """Return the entry that *event* holds, or None where it is none."""
    try:
        found = json.loads(event.message)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("eventType"), str):
        return None
    texts = {ours: found[theirs] for ours, theirs in MEMBERS.items() if isinstance(found.get(theirs), str)}
    return IotEntry(event.at_ms, found["eventType"], found.get("status") != FAILURE, **texts)
