"""AWS IoT's own log, the group `AWSIotLogsV2`: what became of each connection, message and subscription.

It is off until SetV2LoggingOptions turns it on, and then one attribute is all that a message costs. An entry is
a JSON object with AWS IoT's members. It says as little as AWS's: a refused CONNECT is an `AUTHORIZATION_FAILURE`
whatever the cause; `iotauth emulator logs` has the cause. `sourcePort` is left out. UNCONFIRMED: how the members
of a failure other than a refused CONNECT read.

Source: AWS IoT developer guide, "CloudWatch Logs AWS IoT log entries".
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from iotauth_cli.emulator.log_levels import CLIENT_ID, ERROR, INFO, PRINCIPAL_ID, SOURCE_IP, LogLevels
from iotauth_cli.emulator.model import LogLine, LogSink
from iotauth_cli.emulator.mqtt.session import DisconnectReason

if TYPE_CHECKING:
    from iotauth_cli.emulator.gateway import Admission

GROUP = "AWSIotLogsV2"
STREAM_LIFE_S = 3600.0  # then entries go to a new stream; AWS IoT changes its streams too
MQTT, HTTP = "MQTT", "HTTP"

_DETAILS = {
    DisconnectReason.DUPLICATE_CLIENTID: "A new connection was established with the same client ID",
    DisconnectReason.AUTH_ERROR: "Authorization Failure",
}


class IotLog:
    """Write entries to *sink* as *levels* want them. *clock* is the machine's, by which functions log too."""

    def __init__(
        self, sink: LogSink | None, *, account: str = "", region: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self.is_on = False
        self._sink = sink
        self._account = account
        self._region = region
        self._clock = clock
        self._levels = LogLevels()
        self._stream, self._stream_ends_at = "", 0.0

    def set_levels(self, levels: LogLevels) -> None:
        self._levels = levels
        self.is_on = levels.is_on and self._sink is not None

    def connected(self, admission: Admission) -> None:
        self._tell(INFO, "Connect", admission)

    def refused(self, client_id: str | None, peer: str, principal_id: str | None) -> None:
        if self.is_on:
            who = {"clientId": client_id, "principalId": principal_id, "sourceIp": peer}
            self._write(ERROR, "Connect", who, **_refusal())

    def disconnected(self, admission: Admission, reason: DisconnectReason) -> None:
        details = {"details": _DETAILS[reason]} if reason in _DETAILS else {}
        self._tell(INFO, "Disconnect", admission, **details, disconnectReason=reason.value)

    def published(self, admission: Admission, topic: str, *, allowed: bool) -> None:
        self._tell_about(topic, "Publish-In", admission, allowed)

    def published_over_http(
        self, peer: str, topic: str, *, allowed: bool, trace_id: str, principal_id: str | None = None
    ) -> None:
        """Tell of a message over HTTP; *trace_id* is the one that its sender got with the answer."""
        if self.is_on:
            who = {"principalId": principal_id, "sourceIp": peer}
            members = {"traceId": trace_id, **({} if allowed else _refusal())}
            self._write(INFO if allowed else ERROR, "Publish-In", who, HTTP, topicName=topic, **members)

    def delivered(self, admission: Admission, topic: str, *, allowed: bool) -> None:
        self._tell_about(topic, "Publish-Out", admission, allowed)

    def subscribed(self, admission: Admission, topic_filters: Iterable[str], denied: Container[str]) -> None:
        for topic_filter in topic_filters if self.is_on else ():
            self._tell_about(topic_filter, "Subscribe", admission, topic_filter not in denied)

    def unsubscribed(self, admission: Admission, topic_filters: Iterable[str]) -> None:
        for topic_filter in topic_filters if self.is_on else ():
            self._tell_about(topic_filter, "Unsubscribe", admission, True)

    def _tell_about(self, topic: str, event_type: str, admission: Admission, allowed: bool) -> None:
        members = {} if allowed else _refusal()
        self._tell(INFO if allowed else ERROR, event_type, admission, topicName=topic, **members)

    def _tell(self, level: str, event_type: str, admission: Admission, **members: Any) -> None:
        if self.is_on:
            who = {
                "clientId": admission.client_id,
                "principalId": admission.principal_id,
                "sourceIp": admission.arrival.peer,
            }
            self._write(level, event_type, who, **members)

    def _write(
        self, level: str, event_type: str, who: Mapping[str, str | None], protocol: str = MQTT, **members: Any
    ) -> None:
        named = {CLIENT_ID: who.get("clientId"), SOURCE_IP: who["sourceIp"], PRINCIPAL_ID: who["principalId"]}
        if self._sink is None or not self._levels.takes(level, event_type, named):
            return
        now = self._clock()
        entry = {
            "timestamp": _moment(now),
            "logLevel": level,
            # A random one, as the guide has it; that it were the function's connection id is nowhere said.
            "traceId": str(uuid.uuid4()),
            "accountId": self._account,
            "status": "Success" if level == INFO else "Failure",
            "eventType": event_type,
            "protocol": protocol,
            **{name: value for name, value in who.items() if value},
            **members,
        }
        line = json.dumps(entry, separators=(",", ":"))
        self._sink.write(LogLine(GROUP, self._stream_at(now), self._region, int(now * 1000), line))

    def _stream_at(self, now: float) -> str:
        if now >= self._stream_ends_at:
            self._stream, self._stream_ends_at = f"{uuid.uuid4()}_{self._account}_0", now + STREAM_LIFE_S
        return self._stream


def _refusal() -> dict[str, str]:
    return {"reason": "AUTHORIZATION_FAILURE", "details": "Authorization Failure"}


def _moment(epoch_s: float) -> str:
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(epoch_s))
    return f"{whole}.{int(epoch_s * 1000) % 1000:03}"
