"""What `boards` and `flash` say, and the question which board is meant."""

from __future__ import annotations

import io
import sys

import pytest

from iotauth_cli.cli import render_flash as render
from iotauth_cli.cli.output import Output
from iotauth_cli.device.boards import Board, SerialPort
from iotauth_cli.device.platformio import Platformio
from iotauth_cli.errors import DeviceError
from iotauth_cli.operations.boards import Found
from iotauth_cli.operations.flash import Did, Failed, Fleet, Line, Seen, Silence, Step, Written

WRITTEN = Written("kiln-1", "esp32", "/dev/ttyUSB0", "nvs", ("image", "credentials"), 64680, None, True, 4.0, 3.9)
BOARDS = (
    Board("esp32", "esp32dev", "espressif32", "esp32", nvs_environment="esp32nvs", is_default=True),
    Board("own", "x", "native", ""),
)
PORTS = (
    SerialPort("/dev/ttyUSB0", "CP2102 USB to UART", "10C4:EA60", "CP210x"),
    SerialPort("/dev/ttyUSB1", "USB Serial", "1A86:7523", "CH340"),
    SerialPort("/dev/ttyS0", ""),
)


def found(*ports: SerialPort) -> Found:
    return Found(BOARDS, ports, None, Platformio(("pio",), "PATH", {}))


def test_boards_and_ports_are_two_tables() -> None:
    """Names, chips and modes above; below where a board is likely, and by what."""
    assert render.boards(found(*PORTS), 80) == [
        "board  chip   PlatformIO's name  modes",
        "esp32  esp32  esp32dev           header, nvs",
        "own    -      x                  header",
        "",
        "port          board?  adapter  USB id     about",
        "/dev/ttyUSB0  likely  CP210x   10C4:EA60  CP2102 USB to UART",
        "/dev/ttyUSB1  likely  CH340    1A86:7523  USB Serial",
        "/dev/ttyS0    -       -        -          -",
    ]


def test_the_next_step_names_the_port_where_there_is_a_choice() -> None:
    """One likely port needs no name; without any, the cable is the thing to look at."""

    def command(words: str) -> str:
        return f"`iotauth {words}`"

    assert render.after_boards(found(PORTS[0]), command) == ["next: `iotauth flash --board esp32`"]
    assert render.after_boards(found(*PORTS), command) == ["next: `iotauth flash --board esp32 --port /dev/ttyUSB0`"]
    assert "no board was seen" in render.after_boards(found(PORTS[2]), command)[0]


def test_waiting_for_the_registry_is_told_and_what_it_is_for() -> None:
    """PlatformIO itself says nothing for a minute."""
    (line,) = render.event(Silence(10.0, "Platform Manager: Installing espressif32 @ ^6.9.0"))
    assert line.startswith("PlatformIO has waited 10 s for its registry")
    assert render.event(Silence(20.0, "Linking firmware.elf")) == ["still at it, nothing was said for 20 s"]


def test_what_tools_say_is_set_in_and_progress_passes() -> None:
    """Our own steps stand at the margin; empty lines of others are left out."""
    assert render.event(Step("building `esp32`")) == ["building `esp32` …"]
    assert render.event(Line("Linking")) == ["  Linking"]
    assert render.event(Line("  ")) == []
    assert render.event(Did("built")) == ["built"]
    assert render.passing(Line("50%", is_passing=True)) == "50%"
    failed = Failed("/dev/ttyUSB0", DeviceError("the chip does not answer", hint="hold BOOT"))
    assert render.event(failed) == [
        "board at `/dev/ttyUSB0` was not flashed: the chip does not answer",
        "hint: hold BOOT",
    ]


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (Seen(True, None, 3.2), "let in    after 3 s"),
        (Seen(False, "wrong-password", 60), "let in    no: the authorizer refused it: wrong-password"),
        (Seen(False, None, 60), "let in    no: it did not come in 60 s; hear what it says with `--monitor`"),
    ],
)
def test_the_summary_says_what_where_and_how_long(seen: Seen, line: str) -> None:
    """And whether the device came in, where that was waited for."""
    assert render.written(WRITTEN, seen) == [
        "flashed   client `kiln-1` to `esp32` at `/dev/ttyUSB0`",
        "wrote     image and credentials; the image has 64680 bytes",
        "verified  the flash holds what was written",
        "took      4.0 s, 0.1 s of it outside PlatformIO and esptool",
        line,
    ]


def test_a_row_names_who_has_no_board_yet() -> None:
    """The rest of the list, and that the same command goes on."""
    ended = Fleet((WRITTEN,), 2, ("kiln-4",), ())
    assert render.fleet(ended) == ["1 board flashed now, 2 before", "no board yet: kiln-4"]
    assert render.after_fleet(ended) == ["plug in the next boards and run the same command again"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "chosen"), [("2\n", 1), ("3\n", None), ("x\n", None), ("", None), ("0\n", None)])
def test_a_choice_is_a_number_of_the_list(
    typed: str, chosen: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything else is no answer; the question goes to stderr."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert Output().choose("which board?", ["/dev/ttyUSB0", "/dev/ttyUSB1"]) == chosen
    said = capsys.readouterr()
    assert said.err.splitlines()[:3] == ["which board?", "  1  /dev/ttyUSB0", "  2  /dev/ttyUSB1"]
    assert said.out == ""


def test_nobody_is_asked_where_nobody_sits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, or `--no-input`."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\n"))
    assert Output().choose("which?", ["a", "b"]) is None
    monkeypatch.setattr(sys, "stdin", Terminal("1\n"))
    assert Output(may_ask=False).choose("which?", ["a", "b"]) is None
