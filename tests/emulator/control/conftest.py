"""The control plane as the tests of this room use it: real HTTP, fresh state for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support_control import ControlServer


@pytest.fixture(scope="session")
def control_server() -> Iterator[ControlServer]:
    server = ControlServer()
    yield server
    server.close()
