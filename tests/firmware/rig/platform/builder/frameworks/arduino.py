"""The Arduino framework of the stand-in: the shim, and on an ESP32 the images that lie beside the program in flash."""

import struct
from os.path import join
from typing import Any

from SCons.Script import DefaultEnvironment

TYPES = {"app": 0, "data": 1}
SUBTYPES = {"ota_0": 0x10, "ota_1": 0x11, "factory": 0, "ota": 0, "nvs": 2, "spiffs": 0x82}
Row = tuple[str, str, str, int, int]  # name, type, subtype, offset, size
DEFAULT_TABLE: list[Row] = [
    *(("nvs", "data", "nvs", 0x9000, 0x5000), ("otadata", "data", "ota", 0xE000, 0x2000)),
    *(("app0", "app", "ota_0", 0x10000, 0x140000), ("app1", "app", "ota_1", 0x150000, 0x140000)),
]


def partitions(path: str) -> list[Row]:
    """Return the rows of a table as ESP-IDF writes them; every offset and size has to be there."""
    with open(path) as file:
        rows = [[cell.strip() for cell in line.split(",")] for line in file if not line.lstrip().startswith("#")]
    return [(row[0], row[1], row[2], int(row[3], 0), int(row[4], 0)) for row in rows if len(row) >= 5]


def encode(table: list[Row]) -> bytes:
    """Return *table* as it lies at 0x8000: 32 bytes each, little-endian."""
    return b"".join(
        struct.pack("<HBBII16sI", 0x50AA, TYPES[kind], SUBTYPES[subtype], offset, size, name.encode(), 0)
        for name, kind, subtype, offset, size in table
    )


env = DefaultEnvironment()
board = env.BoardConfig()
shim = join(env.PioPlatform().get_dir(), "..", "..", "shim")
env.Append(CPPPATH=[shim], LIBS=["ssl", "crypto"], CPPDEFINES=[("ARDUINO", 10819)])
env.Prepend(LIBS=[env.BuildLibrary(join("$BUILD_DIR", "FrameworkArduino"), shim)])

if env.PioPlatform().name == "espressif32":
    chosen = board.get("build.partitions", "")
    source = [join(env.subst("$PROJECT_DIR"), chosen)] if chosen else []
    table = partitions(source[0]) if chosen else DEFAULT_TABLE

    def write_table(target: Any, source: Any, env: Any) -> None:
        with open(str(target[0]), "wb") as file:
            file.write(encode(table))

    def write_bootloader(target: Any, source: Any, env: Any) -> None:
        with open(str(target[0]), "wb") as file:
            file.write(b"a stand-in for the second-stage bootloader")

    for name, offset, write in (("bootloader", "0x1000", write_bootloader), ("partitions", "0x8000", write_table)):
        path = join("$BUILD_DIR", name + ".bin")
        env.Depends("$BUILD_DIR/${PROGNAME}.bin", env.Command(path, source, write))
        env.Append(FLASH_EXTRA_IMAGES=[(offset, env.subst(path))])
    board.update("upload.maximum_size", max(size for _, kind, _, _, size in table if kind == "app"))
