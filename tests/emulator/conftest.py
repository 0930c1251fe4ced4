"""One emulator for every test that only needs one to be there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support_emulator import RunningEmulator, running_emulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """An emulator shared by the session: name what you create, and expect what others have created."""
    with running_emulator(tmp_path_factory.mktemp("shared")) as running:
        yield running
