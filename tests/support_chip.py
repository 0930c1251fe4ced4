"""A chip of Espressif's behind a pseudo-terminal: the serial protocol of its bootloader, spoken to the real esptool.

Two voices: the ROM's, which every chip has, and the stub's, a program that esptool loads into RAM to go faster
and that can also read flash and erase it. Both frame packets as SLIP does, and answer each command with its number.
Source: esptool's documentation, "Serial Protocol".
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty
import select
import struct
import threading
import tty
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType

FLASH_BEGIN, FLASH_DATA, FLASH_END, MEM_BEGIN, MEM_END, MEM_DATA, SYNC, WRITE_REG, READ_REG, SPI_SET_PARAMS = range(
    2, 12
)
SPI_ATTACH, CHANGE_BAUD, DEFLATE_BEGIN, DEFLATE_DATA, DEFLATE_END, SPI_FLASH_MD5 = 0x0D, 0x0F, 0x10, 0x11, 0x12, 0x13
ERASE_FLASH, ERASE_REGION, READ_FLASH, RUN_USER_CODE = 0xD0, 0xD1, 0xD2, 0xD3

OUT_OF_RANGE, UNKNOWN_COMMAND, BAD_CHECKSUM = 0x0A, 0x05, 0x07
SECTOR = 4096  # bytes; flash is erased by sectors
CHECKSUM_SEED = 0xEF
MAGIC_REGISTER = 0x40001000  # what stands here tells the chips apart
SPI_USER_COMMAND = 1 << 18
READ_FLASH_ID = 0x9F
FLASH_ID = 0x164020  # a flash of 4 MiB
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Model:
    """What esptool asks a chip to find out which it is: register addresses, and how the ROM ends an answer."""

    magic: int
    spi: int
    spi_data: int  # offset of the first data register
    efuse: int
    status_bytes: int  # of the ROM's answers; the stub's have two

    def mac_registers(self, mac: bytes) -> dict[int, int]:
        if self is MODELS["esp32"]:
            return {
                self.efuse + 4: int.from_bytes(mac[2:], "big"),
                self.efuse + 8: int.from_bytes(mac[:2], "big"),
            }
        return {
            self.efuse: mac[5] << 24,
            self.efuse + 4: mac[3] << 8 | mac[4],
            self.efuse + 8: 1 << 15,
            self.efuse + 12: int.from_bytes(mac[:3], "big"),
        }


MODELS = {
    "esp32": Model(magic=0x00F01D83, spi=0x3FF42000, spi_data=0x80, efuse=0x3FF5A000, status_bytes=4),
    "esp8266": Model(magic=0xFFF0C101, spi=0x60000200, spi_data=0x40, efuse=0x3FF00050, status_bytes=2),
}
SPI_COMMAND = 0x24  # offset of the register that holds a user command's first byte; the same on both


@dataclass(frozen=True)
class Faults:
    """What goes wrong with a chip: nothing, unless told."""

    mute: bool = False  # it never answers: not in its bootloader, or another baud rate
    cut_after: int | None = None  # bytes written; then the cable is pulled
    bad_md5: bool = False  # the flash holds something else than was sent


class FakeChip:
    """A context manager: while it is open, `port` is a serial port with a chip behind it, and `flash` what it keeps."""

    def __init__(
        self, kind: str = "esp32", faults: Faults | None = None, *, mac: str = "24:0a:c4:12:34:56", flash_mib: int = 4
    ) -> None:
        self.kind = kind
        self.mac = mac
        self.flash = bytearray(b"\xff" * (flash_mib * MEBIBYTE))
        self.writes: list[tuple[int, int]] = []  # offset and size of every write
        self.commands: list[int] = []
        self._faults = faults or Faults()
        self._model = MODELS[kind]
        self._registers = {
            MAGIC_REGISTER: self._model.magic,
            **self._model.mac_registers(bytes.fromhex(mac.replace(":", ""))),
        }
        self._is_stub = False
        self._written = 0
        self._position = self._limit = 0
        self._inflate: Callable[[bytes], bytes] | None = None
        self._read: tuple[int, int, int] | None = None  # offset, size, block size
        self._sent = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> FakeChip:
        self._master, self._slave = pty.openpty()  # the slave stays open: else the port ends with its first user
        tty.setraw(self._master)
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(10)
        with contextlib.suppress(OSError):  # a pulled cable closed it
            os.close(self._master)
        os.close(self._slave)

    def say(self, text: bytes) -> None:
        """Write *text* on the serial port, as a program does that runs on the chip."""
        with contextlib.suppress(OSError):
            while text:
                text = text[os.write(self._master, text) :]

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            for packet in self._packets():
                self._take(packet)

    def _packets(self) -> Iterator[bytes]:
        """Yield what comes between two ends of SLIP, unescaped."""
        collected: bytearray | None = None
        while not self._stopping.is_set():
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            for byte in os.read(self._master, 65536):
                if byte == 0xC0:
                    if collected:
                        yield bytes(collected).replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                    collected = bytearray()
                elif collected is not None:
                    collected.append(byte)

    def _send(self, packet: bytes) -> None:
        self.say(b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0")

    def _answer(self, command: int, value: int = 0, data: bytes = b"", error: int = 0) -> None:
        size = 2 if self._is_stub else self._model.status_bytes
        body = data + bytes([1 if error else 0, error]).ljust(size, b"\0")
        self._send(struct.pack("<BBHI", 1, command, len(body), value) + body)

    def _take(self, packet: bytes) -> None:
        if self._faults.mute:
            return
        if len(packet) == 4 and self._read is not None:
            self._continue_reading(int.from_bytes(packet, "little"))
        elif len(packet) >= 8 and packet[0] == 0:
            command, size, checksum = struct.unpack_from("<BHI", packet, 1)
            self.commands.append(command)
            self._obey(command, packet[8 : 8 + size], checksum)

    def _obey(self, command: int, data: bytes, checksum: int) -> None:
        words = struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
        if command == SYNC:
            self._is_stub = False  # esptool resets before it asks; a pseudo-terminal has no reset line
            for _ in range(8):  # as often as the ROM does
                self._answer(command, value=0x07071220)
        elif command == READ_REG:
            self._answer(command, value=self._registers.get(words[0], 0))
        elif command == WRITE_REG:
            self._write_register(words[0], words[1])
            self._answer(command)
        elif command == MEM_END:
            self._answer(command)
            if words[0] == 0:  # "run what I have loaded": esptool's stub
                self._is_stub = True
                self._send(b"OHAI")
        elif command == SPI_FLASH_MD5:
            self._answer(command, data=self._md5(words[0], words[1]))
        elif command in (FLASH_BEGIN, DEFLATE_BEGIN):
            self._begin_write(command, size=words[0], offset=words[3])
        elif command in (FLASH_DATA, DEFLATE_DATA):
            self._write(command, data[16 : 16 + words[0]], checksum)
        elif command in (MEM_BEGIN, MEM_DATA, SPI_ATTACH, SPI_SET_PARAMS, CHANGE_BAUD, FLASH_END, DEFLATE_END) or (
            self._is_stub and command == RUN_USER_CODE
        ):
            self._answer(command)
        elif self._is_stub and command == ERASE_FLASH:
            self._erase(0, len(self.flash))
            self._answer(command)
        elif self._is_stub and command == ERASE_REGION:
            self._erase(words[0], words[1])
            self._answer(command)
        elif self._is_stub and command == READ_FLASH:
            self._answer(command)
            self._read, self._sent = (words[0], words[1], words[2]), 0
            self._send_block()
        else:
            self._answer(command, error=UNKNOWN_COMMAND)  # how esptool tells these chips from newer ones

    def _write_register(self, address: int, value: int) -> None:
        self._registers[address] = value
        spi = self._model.spi
        if address == spi and value & SPI_USER_COMMAND:  # the SPI controller runs it and clears the bit
            asked = self._registers.get(spi + SPI_COMMAND, 0) & 0xFF
            self._registers[spi + self._model.spi_data] = FLASH_ID if asked == READ_FLASH_ID else 0
            self._registers[address] = 0

    def _md5(self, offset: int, size: int) -> bytes:
        """Return the digest as the one who answers gives it: the stub 16 bytes, the ROM 32 digits."""
        held = bytes(self.flash[offset : offset + size])
        digest = hashlib.md5(b"else" if self._faults.bad_md5 else held, usedforsecurity=False)
        return digest.digest() if self._is_stub else digest.hexdigest().encode()

    def _erase(self, offset: int, size: int) -> None:
        self.flash[offset : offset + size] = b"\xff" * size

    def _begin_write(self, command: int, size: int, offset: int) -> None:
        if offset + size > len(self.flash):
            self._answer(command, error=OUT_OF_RANGE)
            return
        self._erase(offset, -(-size // SECTOR) * SECTOR)
        self._position, self._limit = offset, offset + size
        self._inflate = zlib.decompressobj().decompress if command == DEFLATE_BEGIN else None
        if size:  # esptool also begins a write of nothing, before it leaves
            self.writes.append((offset, size))
        self._answer(command)

    def _write(self, command: int, block: bytes, checksum: int) -> None:
        expected = CHECKSUM_SEED
        for byte in block:
            expected ^= byte
        if expected != checksum & 0xFF:
            self._answer(command, error=BAD_CHECKSUM)
            return
        self._written += len(block)
        if self._faults.cut_after is not None and self._written > self._faults.cut_after:
            os.close(self._master)
            raise OSError("the cable was pulled")
        # Uncompressed, the size is not the data's: esptool tells the ESP8266's ROM another, for a fault in its erasing.
        plain = self._inflate(block)[: self._limit - self._position] if self._inflate else block
        self.flash[self._position : self._position + len(plain)] = plain
        self._position += len(plain)
        self._answer(command)

    def _send_block(self) -> None:
        assert self._read is not None
        offset, size, block = self._read
        chunk = bytes(self.flash[offset + self._sent : offset + min(size, self._sent + block)])
        self._sent += len(chunk)
        self._send(chunk)

    def _continue_reading(self, received: int) -> None:
        """Send the next block, or the digest of them all once *received* bytes are everything."""
        assert self._read is not None
        offset, size, _ = self._read
        if received < size:
            self._send_block()
            return
        self._read = None
        self._send(hashlib.md5(self.flash[offset : offset + size], usedforsecurity=False).digest())
