"""Real PlatformIO without its registry, and what it builds, flashed and running.

    core, libraries = core_directory(tmp_path / "core"), libdeps(tmp_path / "libdeps")
    with FakeChip("esp32") as chip:
        upload = ("-e", "esp32", "-t", "upload", "--upload-port", chip.port)
        run_pio(project, *upload, variables=environment(core, libraries))
        with run_flash(chip, connect_to=("127.0.0.1", 8443)) as program:
            program.wait_for("connected")

PlatformIO and esptool are the real ones. What stands in, in tests/firmware/rig: this computer's compiler for the
chip's (platform), Arduino over OpenSSL (shim), a double of PubSubClient (pubsubclient); and support_chip.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from support import REPOSITORY, missing
from support_chip import FakeChip, Faults

__all__ = [  # two of them from support_chip
    "ENVIRONMENTS",
    "IMPATIENT",
    "TEMPLATE",
    "FakeChip",
    "Faults",
    "Program",
    "core_directory",
    "environment",
    "flashed_program",
    "libdeps",
    "require_rig",
    "run_flash",
    "run_pio",
    "upload",
]

RIG = REPOSITORY / "tests" / "firmware" / "rig"
TEMPLATE = REPOSITORY / "firmware_template"
PLATFORMS = {"espressif32": "6.9.0", "espressif8266": "4.2.1"}
ENVIRONMENTS = ("esp32", "esp32nvs", "esp32s3", "esp32c3", "esp8266")
IMPATIENT = "[esptool]\nconnect_attempts = 1\n"  # esptool knocks seven times, and as often after a lost connection
APPLICATION = {"esp32": 0x10000, "esp8266": 0x0}  # where the program begins in flash
PATIENCE_S = 30  # with eight processes on two cores, TLS and a function's start take their time


def require_rig() -> None:
    """Skip without what a build for this computer needs, or fail where CI demands every peer."""
    if sys.platform != "linux":
        missing("the rig runs programs out of memory, which only Linux does")
    for program in ("g++", "ar", "strip"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed (Debian: g++)")
    asked = [shutil.which("g++") or "g++", "-E", "-x", "c++", "-"]
    if subprocess.run(asked, input=b"#include <openssl/ssl.h>", capture_output=True).returncode:
        missing("the headers of OpenSSL are not installed (Debian: libssl-dev)")


def core_directory(directory: Path) -> Path:
    """Make *directory* PlatformIO's core directory, with everything in it that its registry would be asked for."""
    from platformio.dependencies import get_core_dependencies

    version = get_core_dependencies()["tool-scons"].lstrip("~^=")
    scons = directory / "packages" / "tool-scons"
    scons.mkdir(parents=True)
    _describe(scons, "package.json", {"name": "tool-scons", "version": version, "system": "*"})
    _install(scons, "tool", "platformio", "tool-scons", version)
    (scons / "scons.py").write_text("import SCons.Script\nSCons.Script.main()\n")
    shutil.copytree(RIG / "shim", directory / "shim")
    for name, version in PLATFORMS.items():
        platform = directory / "platforms" / name
        shutil.copytree(RIG / "platform", platform, ignore=shutil.ignore_patterns("__pycache__"))
        _remove_foreign_boards(platform / "boards", name)
        _describe(platform, "platform.json", _platform(name, version))
        _install(platform, "platform", "platformio", name, version)
    (directory / "esptool.cfg").write_text(IMPATIENT)
    return directory


def libdeps(directory: Path, environments: Sequence[str] = ENVIRONMENTS) -> Path:
    """Make *directory* a place of installed libraries for *environments*; PlatformIO writes there, so do not share."""
    for name in environments:
        library = directory / name / "PubSubClient"
        shutil.copytree(RIG / "pubsubclient", library)
        _install(library, "library", "knolleary", "PubSubClient", "2.8.0")
    return directory


def environment(core: Path, libraries: Path) -> dict[str, str]:
    """Return the variables that keep PlatformIO inside *core* and *libraries*, and off the network.

    They go on top of a whole environment; esptool becomes impatient by them.
    """
    return {
        "PLATFORMIO_CORE_DIR": str(core),
        "PLATFORMIO_LIBDEPS_DIR": str(libraries),
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_NO_ANSI": "true",
        "ESPTOOL_CFGFILE": str(core / "esptool.cfg"),
        "CI": "true",
    }


