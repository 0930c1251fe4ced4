"""When and why clients were disconnected, as far back as AWS IoT tells: half an hour.

The broker says so to everybody, in its lifecycle events; whoever asks later gets it from here.
Source: the iot-data service model, `GetConnectionResponse`; AWS IoT developer guide, "Lifecycle events".
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from iotauth_cli.emulator.model import MessageSeen

EVENTS = "$aws/events/presence/disconnected/"
KEPT_S = 30 * 60
KEPT = 10_000  # departures, if that many fall into the half hour


@dataclass(frozen=True)
class Departure:
    at: float  # the emulator's seconds
    reason: str


class Departures:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._latest: OrderedDict[str, Departure] = OrderedDict()  # by client id, in the order of time

    def note(self, message: MessageSeen) -> None:
        """Take a message that the broker accepted, and keep it if it tells of a departure."""
        if message.client_id is None and message.topic.startswith(EVENTS):
            event = json.loads(message.payload)
            self._latest[event["clientId"]] = Departure(message.at, event["disconnectReason"])
            self._latest.move_to_end(event["clientId"])
            if len(self._latest) > KEPT:
                self._latest.popitem(last=False)

    def find(self, client_id: str) -> Departure | None:
        departure = self._latest.get(client_id)
        return departure if departure is not None and self._clock() < departure.at + KEPT_S else None
