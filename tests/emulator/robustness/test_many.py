"""A fleet at the door: many at once, and many that stay."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from support_data import in_loop
from support_emulator import RunningEmulator, running_emulator
from support_load import WELCOME, crowd, open_files, resident_kib, until_open_files

BURST = 300  # at the same moment; each asks the function
FLEET = 1000
KIB_PER_CONNECTION = 64  # the project's limit; 45 are measured
USUAL_LIMIT = 1024  # open files; what most systems give a process that does not ask for more


@pytest.fixture(autouse=True)
def file_limit() -> Iterator[tuple[int, int]]:
    """Let the test have as many files as it may, and put the limit back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield soft, hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@in_loop
async def test_a_burst_of_connects_is_served(beaten: RunningEmulator) -> None:
    """Three hundred devices that knock at the same moment are all let in."""
    async with crowd(beaten, (f"burst-{number}" for number in range(BURST)), at_a_time=BURST) as answers:
        assert list(answers) == [WELCOME] * BURST


@in_loop
async def test_a_thousand_idle_connections_are_light(beaten: RunningEmulator) -> None:
    """None takes more than 64 KiB, and when they are gone their files are, too."""
    async with crowd(beaten, (f"first-{number}" for number in range(50)), at_a_time=50):
        pass  # what is loaded once is no connection's
    files, before = open_files(beaten), resident_kib(beaten)
    async with crowd(beaten, (f"idle-{number}" for number in range(FLEET)), at_a_time=50) as answers:
        assert list(answers) == [WELCOME] * FLEET
        assert open_files(beaten) - files > FLEET - 60
        assert (resident_kib(beaten) - before) / FLEET < KIB_PER_CONNECTION
    await until_open_files(beaten, files)


def test_it_takes_the_files_that_the_system_permits(tmp_path: Path, file_limit: tuple[int, int]) -> None:
    """Started under the usual limit of 1,024 open files, the emulator has room for more connections than that."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("needs prlimit")
    _, hard = file_limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(USUAL_LIMIT, hard), hard))
    with running_emulator(tmp_path) as emulator:
        soft, _ = resource.prlimit(emulator.ready.pid, resource.RLIMIT_NOFILE)
    assert soft == min(hard, 65_536)
