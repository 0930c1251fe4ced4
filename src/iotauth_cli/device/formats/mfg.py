"""The two tables of ESP-IDF's manufacturing utility: what is written, and a row for each device."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem
from iotauth_cli.device.formats.nvs_csv import NAMESPACE, entries, table
from iotauth_cli.device.login import DeviceLogin

PER_LINE = "a second client's row can be added to `values.csv`: it has the same columns"


def render(login: DeviceLogin) -> Rendered:
    """Return `config.csv` and `values.csv`. The first column names the image and is not written."""
    found = entries(login)
    config = [(NAMESPACE, "namespace", ""), *((key, "data", encoding) for key, encoding, _ in found)]
    values = [("id", *(key for key, _, _ in found)), (file_stem(login), *(value for _, _, value in found))]
    folder = f"{file_stem(login)}.mfg"
    files = (
        RenderedFile(f"{folder}/values.csv", table(values)),
        RenderedFile(f"{folder}/config.csv", table(config), is_secret=False),
    )
    command = 'python "$IDF_PATH"/tools/mass_mfg/mfg_gen.py generate {folder}/config.csv {path} nvs 0x6000 --fileid id'
    return Rendered(files, *measured(login), notes=(PER_LINE,), command=command)
