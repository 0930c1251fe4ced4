"""What a walk to the broker is made of: where to, as whom, on which errand, and what each step found.

A device that is not let in sees a closed socket and nothing else. The walk therefore takes
the way in steps, each with its own time, facts and, when it fails, a *symptom*: one word for
what a device would see. What the symptom means is `diagnose`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args

from iotauth_authorizer import username
from iotauth_cli.secret import MASK, Secret

StageName = Literal[
    "dns", "tcp", "tls", "alpn", "upgrade", "request", "connect", "subscribe", "publish", "receive", "stay", "end"
]
STAGES: tuple[StageName, ...] = get_args(StageName)

CUSTOM_AUTH_ALPN = "mqtt"  # AWS IoT, "Protocols": custom authentication over MQTT on port 443


class Symptom(str, Enum):
    """What a failing step looks like from the device's side."""

    NO_SUCH_HOST = "no-such-host"
    NAME_NOT_RESOLVED = "name-not-resolved"  # the resolver itself failed; the name may be right
    PORT_CLOSED = "port-closed"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    NOT_TLS = "not-tls"
    UNTRUSTED = "untrusted"  # the chain ends in no root that this side trusts
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    INVALID_CERTIFICATE = "invalid-certificate"
    NO_COMMON_PROTOCOL = "no-common-protocol"  # the server refused every ALPN protocol offered
    TLS_FAILED = "tls-failed"
    CLOSED = "closed"  # the other side hung up and said nothing
    REFUSED = "refused"  # it said no, with a reason code
    NOT_MQTT = "not-mqtt"
    NOT_HTTP = "not-http"
    REJECTED = "rejected"  # an HTTP status that is neither a yes nor a "forbidden"

    def __str__(self) -> str:
        return self.value


Transport = Literal["mqtt", "websocket", "http"]
Client = Literal["paho", "awscrt"]
Carrier = Literal["username", "headers", "query"]


@dataclass(frozen=True)
class Manner:
    """How the device talks: MQTT over TLS, MQTT in a WebSocket, or one HTTPS request that publishes.

    *carrier* is where the authorizer's name, the token and its signature travel: in CONNECT's user name,
    or in the headers or the query string of the HTTP request. *is_mqtt5* is MQTT 5 instead of 3.1.1,
    *client* the library that speaks MQTT.
    """

    transport: Transport = "mqtt"
    carrier: Carrier = "username"
    is_mqtt5: bool = False
    client: Client = "paho"

    @property
    def speaks_http(self) -> bool:
        """Whether the port has to expect HTTP, at least for a start."""
        return self.transport != "mqtt"

    @property
    def alpn(self) -> tuple[str, ...]:
        """What to offer: `mqtt` tells port 443 to expect MQTT; HTTPS and WebSocket need none."""
        return () if self.speaks_http else (CUSTOM_AUTH_ALPN,)

    @property
    def words(self) -> str:
        version = "MQTT 5" if self.is_mqtt5 else "MQTT 3.1.1"
        return {"mqtt": version, "websocket": f"{version} in a WebSocket", "http": "HTTPS"}[self.transport]

    @property
    def flags(self) -> str:
        """Test-connect's flags for this manner, to be put behind a command."""
        transport = {"mqtt": "", "websocket": " --websocket", "http": " --http"}[self.transport]
        is_usual = self.carrier == ("headers" if self.transport == "http" else "username")
        return (
            transport
            + ("" if is_usual else f" --credentials-in {self.carrier}")
            + " --mqtt5" * self.is_mqtt5
            + ("" if self.client == "paho" else f" --client {self.client}")
        )


PLAIN = Manner()


@dataclass(frozen=True)
class Endpoint:
    """Where to knock, and how: *alpn* empty offers none, *ca_file* None trusts Amazon's
    roots and the system's."""

    host: str
    port: int = 443
    ca_file: Path | None = None
    alpn: tuple[str, ...] = (CUSTOM_AUTH_ALPN,)
    server_name: str | None = None  # sent instead of the host; empty sends none

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Login:
    """What goes into CONNECT. *username* is complete, with its `?x-amz-customauthorizer-…` part."""

    client_id: str
    username: str | None
    password: Secret | None

    @property
    def shown_username(self) -> str | None:
        """The user name as it may be shown: whatever authenticates in it is masked."""
        return None if self.username is None else mask_parameters(self.username)


PLAIN_PARAMETERS = {username.AUTHORIZER_NAME, "SDK", "Version", "Platform", "Metadata"}


def mask_parameters(text: str) -> str:
    """Return user name *text* with every parameter masked that may be a token or a signature.

    The token's key is named by the authorizer, so all but the known harmless ones are masked.
    """
    user, question_mark, query = text.partition("?")
    shown = [
        part if (key := part.partition("=")[0]) in PLAIN_PARAMETERS or "=" not in part else f"{key}={MASK}"
        for part in query.split("&")
    ]
    return user + question_mark + "&".join(shown)


@dataclass(frozen=True)
class Errand:
    """What to do once inside. A message is expected back only where *subscribe* matches *publish*.

    *qos*, *retain* and *payload_bytes* are the message's; *will* is the topic of a will that CONNECT leaves,
    *stay_s* how long to stay connected in the end.
    """

    publish: str | None = None
    subscribe: str | None = None
    qos: int = 1
    retain: bool = False
    will: str | None = None
    payload_bytes: int | None = None
    stay_s: float = 0.0


@dataclass(frozen=True)
class Finding:
    """What one step found. *facts* hold text, numbers, booleans and lists of text, never a secret.

    *ms* is given where the step's own time is not the time that counts.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    symptom: Symptom | None = None
    ms: float | None = None


@dataclass(frozen=True)
class Started:
    """A step began; whoever shows the walk can name it while it takes its time."""

    name: StageName


@dataclass(frozen=True)
class Stage:
    """A step that is over. *started_at* is epoch seconds, *ms* how long it took."""

    name: StageName
    ms: float
    started_at: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    symptom: Symptom | None = None

    @property
    def ok(self) -> bool:
        return self.symptom is None

    def as_document(self) -> dict[str, Any]:
        """Return the stage as it appears under `--json`; a failing one carries its symptom."""
        document = {"name": self.name, "ok": self.ok, "ms": round(self.ms, 1), "facts": dict(self.facts)}
        return document if self.symptom is None else {**document, "symptom": str(self.symptom)}
