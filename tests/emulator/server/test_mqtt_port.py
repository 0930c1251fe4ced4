"""The port for client certificates, AWS IoT's 8883: not for custom authentication."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_cli.emulator import lifecycle
from iotauth_cli.errors import EmulatorError
from support_device import Device, calls_about, create_dictated_authorizer
from support_emulator import RunningEmulator, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("mqtt-port"), mqtt_port=0) as running:
        create_dictated_authorizer(running)
        yield running


def secure_mqtt_domain(emulator: RunningEmulator) -> str:
    iot = emulator.client("iot")
    iot.create_domain_configuration(
        domainConfigurationName="secure",
        authorizerConfig={"defaultAuthorizerName": "dictated", "allowAuthorizerOverride": True},
        authenticationType="CUSTOM_AUTH",
        applicationProtocol="SECURE_MQTT",
    )
    return str(iot.describe_domain_configuration(domainConfigurationName="secure")["domainName"])


@pytest.mark.parametrize("alpn", [(), ("mqtt",)], ids=["no ALPN", "mqtt"])
def test_row_040_without_a_client_certificate_the_connection_is_reset(
    emulator: RunningEmulator, alpn: tuple[str, ...]
) -> None:
    """TLS comes up, then comes a reset and no orderly end; the function is not called, and the log says why."""
    with Device(emulator, alpn=alpn, port=emulator.ready.mqtt_port) as device:
        select.select([device.socket], [], [], 10)
        assert device.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
        assert device.connect("row-40") is None
    assert calls_about(emulator, "row-40") == 0
    last = lifecycle.attempts(emulator.state_dir)[-1]
    assert (last.outcome, last.decided_by, last.function_called) == ("refused", "port", False)


def test_the_data_port_is_as_it_was(emulator: RunningEmulator) -> None:
    """The second port changes nothing for those who come to the first."""
    assert emulator.ready.mqtt_port not in (None, 0, emulator.ready.data_endpoint.port)
    with Device(emulator) as device:
        assert device.connect("first-port") == (0, False)


def test_a_domain_is_served_there_only_if_that_is_chosen(tmp_path: Path) -> None:
    """AWS's behaviour is not known, so the choice is off, and can be flipped."""
    with running_emulator(tmp_path, mqtt_port=0) as running:
        create_dictated_authorizer(running)
        name = secure_mqtt_domain(running)
        with Device(running, server_name=name, alpn=(), port=running.ready.mqtt_port) as device:
            assert device.connect("by-domain", username="u") is None
        running.stop()
        running.behaviour = ["serves_domains_on_mqtt_port=true"]
        running.start()
        with Device(running, server_name=name, alpn=(), port=running.ready.mqtt_port) as device:
            assert device.connect("by-domain", username="u") == (0, False)


def test_a_running_emulator_does_not_open_it_later(tmp_path: Path) -> None:
    """What was asked for is not what runs, and is told with the way out."""
    with running_emulator(tmp_path) as running, pytest.raises(EmulatorError, match="without `--mqtt-port`"):
        lifecycle.start(running.state_dir, mqtt_port=8883)
