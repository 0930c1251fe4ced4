"""QoS 1 towards one client: what is on its way, and what waits for room in the window.

An outbox belongs to the MQTT session, so that of a persistent session outlives the connection
and is sent again on the next one, which may be of the other MQTT version.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from iotauth_cli.emulator.mqtt.message import Message

LAST_PACKET_ID = 65_535
WAITING_BYTES = 16 * 1024 * 1024  # of payload, for one client: 128 of the largest messages, or many small ones


class Parcel(NamedTuple):
    """A message with the packet id under which it is to be sent now."""

    packet_id: int
    message: Message
    is_duplicate: bool = False


class _Sent(NamedTuple):
    message: Message
    first_at: float
    last_at: float


class Outbox:
    """Parcels are to be sent as the methods give them; times are the emulator's seconds.

    *window* is how many may be on their way at once.
    """

    __slots__ = ("_capacity", "_in_flight", "_last_id", "_waiting", "_waiting_bytes", "_window")

    def __init__(self, window: int, capacity: int) -> None:
        self._window = window
        self._capacity = capacity
        self._in_flight: dict[int, _Sent] = {}
        self._waiting: deque[Message] = deque()
        self._waiting_bytes = 0
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._in_flight) + len(self._waiting)

    def __iter__(self) -> Iterator[Message]:
        """Give every message that is not acknowledged, in order."""
        yield from (sent.message for sent in self._in_flight.values())
        yield from self._waiting

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= self._capacity or self._waiting_bytes >= WAITING_BYTES

    def resize(self, window: int) -> None:
        """Have another window, for a new connection. What no longer fits into it waits again, first in line."""
        self._window = window
        for packet_id in reversed(list(self._in_flight)[window:]):
            message = self._in_flight.pop(packet_id).message
            self._waiting.appendleft(message)
            self._waiting_bytes += len(message.payload)

    def hold(self, message: Message) -> None:
        """Keep *message* until `fill` finds room for it. The caller looks at `is_full` first."""
        self._waiting.append(message)
        self._waiting_bytes += len(message.payload)

    def fill(self, now: float) -> Iterator[Parcel]:
        """Move waiting messages into the window, giving each; those that have expired are dropped."""
        while self._waiting and len(self._in_flight) < self._window:
            message = self._waiting.popleft()
            self._waiting_bytes -= len(message.payload)
            if message.expires_at > now:
                yield self._send(message, now)

    def send(self, message: Message, now: float) -> Parcel | None:
        """Return the parcel of *message*, or hold it and return None while the window is full."""
        if self._waiting or len(self._in_flight) >= self._window:
            self.hold(message)
            return None
        return self._send(message, now)

    def acknowledge(self, packet_id: int) -> None:
        """Forget the message; an id that is not on its way is nothing, as after a redelivery."""
        self._in_flight.pop(packet_id, None)

    def resend(self, now: float, *, after_s: float = 0.0, limit_s: float) -> Iterator[Parcel]:
        """Give again, as duplicates, the messages whose PUBACK has not come for *after_s*.

        A message that is older than *limit_s* is given up instead.
        """
        for packet_id, sent in list(self._in_flight.items()):
            if now - sent.first_at > limit_s:
                del self._in_flight[packet_id]
            elif now - sent.last_at >= after_s:
                self._in_flight[packet_id] = sent._replace(last_at=now)
                yield Parcel(packet_id, sent.message, is_duplicate=True)

    def keep_only(self, is_wanted: Callable[[Message], bool]) -> None:
        """Drop the messages that may no longer be delivered."""
        self._in_flight = {key: sent for key, sent in self._in_flight.items() if is_wanted(sent.message)}
        self._waiting = deque(filter(is_wanted, self._waiting))
        self._waiting_bytes = sum(len(message.payload) for message in self._waiting)

    def _send(self, message: Message, now: float) -> Parcel:
        packet_id = self._free_id()
        self._in_flight[packet_id] = _Sent(message, now, now)
        return Parcel(packet_id, message)

    def _free_id(self) -> int:
        """The window is far smaller than the ids, so one is always free."""
        while True:
            self._last_id = self._last_id % LAST_PACKET_ID + 1
            if self._last_id not in self._in_flight:
                return self._last_id
