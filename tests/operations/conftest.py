"""An empty account for every test, on one server for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support_control import ControlServer
from support_installation import CLIENTS, Account


@pytest.fixture(scope="session")
def control_server() -> Iterator[ControlServer]:
    server = ControlServer()
    yield server
    for client in CLIENTS.pop(server.url, {}).values():
        client.close()
    server.close()


@pytest.fixture
def account(control_server: ControlServer, tmp_path: Path) -> Iterator[Account]:
    account = Account(control_server, tmp_path / "state")
    yield account
    account.close()
