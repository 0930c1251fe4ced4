"""`iotauth flash` typed at a bench: real processes, a fake chip, and a search for what was left behind."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support_chip import FakeChip
from support_shell import Ran, Shell

WIFI = ("--wifi-ssid", "workshop")
# Its boards have names of their own: PlatformIO removes the libraries of one that wants none.
PROJECT = """[env:small32]
platform = espressif32@^6.9.0
board = esp32dev

[env:small8266]
platform = espressif8266@^4.2.1
board = nodemcuv2
"""
PROGRAM = """#include "secrets.h"

const char *const CREDENTIAL[] = {WIFI_PASSWORD, MQTT_USERNAME, MQTT_PASSWORD};

int main(int count, char **) { return CREDENTIAL[count % 3][0] + MQTT_ROOT_CA[0]; }
"""


def write_project(folder: Path) -> Path:
    """Write the smallest firmware that has a credential in it: it builds in no time, and does nothing."""
    (folder / "src").mkdir(parents=True)
    (folder / "include").mkdir()
    (folder / "platformio.ini").write_text(PROJECT)
    (folder / "src" / "main.cpp").write_text(PROGRAM)
    return folder


@dataclass
class FlashBench:
    """A shell whose `iotauth` finds a PlatformIO that needs no registry, and clients of an emulator."""

    shell: Shell

    @property
    def iotauth(self) -> Path:
        return self.shell.cwd / ".iotauth"

    @property
    def firmware(self) -> Path:
        return self.iotauth / "firmware"

    def add(self, *clients: str) -> None:
        for client in clients:
            self.shell.run("client", "add", client, "--topic", f"bench/{client}", "--quiet")

    def password(self, client: str) -> bytes:
        import json

        path = self.iotauth / "credentials" / "emulator" / f"{client}.json"
        return str(json.loads(path.read_text())["password"]).encode()

    def flash(self, chip: FakeChip, *arguments: str, stdin: str = "", check: bool = True) -> Ran:
        return self.shell.run("flash", "--port", chip.port, *WIFI, *arguments, stdin=stdin, check=check)

    def holders(self, *secrets: bytes) -> list[Path]:
        """Return every file below home that holds one of *secrets*, but for the private store."""
        store = self.iotauth / "credentials"
        return [
            path
            for path in self.shell.home.rglob("*")
            if path.is_file()
            and not path.is_relative_to(store)
            and any(secret in path.read_bytes() for secret in secrets)
        ]

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Running]:
        """Run `iotauth` with *arguments* while the test looks on; it is ended with the block."""
        process = subprocess.Popen(
            [*self.shell.program, *arguments],
            cwd=self.shell.cwd,
            env=self.shell.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = Running(process)
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            running.reader.join()
            assert process.stdout is not None
            process.stdout.close()


class Running:
    """A process whose lines are read as it says them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, text: str, limit_s: float = 60) -> None:
        deadline = time.monotonic() + limit_s
        while not any(text in line for line in list(self.lines)):
            is_over = self.process.poll() is not None and not self.reader.is_alive()
            if is_over or time.monotonic() > deadline:
                raise AssertionError(f"`{text}` was not said, but:\n" + "\n".join(self.lines))
            time.sleep(0.01)

    def end(self, limit_s: float = 60) -> int:
        """Wait for the process to end by itself; return its exit code."""
        code = self.process.wait(limit_s)
        self.reader.join()
        return code
