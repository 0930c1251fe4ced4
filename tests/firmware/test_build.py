"""The template through real PlatformIO and real esptool, into a chip's flash."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from iotauth_cli.device.formats import header
from support import require_peer
from support_chip import FakeChip, Faults
from support_firmware import TEMPLATE, flashed_program, run_flash, run_pio, upload
from support_logins import LOGIN
from support_workshop import CHIPS, NO_CREDENTIAL, Workshop

PASSWORD = LOGIN.password.reveal().encode()
UNTRACKED = ("include/secrets.h", ".pio/build/esp32/firmware.bin", ".vscode/c_cpp_properties.json")


@pytest.fixture
def board(workshop: Workshop) -> Workshop:
    """The workshop with a header that holds no credential."""
    workshop.write_header(NO_CREDENTIAL)
    return workshop


def compiled(said: str) -> set[str]:
    return {Path(line.split()[1]).name for line in said.splitlines() if line.startswith("Compiling ")}


def test_it_builds_as_it_stands(tmp_path: Path, pio_variables: dict[str, str]) -> None:
    """Fresh from the package, with no secrets.h at all: C++11 on these chips, and not one warning."""
    fresh = shutil.copytree(TEMPLATE, tmp_path / "fresh", ignore=shutil.ignore_patterns(".pio", "secrets.h"))
    ran = run_pio(Path(fresh), "-e", "esp32s3", "-e", "esp32c3", variables=pio_variables)
    assert ran.returncode == 0, ran.stdout
    assert "EMULATOR" not in ran.stdout


@pytest.mark.parametrize("name", sorted(CHIPS))
def test_without_a_credential_it_says_how_to_get_one(name: str, board: Workshop) -> None:
    """The placeholder, or an empty partition, names the command and connects nowhere."""
    with FakeChip(CHIPS[name]) as chip:
        upload(board.project, name, chip, board.variables)
        with run_flash(chip, speed=100) as device:
            device.wait_for("iotauth: no credential in this firmware", "`iotauth flash")
            assert not [line for line in device.lines if "mqtt:" in line or "wifi:" in line]


def test_another_devices_header_recompiles_one_file(board: Workshop) -> None:
    """A row of boards costs a row of links, and no object but that one holds a secret."""
    with FakeChip() as chip:
        board.flash(chip, "esp32", LOGIN)
        assert PASSWORD in flashed_program(chip)
        other = replace(LOGIN, client_id="kiln-2", username="kiln-2?x-amz-customauthorizer-name=iotauth")
        assert compiled(board.flash(chip, "esp32", other)) == {"credentials.cpp.o"}
        program = flashed_program(chip)
    assert b"kiln-2?x-amz" in program
    assert b"thermo-1?x-amz" not in program
    build = board.project / ".pio" / "build" / "esp32"
    holders = {path.name for path in build.rglob("*") if path.is_file() and PASSWORD in path.read_bytes()}
    assert holders == {"credentials.cpp.o", "firmware.elf", "firmware.bin"}


def test_a_build_that_trusts_an_emulator_says_so(board: Workshop) -> None:
    """The compiler's output carries it, so that such a build is noticed before it is flashed; AWS's does not."""
    said = []
    for is_emulator in (True, False):
        board.write_header(header.text(replace(LOGIN, is_emulator=is_emulator)))
        said.append(run_pio(board.project, "-e", "esp32", variables=board.variables).stdout)
    assert ["THIS FIRMWARE TRUSTS AN EMULATOR" in text for text in said] == [True, False]


@pytest.mark.parametrize(
    ("kind", "faults", "words"),
    [
        ("esp32", Faults(mute=True), "No serial data received"),
        ("esp8266", Faults(), "This chip is ESP8266, not ESP32"),
        ("esp32", Faults(cut_after=0x2000), "Lost connection"),
        ("esp32", Faults(bad_md5=True), "MD5 of file does not match"),
    ],
    ids=["mute", "another chip", "cut", "bad flash"],
)
def test_an_upload_that_fails_is_a_failure(kind: str, faults: Faults, words: str, board: Workshop) -> None:
    """PlatformIO ends with an error, and esptool's words come through it."""
    with FakeChip(kind, faults) as chip:
        arguments = ("-e", "esp32", "-t", "upload", "--upload-port", chip.port)
        ran = run_pio(board.project, *arguments, variables=board.variables)
    assert ran.returncode == 1
    assert words in ran.stdout


def test_git_sees_nothing_of_a_credential(tmp_path: Path) -> None:
    """In a project made of the template, secrets.h, builds and the editor's own files stay out; nothing else does."""
    git = [require_peer("git"), "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    shutil.copytree(TEMPLATE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".pio", "secrets.h"))
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "template"]):
        subprocess.run([*git, *command], check=True)
    for name in UNTRACKED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("secret")
    seen = subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True, text=True)
    assert seen.stdout == ""
    kept = subprocess.run([*git, "ls-files"], check=True, capture_output=True, text=True).stdout.split()
    assert ".vscode/extensions.json" in kept
    assert "include/placeholder.h" in kept
