"""One installation, on the emulator or, with `--aws`, in the account that AWS's tools find.

    pytest tests/parity                              the emulator
    AWS_PROFILE=… pytest tests/parity --aws          the real thing; it costs a few cents and cleans up

The resources on AWS carry names of their own (`iotauth-parity-…`), and are deleted at the end, table
and log group included, also when a test fails.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support_shell import Shell

# Taken when pytest starts: the clean environment of every test hides them afterwards.
REAL_HOME = os.environ.get("HOME", "")
AWS_VARIABLES = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


@dataclass(frozen=True)
class World:
    shell: Shell
    authorizer: str


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A shell in an empty directory whose settings name an installation of its own."""
    root = tmp_path_factory.mktemp("parity")
    name = f"iotauth-parity-{secrets.token_hex(3)}"
    names = {"IOTAUTH_AUTHORIZER": name, "IOTAUTH_TABLE": name, "IOTAUTH_FUNCTION": name}
    is_real = bool(request.config.getoption("--aws"))
    (root / "work").mkdir()
    if is_real:
        shell = Shell(cwd=root / "work", home=Path(REAL_HOME), extra={**AWS_VARIABLES, **names})
    else:
        shell = Shell(cwd=root / "work", home=root, extra={**names, "IOTAUTH_EMULATOR": "1"})
        shell.start_emulator()
    try:
        yield World(shell, name)
    finally:
        shell.run("authorizer", "delete", "--table", "--yes", check=False)
        if not is_real:
            shell.stop_emulator()
