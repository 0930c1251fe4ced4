"""The data plane of each test, and one certificate for all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from iotauth_cli.emulator.ca import Certificates, ensure
from support_data import Plane


@pytest.fixture
def plane() -> Iterator[Plane]:
    plane = Plane()
    yield plane
    plane.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The emulator's own CA and server certificate."""
    directory = tmp_path_factory.mktemp("certificates")
    return ensure(directory, ("localhost",), datetime.now(timezone.utc))
