"""Real clients with MQTT in a WebSocket, over TLS without ALPN: paho, AWS's device SDK, curl."""

from __future__ import annotations

import gc
import importlib.util
import queue
import ssl
import subprocess
from typing import Any
from urllib.parse import quote

import pytest

from iotauth_cli.emulator.ca import Certificates
from iotauth_cli.token import generate, load_private_key, public_key_pem, sign
from support import missing, require_peer
from support_clients import decided, elsewhere, serving
from support_data import Plane, in_loop, settle

NAME, SIGNATURE = "x-amz-customauthorizer-name", "x-amz-customauthorizer-signature"
KEY = load_private_key(generate(), is_own=True)
TOKEN = "token/with+signs"
IN_CONNECT = f"thermo?{NAME}=doors"


class Paho:
    """A paho client in its own thread; what happens to it comes out of queues."""

    def __init__(
        self,
        port: int,
        certificates: Certificates,
        *,
        path: str = "/mqtt",
        headers: dict[str, str] | None = None,
        username: str = IN_CONNECT,
        password: str = "right",
        version: int = 4,
    ) -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self.connected: queue.Queue[bool] = queue.Queue()
        self.closed: queue.Queue[object] = queue.Queue()
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id="thermo-1",
            protocol=MQTTProtocolVersion(version),
            transport="websockets",
            reconnect_on_failure=False,
        )
        self.client.ws_set_options(path, headers)
        self.client.username_pw_set(username, password)
        self.client.tls_set_context(ssl.create_default_context(cafile=str(certificates.ca_file)))
        self.client.on_connect = lambda *args: self.connected.put(not args[3].is_failure)
        self.client.on_disconnect = lambda *args: self.closed.put(args[3])
        self.client.on_message = lambda *args: self.messages.put((args[2].topic, args[2].payload))
        self.client.connect("localhost", port)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("version", [4, 5])
@in_loop
async def test_paho(plane: Plane, certificates: Certificates, version: int) -> None:
    """In and out at QoS 1, a large message in both directions, and a cut-off for what is not granted."""
    large = bytes(range(256)) * 500
    async with serving(plane, certificates) as port:

        def walk() -> list[tuple[str, bytes]]:
            device = Paho(port, certificates, version=version)
            assert device.connected.get(timeout=5)
            device.client.subscribe("doors/a", qos=1)
            messages = []
            for payload in (b"open", large):
                device.client.publish("doors/a", payload, qos=1).wait_for_publish(5)
                messages.append(device.messages.get(timeout=5))
            device.client.publish("doors/b", b"open")
            device.closed.get(timeout=5)
            device.stop()
            return messages

        assert await elsewhere(walk) == [("doors/a", b"open"), ("doors/a", large)]
    assert set(decided(plane, "cut-off")) == {"iot:Publish"}
    assert plane.runner.events[0]["protocols"] == ["tls", "http", "mqtt"]
    assert plane.runner.events[0]["protocolData"]["tls"] == {"serverName": "localhost"}


