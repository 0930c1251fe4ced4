"""What a device sees of domain configurations: the real emulator's TLS port, by each name."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator, Sequence
from http.client import HTTPResponse
from typing import Any

import pytest

from iotauth_cli.emulator import lifecycle
from support_device import Device, calls_about, create_dictated_authorizer
from support_emulator import RunningEmulator, running_emulator

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/11112222-3333-4444-5555-666677778888"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    "Sec-WebSocket-Protocol": "mqtt",
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("domains"), behaviour=["domains_per_region=100"]) as running:
        create_dictated_authorizer(running)
        create_dictated_authorizer(running, "other")
        yield running


def domain(emulator: RunningEmulator, name: str, *, override: bool | None = None, **settings: Any) -> str:
    """Create a domain configuration and return its domain name; *override* None: without an authorizer."""
    if override is not None:
        settings["authorizerConfig"] = {"defaultAuthorizerName": "dictated", "allowAuthorizerOverride": override}
    iot = emulator.client("iot")
    iot.create_domain_configuration(domainConfigurationName=name, **settings)
    return str(iot.describe_domain_configuration(domainConfigurationName=name)["domainName"])


def speaking(emulator: RunningEmulator, name: str, protocol: str) -> str:
    return domain(emulator, name, override=True, authenticationType="CUSTOM_AUTH", applicationProtocol=protocol)


def ask(device: Device, method: str, path: str, headers: dict[str, str]) -> int:
    """Send one request over *device*'s socket and return the answer's status."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    device.socket.sendall("\r\n".join([*lines, "", ""]).encode())
    response = HTTPResponse(device.socket)
    response.begin()
    return response.status


def last_decision(emulator: RunningEmulator) -> tuple[str, str]:
    attempt = lifecycle.attempts(emulator.state_dir)[-1]
    return attempt.outcome, attempt.decided_by


@pytest.mark.parametrize("alpn", [(), ("mqtt",), ("http/1.1",), ("x-amzn-mqtt-ca",)], ids=str)
def test_secure_mqtt_is_spoken_whatever_alpn_says(emulator: RunningEmulator, alpn: Sequence[str]) -> None:
    """A device that cannot offer ALPN, and names no authorizer, is let in by its server name alone."""
    name = speaking(emulator, f"secure-{len(str(alpn))}", "SECURE_MQTT")
    with Device(emulator, server_name=name, alpn=alpn) as device:
        assert device.connect("by-domain", username="u") == (0, False)
        assert device.publish("doors/7")


def test_the_name_is_certified_as_soon_as_it_is_there(emulator: RunningEmulator) -> None:
    """The server's certificate covers it at the next handshake, and still after a restart."""
    given = domain(emulator, "certified")
    own = domain(emulator, "own", domainName="iot.example.localhost", serverCertificateArns=[CERTIFICATE])
    for _ in range(2):
        for name in (given, own, own.upper(), "localhost"):
            Device(emulator, server_name=name).__exit__(None, None, None)
        emulator.stop()
        emulator.start()


@pytest.mark.parametrize(("override", "asked"), [(True, "other"), (False, "dictated")])
def test_whether_a_device_may_name_its_authorizer(emulator: RunningEmulator, override: bool, asked: str) -> None:
    """With override its own choice is asked, without it the domain's, whatever the user name says."""
    client_id = f"override-{override}".lower()
    name = domain(emulator, client_id, override=override)
    with Device(emulator, server_name=name) as device:
        assert device.connect(client_id, username="u?x-amz-customauthorizer-name=other") == (0, False)
    assert calls_about(emulator, client_id, asked) == 1
    assert lifecycle.attempts(emulator.state_dir, client_id=client_id)[-1].authorizer == asked


def test_a_domain_without_an_authorizer_leaves_it_to_the_device(emulator: RunningEmulator) -> None:
    """As on the account's own endpoint: the user name names one, or the account's default is meant."""
    name = domain(emulator, "plain")
    with Device(emulator, server_name=name) as device:
        assert device.connect("plain", username="u?x-amz-customauthorizer-name=other") == (0, False)
    with Device(emulator, server_name=name) as device:
        assert device.connect("plain", username="u") is None
    assert last_decision(emulator) == ("refused", "authorizer")


