"""Which boards the firmware can be built for, and which are plugged in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iotauth_cli.bundle import firmware_template
from iotauth_cli.device import platformio
from iotauth_cli.device.boards import Board, SerialPort
from iotauth_cli.device.platformio import Platformio

__all__ = ["Board", "Found", "SerialPort", "look"]


@dataclass(frozen=True)
class Found:
    """*project* is the folder of PlatformIO's project that has the boards, None for the one that iotauth brings."""

    boards: tuple[Board, ...]
    ports: tuple[SerialPort, ...]
    project: Path | None
    pio: Platformio


def look(project: Path | None, pio: str | None) -> Found:
    """Ask PlatformIO, which has to be there, for the boards of *project* and the ports of this machine.

    Raises:
        DeviceError: PlatformIO is missing or failed.
        InputError: *project* is no project of PlatformIO.
    """
    tool = platformio.find(pio)
    return Found(tool.boards(project or firmware_template()), tool.ports(), project, tool)
