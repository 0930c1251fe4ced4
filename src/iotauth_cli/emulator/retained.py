"""Retained messages: the last one of each topic, for whoever subscribes to it by its exact name.

They outlive the emulator's process, as they do on AWS IoT. Source: developer guide, "MQTT
retained messages" (an exact filter gets it with RETAIN set, a wildcard does not, an empty
payload deletes).
"""

from __future__ import annotations

from dataclasses import dataclass

from iotauth_cli.emulator.state import State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS retained (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class RetainedMessage:
    topic: str
    payload: bytes
    qos: int


class RetainedMessages:
    def __init__(self, state: State) -> None:
        state.create(_SCHEMA)
        self._db = state.db

    def store(self, topic: str, payload: bytes, qos: int) -> None:
        """Keep the message in place of the one before; an empty payload only deletes that."""
        if payload:
            self._db.execute("INSERT OR REPLACE INTO retained VALUES (?, ?, ?)", (topic, payload, qos))
        else:
            self._db.execute("DELETE FROM retained WHERE topic = ?", (topic,))

    def find(self, topic: str) -> RetainedMessage | None:
        row = self._db.execute("SELECT * FROM retained WHERE topic = ?", (topic,)).fetchone()
        return None if row is None else RetainedMessage(**row)
