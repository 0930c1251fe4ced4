"""Bad days for firmware: what goes wrong in the running emulator by order. The work is `emulator.unreliable`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iotauth_cli.emulator import remote


@dataclass(frozen=True)
class Wish:
    """What is to go wrong. Without *count* and *seconds* it happens once; *delay_s* None is the kind's usual one."""

    kind: str
    client_id: str | None = None
    count: int | None = None
    seconds: float | None = None
    delay_s: float | None = None


@dataclass(frozen=True)
class Injection:
    """What may still go wrong: *left* times, or until *ends_at* (epoch seconds of the emulator's clock)."""

    number: int
    kind: str
    client_id: str | None
    left: int | None
    ends_at: float | None
    delay_s: float | None


def inject(state_dir: Path, wish: Wish) -> Injection:
    """Have the emulator let something go wrong.

    Raises:
        EmulatorError: it is not running.
        InputError: nothing of that kind can go wrong, or not in this way.
    """
    members = {
        "kind": wish.kind,
        "client_id": wish.client_id,
        "count": wish.count,
        "seconds": wish.seconds,
        "delay_s": wish.delay_s,
    }
    return _injection(remote.tell(state_dir, "inject", **members))


def injections(state_dir: Path) -> list[Injection]:
    """Return what may still go wrong, the oldest first.

    Raises:
        EmulatorError: the emulator is not running.
    """
    return [_injection(members) for members in remote.ask(state_dir, "inject")["injections"]]


def clear(state_dir: Path) -> int:
    """Let nothing more go wrong; return how many injections that ended.

    Raises:
        EmulatorError: the emulator is not running.
    """
    return int(remote.tell(state_dir, "inject/clear")["cleared"])


def _injection(members: Mapping[str, Any]) -> Injection:
    return Injection(**members)
