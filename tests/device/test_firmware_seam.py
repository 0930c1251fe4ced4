"""The firmware template reads exactly what is rendered for it: names on both sides, sizes, offsets."""

from __future__ import annotations

import re
from dataclasses import replace

from iotauth_cli.bundle import firmware_template
from iotauth_cli.device.formats import header, nvs_bin, nvs_csv
from iotauth_cli.secret import Secret
from support_logins import LOGIN

NETWORKED = replace(LOGIN, wifi_ssid="barn", wifi_password=Secret("correct horse"))
PLACEHOLDER = "IOTAUTH_PLACEHOLDER"  # only where nothing was rendered yet


def source(path: str) -> str:
    return (firmware_template() / path).read_text(encoding="utf-8")


def macros(text: str) -> set[str]:
    return set(re.findall(r"^#define ((?:WIFI|MQTT|IOTAUTH)_\w+)", text, re.MULTILINE))


def test_the_header_and_its_placeholder_define_the_same() -> None:
    """A firmware that builds without credentials builds with them, and the other way round."""
    rendered = macros(header.text(replace(NETWORKED, is_emulator=True))) - {"IOTAUTH_SECRETS_H"}
    assert rendered - macros(source("include/placeholder.h")) == {"IOTAUTH_CONNECT_BYTES", "IOTAUTH_EMULATOR"}
    assert macros(source("include/placeholder.h")) - rendered == {PLACEHOLDER}
    assert "MQTT_ROOT_CA[] PROGMEM" in source("include/placeholder.h")


def test_the_firmware_reads_every_key_of_its_partition() -> None:
    """And no other: a key that one side spells differently is an empty text on the device."""
    code = source("src/credentials_nvs.cpp")
    found = set(re.findall(r'partition\.get(String|UShort|UChar)\("(\w+)"', code))
    kinds = {"string": "String", "u16": "UShort", "u8": "UChar"}
    assert found == {(kinds[encoding], key) for key, encoding, _ in nvs_csv.entries(NETWORKED)}
    assert f'partition.begin("{nvs_csv.NAMESPACE}", true, "creds")' in code


def test_the_partition_lies_where_it_is_written() -> None:
    """Offset and size are those of the template's table."""
    rows = [[cell.strip() for cell in line.split(",")] for line in source("partitions.csv").splitlines()]
    (creds,) = (row for row in rows if row[0] == "creds")
    assert creds[1:3] == ["data", "nvs"]
    assert (int(creds[3], 0), int(creds[4], 0)) == (nvs_bin.OFFSET, nvs_bin.SIZE)
