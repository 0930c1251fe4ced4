"""One emulator for one state directory, known without asking any process.

The lock is SQLite's own on an empty database file: the kernel lets go of it when the process ends,
however it ends, so that a lock is never stale; and it works wherever SQLite does. A pid in a file
would have to be believed: after a crash it may belong to somebody else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from iotauth_cli.errors import EmulatorError

FILE_NAME = "emulator.lock"
PATIENCE_S = 0.5  # `is_held` looks for a moment; a start must not fail because somebody looks


@contextlib.contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Be the one emulator of *state_dir*, which exists.

    Raises:
        EmulatorError: another process is.
    """
    import sqlite3

    path = state_dir / FILE_NAME
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)
    with contextlib.closing(database):
        try:
            database.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise EmulatorError(
                f"another emulator is running on `{state_dir}`", "see `iotauth emulator status`"
            ) from error
        yield


def is_held(state_dir: Path) -> bool:
    """Tell whether an emulator runs on *state_dir*, or is about to.

    Raises:
        EmulatorError: the lock file is there and cannot be opened.
    """
    import sqlite3

    path = state_dir / FILE_NAME
    if not path.exists():
        return False
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=0)
    with contextlib.closing(database):
        try:
            database.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise EmulatorError(f"cannot open `{path}`: {error}", f"see who owns it with `ls -l {path}`") from error
            return True
    return False
