"""The template through real PlatformIO and real esptool, into a chip's flash."""

from __future__ import annotations

from pathlib import Path

import pytest

from support_firmware import FakeChip, flashed_program, run_flash, run_pio

SECRETS = r"""
#pragma once
#include <Arduino.h>
#define WIFI_SSID "a network"
#define WIFI_PASSWORD "its password"
#define MQTT_HOST "localhost"
#define MQTT_PORT 443
#define MQTT_ALPN "mqtt"
#define MQTT_CLIENT_ID "thermo-1"
#define MQTT_USERNAME "thermo-1?x-amz-customauthorizer-name=doors"
#define MQTT_PASSWORD "correct horse"
#define MQTT_TOPIC "sensors/thermo-1"
#define MQTT_RETAIN 0
#define MQTT_WILL 0
#define MQTT_ROOT_CA "none"
"""


@pytest.mark.parametrize("environment", ["esp32", "esp8266"])
def test_the_template_builds_uploads_and_starts(environment: str, project: Path, pio_variables: dict[str, str]) -> None:
    """`pio run -t upload` on the unmodified platformio.ini: what the header says lies in flash, and it runs."""
    (project / "include" / "secrets.h").write_text(SECRETS)
    with FakeChip(environment) as chip:
        upload = ("-e", environment, "-t", "upload", "--upload-port", chip.port)
        ran = run_pio(project, *upload, variables=pio_variables)
        assert ran.returncode == 0, ran.stdout
        assert b"correct horse" in flashed_program(chip)
        with run_flash(chip, connect_to=("127.0.0.1", 9)) as program:
            program.wait_for("connecting to", "thermo-1")
