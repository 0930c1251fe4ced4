"""The fake chip, asked by the real esptool."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support_chip import MODELS, FakeChip, Faults
from support_firmware import IMPATIENT

IMAGE = bytes(range(256)) * 160  # 40 KiB, with every byte that SLIP escapes
KINDS = sorted(MODELS)


@pytest.fixture(autouse=True)
def impatience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "esptool.cfg").write_text(IMPATIENT)
    monkeypatch.setenv("ESPTOOL_CFGFILE", str(tmp_path / "esptool.cfg"))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(IMAGE)
    return path


def esptool(chip: FakeChip, *arguments: str, kind: str | None = None, stub: bool = True) -> tuple[int, str]:
    """Run esptool on *chip* and return its exit code and everything it said."""
    command = [sys.executable, "-m", "esptool", "--chip", kind or chip.kind, "--port", chip.port]
    resets = ["--before", "no-reset", "--after", "no-reset"]
    ran = subprocess.run(
        [*command, *resets, *([] if stub else ["--no-stub"]), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return ran.returncode, ran.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_esptool_tells_which_chip_and_flash_it_is(kind: str) -> None:
    """Kind, MAC and size of the flash arrive as they were set."""
    with FakeChip(kind, mac="24:6f:28:aa:bb:cc") as chip:
        code, said = esptool(chip, "flash-id", kind="auto")
    assert code == 0, said
    assert f"Connected to {kind.upper()}" in said
    assert "24:6f:28:aa:bb:cc" in said
    assert "Detected flash size: 4MB" in said


@pytest.mark.parametrize("stub", [True, False], ids=["stub", "rom"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_stays(kind: str, stub: bool, image: Path) -> None:
    """An image lies in flash byte for byte, esptool's own check of it passes, and beside it nothing changed."""
    with FakeChip(kind) as chip:
        code, said = esptool(chip, "write-flash", "0x10000", str(image), stub=stub)
    assert code == 0, said
    rom_has_no_digest = kind == "esp8266" and not stub
    assert rom_has_no_digest or "Hash of data verified" in said
    assert chip.flash[0x10000 : 0x10000 + len(IMAGE)] == IMAGE
    assert set(chip.flash[:0x10000]) == {0xFF}
    assert [offset for offset, _ in chip.writes] == [0x10000]


@pytest.mark.parametrize("kind", KINDS)
def test_flash_is_read_back_and_verified(kind: str, image: Path, tmp_path: Path) -> None:
    """`read-flash` gives what lies there; `verify-flash` agrees, and disagrees once a byte has changed."""
    read = tmp_path / "read.bin"
    with FakeChip(kind) as chip:
        chip.flash[0x3000 : 0x3000 + len(IMAGE)] = IMAGE
        code, said = esptool(chip, "read-flash", "0x3000", str(len(IMAGE)), str(read))
        assert code == 0, said
        assert read.read_bytes() == IMAGE
        assert esptool(chip, "verify-flash", "0x3000", str(image))[0] == 0
        chip.flash[0x3001] ^= 1
        assert esptool(chip, "verify-flash", "0x3000", str(image))[0] != 0


def test_erasing_leaves_ones(image: Path) -> None:
    """`erase-region` empties what it is told to, and `erase-flash` everything."""
    with FakeChip() as chip:
        chip.flash[0:0x3000] = bytes(0x3000)
        assert esptool(chip, "erase-region", "0x1000", "0x1000")[0] == 0
        assert (chip.flash[0x0FFF], chip.flash[0x1000], chip.flash[0x1FFF], chip.flash[0x2000]) == (0, 255, 255, 0)
        assert esptool(chip, "erase-flash")[0] == 0
        assert set(chip.flash) == {0xFF}


def test_a_mute_chip_is_given_up(image: Path) -> None:
    """Nobody answers: esptool says so, in the words that are explained to the user."""
    with FakeChip(faults=Faults(mute=True)) as chip:
        code, said = esptool(chip, "write-flash", "0x0", str(image))
    assert code != 0
    assert "No serial data received" in said


def test_another_chip_than_asked_for_is_refused(image: Path) -> None:
    """An ESP8266 is not written with an ESP32's image."""
    with FakeChip("esp8266") as chip:
        code, said = esptool(chip, "write-flash", "0x0", str(image), kind="esp32")
    assert code != 0
    assert "This chip is ESP8266, not ESP32" in said
    assert not chip.writes


def test_a_cable_pulled_in_mid_write_is_an_error(image: Path) -> None:
    """Half an image is not reported as a whole one."""
    with FakeChip(faults=Faults(cut_after=0x4000)) as chip:
        code, said = esptool(chip, "write-flash", "--no-compress", "0x0", str(image))
    assert code != 0, said
    assert chip.flash[: len(IMAGE)] != IMAGE


def test_flash_that_does_not_keep_what_was_sent_is_an_error(image: Path) -> None:
    """esptool compares digests, so bad flash is told from good."""
    with FakeChip(faults=Faults(bad_md5=True)) as chip:
        code, said = esptool(chip, "write-flash", "0x0", str(image))
    assert code != 0
    assert "MD5 of file does not match data in flash" in said
