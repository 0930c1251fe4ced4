"""NVS images, their tables and settings files, read back by their own readers."""

from __future__ import annotations

import contextlib
import csv
import io
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings

from iotauth_cli.device.formats import esphome, nvs_bin, nvs_csv, render, texts
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import DeviceError, InputError
from iotauth_cli.secret import Secret
from support_logins import HOSTILE, LOGIN, logins

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE, ENTRY = 4096, 32  # bytes; ESP-IDF, "Non-Volatile Storage Library", internals
NUMBERS = {0x01: "<B", 0x02: "<H"}
STRING = 0x21


def read_nvs(image: bytes) -> dict[str, Any]:
    """Return every key of the one namespace of an NVS image; the check sums must be right."""
    found: dict[str, Any] = {}
    for start in range(0, len(image), PAGE):
        page = image[start : start + PAGE]
        found.update(page_entries(page))
    assert found.pop("iotauth") == 1, "the namespace comes first, as number 1"
    return found


def page_entries(page: bytes) -> Iterator[tuple[str, Any]]:
    index = 0
    while index < 126:
        entry = page[64 + index * ENTRY : 64 + (index + 1) * ENTRY]
        if entry[0] == 0xFF:
            return
        assert struct.unpack("<I", entry[4:8])[0] == zlib.crc32(entry[:4] + entry[8:], 0xFFFFFFFF)
        kind, span, key = entry[1], entry[2], entry[8:24].split(b"\0")[0].decode()
        if kind == STRING:
            size, checksum = struct.unpack("<H2xI", entry[24:32])
            data = page[64 + (index + 1) * ENTRY :][:size]
            assert zlib.crc32(data, 0xFFFFFFFF) == checksum
            yield key, data[:-1].decode()
        else:
            yield key, struct.unpack_from(NUMBERS[kind], entry, 24)[0]
        index += span


def expected(login: DeviceLogin) -> dict[str, Any]:
    """Return what the firmware is to find."""
    return {
        **({"wifi_ssid": login.wifi_ssid} if login.wifi_ssid is not None else {}),
        **({"wifi_pass": login.wifi_password.reveal()} if login.wifi_password else {}),
        "host": login.host,
        "port": login.port,
        "alpn": "mqtt",
        "client_id": login.client_id,
        "username": login.username,
        "password": login.password.reveal(),
        "topic": login.topic,
        "subscribe": login.inbox,
        "retain": int(login.retain),
        "will": int(login.will),
        "emulator": int(login.is_emulator),
        "root_ca": login.ca_pem,
    }


def is_one_line(login: DeviceLogin) -> bool:
    return not any({"\n", "\r"} & set(text) for _, text in texts(login))


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@given(login=logins())
def test_a_table_for_nvs_comes_back(login: DeviceLogin) -> None:
    """Commas, quotes and other scripts survive; keys have 15 characters at most."""
    assume(is_one_line(login))
    rows = table(render("nvs-csv", login).files[0].data(Path()).decode())
    assert rows[:2] == [["key", "type", "encoding", "value"], ["iotauth", "namespace", "", ""]]
    assert {key: value for key, _, _, value in rows[2:]} == {key: str(value) for key, value in expected(login).items()}
    assert all(len(key) <= nvs_csv.MAX_KEY for key, *_ in rows)


@settings(max_examples=4, deadline=None)
@given(login=logins())
def test_an_nvs_image_holds_what_the_firmware_reads(login: DeviceLogin) -> None:
    """Made by Espressif's generator, read by the layout that ESP-IDF documents."""
    assume(is_one_line(login))
    assert read_nvs(render("nvs-bin", login).files[0].data(Path())) == expected(login)


def test_hostile_texts_survive_the_generator() -> None:
    """All at once: what the generator does to quotes, `#` and blanks would show."""
    found = [text for text in HOSTILE if text and "\n" not in text and "\r" not in text]
    login = replace(LOGIN, password=Secret("|".join(found)), client_id="#" + found[0], topic=" x ")
    assert read_nvs(render("nvs-bin", login).files[0].data(Path())) == expected(login)


@pytest.mark.parametrize("name", ["nvs-csv", "nvs-bin", "mfg"])
@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("x" * 4000, "`password` of client `thermo-1` has 4000 bytes, and NVS takes 3999"),
        ("a\n#b", "`password` of client `thermo-1` has a line end in it"),
        ("a\0b", "the password of client `thermo-1` holds a NUL character"),
    ],
    ids=["long", "line", "NUL"],
)
def test_what_nvs_cannot_hold_is_refused(name: str, password: str, problem: str) -> None:
    """A string has 4,000 bytes with its end; the generator loses lines that begin with `#`."""
    with pytest.raises(InputError, match=problem):
        render(name, replace(LOGIN, password=Secret(password)))


