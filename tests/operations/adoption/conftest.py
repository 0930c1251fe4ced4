"""One emulator for the whole room: each test makes what it needs and takes it away again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support_adoption import Bench
from support_emulator import RunningEmulator, running_emulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("adoption")) as running:
        yield running


@pytest.fixture
def bench(emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A project folder before the emulator, in which commands run; an empty account afterwards."""
    monkeypatch.setenv("IOTAUTH_EMULATOR", "1")
    monkeypatch.setenv("IOTAUTH_STATE_DIR", str(emulator.state_dir))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    bench = Bench(emulator, tmp_path)
    # boto3's clients are made once for all tests, and nobody waits.
    monkeypatch.setattr("iotauth_cli.aws.session.Session", lambda *_, **__: bench.watched())
    yield bench
    bench.clear()
