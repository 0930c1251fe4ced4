"""A project folder to type commands in, and an emulator to type them at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import botocore.loaders
import pytest

from support_desk import Desk
from support_emulator import RunningEmulator, running_emulator


@pytest.fixture(scope="session", autouse=True)
def one_loader() -> Iterator[None]:
    """Let boto3 read each service's model once, not once for each command that is typed."""
    loader = botocore.loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda _path: loader)
        yield


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Desk(folder)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One for a module's tests, so each uses names of its own and removes what it adds."""
    with running_emulator(tmp_path_factory.mktemp("desk")) as running:
        yield running


@pytest.fixture
def at_emulator(desk: Desk, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The same desk with settings that lead to the emulator."""
    monkeypatch.setenv("IOTAUTH_EMULATOR", "1")
    monkeypatch.setenv("IOTAUTH_STATE_DIR", str(emulator.state_dir))
    return desk
