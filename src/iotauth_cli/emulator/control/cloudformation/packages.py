"""Zips of functions that `iotauth emulator deploy` uploads, in place of the S3 bucket that AWS would ask for.

A package is named by its content, so the same code makes the same template and nothing to update.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from iotauth_cli.emulator.admin import Handler, Members, text
from iotauth_cli.emulator.control.cloudformation.errors import invalid
from iotauth_cli.emulator.state import State
from iotauth_cli.errors import InputError

BUCKET = "iotauth-emulator-packages"  # what templates name in place of a bucket
SCHEMA = "CREATE TABLE IF NOT EXISTS cfn_package (key TEXT PRIMARY KEY, content BLOB NOT NULL);"


class Packages:
    def __init__(self, state: State) -> None:
        self._state = state
        state.create(SCHEMA)
        self.nouns: Mapping[str, Handler] = {}
        self.verbs: Mapping[str, Handler] = {"packages/add": self.upload}

    def add(self, content: bytes) -> str:
        """Keep *content* and return its key."""
        key = f"{hashlib.sha256(content).hexdigest()}.zip"
        self._state.db.execute("INSERT OR IGNORE INTO cfn_package VALUES (?, ?)", (key, content))
        return key

    def get(self, key: str) -> bytes:
        """Return the package.

        Raises:
            ServiceError: ValidationError; there is none of that *key*.
        """
        row = self._state.db.execute("SELECT content FROM cfn_package WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise invalid(f"there is no package {key}; run `iotauth emulator deploy` again")
        content: bytes = row["content"]
        return content

    def keep_only(self, templates: list[str]) -> None:
        """Remove what none of *templates* names. For a start, when no deployment is on its way."""
        for row in self._state.db.execute("SELECT key FROM cfn_package").fetchall():
            if not any(row["key"] in template for template in templates):
                self._state.db.execute("DELETE FROM cfn_package WHERE key = ?", (row["key"],))

    async def upload(self, members: Members) -> Members:
        """Take ``content``, a zip in base64, and return where a template finds it.

        Raises:
            InputError: it is not base64.
        """
        try:
            content = base64.b64decode(text(members, "content"), validate=True)
        except binascii.Error as error:
            raise InputError("`content` must be base64") from error
        return {"bucket": BUCKET, "key": self.add(content)}
