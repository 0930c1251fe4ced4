"""AWS's own host name and port 443 without root: the proxy, and clients that insist on them."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from iotauth_cli.emulator import lifecycle
from iotauth_cli.emulator.environment import ProxyEndpoint
from iotauth_cli.errors import EmulatorError
from support import missing, require_peer
from support_device import create_dictated_authorizer
from support_emulator import RunningEmulator, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("proxy"), proxy_port=0) as running:
        create_dictated_authorizer(running)
        yield running


def proxy_of(emulator: RunningEmulator) -> ProxyEndpoint:
    assert emulator.ready.proxy is not None
    return emulator.ready.proxy


def ask(emulator: RunningEmulator, request: bytes) -> tuple[socket.socket, bytes]:
    """Send *request* to the proxy; return the connection and the answer's first line."""
    connection = socket.create_connection(("127.0.0.1", proxy_of(emulator).port), timeout=10)
    connection.sendall(request)
    return connection, connection.recv(1024).partition(b"\r\n")[0]


def asked_for(target: str) -> bytes:
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()


def test_the_ready_file_names_the_proxy_and_aws_endpoint(emulator: RunningEmulator) -> None:
    """The name is that of DescribeEndpoint, in AWS's own form."""
    told = emulator.client("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    assert proxy_of(emulator).endpoint == told.replace(".localhost", ".amazonaws.com")
    assert lifecycle.status(emulator.state_dir).proxy == emulator.ready.proxy


def test_the_names_of_the_endpoint_lead_to_the_data_port(emulator: RunningEmulator) -> None:
    """AWS's name and the local ones, in any case; the certificate is good for the name that was asked for."""
    local = emulator.client("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    context = ssl.create_default_context(cafile=str(emulator.ready.ca_file))
    for name in (proxy_of(emulator).endpoint, proxy_of(emulator).endpoint.upper(), local, "localhost"):
        connection, answer = ask(emulator, asked_for(f"{name}:443"))
        with connection:
            assert answer == b"HTTP/1.1 200 Connection established"
            with context.wrap_socket(connection, server_hostname=name) as secured:
                secured.sendall(b"GET /topics/a HTTP/1.1\r\nHost: a\r\n\r\n")
                assert secured.recv(100).startswith(b"HTTP/1.1 405")


def test_the_names_of_domain_configurations_lead_there_too(emulator: RunningEmulator) -> None:
    """As soon as they are there: many systems' resolvers do not know `.localhost` names."""
    iot = emulator.client("iot")
    iot.create_domain_configuration(domainConfigurationName="by-proxy")
    name = iot.describe_domain_configuration(domainConfigurationName="by-proxy")["domainName"]
    connection, answer = ask(emulator, asked_for(f"{name}:443"))
    with connection:
        assert answer == b"HTTP/1.1 200 Connection established"
        context = ssl.create_default_context(cafile=str(emulator.ready.ca_file))
        context.wrap_socket(connection, server_hostname=name).close()


@pytest.mark.parametrize(
    "request_line",
    [
        asked_for("example.com:443"),
        asked_for("localhost:22"),
        asked_for("127.0.0.2:443"),
        asked_for("[::1]:443"),
        asked_for("localhost:99999"),
        asked_for("localhost"),
        b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT localhost:443\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"CONNECT " + b"a" * 40_000,
    ],
    ids=lambda request: request[:28].decode("latin-1").strip(),
)
def test_it_leads_nowhere_else(emulator: RunningEmulator, request_line: bytes) -> None:
    """403 and the end of the connection, whatever was asked for."""
    connection, answer = ask(emulator, request_line)
    with connection:
        assert answer == b"HTTP/1.1 403 Forbidden"
        with contextlib.suppress(ConnectionError):  # a reset where not all was read
            while connection.recv(1024):
                pass
    last = lifecycle.attempts(emulator.state_dir)[-1]
    assert (last.outcome, last.decided_by) == ("refused", "proxy")


def test_curl_publishes_through_it(emulator: RunningEmulator) -> None:
    """One HTTPS request to AWS's name, with the CA alone and no other trick."""
    ran = subprocess.run(
        [
            *(require_peer("curl"), "--silent", "--show-error", "--cacert", str(emulator.ready.ca_file)),
            *("--proxy", f"http://127.0.0.1:{proxy_of(emulator).port}"),
            *("--header", "x-amz-customauthorizer-name: dictated", "--data", "21.5"),
            f"https://{proxy_of(emulator).endpoint}/topics/doors?qos=1",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert '"message":"OK"' in ran.stdout, ran.stderr


def test_awss_own_sdk_connects_with_its_mqtt_3_builder(emulator: RunningEmulator) -> None:
    """The builder insists on port 443; with the proxy's options it is let in, publishes and leaves."""
    if importlib.util.find_spec("awsiot") is None:
        missing("awsiotsdk is not installed")
    from awscrt import http
    from awscrt.mqtt import QoS
    from awsiot import mqtt_connection_builder

    connection = mqtt_connection_builder.direct_with_custom_authorizer(
        endpoint=proxy_of(emulator).endpoint,
        client_id="by-proxy",
        auth_username="u",
        auth_authorizer_name="dictated",
        auth_password="[{}]",
        ca_filepath=str(emulator.ready.ca_file),
        http_proxy_options=http.HttpProxyOptions("127.0.0.1", proxy_of(emulator).port),
        clean_session=True,
        keep_alive_secs=60,
    )
    connection.connect().result(timeout=10)
    published, _ = connection.publish("doors/7", "open", QoS.AT_LEAST_ONCE)
    published.result(timeout=10)
    connection.disconnect().result(timeout=10)
    last = lifecycle.attempts(emulator.state_dir, client_id="by-proxy")[-1]
    assert (last.outcome, last.authorizer) == ("admitted", "dictated")


def test_the_ca_may_sign_for_the_endpoints_two_names_and_no_other(emulator: RunningEmulator) -> None:
    """Not for amazonaws.com as a whole: a leaked key opens nobody else's endpoint."""
    ca = x509.load_pem_x509_certificate(emulator.ready.ca_file.read_bytes())
    permitted = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    names = [name.value for name in permitted if isinstance(name, x509.DNSName)]
    with_ats = proxy_of(emulator).endpoint
    assert sorted(names) == sorted(["localhost", with_ats, with_ats.replace("-ats.", ".")])


def test_a_ca_that_was_made_without_the_proxy_is_explained(tmp_path: Path) -> None:
    """Trust in it was given for localhost alone, so it is not replaced behind anybody's back."""
    with running_emulator(tmp_path) as running:
        assert running.ready.proxy is None
        with pytest.raises(EmulatorError, match="already runs, without `--proxy-port`"):
            lifecycle.start(running.state_dir, proxy_port=0)
    start: Any = lifecycle.start
    with pytest.raises(EmulatorError, match="it was not made for this proxy") as refused:
        start(running.state_dir, port=0, control_port=0, proxy_port=0)
    assert refused.value.hint is not None
    assert "remove the `*.pem` files" in refused.value.hint


def test_a_ca_of_the_proxy_serves_without_it_too(tmp_path: Path) -> None:
    """Leaving the option out closes the proxy and the name, and devices keep their CA."""
    with running_emulator(tmp_path, proxy_port=0) as running:
        name, ca = proxy_of(running).endpoint, running.ready.ca_file.read_bytes()
        running.stop()
        running.proxy_port = None
        running.start()
        assert running.ready.proxy is None
        assert running.ready.ca_file.read_bytes() == ca
        context = ssl.create_default_context(cafile=str(running.ready.ca_file))
        port = running.ready.data_endpoint.port
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, pytest.raises(OSError, match=r"."):
            context.wrap_socket(plain, server_hostname=name)
