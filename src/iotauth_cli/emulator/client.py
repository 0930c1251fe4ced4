"""What the broker knows by one client id: the connection while there is one, and what is kept for it.

MQTT calls it a session. It outlives its connection for `Client.session_expiry_s`.
"""

from __future__ import annotations

from typing import Protocol

from iotauth_cli.emulator.gateway import Admission
from iotauth_cli.emulator.model import ConnectionInfo
from iotauth_cli.emulator.mqtt.message import NEVER, Message
from iotauth_cli.emulator.mqtt.outbox import Outbox, Parcel
from iotauth_cli.emulator.mqtt.packets import LEVEL_5, Subscription, Will
from iotauth_cli.emulator.mqtt.session import DisconnectReason
from iotauth_cli.emulator.mqtt.terms import Terms
from iotauth_cli.policy.evaluate import Evaluator

PROTOCOLS = {4: "MQTT 3.1.1", LEVEL_5: "MQTT 5"}


class Link(Protocol):
    """A connection, as the broker needs it."""

    @property
    def admission(self) -> Admission: ...

    @property
    def connected_at(self) -> float: ...

    @property
    def terms(self) -> Terms: ...

    def deliver(self, message: Message) -> None:
        """Send a message at QoS 0 soon, or drop it because the client reads too slowly."""

    def deliver_acknowledged(self, parcel: Parcel) -> None:
        """Send a message at QoS 1 soon."""

    def end(self, reason: DisconnectReason, sentence: str) -> None: ...

    def cut(self) -> None:
        """Drop the connection as a broken line does."""

    def tick(self, now: float) -> None: ...

    def hear(self, now: float) -> None:
        """Take the client to have pinged at *now*."""

    async def settle(self) -> None:
        """Wait until the authorizer has answered, if it is being asked."""


class Client:
    """Times are the emulator's seconds. *will_at* is when a will that was delayed is to be published."""

    __slots__ = (
        "client_id",
        "expires_at",
        "filter_prefix",
        "has_stored_messages",
        "is_stored",
        "link",
        "max_packet_bytes",
        "outbox",
        "policy",
        "session_expiry_s",
        "subscriptions",
        "topic_prefix",
        "undelivered",
        "will",
        "will_at",
    )

    # From `admit`: a session that was found on disk has no policy until its client comes back.
    policy: Evaluator
    topic_prefix: str
    filter_prefix: str

    def __init__(self, client_id: str, outbox: Outbox) -> None:
        self.client_id = client_id
        self.outbox = outbox
        self.is_stored = self.has_stored_messages = False
        self.subscriptions: dict[str, Subscription] = {}
        self.link: Link | None = None
        self.max_packet_bytes: int | None = None
        self.session_expiry_s = 0
        self.expires_at = NEVER
        self.will: Will | None = None
        self.will_at = NEVER
        self.undelivered: set[str] = set()

    def admit(self, admission: Admission) -> None:
        """Live under the policy of *admission* from now on."""
        self.policy = admission.policy
        self.topic_prefix = admission.scope.topic("")
        self.filter_prefix = admission.scope.topicfilter("")
        self.undelivered.clear()

    def attach(self, link: Link, window: int) -> None:
        """Have *link* as the connection; *window* is the broker's own limit of messages on their way."""
        self.link = link
        self.will, self.will_at = link.admission.connect.will, NEVER
        self.expires_at = NEVER
        self.session_expiry_s = link.terms.session_expiry_s
        self.max_packet_bytes = link.terms.max_packet_bytes
        self.outbox.resize(min(window, link.terms.receive_maximum))

    def takes(self, message: Message) -> bool:
        """Tell whether *message* is small enough for the client."""
        return self.max_packet_bytes is None or message.size_at_5() <= self.max_packet_bytes

    def info(self, link: Link) -> ConnectionInfo:
        admission = link.admission
        return ConnectionInfo(
            client_id=self.client_id,
            connection_id=admission.connection_id,
            principal_id=admission.principal_id,
            authorizer=admission.authorizer,
            peer=admission.arrival.peer,
            protocol=PROTOCOLS[link.terms.level],
            transports=admission.arrival.protocols,
            connected_at=link.connected_at,
            keep_alive_s=link.terms.keep_alive_s,
            session_expiry_s=self.session_expiry_s,
            refresh_at=admission.refresh_at,
            disconnect_at=admission.disconnect_at,
            subscriptions=tuple(sorted((each.topic_filter, each.qos) for each in self.subscriptions.values())),
            policy_documents=admission.policy_documents,
        )
