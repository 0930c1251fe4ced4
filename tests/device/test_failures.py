"""What the tools print when they fail, and the sentence that it becomes. The texts are their own."""

from __future__ import annotations

import pytest

from iotauth_cli.device.failures import TABLE, Asked, explain
from iotauth_cli.errors import DeviceError, InputError

ASKED = Asked(board="esp32", port="/dev/ttyUSB0", project="`bench`")
COULD_NOT_OPEN = "ERROR: A fatal error occurred: Could not open /dev/ttyUSB0, the port is busy or doesn't exist.\n"

SAID = {
    "environment": "UnknownEnvNamesError: Unknown environment names 'esp23'. Valid names are 'esp32, esp8266'",
    "project": "NotPlatformIOProjectError: Not a PlatformIO project. `platformio.ini` file has not been found",
    "broken project": "InvalidProjectConfError: Invalid '/x/platformio.ini' (project configuration file): "
    "'File contains no section headers.\nfile: '/x/platformio.ini', line: 1",
    "wrong chip, esptool 5": "A fatal error occurred: This chip is ESP8266, not ESP32. Wrong chip argument?",
    "wrong chip, esptool 4": "A fatal error occurred: This chip is ESP32-S3 not ESP32. Wrong --chip argument?",
    "permission": COULD_NOT_OPEN + "([Errno 13] could not open port /dev/ttyUSB0: [Errno 13] Permission denied)",
    "busy": COULD_NOT_OPEN + "([Errno 16] could not open port /dev/ttyUSB0: [Errno 16] Device or resource busy)",
    "locked": "[Errno 11] Could not exclusively lock port /dev/ttyUSB0: [Errno 11] Resource temporarily unavailable",
    "no port": COULD_NOT_OPEN + "([Errno 2] could not open port /dev/ttyUSB0: [Errno 2] No such file or directory)",
    "no serial port": COULD_NOT_OPEN + "(Could not configure port: (25, 'Inappropriate ioctl for device'))",
    "busy or not there": COULD_NOT_OPEN,
    "no port found": "Error: Please specify `upload_port` for environment or use global `--upload-port` option.",
    "mute": "A fatal error occurred: Failed to connect to Espressif device: No serial data received.",
    "wrong boot mode": "A fatal error occurred: Failed to connect to ESP32: Wrong boot mode detected (0x13)!",
    "cut": "serial.serialutil.SerialException: write failed: [Errno 5] Input/output error",
    "cut, and gone when it was tried again": "Lost connection, retrying...\nWaiting for the chip to reconnect.\n"
    "ERROR: A serial exception error occurred: [Errno 2] could not open port /dev/pts/1: [Errno 2] No such file",
    "stopped": "A fatal error occurred: The chip stopped responding.",
    "bad md5": "A fatal error occurred: MD5 of file does not match data in flash!",
    "differs": "Verification failed (digest mismatch).",
    "too big": "Error: The program size (1310721 bytes) is greater than maximum allowed (1310720 bytes)",
    "overflow": "ld: firmware.elf section `.irom0.text' will not fit in region `irom0_0_seg'",
    "no secrets": 'src/credentials.cpp:5:2: error: #error "include/secrets.h is missing: run"',
    "registry": "Platform Manager: Installing espressif32 @ ^6.9.0\nHTTPClientError: ",
    "package": "UnknownPackageError: Could not find the package with 'espressif32 @ ^99' requirements for your system",
    "broken install": "/usr/bin/python3: No module named platformio",
    "no esptool": "/usr/bin/python3: No module named esptool",
    "compile": "src/main.cpp:12:3: error: 'foo' was not declared in this scope\n*** [main.o] Error 1",
}

SENTENCES = {
    "environment": "there is no board `esp23` in `bench`",
    "project": "`bench` is no PlatformIO project: it has no `platformio.ini`",
    "broken project": "`/x/platformio.ini` is broken: File contains no section headers.",
    "wrong chip, esptool 5": "the chip on `/dev/ttyUSB0` is an ESP8266, and board `esp32` has an ESP32",
    "wrong chip, esptool 4": "the chip on `/dev/ttyUSB0` is an ESP32-S3, and board `esp32` has an ESP32",
    "permission": "you may not open `/dev/ttyUSB0`",
    "busy": "`/dev/ttyUSB0` is in use by another program",
    "locked": "`/dev/ttyUSB0` is in use by another program",
    "no port": "there is no port `/dev/ttyUSB0`",
    "no serial port": "`/dev/ttyUSB0` is no serial port",
    "busy or not there": "`/dev/ttyUSB0` is in use by another program, or is not there",
    "no port found": "PlatformIO found no port with a board on it",
    "mute": "the chip on `/dev/ttyUSB0` does not answer",
    "wrong boot mode": "the chip on `/dev/ttyUSB0` does not answer",
    "cut": "the connection to the chip on `/dev/ttyUSB0` broke off while it was being written",
    "cut, and gone when it was tried again": "the connection to the chip on `/dev/ttyUSB0` broke off while it was "
    "being written",
    "stopped": "the connection to the chip on `/dev/ttyUSB0` broke off while it was being written",
    "bad md5": "the chip on `/dev/ttyUSB0` does not hold what was written",
    "differs": "the chip on `/dev/ttyUSB0` does not hold what was written",
    "too big": "the firmware is too big for board `esp32`",
    "overflow": "the firmware is too big for board `esp32`",
    "no secrets": "`bench` builds without `include/secrets.h`",
    "registry": "PlatformIO could not reach its registry, from which a first build takes platform, compiler and "
    "libraries",
    "package": "PlatformIO knows no package `espressif32 @ ^99`",
    "broken install": "PlatformIO is not whole: Python finds no module `platformio`",
    "no esptool": "esptool is not installed",
    "compile": "the firmware does not compile: src/main.cpp:12: 'foo' was not declared in this scope",
}


@pytest.mark.parametrize("case", SAID)
def test_a_failure_becomes_a_sentence_with_a_hint(case: str) -> None:
    """Each text that a tool printed is explained by the row that is meant, with the names that were asked for."""
    problem = explain("PlatformIO", SAID[case], ASKED)
    assert problem.message == SENTENCES[case]
    assert problem.hint


def test_every_row_of_the_table_is_met_by_a_text() -> None:
    """A row that nothing reaches would be a guess; each is the answer to one of the texts."""
    said = {explain("PlatformIO", text, ASKED).hint for text in SAID.values()}
    for row in TABLE:
        assert any(hint and row.hint[:20].split("{")[0] in hint for hint in said), row


def test_what_was_typed_wrong_is_bad_input_and_a_board_is_the_outside_world() -> None:
    """An unknown board exits with 2, a chip that does not answer with 3."""
    assert isinstance(explain("PlatformIO", SAID["environment"], ASKED), InputError)
    assert isinstance(explain("esptool", SAID["mute"], ASKED), DeviceError)
    assert (InputError.exit_code, DeviceError.exit_code) == (2, 3)


def test_what_nobody_knows_is_told_in_the_tool_s_own_words() -> None:
    """The last line that sounds like an error is repeated; silence is called silence."""
    unknown = explain("esptool", "one\nSomethingError: the moon is full\nlater", ASKED)
    assert unknown.message == "esptool failed: SomethingError: the moon is full"
    assert explain("esptool", "", ASKED).message == "esptool failed: it said nothing"
