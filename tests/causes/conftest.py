"""One emulator for every cause: what a test breaks on it, it restores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support_causes import BEHAVIOUR, World, world
from support_emulator import running_emulator


@pytest.fixture(scope="session")
def broken_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("causes")
    with running_emulator(directory, behaviour=BEHAVIOUR) as emulator, world(emulator, directory) as found:
        yield found
