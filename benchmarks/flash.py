"""A row of boards: a partition for each, beside a build and a whole image for each.

Run `python benchmarks/flash.py [devices]`. Real PlatformIO and real esptool; what stands in is the compiler (this
computer's, through the test rig's platform) and the chip (a pseudo-terminal, which writes as fast as memory). So
compiling is faster than for a real chip, and writing a whole image far faster: on a real board both cost a header
build more than here, and the ratio is smaller.

The last row is what `iotauth flash` takes itself, outside PlatformIO and esptool, when nothing has changed.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from table import Row, not_measured, render

if TYPE_CHECKING:
    from support_chip import FakeChip
    from support_flash import FlashBench

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

OWN_LIMIT_S = 2.0
GOALS = {"a device with --mode nvs / with --mode header": 0.8, "own time of a warm flash / its limit": 1.0}


def measure(devices: int = 5) -> list[Row]:
    """Flash *devices* each way, in turn, after one that warms both up. Takes about three seconds for each."""
    try:
        import esptool  # noqa: F401
        import pytest

        from support_firmware import core_directory, environment, libdeps, require_rig

        require_rig()
    except ImportError as problem:
        return [not_measured(what, str(problem), goal) for what, goal in GOALS.items()]
    except pytest.skip.Exception as problem:
        return [not_measured(what, str(problem), goal) for what, goal in GOALS.items()]
    from support_chip import FakeChip
    from support_flash import FlashBench
    from support_shell import Shell

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "work").mkdir()
        variables = environment(core_directory(root / "core"), libdeps(root / "libdeps"))
        shell = Shell(cwd=root / "work", home=root, extra={**variables, "IOTAUTH_EMULATOR": "1"})
        shell.start_emulator()
        try:
            shell.run("authorizer", "create")
            bench = FlashBench(shell)
            names = [f"bench-{number}" for number in range(devices + 1)]
            bench.add(*names)
            with FakeChip() as nvs, FakeChip() as header:  # two ports, where boards come and go
                chips = {"nvs": nvs, "header": header}
                return rows([taken(bench, chips, name) for name in names][1:])
        finally:
            shell.stop_emulator()


def taken(bench: FlashBench, chips: dict[str, FakeChip], client: str) -> dict[str, tuple[float, float]]:
    """Return for each mode how long the whole command took, and how much of it was neither PlatformIO nor esptool."""
    found = {}
    for mode, chip in chips.items():
        began = time.perf_counter()
        ran = bench.flash(chip, "--board", "esp32", "--mode", mode, client, "--json")
        took = time.perf_counter() - began
        found[mode] = (took, took - json.loads(ran.out)["tools_seconds"])
    return found


def rows(taken: list[dict[str, tuple[float, float]]]) -> list[Row]:
    (nvs, nvs_own), (header, header_own) = (
        (statistics.median(each[mode][0] for each in taken), statistics.median(each[mode][1] for each in taken))
        for mode in ("nvs", "header")
    )
    ratio = statistics.median(each["nvs"][0] / each["header"][0] for each in taken)
    own = max(nvs_own, header_own)
    per_device, own_time = GOALS.items()
    return [
        Row(per_device[0], f"{nvs * 1000:.0f} ms", f"{header * 1000:.0f} ms", ratio, per_device[1]),
        Row(own_time[0], f"{own * 1000:.0f} ms", f"{OWN_LIMIT_S * 1000:.0f} ms", own / OWN_LIMIT_S, own_time[1]),
    ]


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
