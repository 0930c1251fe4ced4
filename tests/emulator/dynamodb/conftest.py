"""A fresh DynamoDB for every test, and a clock that only tests turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support_control import ControlServer
from support_dynamodb import Clock, Database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path, clock: Clock) -> Iterator[Database]:
    database = Database(tmp_path / "state", clock)
    yield database
    database.state.close()


@pytest.fixture(scope="module")
def control_server() -> Iterator[ControlServer]:
    server = ControlServer()
    yield server
    server.close()
