"""Retained messages: the last one of each topic, for whoever subscribes to it by its exact name.

They outlive the emulator's process, as they do on AWS IoT. Source: developer guide, "MQTT
retained messages" (an exact filter gets it with RETAIN set, a wildcard does not, an empty
payload deletes).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from iotauth_cli.emulator.mqtt.message import NEVER, Message
from iotauth_cli.emulator.state import State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS retained_messages (
    topic TEXT PRIMARY KEY,
    payload BLOB NOT NULL,
    qos INTEGER NOT NULL,
    stored_at REAL NOT NULL,
    properties BLOB NOT NULL,
    expires_at REAL NOT NULL
);
"""


@dataclass(frozen=True)
class RetainedMessage:
    """Times are the emulator's seconds; *properties* are MQTT 5's, as they go over the wire."""

    topic: str
    payload: bytes
    qos: int
    stored_at: float = 0.0
    properties: bytes = b""
    expires_at: float = NEVER

    def message(self) -> Message:
        return Message(self.topic, self.payload, retain=True, properties=self.properties, expires_at=self.expires_at)


class RetainedMessages:
    def __init__(self, state: State) -> None:
        state.create(_SCHEMA)
        self._db = state.db

    def store(self, message: RetainedMessage) -> None:
        """Keep *message* in place of the one before; an empty payload only deletes that."""
        if not message.payload:
            self._db.execute("DELETE FROM retained_messages WHERE topic = ?", (message.topic,))
            return
        self._db.execute(
            "INSERT OR REPLACE INTO retained_messages VALUES (?, ?, ?, ?, ?, ?)",
            (
                message.topic,
                message.payload,
                message.qos,
                message.stored_at,
                message.properties,
                message.expires_at,
            ),
        )

    def find(self, topic: str, now: float) -> RetainedMessage | None:
        """Return the message of *topic*, unless it has expired by *now*."""
        row = self._db.execute(
            "SELECT * FROM retained_messages WHERE topic = ? AND expires_at > ?", (topic, now)
        ).fetchone()
        return None if row is None else _message(row)

    def list(self, now: float) -> tuple[RetainedMessage, ...]:
        """Return every message that has not expired by *now*, by topic."""
        rows = self._db.execute("SELECT * FROM retained_messages WHERE expires_at > ? ORDER BY topic", (now,))
        return tuple(map(_message, rows))


def _message(row: sqlite3.Row) -> RetainedMessage:
    return RetainedMessage(**row)
