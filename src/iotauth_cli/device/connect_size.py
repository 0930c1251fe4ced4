"""How big a CONNECT packet is: what decides whether a small device can send it at all.

MQTT 3.1.1, part 3.1: a fixed header, ten bytes of variable header, then each text behind two
bytes of length. A signed token makes a user name of 700 bytes, and client libraries have
buffers of 128 or 256 that they outgrow in silence.
"""

from __future__ import annotations

from typing import NamedTuple

from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError

VARIABLE_HEADER = 10  # "MQTT" behind its length, level, flags, keep-alive
LENGTH = 2  # before each text
MAX_FIXED_HEADER = 5  # PubSubClient keeps this much free, however short the packet is
MAX_TEXT = 65_535  # bytes of one text: its length is two bytes


class Measured(NamedTuple):
    """Bytes of the CONNECT packet without a will, and of the buffer that sends it."""

    connect_bytes: int
    buffer_bytes: int


def measured(login: DeviceLogin) -> Measured:
    """Return both sizes.

    Raises:
        InputError: a text is longer than MQTT allows.
    """
    for what, text in (
        ("client id", login.client_id),
        ("user name", login.username),
        ("password", login.password.reveal()),
    ):
        if len(text.encode()) > MAX_TEXT:
            raise InputError(f"the {what} is longer than {MAX_TEXT:,} bytes, which MQTT cannot carry")
    return Measured(connect_bytes(login), buffer_bytes(login))


def connect_bytes(login: DeviceLogin, *, will_topic: str | None = None, will_message: bytes = b"") -> int:
    """Return the exact size of the packet, in bytes."""
    remaining = remaining_bytes(login, will_topic, will_message)
    return 1 + length_of_length(remaining) + remaining


def buffer_bytes(login: DeviceLogin, *, will_topic: str | None = None, will_message: bytes = b"") -> int:
    """Return the buffer that PubSubClient and its heirs need to send it."""
    return MAX_FIXED_HEADER + remaining_bytes(login, will_topic, will_message)


def remaining_bytes(login: DeviceLogin, will_topic: str | None, will_message: bytes) -> int:
    fields = [login.client_id.encode(), login.username.encode(), login.password.reveal().encode()]
    if will_topic is not None:
        fields += [will_topic.encode(), will_message]
    return VARIABLE_HEADER + sum(LENGTH + len(field) for field in fields)


def length_of_length(remaining: int) -> int:
    """Return how many bytes the remaining length takes: seven bits in each."""
    return max(1, -(-remaining.bit_length() // 7))
