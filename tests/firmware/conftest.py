"""One core directory, one project and one emulator for the whole session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support_device import create_dictated_authorizer
from support_emulator import running_emulator
from support_firmware import TEMPLATE, core_directory, environment, libdeps, require_rig
from support_workshop import Workshop
from support_world import Place, standing


@pytest.fixture(scope="session")
def pio_variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `pio` must find in its environment to stay inside the rig."""
    require_rig()
    rig = tmp_path_factory.mktemp("rig")
    return environment(core_directory(rig / "core"), libdeps(rig / "libdeps"))


@pytest.fixture(scope="session")
def project(pio_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the firmware template. What one test compiled, the next need not."""
    copy = tmp_path_factory.mktemp("project") / "firmware"
    return Path(shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns(".pio", "secrets.h")))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An emulator with the authorizer `doors`, and one that lets in whoever watches the devices."""
    folder = tmp_path_factory.mktemp("place")
    with running_emulator(folder) as emulator, standing(emulator, folder) as place:
        place.install()
        create_dictated_authorizer(emulator)
        yield place


@pytest.fixture(scope="session")
def workshop(project: Path, pio_variables: dict[str, str], place: Place) -> Workshop:
    return Workshop(project, pio_variables, place)
