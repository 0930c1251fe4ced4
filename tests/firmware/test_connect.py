"""What lies in the flash, connecting to the emulator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotauth_cli.device import roots
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.secret import Secret
from support_chip import FakeChip
from support_device import Device, text
from support_workshop import CHIPS, WIFI, Workshop

ENVIRONMENTS = sorted(CHIPS)
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


MISTAKES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "password": ({"password": Secret("wrong")}, ("mqtt: not connected, state -4", "check the password")),
    "no alpn": ({"alpn": ()}, ("mqtt: no ALPN is offered",)),
    "other alpn": ({"alpn": ("h2",)}, ("mqtt: not connected, state -4", "ALPN `mqtt` on port 443")),
    "ca": ({"ca_pem": roots.amazon_pem()}, ("mqtt: not connected, state -2", "does not lead to the root CA")),
    "host": ({"host": "elsewhere.localhost"}, ("mqtt: not connected, state -2", "check its name")),
    "wifi password": ({"wifi_password": Secret("wrong horse")}, ("wifi: not joined", "check the Wi-Fi password")),
    "wifi name": ({"wifi_ssid": "nowhere"}, ("wifi: not joined", "check the name")),
}
ON_ESP8266 = ("password", "no alpn", "other alpn", "ca")  # where TLS is another library's


@pytest.mark.parametrize(
    ("name", "mistake"),
    [*(("esp32nvs", mistake) for mistake in MISTAKES), *(("esp8266", mistake) for mistake in ON_ESP8266)],
)
def test_a_device_says_what_to_check(name: str, mistake: str, workshop: Workshop) -> None:
    """Each mistake ends in a line on the serial port with the numbers for a search and the words for a person."""
    changes, words = MISTAKES[mistake]
    login = replace(known(workshop, f"says-{name}"), **changes)
    with workshop.device(name, login, speed=20) as device:
        device.wait_for(*words)
        assert not [line for line in device.lines if "connected as" in line]


@pytest.mark.parametrize("name", ["esp32nvs", "esp8266"])
def test_any_text_reaches_the_chip_unchanged(name: str, workshop: Workshop) -> None:
    """Quotes, backslashes, trigraphs, formats and other scripts in the Wi-Fi password: the network lets it in."""
    password = 'a"b\\n%s??/,; žluť'
    login = replace(known(workshop, f"says-{name}"), wifi_password=Secret(password))
    with workshop.device(name, login, wifi=f"{WIFI}/{password}") as device:
        device.wait_for("wifi: joined")


def test_a_closed_port_is_told_from_a_wrong_certificate(workshop: Workshop) -> None:
    """Nobody listens: the host was not reached."""
    with workshop.device("esp32nvs", known(workshop, "says-esp32nvs"), connect_to=("127.0.0.1", 9)) as device:
        device.wait_for("mqtt: not connected, state -2, tls -1", "the host was not reached")


def test_waits_grow_and_are_never_in_step(workshop: Workshop) -> None:
    """Doubled after each failure up to two minutes, each with up to half of it more, by chance."""
    floors = [1000, 2000, 4000, 8000, 16000, 32000, 64000, 120000, 120000]
    login = known(workshop, "says-esp32nvs")
    with workshop.device("esp32nvs", login, connect_to=("127.0.0.1", 9), speed=500) as device:
        device.wait_for("mqtt: next try in", times=len(floors))
        said = [int(line.split()[-2]) for line in device.lines if "mqtt: next try in" in line]
    chances = [wait / floor for wait, floor in zip(said, floors, strict=False)]
    assert all(1 <= chance <= 1.5 for chance in chances)
    assert len(set(chances)) > 1


@pytest.mark.parametrize("name", ["esp32nvs", "esp8266"])
def test_a_user_name_beyond_the_librarys_buffer_connects(name: str, workshop: Workshop) -> None:
    """PubSubClient has 256 bytes and gives up in silence; a signature of RSA 4096 alone makes a user name of 700."""
    login = known(workshop, f"long-{name}")
    long = replace(login, username=login.username + "&signature=" + "A" * 1400)
    with workshop.device(name, long) as device:
        device.wait_for("mqtt: connecting", "with a CONNECT of up to 15")
        device.wait_for(f"mqtt: connected as `long-{name}`")


def test_a_certificate_waits_for_the_clock(workshop: Workshop) -> None:
    """BearSSL compares dates: without the time an ESP8266 says so and does not try; an ESP32 needs none."""
    with workshop.device("esp8266", known(workshop, "says-esp8266"), clock=False, speed=50) as device:
        device.wait_for("clock: not set")
        assert not [line for line in device.lines if "mqtt:" in line]
    with workshop.device("esp32nvs", known(workshop, "says-esp32nvs"), clock=False) as device:
        device.wait_for("mqtt: connected")


def test_a_server_without_short_records_gets_the_large_buffer(workshop: Workshop) -> None:
    """An ESP8266 asks first; where the answer is no, it keeps room for records of 16 KiB."""
    with workshop.device("esp8266", known(workshop, "says-esp8266"), short_records=False) as device:
        device.wait_for("mqtt: connected")


@pytest.mark.parametrize("retain", [False, True])
def test_a_last_will_is_left_where_it_is_granted(retain: bool, workshop: Workshop) -> None:
    """The device vanishes and its topic says so; retained, as all it publishes, only where that is granted too."""
    client_id = f"will-{retain}".lower()
    login = workshop.login(client_id, will=True, retain=retain)
    with workshop.watcher(f"sensors/{client_id}") as watcher:
        with workshop.device("esp32nvs", login) as device:
            device.wait_for("published on")
            watcher.hear(f"sensors/{client_id}", online=True)
        watcher.hear(f"sensors/{client_id}", online=False)
    with workshop.watcher(f"sensors/{client_id}") as late:
        late.send(0x32, text(f"sensors/{client_id}") + b"\0\1" + b'{"last": true}')
        first = late.hear(f"sensors/{client_id}")
    assert first.get("online") is (False if retain else None)


def test_it_comes_back_when_it_was_thrown_out(workshop: Workshop) -> None:
    """Somebody else connects with its client id: it says what happened, waits, and is there again."""
    login = known(workshop, "thrown-out")
    with workshop.device("esp32nvs", login, speed=5) as device:
        device.wait_for("mqtt: subscribed")
        with Device(workshop.place.emulator) as other:
            assert other.connect("thrown-out") == (0, False)
            device.wait_for("mqtt: lost after", "when the client id connects twice")
        device.wait_for("mqtt: next try in")
        device.wait_for("mqtt: connected as", times=2)


def test_a_build_for_the_emulator_is_loud(workshop: Workshop) -> None:
    """At each start and before each try it says that it trusts a test CA."""
    with workshop.device("esp32nvs", known(workshop, "says-esp32nvs")) as device:
        device.wait_for("mqtt: connected")
        assert sum("*** EMULATOR" in line for line in device.lines) == 2
    with workshop.device("esp32nvs", replace(known(workshop, "says-esp32nvs"), is_emulator=False)) as device:
        device.wait_for("mqtt: connected")
        assert not [line for line in device.lines if "EMULATOR" in line]
