"""What a board says on its serial port that nobody can read without a manual, in words.

The firmware that iotauth brings explains itself. Before it, and when it crashes, speak the chip's ROM and the core.
Source: Espressif, "ESP32 Boot Mode Selection" and "Fatal Errors"; Arduino cores' own messages.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Word(NamedTuple):
    pattern: str
    meaning: str


TABLE = (
    Word(
        r"waiting for download|DOWNLOAD_BOOT|boot mode:\(1,",
        "the chip waits in its bootloader: release BOOT and press RESET",
    ),
    Word(r"[Bb]rownout detector", "the supply voltage broke down: use a better cable or supply; Wi-Fi takes 500 mA"),
    Word(
        r"invalid header: 0xffffffff|invalid magic byte|No bootable app",
        "there is no program in the flash: `iotauth flash` writes one",
    ),
    Word(r"Guru Meditation|Exception \(\d+\)|abort\(\) was called", "the firmware crashed and starts again"),
    Word(r"(?:Task|Interrupt) wdt timeout|watchdog got triggered|wdt reset", "the firmware hung and was restarted"),
    Word(r"Stack canary|stack overflow", "a task needs more stack"),
    Word(r"iotauth: no credential", "this board was flashed without a client"),
    Word(r"\*\*\* EMULATOR", "this credential is the emulator's; for AWS flash again with `--no-emulator`"),
    Word(r"wifi: not joined", "the board is not in the network yet, so nothing else can work"),
    Word(r"clock: not set", "an ESP8266 checks the dates of certificates; without the time it trusts none"),
    Word(r"mqtt: not connected", "see the other side of it: `iotauth test-connect {client}`"),
    Word(r"mqtt: lost", "see what was decided: `iotauth test-connect {client}`"),
)
COMPILED = tuple((re.compile(word.pattern), word.meaning) for word in TABLE)
UNREADABLE_SHARE = 0.3  # of a line; then it was another baud rate


def explain(line: str, client_id: str) -> str | None:
    """Return what *line* means, or None where it speaks for itself."""
    for pattern, meaning in COMPILED:
        if pattern.search(line):
            return meaning.format(client=client_id)
    return None


def is_noise(line: str) -> bool:
    """Tell whether *line* is what another speed looks like: an ESP8266's ROM speaks at 74880 baud, once."""
    odd = sum(not (character.isprintable() or character in "\t\r\n") or character == "�" for character in line)
    return len(line) > 3 and odd / len(line) > UNREADABLE_SHARE