def test_a_partition_that_is_too_small_is_told_from_a_failure() -> None:
    """Four texts of 3 kB do not fit: that is said, and not how the generator says it."""
    big = replace(LOGIN, password=Secret("x" * 3900), username="u" * 3900, wifi_ssid="s" * 3900, topic="t" * 3900)
    with pytest.raises(InputError, match="the credential does not fit into a partition of 12,288 bytes"):
        nvs_bin.image(nvs_csv.text(big), 0x3000)


def test_a_missing_generator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter without the package says what to install."""
    monkeypatch.setattr(nvs_bin, "MODULE", "no_such_generator")
    with pytest.raises(DeviceError, match="partition generator is not installed"):
        render("nvs-bin", LOGIN)


@pytest.mark.parametrize("size", [nvs_bin.SIZE, 0x1000])
def test_nothing_of_the_image_stays_behind(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator reads and writes files; both are gone afterwards, also when it failed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with contextlib.suppress(InputError, DeviceError):
        nvs_bin.image(nvs_csv.text(replace(LOGIN, password=Secret("x" * 3900))), size)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=4, deadline=None)
@given(login=logins())
def test_the_manufacturing_tables_make_the_same_image(login: DeviceLogin) -> None:
    """ESP-IDF's utility puts a row of values behind the columns of the configuration; so does this test."""
    assume(is_one_line(login))
    values, config = (table(file.data(Path()).decode()) for file in render("mfg", login).files)
    names, row = values
    assert names[0] == "id"
    by_name = dict(zip(names, row, strict=True))
    merged = [["key", "type", "encoding", "value"], *([*line, by_name.get(line[0], "")] for line in config)]
    assert read_nvs(nvs_bin.image(nvs_csv.table([tuple(line) for line in merged]))) == expected(login)


@given(login=logins())
def test_circuitpythons_settings_are_toml(login: DeviceLogin) -> None:
    """TOML reads every value back; there are only basic strings and whole numbers, which is all CircuitPython knows."""
    text = render("settings.toml", login).files[0].data(Path()).decode()
    found = tomllib.loads(text)
    assert found["MQTT_PASSWORD"] == login.password.reveal()
    assert found["MQTT_USERNAME"] == login.username
    assert found["MQTT_CLIENT_ID"] == login.client_id
    assert found["MQTT_TOPIC"] == login.topic
    assert found["MQTT_ROOT_CA"] == login.ca_pem
    assert found.get("CIRCUITPY_WIFI_SSID") == login.wifi_ssid
    assert (found["MQTT_PORT"], found["MQTT_RETAIN"], found["MQTT_WILL"]) == (443, login.retain, login.will)
    assert {type(value) for value in found.values()} == {str, int}
    assert '"""' not in text


class EsphomeLoader(yaml.SafeLoader):
    """YAML with ESPHome's own tag."""


def named(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return f"secret {loader.construct_scalar(node)}"


EsphomeLoader.add_constructor("!secret", named)


@given(login=logins())
def test_esphomes_secrets_are_yaml(login: DeviceLogin) -> None:
    """YAML reads every value back as text, whatever it looks like: `yes`, `1e3` or `null`."""
    assume(login.topic and not any("$" in text for _, text in texts(login)))
    device, secrets = (file.data(Path()).decode() for file in render("esphome", login).files)
    found = yaml.safe_load(secrets)
    assert found["mqtt_password"] == login.password.reveal()
    assert found["mqtt_username"] == login.username
    assert found["mqtt_client_id"] == login.client_id
    assert found["mqtt_topic"] == login.topic
    assert found["mqtt_certificate_authority"] == login.ca_pem
    assert found["wifi_ssid"] == (login.wifi_ssid or "fill-in")
    block = yaml.load(device, EsphomeLoader)["mqtt"]
    wanted = {str(value).removeprefix("secret ") for value in block.values() if str(value).startswith("secret ")}
    assert wanted <= set(found)
    assert bool(block["birth_message"]) == login.retain
    assert bool(block["will_message"]) == login.will


def test_what_esphome_would_replace_is_refused() -> None:
    """`$name` and `${…}` are its own."""
    with pytest.raises(InputError, match=r"holds a `\$`, which ESPHome would replace"):
        render("esphome", replace(LOGIN, password=Secret("a${b}")))


@pytest.mark.parametrize(
    ("client_id", "name"),
    [
        ("thermo-1", "thermo-1"),
        ("Door 7", "door-7"),
        ("_x_", "x"),
        ("é", "device"),
        ("a" * 40, "a" * 31),
        ("a.b:c", "a-b-c"),
    ],
)
def test_a_device_is_called_as_a_host_may_be(client_id: str, name: str) -> None:
    """Small letters, digits and hyphens, 31 of them."""
    assert esphome.device_name(replace(LOGIN, client_id=client_id)) == name
