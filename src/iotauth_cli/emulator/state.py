"""Everything the emulator remembers, in one SQLite file in one directory.

Each room brings its own tables (`State.create`) and nobody reads another's. WAL with
``synchronous=NORMAL`` loses nothing when the process is killed, only when the machine is;
for a development tool that buys an item write well under a millisecond.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

FILE_NAME = "state.sqlite"


class State:
    def __init__(self, directory: Path, db: sqlite3.Connection) -> None:
        self.directory = directory
        self.db = db

    @classmethod
    def open(cls, directory: Path) -> State:
        """Open or create the state under *directory*, readable by its owner alone.

        Raises:
            OSError, sqlite3.Error: the directory cannot be written or the file is not a database.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / FILE_NAME
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(path, isolation_level=None)
        db.row_factory = sqlite3.Row
        try:
            for setting in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                db.execute(f"PRAGMA {setting}")
        except sqlite3.Error:
            db.close()
            raise
        return cls(directory, db)

    def create(self, schema: str) -> None:
        """Run *schema*, statements of the form ``CREATE … IF NOT EXISTS``."""
        self.db.executescript(schema)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold several statements together: all of them, or none."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:  # SQLite may have rolled back by itself, as when the disk is full
                self.db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self.db.close()
