"""What every test room may use: finding real peers."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def require_peer(program: str) -> str:
    """Return the path of *program*; without it skip, or fail where CI demands every peer."""
    beside_python = Path(sys.executable).parent / program
    found = str(beside_python) if beside_python.exists() else shutil.which(program)
    if found is None:
        missing(f"{program} is not installed")
    assert found is not None
    return found


def require_module(name: str) -> Any:
    """Return a library that is a peer, by its import name; without it the test is skipped, or fails as above."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(f"{name} is not installed")


def missing(reason: str) -> None:
    """Skip the test for want of a peer, or fail it under IOTAUTH_REQUIRE_PEERS=1."""
    if os.environ.get("IOTAUTH_REQUIRE_PEERS") == "1":
        pytest.fail(f"{reason}, and IOTAUTH_REQUIRE_PEERS=1 forbids skipping")
    pytest.skip(reason)
