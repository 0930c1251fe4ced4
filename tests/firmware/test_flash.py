"""`iotauth flash`, typed: real PlatformIO, real esptool, a fake chip; and nothing left behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from support_chip import FakeChip, Faults
from support_firmware import core_directory, environment, flashed_program, libdeps, require_rig, run_flash
from support_flash import PROGRAM, FlashBench, write_project
from support_shell import Shell

SMALL = ("--project", "small", "--board", "small32")
NVS = ("--board", "esp32", "--mode", "nvs")
CREDENTIALS = slice(0x3D0000, 0x3D6000)  # of the flash; firmware_template/partitions.csv
WIFI_PASSWORD = "a-network-pass-phrase"


@pytest.fixture(scope="module")
def flash_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlashBench]:
    """An emulator with three clients, and PlatformIO with everything it would ask its registry for."""
    require_rig()
    root = tmp_path_factory.mktemp("flash")
    (root / "work").mkdir()
    (root / "esptool.cfg").write_text("[esptool]\nconnect_attempts = 1\n")
    variables = environment(core_directory(root / "core"), libdeps(root / "libdeps"))
    extra = {**variables, "IOTAUTH_EMULATOR": "1", "ESPTOOL_CFGFILE": str(root / "esptool.cfg")}
    shell = Shell(cwd=root / "work", home=root, extra=extra)
    shell.start_emulator()
    try:
        shell.run("authorizer", "create")
        found = FlashBench(shell)
        found.add("kiln-1", "kiln-2", "my-kiln-1")
        write_project(shell.cwd / "small")
        yield found
    finally:
        shell.stop_emulator()


@pytest.fixture
def secrets(flash_bench: FlashBench) -> list[bytes]:
    """Every password there is: afterwards none of them may lie anywhere but in the store."""
    return [flash_bench.password(client) for client in ("kiln-1", "kiln-2", "my-kiln-1")] + [WIFI_PASSWORD.encode()]


ROWS = [("esp32", ("--board", "esp32")), ("esp8266", ("--project", "small", "--board", "small8266"))]


@pytest.mark.parametrize(("kind", "board"), ROWS, ids=["esp32", "esp8266"])
def test_boards_in_a_row_get_their_own_credential_and_leave_none_behind(
    kind: str, board: tuple[str, ...], flash_bench: FlashBench, secrets: list[bytes]
) -> None:
    """The second image has the second password and not the first; the Wi-Fi password was never on a command line."""
    with FakeChip(kind) as chip:
        for own, other in (("my-kiln-1", "kiln-1"), ("kiln-1", "my-kiln-1")):
            ran = flash_bench.flash(
                chip,
                *(*board, "--verify", own, "--wifi-password-stdin"),
                stdin=WIFI_PASSWORD + "\n",
            )
            program = flashed_program(chip)
            assert flash_bench.password(own) in program
            assert flash_bench.password(other) not in program
            assert WIFI_PASSWORD.encode() in program
            assert f"flashed   client `{own}` to `{board[-1]}` at `{chip.port}`" in ran.out
            assert "verified  the flash holds what was written" in ran.out
            assert not any(secret.decode() in ran.text for secret in secrets)
    assert flash_bench.holders(*secrets) == []


def test_it_waits_until_the_device_was_let_in_and_shows_what_it_says(flash_bench: FlashBench) -> None:
    """What was flashed runs, joins, connects through the authorizer; `--wait` sees it in the function's log.

    Then `--monitor`: the board's own words, a meaning where there is one, no noise and no password.
    """
    endpoint = json.loads(flash_bench.shell.run("emulator", "status", "--json").out)["data_endpoint"]
    password = flash_bench.password("kiln-2").decode()
    arguments = ("flash", "--board", "esp32", "kiln-2", "--wait", "--monitor", "--wifi-ssid", "workshop", "--port")
    with FakeChip() as chip, flash_bench.running(*arguments, chip.port) as running:
        running.wait_for("waiting for client `kiln-2` to connect")
        with run_flash(chip, connect_to=("127.0.0.1", endpoint["port"]), speed=20) as device:
            device.wait_for("mqtt: connected as `kiln-2`")
            running.wait_for("let in   after ")
        running.wait_for("listening to")
        chip.say(b"\xff\xfe\xfd\xfc\x00\x01\x02\r\nBrownout detector was triggered\r\n")
        chip.say(f"wifi: joined, address 10.0.0.2\r\nleak {password}\r\n".encode())
        running.wait_for("leak")
        running.process.send_signal(signal.SIGINT)
        assert running.end() == 0
    assert "  ^ the supply voltage broke down: use a better cable or supply; Wi-Fi takes 500 mA" in running.lines
    assert "wifi: joined, address 10.0.0.2" in running.lines
    assert "leak ••••" in running.lines


# --- what a person gets wrong --------------------------------------------------------------------


def test_a_wrong_chip_is_found_before_anything_is_built(flash_bench: FlashBench) -> None:
    """The ESP8266 that is plugged in is named beside the ESP32 that was meant."""
    with FakeChip("esp8266") as chip:
        ran = flash_bench.flash(chip, "--board", "esp32", "kiln-1", check=False)
        assert chip.writes == []
    assert ran.code == 3
    assert f"error: the chip on `{chip.port}` is an ESP8266, and board `esp32` has an ESP32" in ran.err
    assert "building" not in ran.err


def test_a_mute_port_names_the_boot_button(flash_bench: FlashBench) -> None:
    """A chip that says nothing may wait for a button."""
    with FakeChip(faults=Faults(mute=True)) as chip:
        ran = flash_bench.flash(chip, "--board", "esp32", "kiln-1", check=False)
    assert ran.code == 3
    assert f"error: the chip on `{chip.port}` does not answer" in ran.err
    assert "hold BOOT" in ran.err


def test_a_cable_that_is_pulled_in_mid_write_is_no_success(flash_bench: FlashBench, secrets: list[bytes]) -> None:
    """The sentence says that it broke off and that the same command mends it; no secret stays."""
    with FakeChip(faults=Faults(cut_after=500)) as chip:
        ran = flash_bench.flash(chip, "kiln-1", *SMALL, check=False)
    assert ran.code == 3
    assert "broke off while it was being written" in ran.err
    assert flash_bench.holders(*secrets) == []


def test_a_port_that_is_not_there_or_in_use_is_found_before_anything_is_built(flash_bench: FlashBench) -> None:
    """Missing, held by a monitor, and no serial port at all."""
    with FakeChip() as chip, open(chip.port, "rb") as monitor:
        fcntl.flock(monitor, fcntl.LOCK_EX)
        busy = flash_bench.flash(chip, "--board", "esp32", "kiln-1", check=False)
    missing = flash_bench.shell.run("flash", "kiln-1", "--port", "/dev/ttyNOPE", "--wifi-ssid", "x", check=False)
    file = flash_bench.shell.run("flash", "kiln-1", "--port", __file__, "--wifi-ssid", "x", check=False)
    assert f"error: `{chip.port}` is in use by another program" in busy.err
    assert "error: there is no port `/dev/ttyNOPE`" in missing.err
    assert f"error: `{__file__}` is no serial port" in file.err
    assert {busy.code, missing.code, file.code} == {3}
    assert "building" not in busy.err + missing.err + file.err


# --- nothing is left -----------------------------------------------------------------------------

MOMENTS = {"before the build": "building `", "in the build": "Compiling", "in the upload": "Configuring upload"}


@pytest.mark.parametrize(
    ("moment", "project"),
    [*((moment, SMALL) for moment in MOMENTS), ("in the build", ("--board", "esp32"))],
    ids=[*MOMENTS, "in the build of iotauth's firmware"],
)
def test_ctrl_c_leaves_no_secret_behind(
    moment: str, project: tuple[str, ...], flash_bench: FlashBench, secrets: list[bytes]
) -> None:
    """At any moment: exit code 130, no file with a secret, the placeholder back, nothing of it still running."""
    with FakeChip() as chip, flash_bench.running(*command(chip, *project)) as running:
        running.wait_for("building `")
        chip._faults = replace(chip._faults, mute=True)  # else the upload would be over too soon
        running.wait_for(MOMENTS[moment])
        running.process.send_signal(signal.SIGINT)
        assert running.end() == 130
    assert flash_bench.holders(*secrets) == []
    assert list(flash_bench.firmware.glob("*/pending.json")) == []
    if project == SMALL:  # which has none of its own
        assert not (flash_bench.shell.cwd / "small" / "include" / "secrets.h").exists()
    else:
        placeholder = flash_bench.firmware / "template" / "project" / "include" / "secrets.h"
        assert "placeholder" in placeholder.read_text()


def command(chip: FakeChip, *more: str) -> tuple[str, ...]:
    return ("flash", "kiln-1", "--wifi-ssid", "workshop", "--port", chip.port, *more)


def test_sigterm_ends_it_as_well(flash_bench: FlashBench, secrets: list[bytes]) -> None:
    """What a service manager or a closed terminal sends is no way to leave a secret either."""
    with FakeChip() as chip, flash_bench.running(*command(chip, *SMALL)) as running:
        running.wait_for("Compiling")
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 128 + signal.SIGTERM
    assert flash_bench.holders(*secrets) == []


def test_what_kill_9_leaves_is_cleared_by_the_next_run(flash_bench: FlashBench, secrets: list[bytes]) -> None:
    """Even one that flashes nothing; and while PlatformIO still builds for the dead one, nobody else begins."""
    with FakeChip() as chip:
        with flash_bench.running(*command(chip, *SMALL)) as running:
            running.wait_for("Compiling")
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait()
        assert flash_bench.holders(*secrets), "this test looks for something that is there"
        for _ in range(50):
            ran = flash_bench.flash(chip, "kiln-2", "--dry-run", *SMALL, check=False)
            if ran.code == 0:
                break
            assert "another `iotauth flash` is at work in this project, or what it started still is" in ran.err
            time.sleep(0.05)
    assert ran.code == 0
    assert flash_bench.holders(*secrets) == []


# --- a project of one's own ----------------------------------------------------------------------


def test_a_build_cache_gets_no_credential(flash_bench: FlashBench, secrets: list[bytes]) -> None:
    """PlatformIO can keep a copy of whatever it builds in a folder for all projects: not of this."""
    cache = flash_bench.shell.home / "cache"
    extra = {**flash_bench.shell.extra, "PLATFORMIO_BUILD_CACHE_DIR": str(cache)}
    cached = FlashBench(replace(flash_bench.shell, extra=extra))
    with FakeChip() as chip:
        cached.flash(chip, "kiln-1", *SMALL)
        assert flash_bench.password("kiln-1") in flashed_program(chip)
    assert flash_bench.holders(*secrets) == []


def test_a_project_of_one_s_own_gets_its_secrets_h_back(flash_bench: FlashBench, secrets: list[bytes]) -> None:
    """Byte for byte and with its mode; its own `.pio` is not used, and the credential is not left in it."""
    project = write_project(flash_bench.shell.cwd / "own")
    header = project / "include" / "secrets.h"
    header.write_text("// mine\n")
    header.chmod(0o640)
    with FakeChip() as chip:
        flash_bench.flash(chip, "--board", "small32", "kiln-1", "--project", "own")
        assert flash_bench.password("kiln-1") in flashed_program(chip)
    assert header.read_text() == "// mine\n"
    assert header.stat().st_mode & 0o777 == 0o640
    assert not (project / ".pio" / "build").exists()
    assert flash_bench.holders(*secrets) == []


def test_an_image_with_another_s_credential_is_not_written(flash_bench: FlashBench) -> None:
    """A project that has somebody's password in a file of its own is found out by the bytes, before the upload."""
    other = flash_bench.password("kiln-2").decode()
    project = write_project(flash_bench.shell.cwd / "leaking")
    leaking = PROGRAM.replace("MQTT_PASSWORD}", f'MQTT_PASSWORD, "{other}"}}').replace("% 3", "% 4")
    (project / "src" / "main.cpp").write_text(leaking)
    with FakeChip() as chip:
        ran = flash_bench.flash(chip, "--board", "small32", "kiln-1", "--project", "leaking", check=False)
        assert chip.writes == []
    (project / "src" / "main.cpp").unlink()
    assert ran.code == 3
    assert "the image holds the credential of client `kiln-2`, so it was not written to the board" in ran.err
    assert other not in ran.text


