"""An NVS image, made by Espressif's own generator in a child process.

It reads a file and writes a file, so both lie in a folder that only the owner enters, and are gone with it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem
from iotauth_cli.device.formats.nvs_csv import text
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import DeviceError, InputError
from iotauth_cli.files import create

MODULE = "esp_idf_nvs_partition_gen"
SIZE = 0x6000  # bytes; as `creds` in the template's partitions.csv
OFFSET = 0x3D0000


def render(login: DeviceLogin) -> Rendered:
    file = RenderedFile(f"{file_stem(login)}.nvs.bin", image(text(login)))
    return Rendered((file,), *measured(login), command=f"esptool write-flash 0x{OFFSET:X} {{path}}")


def image(csv_text: str, size: int = SIZE) -> bytes:
    """Return the partition that holds *csv_text*.

    Raises:
        InputError: it does not fit.
        DeviceError: the generator is not installed, or failed.
    """
    with tempfile.TemporaryDirectory(prefix="iotauth-nvs-") as folder:
        source, target = Path(folder) / "nvs.csv", Path(folder) / "nvs.bin"
        create(source, csv_text.encode())
        command = [sys.executable, "-m", MODULE, "generate", str(source), str(target), hex(size)]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if ran.returncode == 0 and target.is_file() and target.stat().st_size == size:
            return target.read_bytes()
    # What it says is not repeated: it quotes the rows that it complains about.
    if "No module named" in ran.stderr:
        raise DeviceError(
            "Espressif's partition generator is not installed", hint="install it with `pip install 'iotauth[flash]'`"
        )
    if "Size parameter" in ran.stdout + ran.stderr or "PageFullError" in ran.stderr:
        raise InputError(f"the credential does not fit into a partition of {size:,} bytes")
    raise DeviceError(f"Espressif's partition generator failed with {ran.returncode}")
