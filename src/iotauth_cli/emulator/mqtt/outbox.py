"""QoS 1 towards one client: what is on its way, and what waits for room in the window.

An outbox belongs to the MQTT session, so that of a persistent session outlives the connection
and is sent again on the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from iotauth_cli.emulator.mqtt.message import Message
from iotauth_cli.emulator.mqtt.packets import LEVEL_3_1_1

LAST_PACKET_ID = 65_535


class _Sent(NamedTuple):
    message: Message
    first_at: float
    last_at: float


class Outbox:
    """Frames go out as the methods give them; times are the emulator's seconds."""

    __slots__ = ("_capacity", "_in_flight", "_last_id", "_waiting", "_window")

    def __init__(self, window: int, capacity: int) -> None:
        self._window = window
        self._capacity = capacity
        self._in_flight: dict[int, _Sent] = {}
        self._waiting: deque[Message] = deque()
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._in_flight) + len(self._waiting)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= self._capacity

    def hold(self, message: Message) -> None:
        """Keep *message* until `fill` finds room for it. The caller looks at `is_full` first."""
        self._waiting.append(message)

    def fill(self, now: float) -> Iterator[bytes]:
        """Move waiting messages into the window, giving the frame of each."""
        while self._waiting and len(self._in_flight) < self._window:
            yield self._send(self._waiting.popleft(), now)

    def send(self, message: Message, now: float) -> bytes | None:
        """Return the frame of *message*, or hold it and return None while the window is full."""
        if self._waiting or len(self._in_flight) >= self._window:
            self.hold(message)
            return None
        return self._send(message, now)

    def acknowledge(self, packet_id: int) -> None:
        """Forget the message; an id that is not on its way is nothing, as after a redelivery."""
        self._in_flight.pop(packet_id, None)

    def resend(self, now: float, *, after_s: float = 0.0, limit_s: float) -> Iterator[bytes]:
        """Give again, as duplicates, the frames whose PUBACK has not come for *after_s*.

        A message that is older than *limit_s* is given up instead.
        """
        for packet_id, sent in list(self._in_flight.items()):
            if now - sent.first_at > limit_s:
                del self._in_flight[packet_id]
            elif now - sent.last_at >= after_s:
                self._in_flight[packet_id] = sent._replace(last_at=now)
                yield sent.message.at(LEVEL_3_1_1).at_least_once(packet_id, is_duplicate=True)

    def keep_only(self, is_wanted: Callable[[Message], bool]) -> None:
        """Drop the messages that may no longer be delivered."""
        self._in_flight = {key: sent for key, sent in self._in_flight.items() if is_wanted(sent.message)}
        self._waiting = deque(filter(is_wanted, self._waiting))

    def _send(self, message: Message, now: float) -> bytes:
        packet_id = self._free_id()
        self._in_flight[packet_id] = _Sent(message, now, now)
        return message.at(LEVEL_3_1_1).at_least_once(packet_id)

    def _free_id(self) -> int:
        """The window is far smaller than the ids, so one is always free."""
        while True:
            self._last_id = self._last_id % LAST_PACKET_ID + 1
            if self._last_id not in self._in_flight:
                return self._last_id
