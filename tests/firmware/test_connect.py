"""What lies in the flash, connecting to the emulator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotauth_cli.device import roots
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.secret import Secret
from support_chip import FakeChip
from support_device import text
from support_workshop import CHIPS, Workshop

ENVIRONMENTS = sorted(CHIPS)
HEADER_ENVIRONMENTS = ["esp32", "esp8266"]
ADDED: dict[str, DeviceLogin] = {}


def known(workshop: Workshop, client_id: str) -> DeviceLogin:
    """Return the login of a client, added the first time that it is asked for."""
    if client_id not in ADDED:
        ADDED[client_id] = workshop.login(client_id)
    return ADDED[client_id]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_flashed_device_is_let_in_and_talks(name: str, workshop: Workshop) -> None:
    """TLS with the endpoint's name and ALPN, let in as its client; what it measures arrives, a command reaches it."""
    client_id = f"talks-{name}"
    topic = f"sensors/{client_id}"
    with (
        workshop.watcher(f"$aws/events/presence/connected/{client_id}", topic) as watcher,
        workshop.device(name, workshop.login(client_id)) as device,
    ):
        assert watcher.hear(f"$aws/events/presence/connected/{client_id}")["clientId"] == client_id
        assert watcher.hear(topic, online=True)["retained"] is False
        device.wait_for(f"mqtt: subscribed to {topic}/command")
        watcher.send(0x32, text(f"{topic}/command") + b"\0\1" + b"open")
        device.wait_for(f"received on {topic}/command: open")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_next_device_carries_nothing_of_the_last(name: str, workshop: Workshop) -> None:
    """Flashed one after the other on the same board: only the second credential lies in flash, and it is let in."""
    first, second = workshop.login(f"first-{name}"), workshop.login(f"second-{name}")
    with FakeChip(CHIPS[name]) as chip:
        for login in (first, second):
            workshop.flash(chip, name, login)
        for login, count in ((first, 0), (second, 1)):
            assert chip.flash.count(login.password.reveal().encode()) == count
            assert chip.flash.count(login.username.encode()) == count
        with workshop.run(chip) as device:
            device.wait_for(f"mqtt: connected as `{second.client_id}`")


@pytest.mark.parametrize("name", HEADER_ENVIRONMENTS)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": Secret("wrong")}, ("mqtt: not connected, state -4", "check the password")),
        ({"alpn": ()}, ("mqtt: no ALPN is offered",)),
        ({"ca_pem": roots.amazon_pem()}, ("mqtt: not connected, state -2", "does not lead to the root CA")),
        ({"host": "elsewhere.localhost"}, ("mqtt: not connected, state -2", "check its name")),
        ({"wifi_password": Secret("wrong horse")}, ("wifi: not joined", "check the Wi-Fi password")),
        ({"wifi_ssid": "nowhere"}, ("wifi: not joined", "check the name")),
    ],
    ids=["password", "alpn", "ca", "host", "wifi password", "wifi name"],
)
def test_a_device_says_what_to_check(
    name: str, changes: dict[str, Any], words: tuple[str, ...], workshop: Workshop
) -> None:
    """Each mistake ends in a line on the serial port with the numbers for a search and the words for a person."""
    login = known(workshop, f"says-{name}")
    with workshop.device(name, replace(login, **changes), speed=10) as device:
        device.wait_for(*words)
        assert not [line for line in device.lines if "connected as" in line]
