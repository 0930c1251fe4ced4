"""Stacks over real HTTP, on fresh state for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support_cloudformation import StackControl
from support_control import ControlServer


@pytest.fixture(scope="session")
def control_server() -> Iterator[ControlServer]:
    server = ControlServer()
    yield server
    server.close()


@pytest.fixture
def control(control_server: ControlServer, tmp_path: Path) -> Iterator[StackControl]:
    control = StackControl(control_server, tmp_path / "state")
    yield control
    control.close()
