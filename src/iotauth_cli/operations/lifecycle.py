"""AWS IoT's lifecycle events as sentences: who came, who went and why, who was not let in.

What repeats is counted and not repeated: a device that is refused every second, and two that share a client
id and throw each other out, would otherwise bury everything else. Source of the members and the reasons:
AWS IoT developer guide, "Lifecycle events".
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

WINDOW_S = 10.0  # what happens again within that time is counted
PING_PONG = 3  # being thrown out that often within the window is no single hand-over
MAX_FOLLOWED = 10_000  # client ids; a stranger may invent them
TOPICS_SHOWN = 4

LEFT = {
    "CLIENT_INITIATED_DISCONNECT": "it said goodbye",
    "CLIENT_ERROR": "it broke a rule of MQTT",
    "CONNECTION_LOST": "the line broke, without a goodbye",
    "AUTH_ERROR": "it did what its policy does not allow, or was refused when the authorizer was asked again",
    "FORBIDDEN_ACCESS": "it did what its policy does not allow",
    "DUPLICATE_CLIENTID": "another connection with its client id took its place",
    "MQTT_KEEP_ALIVE_TIMEOUT": "nothing was heard from it for one and a half keep-alives",
    "SERVER_ERROR": "AWS IoT failed",
    "SERVER_INITIATED_DISCONNECT": "AWS IoT ended the connection, as it does for maintenance",
    "API_INITIATED_DISCONNECT": "somebody ended its connection, as `iotauth client disable` does",
    "THROTTLED": "it exceeded a limit of AWS IoT",
    "WEBSOCKET_TTL_EXPIRATION": "its WebSocket reached its greatest age",
    "CUSTOMAUTH_TTL_EXPIRATION": "the time that the authorizer gave it is up",
    "UNKNOWN": "AWS IoT does not say why",
    "NONE": "AWS IoT does not say why",
}
FAILED = {"AUTHORIZATION_FAILED": "the authorizer said no, or its policy does not allow the connection or its will"}


@dataclass
class Feed:
    """Turns events into sentences, in their order. *own* is the client id that listens: it is no news."""

    own: str = ""
    _recent: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    _told_at: dict[tuple[str, str], float] = field(default_factory=dict)

    def tell(self, topic: str, payload: bytes) -> str | None:
        """Return the sentence of one event; None where it adds nothing to those before."""
        event = parse(payload)
        if event is None:
            return f"an event on `{topic}` cannot be read"
        client_id = str(event["clientId"])
        if client_id == self.own:
            return None
        at = seconds(event)
        kind = str(event.get("eventType"))
        if kind == "connect_failed":
            return self._refused(client_id, event, at)
        if kind == "disconnected" and event.get("disconnectReason") == "DUPLICATE_CLIENTID":
            return self._thrown_out(client_id, at)
        if self._is_in_ping_pong(client_id, at):
            return None
        return plainly(client_id, kind, event)

    def _refused(self, client_id: str, event: dict[str, Any], at: float) -> str | None:
        reason = str(event.get("connectFailureReason"))
        times = self._count(("refused", client_id), at)
        if not self._is_news(("refused", client_id), at):
            return None
        words = f", {FAILED[reason]}" if reason in FAILED else ""
        again = f" ({times} times in {WINDOW_S:g} s)" if times > 1 else ""
        return f"`{client_id}` was refused{where(event)}: {reason}{words}{again}"

    def _thrown_out(self, client_id: str, at: float) -> str | None:
        times = self._count(("thrown-out", client_id), at)
        if times < PING_PONG:
            return f"`{client_id}` was thrown out: DUPLICATE_CLIENTID, {LEFT['DUPLICATE_CLIENTID']}"
        if not self._is_news(("thrown-out", client_id), at):
            return None
        return f"`{client_id}` and another with its client id throw each other out ({times} times in {WINDOW_S:g} s)"

    def _is_in_ping_pong(self, client_id: str, at: float) -> bool:
        recent = self._recent.get(("thrown-out", client_id), ())
        return sum(at - each <= WINDOW_S for each in recent) >= PING_PONG

    def _count(self, what: tuple[str, str], at: float) -> int:
        if len(self._recent) >= MAX_FOLLOWED:
            self._recent.clear()
            self._told_at.clear()
        recent = self._recent.setdefault(what, deque())
        recent.append(at)
        while at - recent[0] > WINDOW_S:
            recent.popleft()
        return len(recent)

    def _is_news(self, what: tuple[str, str], at: float) -> bool:
        if at - self._told_at.get(what, float("-inf")) < WINDOW_S:
            return False
        self._told_at[what] = at
        return True


def parse(payload: bytes) -> dict[str, Any] | None:
    """Return an event, or None if it is none."""
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "clientId" in event else None


def seconds(event: dict[str, Any]) -> float:
    at_ms = event.get("timestamp")
    return at_ms / 1000 if isinstance(at_ms, (int, float)) else 0.0


def plainly(client_id: str, kind: str, event: dict[str, Any]) -> str:
    """Return the sentence of an event that stands for itself."""
    if kind == "connected":
        return f"`{client_id}` connected{where(event)}"
    if kind == "disconnected":
        reason = str(event.get("disconnectReason", "UNKNOWN"))
        return f"`{client_id}` left: {reason}" + (f", {LEFT[reason]}" if reason in LEFT else "")
    if kind in ("subscribed", "unsubscribed"):
        words = "subscribed to" if kind == "subscribed" else "unsubscribed from"
        return f"`{client_id}` {words} {listed(event.get('topics'))}"
    return f"`{client_id}`: {kind}"


def where(event: dict[str, Any]) -> str:
    address = event.get("ipAddress")
    return f" from {address}" if address else ""


def listed(topics: Any) -> str:
    if not isinstance(topics, list) or not topics:
        return "nothing"
    more = f" and {len(topics) - TOPICS_SHOWN} more" if len(topics) > TOPICS_SHOWN else ""
    return ", ".join(f"`{topic}`" for topic in topics[:TOPICS_SHOWN]) + more
