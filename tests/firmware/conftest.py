"""One core directory and one project for the whole session: what one test compiled, the next need not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support_firmware import TEMPLATE, core_directory, environment, libdeps, require_rig


@pytest.fixture(scope="session")
def pio_variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `pio` must find in its environment to stay inside the rig."""
    require_rig()
    rig = tmp_path_factory.mktemp("rig")
    return environment(core_directory(rig / "core"), libdeps(rig / "libdeps"))


@pytest.fixture(scope="session")
def project(pio_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the firmware template, to be built by one test after the other."""
    copy = tmp_path_factory.mktemp("project") / "firmware"
    return Path(shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns(".pio", "secrets.h")))
