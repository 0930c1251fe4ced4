"""A CPU cgroup as narrow as the share of a core that Lambda gives a small function."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PERIOD_US = 20_000  # Lambda's, by published measurements
FULL_CORE_MB = 1769  # memory at which a function has a core to itself; Lambda developer guide, "Memory"
ROOT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def cpu_share(memory_mb: int) -> Iterator[Path | None]:
    """Make a cgroup with the CPU share of *memory_mb*; None where this machine or user cannot.

    A process joins it by writing ``0`` to its ``cgroup.procs``, and must be over when it is left.
    """
    quota_us = PERIOD_US * memory_mb // FULL_CORE_MB
    is_v1 = (ROOT / "cpu" / "cpu.cfs_quota_us").exists()
    group = (ROOT / "cpu" if is_v1 else ROOT) / f"iotauth-benchmark-{os.getpid()}"
    limits = (
        {"cpu.cfs_period_us": f"{PERIOD_US}", "cpu.cfs_quota_us": f"{quota_us}"}
        if is_v1
        else {"cpu.max": f"{quota_us} {PERIOD_US}"}
    )
    try:
        group.mkdir()
        for name, value in limits.items():
            (group / name).write_text(value)
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()
