"""What happens while a board is flashed, in the order in which it happens."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from iotauth_cli.device.child import Line, Silence

__all__ = ["Did", "Event", "Line", "Run", "Silence", "Step"]

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Step:
    """What begins now: "building `esp32`"."""

    text: str


@dataclass(frozen=True)
class Did:
    """What is done, in the past tense."""

    text: str


Event = Step | Did | Line | Silence
Run = Generator[Event, None, Answer]