# --- the client in the same go -------------------------------------------------------------------


def test_a_new_client_and_a_new_secret_in_one_go(flash_bench: FlashBench) -> None:
    """`--new` adds and flashes; `--rotate` flashes another password, and the old one still counts."""
    with FakeChip() as chip:
        ran = flash_bench.flash(chip, "kiln-9", *NVS, "--new", "--topic", "bench/kiln-9")
        assert "added client `kiln-9`" in ran.err
        first = flash_bench.password("kiln-9")
        assert first in bytes(chip.flash[CREDENTIALS])
        flash_bench.flash(chip, "kiln-9", *NVS, "--rotate")
        second = flash_bench.password("kiln-9")
        partition = bytes(chip.flash[CREDENTIALS])
        again = flash_bench.flash(chip, "kiln-9", *NVS, "--rotate", check=False)
    assert second != first
    assert second in partition
    assert first not in partition
    assert flash_bench.holders(first, second) == []
    assert "the last secret of client `kiln-9` has not been seen yet" in again.err
    shown = json.loads(flash_bench.shell.run("client", "show", "kiln-9", "--json").out)
    assert {slot["state"] for slot in shown["secrets"].values()} == {"pending", "retiring"}
    flash_bench.shell.run("client", "remove", "kiln-9", "--yes")


