"""Persistent sessions on disk: subscriptions, and the messages that wait for a client that is away.

A session that outlives its connection outlives the emulator's process too, killed or not. While a
client is connected its messages are in memory alone; those that were stored stay stored until all
are acknowledged, so that a crash in between sends some twice (QoS 1) and loses none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iotauth_cli.emulator.client import Client
from iotauth_cli.emulator.mqtt.message import Message
from iotauth_cli.emulator.mqtt.packets import Subscription
from iotauth_cli.emulator.state import State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mqtt_sessions (
    client_id TEXT PRIMARY KEY,
    session_expiry_s INTEGER NOT NULL,
    expires_at REAL  -- NULL while the client is connected
);
CREATE TABLE IF NOT EXISTS mqtt_subscriptions (
    client_id TEXT NOT NULL REFERENCES mqtt_sessions ON DELETE CASCADE,
    topic_filter TEXT NOT NULL,
    qos INTEGER NOT NULL,
    no_local INTEGER NOT NULL,
    retain_as_published INTEGER NOT NULL,
    PRIMARY KEY (client_id, topic_filter)
);
CREATE TABLE IF NOT EXISTS mqtt_queue (
    number INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES mqtt_sessions ON DELETE CASCADE,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    retain INTEGER NOT NULL,
    properties BLOB NOT NULL,
    expires_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS mqtt_queue_by_client ON mqtt_queue (client_id, number);
"""


@dataclass(frozen=True)
class StoredSession:
    """*expires_at* is None when the emulator ended while the client was connected."""

    client_id: str
    session_expiry_s: int
    expires_at: float | None
    subscriptions: tuple[Subscription, ...]
    messages: tuple[Message, ...]


class SessionStore:
    def __init__(self, state: State) -> None:
        state.create(_SCHEMA)
        self._state = state
        self._db = state.db

    def load(self) -> Iterator[StoredSession]:
        """Give every session that was kept."""
        for row in self._db.execute("SELECT * FROM mqtt_sessions").fetchall():
            client_id = row["client_id"]
            yield StoredSession(**row, subscriptions=self._subscriptions(client_id), messages=self._queue(client_id))

    def open(self, client: Client) -> None:
        """Keep the session of a client that has connected, subscriptions included."""
        client.is_stored = True
        with self._state.transaction() as db:
            db.execute(
                "INSERT INTO mqtt_sessions VALUES (?, ?, NULL) ON CONFLICT (client_id) "
                "DO UPDATE SET session_expiry_s = excluded.session_expiry_s, expires_at = NULL",
                (client.client_id, client.session_expiry_s),
            )
            for subscription in client.subscriptions.values():
                self.subscribe(client, subscription)

    def subscribe(self, client: Client, subscription: Subscription) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO mqtt_subscriptions VALUES (?, ?, ?, ?, ?)",
            (
                client.client_id,
                subscription.topic_filter,
                subscription.qos,
                subscription.no_local,
                subscription.retain_as_published,
            ),
        )

    def unsubscribe(self, client: Client, topic_filter: str) -> None:
        self._db.execute(
            "DELETE FROM mqtt_subscriptions WHERE client_id = ? AND topic_filter = ?", (client.client_id, topic_filter)
        )

    def leave(self, client: Client) -> None:
        """Store what waits for a client that has gone, and until when."""
        with self._state.transaction() as db:
            db.execute(
                "UPDATE mqtt_sessions SET session_expiry_s = ?, expires_at = ? WHERE client_id = ?",
                (client.session_expiry_s, client.expires_at, client.client_id),
            )
            self.empty(client)
            for message in client.outbox:
                self.hold(client, message)

    def hold(self, client: Client, message: Message) -> None:
        """Add a message for a client that is away."""
        client.has_stored_messages = True
        self._db.execute(
            "INSERT INTO mqtt_queue (client_id, topic, payload, retain, properties, expires_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                client.client_id,
                message.topic,
                message.payload,
                message.retain,
                message.properties,
                message.expires_at,
            ),
        )

    def empty(self, client: Client) -> None:
        """Remove the messages that were stored for *client*: it has acknowledged them all."""
        client.has_stored_messages = False
        self._db.execute("DELETE FROM mqtt_queue WHERE client_id = ?", (client.client_id,))

    def forget(self, client: Client) -> None:
        """Remove the session with all that belongs to it."""
        client.is_stored = client.has_stored_messages = False
        self._db.execute("DELETE FROM mqtt_sessions WHERE client_id = ?", (client.client_id,))

    def _subscriptions(self, client_id: str) -> tuple[Subscription, ...]:
        rows = self._db.execute(
            "SELECT topic_filter, qos, no_local, retain_as_published FROM mqtt_subscriptions WHERE client_id = ?",
            (client_id,),
        )
        return tuple(Subscription(name, qos, bool(no_local), bool(retain)) for name, qos, no_local, retain in rows)

    def _queue(self, client_id: str) -> tuple[Message, ...]:
        rows = self._db.execute(
            "SELECT topic, payload, retain, properties, expires_at FROM mqtt_queue WHERE client_id = ? ORDER BY number",
            (client_id,),
        )
        return tuple(
            Message(topic, payload, retain=bool(retain), properties=properties, expires_at=expires_at)
            for topic, payload, retain, properties, expires_at in rows
        )
