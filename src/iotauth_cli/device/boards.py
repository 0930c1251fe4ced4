"""Boards and ports: which chip an environment of PlatformIO is for, and who sits behind a USB id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# USB vendor and product ids of what boards with Espressif chips talk through.
# Source: the vendors' ids in the Linux kernel's drivers cp210x, ch341, cdc-acm and ftdi_sio; Espressif's own USB ids.
ADAPTERS: Mapping[str, str] = {
    "10C4:EA60": "CP210x",
    "10C4:EA70": "CP2105",
    "1A86:7522": "CH340",
    "1A86:7523": "CH340",
    "1A86:55D3": "CH343",
    "1A86:55D4": "CH9102",
    "0403:6001": "FTDI FT232",
    "0403:6010": "FTDI FT2232",
    "0403:6014": "FTDI FT232H",
    "0403:6015": "FTDI FT231X",
    "303A:1001": "Espressif USB",
    "303A:0002": "Espressif USB, ESP32-S2",
}
ESPRESSIF = "303A"  # every product of theirs is a chip, whatever the product id
USB_ID = re.compile(r"VID:PID=([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})")
NVS_FLAG = "IOTAUTH_CREDENTIALS_NVS"  # builds a firmware that reads its credentials from a partition
NVS_SUFFIX = "nvs"
SPEED = 115_200  # baud; where a project does not say at which its firmware speaks

# What a board's name or platform says about its chip; esptool's names. The longer ones first.
CHIPS = ("esp32s2", "esp32s3", "esp32c2", "esp32c3", "esp32c5", "esp32c6", "esp32h2", "esp32p4", "esp8266", "esp32")
BOOTLOADER_AT = {"esp32": 0x1000, "esp32s2": 0x1000, "esp8266": 0x0, "esp32p4": 0x2000, "esp32c5": 0x2000}


@dataclass(frozen=True)
class SerialPort:
    """A serial port. *usb* is `10C4:EA60`, None where it is none of USB; *adapter* names what sits there."""

    port: str
    description: str
    usb: str | None = None
    adapter: str | None = None
    serial_number: str | None = None

    @property
    def is_likely(self) -> bool:
        """Whether a board is probably behind it."""
        return self.adapter is not None


@dataclass(frozen=True)
class Board:
    """An environment of a PlatformIO project. *nvs_environment* builds the same for credentials in a partition."""

    name: str
    board: str
    platform: str
    chip: str
    partitions: str | None = None
    is_nvs: bool = False
    nvs_environment: str | None = None
    is_default: bool = False
    monitor_speed: int = SPEED

    @property
    def modes(self) -> tuple[str, ...]:
        if self.is_nvs:
            return ("nvs",)
        return ("header", "nvs") if self.nvs_environment else ("header",)


def ports(document: Sequence[Mapping[str, Any]]) -> tuple[SerialPort, ...]:
    """Read what `pio device list --json-output` gives; likely ones first."""
    return tuple(sorted(map(_port, document), key=lambda port: (not port.is_likely, port.port)))


def _port(entry: Mapping[str, Any]) -> SerialPort:
    hardware = str(entry.get("hwid") or "")
    description = str(entry.get("description") or "")
    serial = re.search(r"SER=(\S+)", hardware)
    found = USB_ID.search(hardware)
    usb = f"{found[1]}:{found[2]}".upper() if found else None
    return SerialPort(
        port=str(entry["port"]),
        description="" if description == "n/a" else description,
        usb=usb,
        adapter=adapter(usb) if usb else None,
        serial_number=serial[1] if serial else None,
    )


def adapter(usb: str) -> str | None:
    """Name what has the USB id *usb*, if it is one that boards use."""
    return ADAPTERS.get(usb) or ("Espressif USB" if usb.startswith(ESPRESSIF) else None)


def boards(config: Sequence[Sequence[Any]]) -> tuple[Board, ...]:
    """Read the environments out of what `pio project config --json-output` gives."""
    sections = {str(name): dict(options) for name, options in config}
    default = sections.get("platformio", {}).get("default_envs") or []
    found = [
        _board(name.removeprefix("env:"), options, name.removeprefix("env:") in default)
        for name, options in sections.items()
        if name.startswith("env:")
    ]
    nvs = {board.name for board in found if board.is_nvs}
    return tuple(_paired(board, nvs) for board in found)


def _board(name: str, options: Mapping[str, Any], is_default: bool) -> Board:
    flags = options.get("build_flags") or []
    partitions = options.get("board_build.partitions")
    return Board(
        name=name,
        board=str(options.get("board") or ""),
        platform=str(options.get("platform") or ""),
        chip=chip_of(name, options),
        partitions=str(partitions) if partitions else None,
        is_nvs=NVS_FLAG in " ".join(flags if isinstance(flags, list) else [str(flags)]),
        is_default=is_default,
        monitor_speed=int(options.get("monitor_speed") or SPEED),
    )


def _paired(board: Board, nvs: set[str]) -> Board:
    from dataclasses import replace

    paired = f"{board.name}{NVS_SUFFIX}"
    if board.is_nvs:
        return replace(board, nvs_environment=board.name)
    return replace(board, nvs_environment=paired if paired in nvs else None)


def chip_of(name: str, options: Mapping[str, Any]) -> str:
    """Return which chip an environment is for, as esptool calls it; `` where nothing tells."""
    if "8266" in str(options.get("platform")):
        return "esp8266"
    for said in (options.get("board_build.mcu"), options.get("board"), name):
        plain = re.sub(r"[^a-z0-9]", "", str(said or "").lower())
        for chip in CHIPS:
            if chip in plain:
                return chip
    return "esp32" if "esp" in str(options.get("platform")) else ""


def bootloader_at(chip: str) -> int:
    """Return where the first image lies in flash, in bytes from its start. Source: esptool's targets."""
    return BOOTLOADER_AT.get(chip, 0x0)