# --- beside the program, and a row of boards -----------------------------------------------------


def test_the_next_device_costs_a_partition_and_no_build(flash_bench: FlashBench, secrets: list[bytes]) -> None:
    """The program is built and written once and holds nobody's credential; then 24 KiB for each device."""
    with FakeChip() as chip:
        first = flash_bench.flash(chip, *NVS, "--verify", "kiln-1")
        assert "image and credentials" in first.out
        assert flash_bench.password("kiln-1") in bytes(chip.flash[CREDENTIALS])
        program = flashed_program(chip)
        assert not any(secret in program for secret in secrets)
        chip.writes.clear()
        second = flash_bench.flash(chip, *NVS, "kiln-2", "--json")
        assert chip.writes == [(0x3D0000, 0x6000)]
        partition = bytes(chip.flash[CREDENTIALS])
    assert flash_bench.password("kiln-2") in partition
    assert flash_bench.password("kiln-1") not in partition
    assert json.loads(second.out)["wrote"] == ["credentials"]
    assert "is built already" in second.err
    assert flash_bench.holders(*secrets) == []


def test_a_row_that_is_killed_goes_on_where_it_was(flash_bench: FlashBench, secrets: list[bytes]) -> None:
    """Killed after it began a board: that board gets the same client again, and the one before is left alone."""
    clients = ("kiln-1", "kiln-2")
    (flash_bench.shell.cwd / "bench.csv").write_text("client_id\n" + "\n".join(clients) + "\n")
    macs = [f"24:0a:c4:12:34:{number:02x}" for number in (1, 2)]
    with FakeChip(mac=macs[0]) as one, FakeChip(mac=macs[1]) as two:
        ports = [word for chip in (one, two) for word in ("--port", chip.port)]
        row = ("flash", *NVS, "--fleet", "bench.csv", "--wifi-ssid", "workshop", *ports)
        with flash_bench.running(*row) as running:
            running.wait_for(f"board {macs[1]} at `{two.port}` gets client `kiln-2`")
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait()
        for _ in range(50):
            resumed = flash_bench.shell.run(*row, "--json", check=False)
            if "is at work in this project" not in resumed.text:
                break
            time.sleep(0.05)
        assert resumed.code == 0, resumed.text
        for chip, own in zip((one, two), clients, strict=True):
            partition = bytes(chip.flash[CREDENTIALS])
            assert [name for name in clients if flash_bench.password(name) in partition] == [own]
    document = json.loads(resumed.out)
    assert [(each["client"], each["mac"]) for each in document["flashed"]] == list(zip(clients, macs, strict=True))[1:]
    assert (document["before"], document["left"]) == (1, [])
    assert flash_bench.holders(*secrets) == []


def test_a_row_without_enough_boards_says_who_has_none(flash_bench: FlashBench) -> None:
    """Nobody is there to plug in another: exit code 1, and the names; a client without a credential is named first."""
    with FakeChip(mac="24:0a:c4:12:34:09") as chip:
        unknown = flash_bench.flash(chip, *NVS, "kiln-1", "kiln-7", check=False)
        assert chip.commands == []
        ran = flash_bench.flash(chip, *NVS, "kiln-1", "kiln-2", "--again", check=False)
    assert unknown.code == 2
    assert "no credential of client `kiln-7` is kept" in unknown.err
    assert ran.code == 1
    assert "no board yet: kiln-1, kiln-2" in ran.out