def test_by_default_alpn_decides_as_on_the_accounts_endpoint(emulator: RunningEmulator) -> None:
    """Without a protocol of its own a domain drops MQTT that comes without ALPN (row 38)."""
    name = domain(emulator, "default", override=True)
    with Device(emulator, server_name=name, alpn=()) as device:
        assert device.connect("no-alpn", username="u") is None
    assert last_decision(emulator) == ("refused", "alpn")


def test_mqtt_wss_takes_websockets_and_nothing_else(emulator: RunningEmulator) -> None:
    """An upgrade is taken up; a publish over HTTPS is forbidden and MQTT without a WebSocket closed."""
    name = speaking(emulator, "wss", "MQTT_WSS")
    with Device(emulator, server_name=name, alpn=()) as device:
        assert ask(device, "GET", "/mqtt", UPGRADE) == 101
    with Device(emulator, server_name=name, alpn=()) as device:
        assert ask(device, "POST", "/topics/doors", {"Content-Length": "0"}) == 403
    assert last_decision(emulator) == ("refused", "domain")
    with Device(emulator, server_name=name) as device:
        assert device.connect("raw", username="u") is None
    assert last_decision(emulator) == ("refused", "domain")


def test_https_takes_requests_and_nothing_else(emulator: RunningEmulator) -> None:
    """A request reaches the domain's authorizer; an upgrade is forbidden and MQTT closed."""
    name = speaking(emulator, "https", "HTTPS")
    with Device(emulator, server_name=name) as device:  # even with ALPN `mqtt`
        assert ask(device, "POST", "/topics/doors", {"Content-Length": "0"}) == 200
    with Device(emulator, server_name=name, alpn=()) as device:
        assert ask(device, "GET", "/mqtt", UPGRADE) == 403
    assert last_decision(emulator) == ("refused", "domain")
    with Device(emulator, server_name=name, alpn=()) as device:
        assert device.connect("raw", username="u") is None
    assert last_decision(emulator) == ("refused", "domain")


def test_a_disabled_domain_refuses_devices_without_asking(emulator: RunningEmulator) -> None:
    """A client is refused, and the function has no entry of it; enabled again, the domain serves."""
    name = domain(emulator, "switched", override=False)
    iot = emulator.client("iot")

    def switch(status: str) -> None:
        iot.update_domain_configuration(domainConfigurationName="switched", domainConfigurationStatus=status)

    switch("DISABLED")
    with Device(emulator, server_name=name) as device:
        assert device.connect("switched", username="u") is None
    assert last_decision(emulator) == ("refused", "domain")
    assert calls_about(emulator, "switched") == 0
    switch("ENABLED")
    with Device(emulator, server_name=name) as device:
        assert device.connect("switched", username="u") == (0, False)


def test_row_041_a_name_that_is_deleted_is_nobodys_again(emulator: RunningEmulator) -> None:
    """The handshake is ended, as for any name that no endpoint has."""
    name = domain(emulator, "gone", override=True)
    iot = emulator.client("iot")
    iot.update_domain_configuration(domainConfigurationName="gone", domainConfigurationStatus="DISABLED")
    iot.delete_domain_configuration(domainConfigurationName="gone")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Device(emulator, server_name=name)
    assert last_decision(emulator) == ("refused", "server-name")


def test_the_function_learns_by_which_name_the_device_came(emulator: RunningEmulator) -> None:
    """`protocolData.tls.serverName` of the event is the domain's."""
    name = domain(emulator, "told", override=True)
    with Device(emulator, server_name=name) as device:
        device.connect("told", username="u")
    events = emulator.client("logs").filter_log_events(logGroupName="/aws/lambda/dictated", filterPattern="serverName")
    shown = [json.loads(event["message"]) for event in events["events"]]
    assert {"serverName": name} in shown
