"""esptool: which one, how its commands are spelt, and what its answers mean. The texts are its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.device import esptool
from iotauth_cli.device.child import Ended
from iotauth_cli.device.esptool import Chip, Esptool, chip_of, is_same
from iotauth_cli.device.failures import Asked
from iotauth_cli.errors import DeviceError

NEW = """esptool v5.6.0
Connected to ESP32-S3 on /dev/ttyACM0:
Chip type:          ESP32-S3 (QFN56) (revision v0.1)
MAC:                24:0a:c4:12:34:56
"""
OLD = """esptool.py v4.11.0
Serial port /dev/ttyUSB0
Connecting....
Detecting chip type... Unsupported detection protocol, switching and trying again...
Connecting....
Detecting chip type... ESP32
Chip is ESP32-D0WDQ6 (revision v1.0)
MAC: 24:0a:c4:12:34:57
"""
ASKED = Asked("esp32", "/dev/ttyUSB0")


class Pio:
    def __init__(self, core: Path) -> None:
        self.core = core

    def system(self) -> Mapping[str, str]:
        return {"core_dir": str(self.core), "python_exe": sys.executable}


@pytest.mark.parametrize(
    ("said", "chip"),
    [(NEW, Chip("esp32s3", "24:0a:c4:12:34:56")), (OLD, Chip("esp32", "24:0a:c4:12:34:57"))],
    ids=["5", "4"],
)
def test_chip_and_board_are_told_by_both_generations(said: str, chip: Chip) -> None:
    """Kind and MAC address, whatever the layout."""
    assert chip_of(Ended(0, tuple(said.splitlines()), 1.0), ASKED) == chip


def test_a_chip_that_does_not_answer_is_an_error() -> None:
    """Also where esptool itself ended well and named none."""
    for ended in (Ended(2, ("Failed to connect to ESP32: No serial data received.",), 1.0), Ended(0, (), 1.0)):
        with pytest.raises(DeviceError):
            chip_of(ended, ASKED)


def test_a_flash_that_differs_is_an_answer_and_a_mute_chip_is_none() -> None:
    """Both end with the same status; the words tell them apart, of both generations."""
    assert is_same(Ended(0, ("Verification successful (digest matched).",), 1.0), ASKED)
    assert not is_same(Ended(2, ("Verification failed (digest mismatch).",), 1.0), ASKED)
    assert not is_same(Ended(2, ("-- verify FAILED (digest mismatch)",), 1.0), ASKED)
    with pytest.raises(DeviceError, match="does not answer"):
        is_same(Ended(2, ("Failed to connect to ESP32: No serial data received.",), 1.0), ASKED)


def test_commands_are_spelt_as_the_generation_wants() -> None:
    """Before 5.0 with underscores; the regions in order, a chip that is not known left to be found out."""
    regions = {0x10000: Path("app"), 0x8000: Path("table")}
    assert Esptool(("e",)).verify("P", "esp32", regions).command == (
        *("e", "--chip", "esp32", "--port", "P", "verify-flash"),
        *("0x8000", "table", "0x10000", "app"),
    )
    written = Esptool(("e",), is_old=True).write("P", "", 0x3D0000, Path("creds"))
    assert written.command == ("e", "--chip", "auto", "--port", "P", "write_flash", "0x3d0000", "creds")


def test_the_one_that_platformio_brought_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither our environment nor the path has one; its version is asked for. None before the first build."""
    pio: Any = Pio(tmp_path)
    monkeypatch.setattr(esptool, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert esptool.find(pio) is None
    with pytest.raises(DeviceError, match="esptool is not installed"):
        esptool.needed(None)
    brought = tmp_path / "packages" / "tool-esptoolpy" / "esptool.py"
    brought.parent.mkdir(parents=True)
    brought.write_text("print('esptool.py v4.11.0\\n4.11.0')\n")
    found = esptool.find(pio)
    assert found == Esptool((sys.executable, str(brought)), is_old=True)
