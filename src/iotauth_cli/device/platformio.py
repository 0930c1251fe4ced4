"""PlatformIO as a child: found, asked, run. It is never imported: it may live in another environment than ours.

Source: `docs.platformio.org`, "PlatformIO Core (CLI)"; what it prints when something is wrong, `failures`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from iotauth_cli.device import boards, failures
from iotauth_cli.device.boards import Board, SerialPort
from iotauth_cli.device.child import Call, Ended, quietly
from iotauth_cli.errors import DeviceError, InputError, IotauthError
from iotauth_cli.secret import MASK

VARIABLE = "IOTAUTH_PIO"
NAMES = ("pio", "platformio")
INSTALL = "install it with `pip install platformio`, or name it with `--pio` or `IOTAUTH_PIO`"

# Nothing of the user's goes out, and an offline machine does not wait a minute for the question about upgrades.
# They leave the resolved configuration of a project alone; one that changes it would cost the whole build.
SETTINGS: Mapping[str, str] = {
    "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No",
    "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    "PLATFORMIO_NO_ANSI": "true",
    "PLATFORMIO_DISABLE_PROGRESSBAR": "true",
}


@dataclass(frozen=True)
class Platformio:
    """A PlatformIO that can be run. *found* says where it was found, for the person who wonders which one."""

    command: tuple[str, ...]
    found: str
    environ: Mapping[str, str]

    def with_environ(self, extra: Mapping[str, str]) -> Platformio:
        return replace(self, environ={**self.environ, **extra})

    def call(self, *arguments: str, kept_open: tuple[int, ...] = ()) -> Call:
        return Call((*self.command, *arguments), {**SETTINGS, **self.environ}, kept_open=kept_open)

    def run(self, project: Path, environment: str, *arguments: str, kept_open: tuple[int, ...] = ()) -> Call:
        """Return the call that builds or uploads: ``pio run -d PROJECT -e ENVIRONMENT …``."""
        return self.call("run", "-d", str(project), "-e", environment, *arguments, kept_open=kept_open)

    def boards(self, project: Path) -> tuple[Board, ...]:
        """Return the environments of *project*.

        Raises:
            InputError: it is no project of PlatformIO, or its platformio.ini is broken.
            DeviceError: PlatformIO failed.
        """
        if not project.is_dir():
            raise InputError(f"there is no folder `{project}`", hint="name the one that has a `platformio.ini`")
        asked = failures.Asked(project=f"`{project}`")
        return boards.boards(self._ask(asked, "project", "config", "-d", str(project), "--json-output"))

    def ports(self) -> tuple[SerialPort, ...]:
        """Return the serial ports of this machine, likely ones first."""
        return boards.ports(self._ask(failures.Asked(), "device", "list", "--json-output"))

    def system(self) -> Mapping[str, str]:
        """Return what PlatformIO knows of itself: `core_dir`, `python_exe`, `core_version` …"""
        found = self._ask(failures.Asked(), "system", "info", "--json-output")
        return {name: str(entry["value"]) for name, entry in found.items()}

    def _ask(self, asked: failures.Asked, *arguments: str) -> Any:
        ended = quietly(self.call(*arguments))
        if ended.code != 0:
            raise failed(ended, asked)
        return document(ended)


def document(ended: Ended) -> Any:
    """Return the JSON that a call printed, between whatever else it said."""
    for line in reversed(ended.lines):
        if line[:1] in "[{":
            try:
                return json.loads(line)
            except ValueError:
                continue
    raise DeviceError("PlatformIO gave an answer that is no JSON", hint="is it version 6 or newer? see `pio --version`")


def failed(ended: Ended, asked: failures.Asked) -> IotauthError:
    return failures.explain("PlatformIO", ended.text, asked)


def find(named: str | None = None, environ: Mapping[str, str] | None = None) -> Platformio:
    """Find PlatformIO: where it was named, on the path, at its installer's place, in our own environment.

    Raises:
        DeviceError: it is nowhere, or not where it was named.
    """
    environ = os.environ if environ is None else environ
    if chosen := named or environ.get(VARIABLE):
        source = "--pio" if named else VARIABLE
        return Platformio((runnable(chosen, source, environ),), source, {})
    for name in NAMES:
        if on_path := shutil.which(name, path=environ.get("PATH")):
            return Platformio((on_path,), "PATH", {})
    for name in NAMES:
        installed = installer_place(environ) / name
        if os.access(installed, os.X_OK):
            return Platformio((str(installed),), str(installed.parent), {})
    if find_spec("platformio"):
        return Platformio((sys.executable, "-m", "platformio"), "our own environment", {})
    raise DeviceError("PlatformIO is not installed", hint=INSTALL)


def installer_place(environ: Mapping[str, str]) -> Path:
    """Return where PlatformIO's own installer and its IDE extensions put it."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    core = Path(environ.get("PLATFORMIO_CORE_DIR") or home / ".platformio")
    return core / "penv" / ("Scripts" if sys.platform == "win32" else "bin")


def runnable(chosen: str, source: str, environ: Mapping[str, str]) -> str:
    found = shutil.which(chosen, path=environ.get("PATH"))
    if found is None:
        there = "is no program" if Path(chosen).exists() else "is not there"
        raise DeviceError(f"`{chosen}`, which {source} names as PlatformIO, {there}", hint=INSTALL)
    return found


def shown(call: Call, hidden: Sequence[str] = ()) -> str:
    """Return the command of *call* as a shell takes it; there are no secrets in one, and this makes sure."""
    import shlex

    text = shlex.join(call.command)
    for each in hidden:
        text = text.replace(each, MASK)
    return text
