"""What a device needs to log in: the one value that every format writes down in its own way."""

from __future__ import annotations

from dataclasses import dataclass

from iotauth_cli.secret import Secret

EMULATOR_MARK = "for the iotauth emulator only: AWS does not know this endpoint, and no device may ship with this CA"


@dataclass(frozen=True)
class DeviceLogin:
    """A credential together with the place where it is good.

    *username* is complete, as the device sends it. *alpn* is empty where the endpoint wants none.
    *publish* and *subscribe* are topic filters, *topic* is a first topic to publish to, empty if
    nothing may be published. *ca_pem* holds the roots that vouch for *host*.
    """

    client_id: str
    username: str
    password: Secret
    host: str
    port: int
    alpn: tuple[str, ...]
    ca_pem: str
    is_emulator: bool
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    retain: bool
    will: bool
    topic: str
    authorizer: str
    wifi_ssid: str | None = None
    wifi_password: Secret | None = None

    def __repr__(self) -> str:
        # The default would print a token with its signature, which is a password of its own.
        return f"DeviceLogin(client_id={self.client_id!r}, host={self.host!r}, …)"

    @property
    def inbox(self) -> str:
        """A first topic filter to subscribe to: commands below its own topic where granted; empty if there is none."""
        if self.topic and f"{self.topic}/#" in self.subscribe:
            return f"{self.topic}/command"
        return next(iter(self.subscribe), "")

    @property
    def marks(self) -> tuple[str, ...]:
        """What whoever opens the result must read before anything else."""
        return (EMULATOR_MARK,) * self.is_emulator