@in_loop
async def test_paho_with_a_wrong_password(plane: Plane, certificates: Certificates) -> None:
    """It sees the close alone: no CONNACK, so no reason."""
    async with serving(plane, certificates) as port:

        def walk() -> bool:
            device = Paho(port, certificates, password="wrong")
            device.closed.get(timeout=5)
            device.stop()
            return device.connected.empty()

        assert await elsewhere(walk)
    assert set(decided(plane, "refused")) == {"authentication"}


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # paho forgets the socket of a failed handshake
@pytest.mark.parametrize("place", ["headers", "query"])
@in_loop
async def test_paho_with_a_signed_token_in_the_upgrade(plane: Plane, certificates: Certificates, place: str) -> None:
    """Three headers, or three parameters of `/mqtt`; a bad signature ends in a failed handshake."""
    keys = {"key1": public_key_pem(KEY)}
    plane.authorizers.add(signing_disabled=False, token_key_name="tok", token_signing_public_keys=keys)

    def options(token: str) -> dict[str, Any]:
        credentials = {NAME: "doors", "tok": token, SIGNATURE: sign(TOKEN, KEY)}
        if place == "headers":
            return {"headers": credentials}
        return {"path": "/mqtt?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in credentials.items())}

    async with serving(plane, certificates) as port:

        def walk() -> bool:
            from paho.mqtt.client import WebsocketConnectionError

            device = Paho(port, certificates, username="thermo", **options(TOKEN))
            is_connected = device.connected.get(timeout=5)
            device.stop()
            with pytest.raises(WebsocketConnectionError):
                Paho(port, certificates, username="thermo", **options(f"{TOKEN}x"))
            gc.collect()
            return is_connected

        assert await elsewhere(walk)
        await settle()
    assert [event["token"] for event in plane.runner.events] == [TOKEN]
    assert set(decided(plane, "refused")) == {"signature"}


@pytest.fixture
def device_sdk() -> None:
    """Skip without AWS's SDK, or fail where every peer is demanded."""
    if importlib.util.find_spec("awsiot") is None:
        missing("awsiotsdk is not installed")


@pytest.mark.usefixtures("device_sdk")
@in_loop
async def test_the_aws_device_sdk(plane: Plane, certificates: Certificates) -> None:
    """Its builder for custom authorizers over WebSockets takes any port, and sends its credentials in CONNECT."""
    async with serving(plane, certificates) as port:

        def walk() -> tuple[str, bytes]:
            from awscrt.mqtt import QoS
            from awsiot import mqtt_connection_builder

            messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
            connection = mqtt_connection_builder.websockets_with_custom_authorizer(
                auth_username="thermo",
                auth_authorizer_name="doors",
                auth_password="right",
                endpoint="localhost",
                port=port,
                ca_filepath=str(certificates.ca_file),
                client_id="thermo-1",
                clean_session=True,
                keep_alive_secs=30,
            )
            connection.connect().result(10)
            subscribed, _ = connection.subscribe(
                "doors/a", QoS.AT_LEAST_ONCE, lambda topic, payload, **_: messages.put((topic, bytes(payload)))
            )
            subscribed.result(5)
            published, _ = connection.publish("doors/a", b"open", QoS.AT_LEAST_ONCE)
            published.result(5)
            message = messages.get(timeout=5)
            connection.disconnect().result(5)
            return message

        assert await elsewhere(walk) == ("doors/a", b"open")
    username = plane.runner.events[0]["protocolData"]["mqtt"]["username"]
    assert username.startswith("thermo?x-amz-customauthorizer-name=doors")


@pytest.mark.usefixtures("device_sdk")
@in_loop
async def test_the_aws_device_sdk_with_mqtt_5(plane: Plane, certificates: Certificates) -> None:
    """The builder of its MQTT 5 client; in, and with a wrong password told so by a CONNACK."""
    async with serving(plane, certificates) as port:

        def connect(password: str) -> int:
            from awscrt import mqtt5
            from awsiot import mqtt5_client_builder

            answered: queue.Queue[int] = queue.Queue()
            client = mqtt5_client_builder.websockets_with_custom_authorizer(
                auth_username="thermo",
                auth_authorizer_name="doors",
                auth_password=password.encode(),
                endpoint="localhost",
                port=port,
                ca_filepath=str(certificates.ca_file),
                client_options=mqtt5.ClientOptions(
                    host_name="localhost",
                    port=port,
                    connect_options=mqtt5.ConnectPacket(client_id="thermo-1"),
                    on_lifecycle_event_connection_success_fn=lambda event: answered.put(
                        event.connack_packet.reason_code
                    ),
                    on_lifecycle_event_connection_failure_fn=lambda event: answered.put(
                        event.connack_packet.reason_code
                    ),
                ),
            )
            client.start()
            reason = answered.get(timeout=10)
            client.stop()
            return reason

        assert await elsewhere(lambda: connect("right")) == 0
        assert await elsewhere(lambda: connect("wrong")) == 0x87


@in_loop
async def test_curl_sees_the_upgrade(plane: Plane, certificates: Certificates) -> None:
    """101 with the accept token of RFC 6455's example, and 426 for who does not ask for an upgrade."""
    async with serving(plane, certificates) as port:

        def ask(*headers: str) -> str:
            given = [part for header in headers for part in ("--header", header)]
            common = ("--silent", "--include", "--http1.1", "--max-time", "0.3", "--cacert", str(certificates.ca_file))
            command = [require_peer("curl"), *common, *given, f"https://localhost:{port}/mqtt"]
            return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout

        upgrade = await elsewhere(
            lambda: ask(
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Protocol: mqtt",
            )
        )
        plain = await elsewhere(ask)
    assert upgrade.startswith("HTTP/1.1 101 Switching Protocols")
    assert "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in upgrade
    assert "sec-websocket-protocol: mqtt" in upgrade
    assert plain.startswith("HTTP/1.1 426 ")