def run_pio(project: Path, *arguments: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `pio run` in *project*; whether it worked is for the caller to judge. stderr is in stdout."""
    command = [sys.executable, "-m", "platformio", "run", "-d", str(project), *arguments]
    return subprocess.run(
        command,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )


def upload(project: Path, name: str, chip: FakeChip, variables: Mapping[str, str]) -> str:
    """Build environment *name* of *project*, write it into *chip*, and return what was said meanwhile."""
    ran = run_pio(project, "-e", name, "-t", "upload", "--upload-port", chip.port, variables=variables)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


class Program(subprocess.Popen[str]):
    """The firmware, running. What it says on its serial port is in `lines`; leaving the `with` ends it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._is_over = False
        assert self.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.stdout,), daemon=True)
        self._reader.start()

    def __exit__(self, *error: Any) -> None:
        self.terminate()
        self.wait()
        self._reader.join()
        super().__exit__(*error)

    def wait_for(self, *texts: str, times: int = 1, timeout_s: float = PATIENCE_S) -> str:
        """Return the line that is the *times*-th with all of *texts* in it, said already or yet to come."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while True:
                found = [line for line in self.lines if all(text in line for text in texts)]
                if len(found) >= times:
                    return found[times - 1]
                left = deadline - time.monotonic()
                if self._is_over or left <= 0:
                    raise AssertionError(f"{' … '.join(texts)} was not said, but:\n" + "\n".join(self.lines))
                self._news.wait(left)

    def _read(self, port: IO[str]) -> None:
        for line in port:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()


def run_flash(
    chip: FakeChip,
    connect_to: tuple[str, int] | None = None,
    *,
    speed: float = 1,
    wifi: str | None = None,
    clock: bool = True,
    short_records: bool = True,
) -> Program:
    """Start what lies in *chip*'s flash, in this computer's memory: it never reaches a disk.

    Its TCP connections go to *connect_to*, whatever host it asks for; server name and name check stay with that
    host. *speed*: how fast its time runs.
    *wifi*: ``name/password`` of the only network in reach. *clock*: whether a time server answers.
    *short_records*: whether the server told the probe that it can send them.
    """
    program, flash = _in_memory(flashed_program(chip)), _in_memory(bytes(chip.flash))
    variables = {"RIG_FLASH": f"/proc/self/fd/{flash}", "RIG_SPEED": str(speed)}
    if connect_to is not None:
        variables["RIG_CONNECT"] = f"{connect_to[0]}:{connect_to[1]}"
    if wifi is not None:
        variables["RIG_WIFI"] = wifi
    if not clock:
        variables["RIG_CLOCK"] = "no"
    if not short_records:
        variables["RIG_SHORT_RECORDS"] = "no"
    try:
        return Program(
            [f"/proc/self/fd/{program}"],
            env=variables,
            pass_fds=(program, flash),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    finally:
        os.close(program)
        os.close(flash)


def flashed_program(chip: FakeChip) -> bytes:
    """Return the program in *chip*'s flash: an ELF file, which ends where its section headers do."""
    flash = bytes(chip.flash[APPLICATION[chip.kind] :])
    assert flash.startswith(b"\x7fELF"), "no program lies where this chip begins to run"
    (sections_at,) = struct.unpack_from("<Q", flash, 0x28)
    size, count = struct.unpack_from("<HH", flash, 0x3A)
    return flash[: sections_at + size * count]


def _in_memory(content: bytes) -> int:
    if sys.platform != "linux":
        raise AssertionError("require_rig lets nobody come here")
    descriptor = os.memfd_create("iotauth-rig", 0)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    return descriptor


def _platform(name: str, version: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": f"{name} (stand-in)",
        "description": "Compiles for this computer, for iotauth's tests",
        "version": version,
        "engines": {"platformio": "^6"},
        "repository": {"type": "git", "url": "https://example.invalid/stand-in.git"},
        "frameworks": {"arduino": {"title": "Arduino on this computer", "script": "builder/frameworks/arduino.py"}},
        "packages": {},
    }


def _remove_foreign_boards(boards: Path, platform: str) -> None:
    core = {"espressif32": "esp32", "espressif8266": "esp8266"}[platform]
    for board in boards.iterdir():
        if json.loads(board.read_text())["build"]["core"] != core:
            board.unlink()


def _install(directory: Path, kind: str, owner: str, name: str, version: str) -> None:
    """Write the note by which PlatformIO knows an installed package again."""
    spec = {"owner": owner, "id": None, "name": name, "requirements": None, "uri": None}
    _describe(directory, ".piopm", {"type": kind, "name": name, "version": version, "spec": spec})


def _describe(directory: Path, name: str, content: dict[str, Any]) -> None:
    (directory / name).write_text(json.dumps(content))
