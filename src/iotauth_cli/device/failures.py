"""What PlatformIO, esptool and the compiler say when they fail, in words that help.

All of them end with a status that says nothing, so the text is what there is to go by. Each row is a pattern
of what one of them really printed, a sentence and a hint; the first row that is found counts. The groups of a
pattern fill `{0}`, `{1}` …; `{port}`, `{bare_port}`, `{board}` and `{project}` are what was asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from iotauth_cli.errors import DeviceError, InputError, IotauthError

WRONG_INPUT = frozenset({"environment", "project"})


class Row(NamedTuple):
    name: str
    pattern: str
    sentence: str
    hint: str


@dataclass(frozen=True)
class Asked:
    """What was to be done, for the sentence. None where it does not matter."""

    board: str | None = None
    port: str | None = None
    project: str | None = None
    is_live: bool = False  # what the tool said was shown as it said it

    def words(self) -> dict[str, str]:
        return {
            "board": self.board or "the board",
            "port": f"`{self.port}`" if self.port else "the port",
            "bare_port": self.port or "PORT",
            "project": self.project or "the project",
        }


ABOVE = "its own words stand above, unless `--quiet` hid them"
SEE_PORTS = "see which there are with `iotauth boards`"
TO_THE_BOOTLOADER = (
    "hold BOOT (GPIO0, FLASH) while you tap RESET, then run the same command again; "
    "also try another USB cable: some carry no data"
)

TABLE = (
    Row(
        "environment",
        r"Unknown environment names? '([^']*)'\. Valid names are '([^']*)'",
        "there is no board `{0}` in {project}",
        "it has: {1}",
    ),
    Row(
        "project",
        r"NotPlatformIOProjectError",
        "{project} is no PlatformIO project: it has no `platformio.ini`",
        "name the folder that has one with `--project`, or leave it out for the firmware that iotauth brings",
    ),
    Row(
        "project",
        r"InvalidProjectConfError: Invalid '([^']*)' \(project configuration file\): '?([^\n]*)",
        "`{0}` is broken: {1}",
        "correct the file and run the same command again",
    ),
    Row(
        "wrong-chip",
        r"This chip is ([\w-]+(?: ?\([^)]*\))?),? not ([\w-]+)",
        "the chip on {port} is an {0}, and board `{board}` has an {1}",
        "name the board that is plugged in with `--board`; " + SEE_PORTS,
    ),
    Row(
        "cut",
        r"The chip stopped responding|[Ss]erial data stream stopped|Lost connection|"
        r"device reports readiness to read but returned no data|\[Errno 5\]|Invalid head of packet|"
        r"Serial protocol violation|[Tt]imed out waiting for packet|Write timeout|"
        r"Failed to (?:write to target|enter compressed flash|write compressed data)|Possible serial noise",
        "the connection to the chip on {port} broke off while it was being written",
        "check cable and power and run the same command again: the chip is whole after a complete run",
    ),
    Row(
        "permission",
        r"(?:\[Errno 13\]|[Pp]ermission denied)[^\n]*(?:/dev/|port|tty)|(?:/dev/|port|tty)[^\n]*"
        r"(?:\[Errno 13\]|[Pp]ermission denied)",
        "you may not open {port}",
        "join the group that may, often `dialout` (`sudo usermod -aG dialout $USER`), and log in again",
    ),
    Row(
        "busy",
        r"\[Errno (?:16|11)\]|Device or resource busy|[Rr]esource temporarily unavailable|exclusively lock port|"
        r"PermissionError\(13, 'Access is denied",
        "{port} is in use by another program",
        "close the serial monitor or whatever holds it (`fuser -v {bare_port}` names it)",
    ),
    Row(
        "no-port",
        r"could not open port[^\n]*\[Errno 2\]|could not open port[^\n]*FileNotFoundError|"
        r"\[Errno 2\] No such file or directory: '/dev/[^']*'|\[Errno 6\]|\[Errno 19\]",
        "there is no port {port}",
        "plug the board in; " + SEE_PORTS,
    ),
    Row(
        "no-port",
        r"Please specify `?upload_port|Warning! Please specify",
        "PlatformIO found no port with a board on it",
        "plug the board in, or name its port with `--port`; " + SEE_PORTS,
    ),
    Row(
        "not-serial",
        r"Could not configure port|Inappropriate ioctl",
        "{port} is no serial port",
        SEE_PORTS,
    ),
    Row(
        "busy",
        r"the port is busy or doesn't exist",
        "{port} is in use by another program, or is not there",
        "close the serial monitor; " + SEE_PORTS,
    ),
    Row(
        "mute",
        r"No serial data received|Failed to connect to|Wrong boot mode detected|Invalid response 0x",
        "the chip on {port} does not answer",
        TO_THE_BOOTLOADER,
    ),
    Row(
        "differs",
        r"digest mismatch|MD5 of file does not match|[Vv]erif(?:y|ication) failed|data in flash is different",
        "the chip on {port} does not hold what was written",
        "run the same command again; if it stays so, try another cable, more power or another board",
    ),
    Row(
        "too-big",
        r"(?:section|region) `[^']*' (?:will not fit in region `[^']*'|overflowed by (\d+) bytes)|"
        r"program size \((\d+) bytes\) is greater than maximum allowed|will not fit in \S+ bytes of flash|"
        r"doesn't fit in the available flash",
        "the firmware is too big for board `{board}`",
        "remove code or libraries, or give the board a partition table with a larger `app` in `platformio.ini`",
    ),
    Row(
        "no-secrets",
        r"secrets\.h is missing",
        "{project} builds without `include/secrets.h`",
        "render it with `iotauth secrets render --format header`",
    ),
    Row(
        "registry",
        r"HTTPClientError|InternetConnectionError|(?:Could not|can not) (?:connect|be installed)|"
        r"Name or service not known|Temporary failure in name resolution|ProxyError|ConnectTimeout",
        "PlatformIO could not reach its registry, from which a first build takes platform, compiler and libraries",
        "check the network; behind a proxy set `HTTPS_PROXY`; what was downloaded once is not asked for again",
    ),
    Row(
        "unknown-package",
        r"(?:UnknownPackageError|UnknownPlatform|MissingPackageManifestError)[^\n']*'([^'\n]+)'",
        "PlatformIO knows no package `{0}`",
        "correct the name or the version in `platformio.ini`",
    ),
    Row(
        "broken-install",
        r"No module named '?platformio",
        "PlatformIO is not whole: Python finds no module `platformio`",
        "install it again: `pip install --force-reinstall platformio`",
    ),
    Row(
        "no-esptool",
        r"No module named '?esptool",
        "esptool is not installed",
        "install it: `pip install esptool`",
    ),
    Row(
        "compile",
        r"(?m)^([^\s:]+:\d+):\d+: (?:fatal )?error: ([^\n]+)",
        "the firmware does not compile: {0}: {1}",
        "correct the code; the compiler's own words stand above",
    ),
)

COMPILED = tuple((row, re.compile(row.pattern)) for row in TABLE)
LAST_WORDS = re.compile(r"(?m)^(?:\w*Error|ERROR|Error|\*\*\*)\b:?.*$")


def explain(tool: str, said: str, asked: Asked) -> IotauthError:
    """Return the error that *said*, the words of a *tool* that failed, stands for."""
    for row, pattern in COMPILED:
        if found := pattern.search(said):
            groups = [group or "" for group in found.groups()]
            kind = InputError if row.name in WRONG_INPUT else DeviceError
            words = asked.words()
            return kind(row.sentence.format(*groups, **words), hint=row.hint.format(*groups, **words))
    words_found = LAST_WORDS.findall(said) or said.strip().splitlines()
    last = words_found[-1].strip() if words_found else "it said nothing"
    return DeviceError(f"{tool} failed: {last}", hint=ABOVE if asked.is_live else None)
