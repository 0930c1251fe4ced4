"""Finding PlatformIO, and asking the real one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from iotauth_cli.bundle import firmware_template
from iotauth_cli.device import platformio
from iotauth_cli.device.child import Ended
from iotauth_cli.errors import DeviceError, InputError


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_it_is_looked_for_where_it_was_named_then_on_the_path_then_at_its_installer_s(tmp_path: Path) -> None:
    """Each place counts when those before it have none."""
    named, chosen = program(tmp_path / "named" / "pio"), program(tmp_path / "chosen" / "pio")
    on_path = program(tmp_path / "bin" / "platformio")
    installed = program(tmp_path / ".platformio" / "penv" / "bin" / "pio")
    environ = {"HOME": str(tmp_path), "PATH": str(on_path.parent), "IOTAUTH_PIO": str(chosen)}
    assert platformio.find(str(named), environ).command == (str(named),)
    assert platformio.find(None, environ).command == (str(chosen),)
    del environ["IOTAUTH_PIO"]
    assert platformio.find(None, environ).command == (str(on_path),)
    environ["PATH"] = "/nowhere"
    assert platformio.find(None, environ).command == (str(installed),)
    environ["HOME"] = str(tmp_path / "elsewhere")
    assert platformio.find(None, environ).command == (sys.executable, "-m", "platformio")


def test_without_one_the_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere at all, or not where it was named."""
    monkeypatch.setattr(platformio, "find_spec", lambda _name: None)
    environ = {"HOME": str(tmp_path), "PATH": ""}
    with pytest.raises(DeviceError, match="PlatformIO is not installed") as nowhere:
        platformio.find(None, environ)
    assert "pip install platformio" in (nowhere.value.hint or "")
    with pytest.raises(DeviceError, match="`/no/pio`, which --pio names as PlatformIO, is not there"):
        platformio.find("/no/pio", environ)


def test_the_template_s_boards_are_what_platformio_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real PlatformIO reads the project that iotauth brings."""
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    chips = {board.name: board.chip for board in platformio.find().boards(firmware_template())}
    assert chips["esp32"] == "esp32"
    assert chips["esp8266"] == "esp8266"


def test_a_folder_without_a_project_is_the_user_s_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file at all, and a broken file, which is named with its fault."""
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is no PlatformIO project"):
        platformio.find().boards(tmp_path / "empty")
    with pytest.raises(InputError, match="there is no folder"):
        platformio.find().boards(tmp_path / "nowhere")
    (tmp_path / "platformio.ini").write_text("[env:x\n")
    with pytest.raises(InputError, match=r"platformio\.ini` is broken: File contains no section headers"):
        platformio.find().boards(tmp_path)


def test_json_is_found_between_other_words() -> None:
    """A warning before the document does not hide it; no document at all is an error."""
    assert platformio.document(Ended(0, ("Warning! old", '[{"port": "x"}]'), 0.1)) == [{"port": "x"}]
    with pytest.raises(DeviceError, match="no JSON"):
        platformio.document(Ended(0, ("hello",), 0.1))
