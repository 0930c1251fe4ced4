"""Run every benchmark, or those that are named, and print one table.

    ./scripts/benchmark [NAME…] [--write]

Each figure stands beside its peer's, taken in the same run on the same machine; what counts is
the ratio. ``--write`` also puts the table into docs/reference/benchmarks.md.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from pathlib import Path

from table import Row, render

NAMES = (
    "function",
    "refusals",
    "cli",
    "policy",
    "signing",
    "rotation",
    "scan",
    "fleet",
    "emulator",
    "control",
    "functions_runtime",
    "flash",
    "create",
)
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "benchmarks.md"

INTRODUCTION = """# Benchmarks

`./scripts/benchmark` measures all of this on your machine. Ours and the peer run in turn in the same
run, and the ratio of the two is what counts: below 1 is faster or smaller than the peer. The
milliseconds are one small shared machine's and only give the scale.
"""


def machine() -> str:
    cores, load = os.cpu_count(), os.getloadavg()[0]
    return (
        f"CPython {platform.python_version()}, {platform.system()} {platform.machine()}, {cores} cores, load {load:.1f}"
    )


def page(about: str, rows: list[Row]) -> str:
    stamp = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{INTRODUCTION}\nTaken on {stamp}: {about} when it began.\n\n```text\n{render(rows)}\n```\n"


def main() -> int:
    named = [name for name in sys.argv[1:] if not name.startswith("-")]
    about = machine()
    rows: list[Row] = []
    for name in named or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += importlib.import_module(name).measure()
    print(f"{about} when it began\n\n{render(rows)}")
    if "--write" in sys.argv:
        PAGE.write_text(page(about, rows))
    return 1 if any(row.is_met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
