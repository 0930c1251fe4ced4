"""How big a CONNECT packet is: counted, and compared with one that was sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from iotauth_cli.device.connect_size import buffer_bytes, connect_bytes, measured
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret
from support_logins import LOGIN, logins


def sent_by_paho(login: DeviceLogin, will_topic: str | None = None, will_message: bytes = b"") -> bytes:
    """Return the CONNECT that paho would put on the wire."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=login.client_id)
    client.username_pw_set(login.username, login.password.reveal())
    if will_topic:
        client.will_set(will_topic, will_message)
    packets: list[bytes] = []
    client._packet_queue = lambda _command, packet, *_: packets.append(bytes(packet)) or 0  # type: ignore[func-returns-value,method-assign,assignment]
    client._send_connect(60)
    return packets[0]


@given(logins())
def test_the_size_is_that_of_a_real_packet(login: DeviceLogin) -> None:
    """Byte for byte as paho sends it, in any script."""
    assert connect_bytes(login) == len(sent_by_paho(login))


@pytest.mark.parametrize("length", [70, 71, 72, 16_000, 16_328, 16_329, 16_330, 60_000])
def test_the_size_is_right_where_the_length_grows(length: int) -> None:
    """At 128 and 16,384 bytes the packet's own length takes a byte more."""
    login = replace(LOGIN, client_id="c", username="u", password=Secret("p" * length))
    assert connect_bytes(login) == len(sent_by_paho(login))


def test_a_last_will_counts() -> None:
    """Topic and message ride in CONNECT too."""
    packet = sent_by_paho(LOGIN, "sensors/thermo-1/gone", b"gone")
    assert connect_bytes(LOGIN, will_topic="sensors/thermo-1/gone", will_message=b"gone") == len(packet)


def test_the_buffer_keeps_room_for_the_longest_header() -> None:
    """PubSubClient writes behind five bytes, however many it needs in the end."""
    assert connect_bytes(LOGIN) == 108  # its fixed header: two bytes
    assert buffer_bytes(LOGIN) == 108 - 2 + 5


@pytest.mark.parametrize("member", ["client_id", "username", "password"])
def test_what_mqtt_cannot_carry_is_refused(member: str) -> None:
    """A text of 65,536 bytes has no length in two bytes."""
    text = "x" * 65_536
    value = Secret(text) if member == "password" else text
    with pytest.raises(InputError, match="longer than 65,535 bytes"):
        measured(replace(LOGIN, **{member: value}))  # type: ignore[arg-type]
