"""Let time pass: what `iotauth emulator clock` asks of a running emulator.

The way leads from one due moment to the next, so that a day in which an authorizer is asked every five minutes
is a day of 288 questions and not of one. At each moment the clock is moved there, what is due happens, and the
answers are waited for.

A client that sends nothing meanwhile counts as silent, and its keep-alive runs out, as it would. *pinging* is
for devices that are well and have had no time to ping, because for them it was a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Protocol

from iotauth_cli.emulator.admin import Handler, Members, flag, number
from iotauth_cli.emulator.clock import Clock
from iotauth_cli.emulator.model import ConnectionInfo


class Timekeeper(Protocol):
    """What keeps the time of connections: the broker."""

    def connections(self) -> tuple[ConnectionInfo, ...]: ...

    def tick(self, *, pinging: bool = False) -> None: ...

    async def settle(self) -> None: ...


class TimeTravel:
    def __init__(self, clock: Clock, broker: Timekeeper) -> None:
        self._clock = clock
        self._broker = broker
        self._travelling = asyncio.Lock()  # two at once would each find the other's due moments gone
        self.nouns: Mapping[str, Handler] = {"clock": self.show}
        self.verbs: Mapping[str, Handler] = {"clock/advance": self.advance}

    async def show(self, members: Members) -> Members:
        """Return the emulator's time, ``now``, and how far it is ahead of the machine's, both in seconds."""
        return {"now": self._clock(), "ahead_s": self._clock.ahead_s}

    async def advance(self, members: Members) -> Members:
        """Let ``seconds`` pass; also return whose connections ended meanwhile, as ``disconnected``.

        Raises:
            InputError: ``seconds`` cannot be meant, or ``pinging`` is neither true nor false.
        """
        seconds, pinging = number(members, "seconds"), flag(members, "pinging")
        self._clock.check(seconds)
        async with self._travelling:
            before = self._connected()
            await self._travel(self._clock.ahead_s + seconds, pinging)
            after = self._connected()
        ended = sorted(client_id for connection, client_id in before.items() if connection not in after)
        return {**await self.show({}), "disconnected": ended}

    async def _travel(self, ahead_s: float, pinging: bool) -> None:
        """Go on until the clock is *ahead_s* of the machine's, which does not stand still meanwhile."""
        while (rest := ahead_s - self._clock.ahead_s) > 0:
            now = self._clock()
            self._clock.advance(min([rest, *(at - now for at in self._due(now))]))
            self._broker.tick(pinging=pinging)
            await self._broker.settle()

    def _due(self, now: float) -> Iterator[float]:
        """Yield when connections are to be refreshed or cut off after *now*."""
        for connection in self._broker.connections():
            yield from (at for at in (connection.refresh_at, connection.disconnect_at) if at > now)

    def _connected(self) -> dict[str, str]:
        return {each.connection_id: each.client_id for each in self._broker.connections()}
