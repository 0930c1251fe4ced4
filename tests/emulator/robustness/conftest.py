"""An emulator of this room's own, since it is treated badly, with an authorizer that does as it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support_device import create_dictated_authorizer
from support_emulator import RunningEmulator, running_emulator


@pytest.fixture(scope="session")
def beaten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """Leave it as it was found: the process it was, letting devices in."""
    with running_emulator(tmp_path_factory.mktemp("beaten")) as running:
        create_dictated_authorizer(running)
        yield running
