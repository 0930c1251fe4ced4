"""Ports and boards out of PlatformIO's own JSON."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.device.boards import Board, adapter, boards, chip_of, ports

LISTED = [
    {"port": "/dev/ttyS0", "description": "n/a", "hwid": "n/a"},
    {
        "port": "/dev/ttyUSB0",
        "description": "CP2102 USB to UART Bridge Controller",
        "hwid": "USB VID:PID=10C4:EA60 SER=0001 LOCATION=1-1",
    },
    {"port": "/dev/ttyACM0", "description": "USB JTAG/serial debug unit", "hwid": "USB VID:PID=303a:1001 SER=F4:12"},
    {"port": "/dev/ttyUSB7", "description": "GPS", "hwid": "USB VID:PID=1546:01A8"},
]
CONFIG: list[list[Any]] = [
    ["platformio", [["default_envs", ["esp32"]]]],
    ["env", [["framework", ["arduino"]]]],
    ["env:esp32", [["platform", "espressif32@^6.9.0"], ["board", "esp32dev"]]],
    [
        "env:esp32nvs",
        [
            ["platform", "espressif32"],
            ["board", "esp32dev"],
            ["build_flags", ["-DIOTAUTH_CREDENTIALS_NVS"]],
            ["board_build.partitions", "partitions.csv"],
        ],
    ],
    ["env:esp8266", [["platform", "espressif8266@^4.2.1"], ["board", "nodemcuv2"]]],
]


def test_ports_where_a_board_may_be_come_first_and_are_named() -> None:
    """USB ids tell what sits there; a port without one, or with a stranger's, is only listed."""
    found = ports(LISTED)
    assert [(port.port, port.adapter, port.is_likely) for port in found] == [
        ("/dev/ttyACM0", "Espressif USB", True),
        ("/dev/ttyUSB0", "CP210x", True),
        ("/dev/ttyS0", None, False),
        ("/dev/ttyUSB7", None, False),
    ]
    assert (found[1].usb, found[1].serial_number) == ("10C4:EA60", "0001")
    assert found[2].description == ""


@pytest.mark.parametrize(
    ("usb", "name"),
    [
        ("1A86:7523", "CH340"),
        ("1A86:55D4", "CH9102"),
        ("0403:6001", "FTDI FT232"),
        ("303A:8001", "Espressif USB"),
        ("DEAD:BEEF", None),
    ],
)
def test_usb_ids_have_names(usb: str, name: str | None) -> None:
    """The adapters that boards come with are known; every product of Espressif's counts."""
    assert adapter(usb) == name


def test_environments_are_boards_with_the_modes_that_the_project_offers() -> None:
    """`esp32nvs` makes `esp32` able to take its credentials in a partition; `esp8266` has no such sister."""
    found = {board.name: board for board in boards(CONFIG)}
    assert found["esp32"] == Board(
        "esp32", "esp32dev", "espressif32@^6.9.0", "esp32", nvs_environment="esp32nvs", is_default=True
    )
    assert found["esp32"].modes == ("header", "nvs")
    assert found["esp32nvs"].modes == ("nvs",)
    assert found["esp32nvs"].partitions == "partitions.csv"
    assert found["esp8266"].modes == ("header",)


@pytest.mark.parametrize(
    ("options", "chip"),
    [
        ({"platform": "espressif32", "board": "esp32-s3-devkitc-1"}, "esp32s3"),
        ({"platform": "espressif32", "board": "lolin_c3_mini"}, "esp32"),
        ({"platform": "espressif32", "board": "own", "board_build.mcu": "esp32c3"}, "esp32c3"),
        ({"platform": "espressif8266@4", "board": "d1_mini"}, "esp8266"),
        ({"platform": "native"}, ""),
    ],
)
def test_the_chip_is_read_from_what_the_environment_says(options: dict[str, str], chip: str) -> None:
    """The board's own setting, its name, then the platform; nothing where nothing tells."""
    assert chip_of("bench", options) == chip
