"""esptool as a child: what chip is there, what lies in its flash, and the credentials' partition into it.

It is a program of its own under another licence, so it is run and never imported. Ours is looked for first,
then one on the path, then the one that PlatformIO's platforms bring.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from iotauth_cli.device import failures
from iotauth_cli.device.child import Call, Ended, quietly
from iotauth_cli.device.platformio import Platformio
from iotauth_cli.errors import DeviceError

INSTALL = "install it: `pip install 'iotauth[flash]'`; PlatformIO also brings one with the first build for an ESP"
MAC = re.compile(r"MAC:\s+([0-9a-f]{2}(?::[0-9a-f]{2}){5})\b")
CHIP = re.compile(r"(?:Detecting chip type\.\.\. |Connected to |Chip is )(ESP[\w-]+)")


@dataclass(frozen=True)
class Chip:
    """What answers on a port. *kind* is in the spelling of `boards.CHIPS`."""

    kind: str
    mac: str


@dataclass(frozen=True)
class Esptool:
    """*seconds* counts what its runs took, for whoever wonders where the time went."""

    command: tuple[str, ...]
    is_old: bool = False  # before 5.0 its commands had underscores
    environ: Mapping[str, str] = field(default_factory=dict)

    def call(self, port: str, chip: str, *words: str) -> Call:
        """Return the call of a command; *chip* `auto` is whatever is there."""
        name, *rest = words
        spelt = name.replace("-", "_") if self.is_old else name
        return Call((*self.command, "--chip", chip or "auto", "--port", port, spelt, *rest), self.environ)

    def write(self, port: str, chip: str, offset: int, file: Path) -> Call:
        return self.call(port, chip, "write-flash", hex(offset), str(file))

    def verify(self, port: str, chip: str, regions: Mapping[int, Path]) -> Call:
        """Return the call that has the chip compare *regions*, offset and file, with its flash by their MD5."""
        pairs = [word for offset, file in sorted(regions.items()) for word in (hex(offset), str(file))]
        return self.call(port, chip, "verify-flash", *pairs)


def find(pio: Platformio) -> Esptool | None:
    """Find an esptool, or None: the first build for an ESP will bring one."""
    if find_spec("esptool"):
        return versioned((sys.executable, "-m", "esptool"))
    for name in ("esptool", "esptool.py"):
        if on_path := shutil.which(name):
            return versioned((on_path,))
    system = pio.system()
    brought = Path(system["core_dir"]) / "packages" / "tool-esptoolpy" / "esptool.py"
    return versioned((system["python_exe"], str(brought))) if brought.exists() else None


def versioned(command: tuple[str, ...]) -> Esptool:
    """Return the esptool that *command* starts; its major version decides how its commands are spelt."""
    if command[1:] == ("-m", "esptool"):
        from importlib.metadata import version

        return Esptool(command, is_old=int(version("esptool").split(".")[0]) < 5)
    said = quietly(Call((*command, "version"))).text
    found = re.search(r"(\d+)\.\d+", said)
    return Esptool(command, is_old=found is not None and int(found[1]) < 5)


def needed(found: Esptool | None) -> Esptool:
    if found is None:
        raise DeviceError("esptool is not installed", hint=INSTALL)
    return found


def chip_of(ended: Ended, asked: failures.Asked) -> Chip:
    """Return which chip answered `read-mac`.

    Raises:
        DeviceError: none did, and why.
    """
    mac, kind = MAC.search(ended.text), CHIP.search(ended.text)
    if ended.code != 0 or mac is None or kind is None:
        raise failures.explain("esptool", ended.text, asked)
    return Chip(re.sub(r"[^a-z0-9]", "", kind[1].lower()), mac[1])


def is_same(ended: Ended, asked: failures.Asked) -> bool:
    """Return what `verify` found out. That the flash differs is an answer; that the chip is silent is none."""
    if ended.code == 0:
        return True
    if re.search(r"(?i)digest mismatch|verif\w+ failed", ended.text):
        return False
    raise failures.explain("esptool", ended.text, asked)
