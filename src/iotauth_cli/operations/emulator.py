"""The emulator: started, stopped, looked at, emptied. The work is `emulator.lifecycle`'s."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iotauth_cli.emulator import environment, lifecycle, remote
from iotauth_cli.emulator.attempts import Attempt, Step
from iotauth_cli.emulator.behaviour import Choice
from iotauth_cli.emulator.environment import ProxyEndpoint, Ready
from iotauth_cli.emulator.lifecycle import Status
from iotauth_cli.errors import EmulatorError
from iotauth_cli.operations.following import Following

__all__ = ["Attempt", "Choice", "Passed", "Ports", "ProxyEndpoint", "Ready", "Running", "Status", "Step", "Time"]

FOLLOW_S = 0.3  # between two looks; a person does not notice
FOLLOWED = 200  # attempts that may come between two looks


@dataclass(frozen=True)
class Ports:
    """What was asked for; None is the default, and port 0 any that is free."""

    data: int | None = None
    control: int | None = None
    region: str | None = None
    proxy: int | None = None  # None: no proxy
    mqtt: int | None = None  # the port for client certificates; None: none


@dataclass(frozen=True)
class Running:
    """A running emulator; *is_new* if this call started it."""

    ready: Ready
    is_new: bool


@dataclass(frozen=True)
class Time:
    """The emulator's time in epoch seconds, and how far it is ahead of the machine's."""

    now: float
    ahead_s: float


@dataclass(frozen=True)
class Passed:
    """*seconds* have passed in the emulator; *disconnected* are the clients whose connections ended meanwhile."""

    seconds: float
    time: Time
    disconnected: tuple[str, ...]


def start(state_dir: Path, wish: Ports, behaviour: Sequence[str] = ()) -> Running:
    """Start the emulator in the background, or find it running; *behaviour* holds flips, as ``key=value``.

    Raises:
        EmulatorError: a port is taken, it could not start, or it runs otherwise.
        InputError: the state directory cannot be written, or there is no such choice or value.
    """
    was_running = lifecycle.status(state_dir).ready
    ready = lifecycle.start(
        state_dir,
        port=wish.data,
        control_port=wish.control,
        region=wish.region,
        proxy_port=wish.proxy,
        mqtt_port=wish.mqtt,
        behaviour=behaviour,
    )
    return Running(ready, not was_running)


def foreground(state_dir: Path, wish: Ports, behaviour: Sequence[str] = ()) -> Iterator[Ready]:
    """Run the emulator in this process; yield once it is ready, end when it ends."""
    return lifecycle.foreground(
        state_dir,
        port=wish.data,
        control_port=wish.control,
        region=wish.region,
        proxy_port=wish.proxy,
        mqtt_port=wish.mqtt,
        behaviour=behaviour,
    )


def stop(state_dir: Path) -> bool:
    """End the emulator; tell whether one was running. What it remembers stays."""
    return lifecycle.stop(state_dir)


def status(state_dir: Path) -> Status:
    return lifecycle.status(state_dir)


def reset(state_dir: Path) -> list[Path]:
    """Remove everything the emulator has made; return what was removed.

    Raises:
        EmulatorError: it is running.
    """
    return lifecycle.reset(state_dir)


def variables(state_dir: Path) -> Mapping[str, str]:
    """Return the environment that points AWS's own tools at the emulator.

    Raises:
        EmulatorError: it is not running, so there is nowhere to point.
    """
    ready = environment.read(state_dir)
    if ready is None or not lifecycle.status(state_dir).ready:
        raise EmulatorError("the emulator is not running", hint="start it with `iotauth emulator start`")
    return environment.variables(ready)


def choices(state_dir: Path) -> tuple[Choice, ...]:
    """Return every choice that the emulator makes where AWS's behaviour is not settled, as it is made there."""
    return lifecycle.behaviour(state_dir).choices()


def clock(state_dir: Path) -> Time:
    """Return what time it is in the emulator.

    Raises:
        EmulatorError: it is not running.
    """
    return _time(remote.ask(state_dir, "clock"))


def advance_clock(state_dir: Path, seconds: float, *, pinging: bool) -> Passed:
    """Let time pass in the emulator; connected clients are silent meanwhile, unless they are *pinging*.

    Raises:
        EmulatorError: it is not running.
        InputError: *seconds* cannot be meant.
    """
    answer = remote.tell(state_dir, "clock/advance", seconds=seconds, pinging=pinging)
    return Passed(seconds, _time(answer), tuple(answer["disconnected"]))


def _time(answer: Mapping[str, Any]) -> Time:
    return Time(answer["now"], answer["ahead_s"])


def attempts(state_dir: Path, *, limit: int, since: float | None = None, client_id: str | None = None) -> list[Attempt]:
    """Return the last entries of the authorizer log, oldest first."""
    return lifecycle.attempts(state_dir, limit=limit, since=since, client_id=client_id)


def follow(
    state_dir: Path,
    seen: Sequence[Attempt] = (),
    *,
    client_id: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Attempt]:
    """Yield attempts as they are made, after those in *seen*; never ends.

    One that is repeated comes again now and then with its count, not each time. An emulator that is stopped,
    emptied and started is followed further.
    """
    following = Following(seen, clock)
    while True:
        yield from following.news(attempts(state_dir, limit=FOLLOWED, client_id=client_id))
        sleep(FOLLOW_S)
