"""The bench: the tools, the board, the place to build, and one device on it after the other.

`header` puts the credential into the program: a build and a whole image for each device. `nvs` builds a program
without any once, and writes each device's credential into a partition of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iotauth_cli.device import esptool, failures, formats, image
from iotauth_cli.device.boards import Board, bootloader_at
from iotauth_cli.device.child import Call, Ended, Mask, Talk, talk
from iotauth_cli.device.esptool import Chip, Esptool
from iotauth_cli.device.image import Known, Partition
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.device.platformio import Platformio
from iotauth_cli.errors import DeviceError, InputError
from iotauth_cli.files import write_private
from iotauth_cli.operations.flash.events import Did, Run, Step
from iotauth_cli.operations.flash.workplace import Workplace, files_below
from iotauth_cli.secret import Secret

HEADER, NVS = "header", "nvs"
CREDENTIALS = "creds"  # the partition's name, as the firmware looks for it
SOURCES = ("src", "include", "lib", "boards")
APPLICATION_AT = 0x10000  # where Arduino's partition tables have it
TABLE_AT = 0x8000


@dataclass
class Stopwatch:
    """Counts the seconds that other programs took."""

    began: float = field(default_factory=time.monotonic)
    tools_s: float = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


@dataclass(frozen=True)
class Written:
    """What a board got. *wrote* is `image`, `credentials` or both; *verified* is None if nobody asked."""

    client_id: str
    board: str
    port: str
    mode: str
    wrote: tuple[str, ...]
    image_bytes: int
    mac: str | None
    verified: bool | None
    seconds: float
    tools_s: float

    @property
    def own_s(self) -> float:
        """What we took ourselves, outside PlatformIO and esptool."""
        return max(0.0, self.seconds - self.tools_s)


@dataclass
class Bench:
    """Everything that stays the same from one device to the next. *known* are all credentials of the store."""

    pio: Platformio
    work: Workplace
    board: Board
    mode: str
    known: Sequence[Known]
    boards: tuple[Board, ...] = ()
    verify: bool = False
    clock: Stopwatch = field(default_factory=Stopwatch)

    @property
    def environment(self) -> str:
        """The environment that is built: the board's own, or its sister with the credentials outside."""
        return str(self.board.nvs_environment) if self.mode == NVS else self.board.name

    def asked(self, port: str | None = None, *, is_live: bool = True) -> failures.Asked:
        return failures.Asked(self.board.name, port, "the firmware", is_live)

    def flash(self, login: DeviceLogin, port: str, chip: Chip | None) -> Run[Written]:
        """Give the board at *port* the credential of *login*, and nobody else's.

        Raises:
            DeviceError: it could not be built, proven or written; the board then has no part of it, or is to be
                flashed again.
        """
        began_s, tools_s = self.clock.seconds, self.clock.tools_s
        wrote, size = yield from (self.by_header if self.mode == HEADER else self.by_nvs)(login, port)
        verified = True if self.verify else None
        return Written(
            client_id=login.client_id,
            board=self.board.name,
            port=port,
            mode=self.mode,
            wrote=wrote,
            image_bytes=size,
            mac=chip.mac if chip else None,
            verified=verified,
            seconds=self.clock.seconds - began_s,
            tools_s=self.clock.tools_s - tools_s,
        )

    # --- tools ------------------------------------------------------------------------------------

    def run(self, call: Call, mask: Mask | None = None) -> Talk:
        ended = yield from talk(call, mask)
        self.clock.tools_s += ended.seconds
        return ended

    def heard(self, call: Call, mask: Mask | None = None) -> Ended:
        """Run a call whose words nobody needs to read."""
        words = self.run(call, mask)
        while True:
            try:
                next(words)
            except StopIteration as ended:
                found: Ended = ended.value
                return found

    def esptool(self) -> Esptool | None:
        began = time.monotonic()
        found = esptool.find(self.pio)
        self.clock.tools_s += time.monotonic() - began
        return found

    def pio_run(self, *arguments: str) -> Call:
        pio = self.pio.with_environ(self.work.environ)
        return pio.run(self.work.project, self.environment, *arguments, kept_open=(self.work.lock,))

    def upload_call(self, port: str) -> Call:
        return self.pio_run("-t", "upload", "--upload-port", port)

    def probe(self, port: str) -> Chip | None:
        """Return which chip answers at *port*; None if there is no esptool yet to ask it.

        Raises:
            DeviceError: none answers, or another than the board's.
        """
        tool = self.esptool()
        if tool is None:
            return None
        chip = esptool.chip_of(self.heard(tool.call(port, "auto", "read-mac")), self.asked(port, is_live=False))
        if self.board.chip and chip.kind != self.board.chip:
            said = f"This chip is {chip.kind.upper()}, not {self.board.chip.upper()}"
            raise failures.explain("esptool", said, self.asked(port))
        return chip

    def build(self, mask: Mask | None = None) -> Run[bytes]:
        """Build and return the image.

        Raises:
            DeviceError: it does not build.
        """
        yield Step(f"building `{self.environment}`")
        ended = yield from self.run(self.pio_run(), mask)
        if ended.code != 0:
            raise failures.explain("PlatformIO", ended.text, self.asked())
        path = self.work.image(self.environment)
        if not path.is_file():
            raise DeviceError(f"PlatformIO built no `{path.name}`", hint="is this board one of Espressif's?")
        content = path.read_bytes()
        yield Did(f"built `{self.environment}` in {ended.seconds:.1f} s: {len(content)} bytes")
        return content

    def upload(self, content: bytes, port: str, mask: Mask | None = None) -> Run[None]:
        """Have PlatformIO write *content*, the image that lies there, with bootloader and partition table.

        Not with its target `nobuild`: on an ESP32 that leaves those two out, and a new board would not start; on an
        ESP8266 it does not work. What is up to date is not built again, and that it was not is looked at.
        Source: issues 1142 of platform-espressif32 and 286 of platform-espressif8266.
        """
        yield Step(f"uploading to `{port}`")
        ended = yield from self.run(self.upload_call(port), mask)
        if ended.code != 0:
            raise failures.explain("PlatformIO", ended.text, self.asked(port))
        if self.work.image(self.environment).read_bytes() != content:
            raise DeviceError(
                f"PlatformIO built another image than the one that was looked at, and wrote that to `{port}`",
                hint="run the same command again while nothing else changes the project",
            )
        yield Did(f"uploaded in {ended.seconds:.1f} s")

    # --- in the program ---------------------------------------------------------------------------

    def by_header(self, login: DeviceLogin, port: str) -> Run[tuple[tuple[str, ...], int]]:
        secrets = secrets_of(login)
        mask = Mask(secrets)
        (header,) = formats.render("header", login).files
        with self.work.holding(header.content, secrets):
            content = yield from self.build(mask)
            image.prove(content, known(login), self.known, "the image")
            yield Did(f"the image holds the credential of client `{login.client_id}`, and no other known one")
            yield from self.upload(content, port, mask)
            if self.verify:
                yield from self.compare(port, {self.application_at: self.work.image(self.environment)})
        return ("image",), len(content)

    # --- beside the program -----------------------------------------------------------------------

    def by_nvs(self, login: DeviceLogin, port: str) -> Run[tuple[tuple[str, ...], int]]:
        tool = esptool.needed(self.esptool())
        place = self.credentials_partition
        content = self.partition_content(login, place)
        program = yield from self.cached_build()
        wrote: tuple[str, ...] = ()
        if self.holds_image(tool, port):
            yield Did(f"the chip at `{port}` holds this build already")
        else:
            yield from self.upload(program, port)
            wrote = ("image",)
        file = self.work.scratch / "credentials.bin"
        try:
            write_private(file, content)
            yield Step(
                f"writing the credential of `{login.client_id}` to partition `{place.name}` at {place.offset:#x}"
            )
            ended = yield from self.run(tool.write(port, self.board.chip, place.offset, file), Mask(secrets_of(login)))
            if ended.code != 0:
                raise failures.explain("esptool", ended.text, self.asked(port))
            yield Did(f"wrote {place.size} bytes in {ended.seconds:.1f} s")
            if self.verify:
                yield from self.compare(port, {place.offset: file})
        finally:
            file.unlink(missing_ok=True)
        return (*wrote, "credentials"), len(program)

    def partition_content(self, login: DeviceLogin, place: Partition) -> bytes:
        """Return the partition with the credential in it, and make sure that it is this one."""
        with scratch_at(self.work.scratch):
            content = formats.render("nvs-bin", login).files[0].content
        assert isinstance(content, bytes)
        if len(content) > place.size:
            raise InputError(
                f"partition `{place.name}` has {place.size} bytes, and the credential takes {len(content)}",
                hint="give it 0x6000 bytes in the partition table",
            )
        image.prove(content, known(login), self.known, "the partition")
        return content

    def cached_build(self) -> Run[bytes]:
        """Build, unless what lies there was built from the same sources; return the image."""
        path = self.work.image(self.environment)
        stamp = self.work.build / f"{self.environment}.built"
        wanted = self.fingerprint()
        if path.is_file() and stamp.is_file() and stamp.read_text() == f"{wanted} {sha256(path.read_bytes())}":
            content = path.read_bytes()
            yield Did(f"`{self.environment}` is built already: {len(content)} bytes")
        else:
            content = yield from self.build()
            write_private(stamp, f"{wanted} {sha256(content)}")
        image.prove(content, None, self.known, "the image, which is for every board,")
        return content

    def fingerprint(self) -> str:
        """Return what the image depends on, as far as this project says it: sources, settings and their versions."""
        project = self.work.project
        paths = [path for folder in SOURCES for path in files_below(project / folder) if path != self.work.secrets_h]
        paths += [path for path in (*project.glob("*.ini"), *project.glob("*.csv")) if path.is_file()]
        digest = hashlib.sha256(f"{self.environment}\n{self.pio.command}\n".encode())
        for path in sorted(paths):
            digest.update(f"{path.relative_to(project)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def holds_image(self, tool: Esptool, port: str) -> bool:
        """Ask the chip, by the MD5 that it takes of its own flash, whether this build lies in it."""
        found = self.work.image(self.environment)
        table = found.with_name("partitions.bin")
        regions = {self.application_at: found, **({TABLE_AT: table} if table.is_file() else {})}
        ended = self.heard(tool.verify(port, self.board.chip, regions))
        return esptool.is_same(ended, self.asked(port, is_live=False))

    # --- both -------------------------------------------------------------------------------------

    def compare(self, port: str, regions: dict[int, Path]) -> Run[None]:
        """Have the chip compare its flash with what was meant.

        Raises:
            DeviceError: it holds something else.
        """
        tool = esptool.needed(self.esptool())
        yield Step("comparing the flash with what was written")
        asked = self.asked(port, is_live=False)
        ended = self.heard(tool.verify(port, self.board.chip, regions))
        if not esptool.is_same(ended, asked):
            raise failures.explain("esptool", "digest mismatch", asked)
        yield Did(f"the flash holds what was written: {sum(path.stat().st_size for path in regions.values())} bytes")

    @property
    def partitions(self) -> tuple[Partition, ...]:
        name = self.board_for_build.partitions
        path = self.work.project / name if name else None
        if path is None or not path.is_file():
            return ()
        try:
            return image.partitions(path.read_text())
        except ValueError as problem:
            raise InputError(f"`{path}` is no partition table: {problem}") from problem

    @property
    def board_for_build(self) -> Board:
        return next((each for each in self.boards if each.name == self.environment), self.board)

    @property
    def application_at(self) -> int:
        """Return where the program begins in flash, in bytes."""
        if self.board.chip == "esp8266":
            return bootloader_at("esp8266")
        found = [each.offset for each in self.partitions if each.kind in ("app", "0")]
        return min(found, default=APPLICATION_AT)

    @property
    def credentials_partition(self) -> Partition:
        found = next((each for each in self.partitions if each.name == CREDENTIALS), None)
        if found is None:
            raise InputError(
                f"the partition table of `{self.environment}` has no partition `{CREDENTIALS}`",
                hint="add the line `creds, data, nvs, 0x3D0000, 0x6000` to it, or flash with `--mode header`",
            )
        return found


@contextlib.contextmanager
def scratch_at(folder: Path) -> Iterator[None]:
    """Have temporary files made in *folder*, where they are found and removed even after `kill -9`."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def known(login: DeviceLogin) -> Known:
    return Known(login.client_id, login.username, login.password)


def secrets_of(login: DeviceLogin) -> list[Secret]:
    """Return what must be nowhere afterwards. A signed token makes the user name one of them."""
    wifi = [login.wifi_password] if login.wifi_password else []
    return [login.password, Secret(login.username), *wifi]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
