"""What a board says, and what it means."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from iotauth_cli.device import monitor, serial_words
from iotauth_cli.device.child import Mask
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.operations.flash.bench import secrets_of


@dataclass(frozen=True)
class Said:
    """A line of the board; *meaning* is None where it speaks for itself or was explained just before."""

    text: str
    meaning: str | None


def listen(port: str, login: DeviceLogin, speed: int) -> Generator[Said, None, None]:
    """Yield what the board of *login* says at *port* with *speed* baud; a secret that a firmware prints is masked."""
    mask = Mask(secrets_of(login))
    last: str | None = None
    for line in monitor.listen(port, speed):
        if serial_words.is_noise(line):
            continue
        meaning = serial_words.explain(line, login.client_id)
        yield Said(mask(line), meaning if meaning != last else None)
        last = meaning or last
