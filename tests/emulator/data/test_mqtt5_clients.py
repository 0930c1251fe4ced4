"""Real clients of MQTT 5 over TLS: what passes through, and the codes with which each is refused."""

from __future__ import annotations

import asyncio
import importlib.util
import queue
import ssl
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from iotauth_cli.emulator.ca import Certificates
from support import missing
from support_clients import USERNAME, decided, elsewhere, mosquitto, run, serving, until
from support_data import Plane, in_loop, settle

NOT_AUTHORIZED = 0x87


def tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    context.set_alpn_protocols(["mqtt"])
    return context


class Paho5:
    """A paho client of MQTT 5 in its own thread; what happens to it comes out of queues."""

    def __init__(self, port: int, certificates: Certificates, password: str = "right") -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self.connected: queue.Queue[tuple[int, Any]] = queue.Queue()
        self.closed: queue.Queue[int] = queue.Queue()
        self.subscribed: queue.Queue[list[int]] = queue.Queue()
        self.published: queue.Queue[int] = queue.Queue()
        self.messages: queue.Queue[Any] = queue.Queue()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id="thermo-1",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.username_pw_set(USERNAME, password)
        self.client.tls_set_context(tls(certificates))
        self.client.on_connect = lambda *args: self.connected.put((args[3].value, args[4]))
        self.client.on_disconnect = lambda *args: self.closed.put(args[3].value)
        self.client.on_subscribe = lambda *args: self.subscribed.put([code.value for code in args[3]])
        self.client.on_publish = lambda *args: self.published.put(args[3].value)
        self.client.on_message = lambda *args: self.messages.put(args[2])
        self.client.connect("localhost", port)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@in_loop
async def test_paho(plane: Plane, certificates: Certificates) -> None:
    """CONNACK's values, properties there and back, and each refusal with its code on a connection that goes on."""
    async with serving(plane, certificates) as port:

        def walk() -> Any:
            from paho.mqtt.packettypes import PacketTypes
            from paho.mqtt.properties import Properties

            device = Paho5(port, certificates)
            code, connack = device.connected.get(timeout=5)
            assert (code, connack.MaximumQoS, connack.ReceiveMaximum, connack.TopicAliasMaximum) == (0, 1, 100, 8)
            assert connack.SubscriptionIdentifierAvailable == 0
            device.client.subscribe([("doors/a", 1), ("doors/#", 0)])
            assert device.subscribed.get(timeout=5) == [1, NOT_AUTHORIZED]
            properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType, properties.ResponseTopic = "text/plain", "doors/answers"
            properties.CorrelationData, properties.UserProperty = b"7", [("a", "1"), ("a", "2")]
            properties.MessageExpiryInterval = 60
            device.client.publish("doors/a", b"open", qos=1, properties=properties)
            assert device.published.get(timeout=5) == 0
            device.client.publish("doors/b", b"open", qos=1)
            assert device.published.get(timeout=5) == NOT_AUTHORIZED
            message = device.messages.get(timeout=5)
            device.client.publish("doors/b", b"open", qos=0)
            assert device.closed.get(timeout=5) == NOT_AUTHORIZED
            device.stop()
            return message

        message = await elsewhere(walk)
    assert (message.topic, message.payload) == ("doors/a", b"open")
    assert (message.properties.ContentType, message.properties.ResponseTopic) == ("text/plain", "doors/answers")
    assert (message.properties.CorrelationData, message.properties.MessageExpiryInterval) == (b"7", 60)
    assert message.properties.UserProperty == [("a", "1"), ("a", "2")]
    assert decided(plane, "denied") == ["iot:Subscribe", "iot:Publish"]


@in_loop
async def test_paho_with_a_wrong_password(plane: Plane, certificates: Certificates) -> None:
    """It reads CONNACK 0x87 and AWS's words."""
    async with serving(plane, certificates) as port:

        def walk() -> tuple[int, Any]:
            device = Paho5(port, certificates, password="wrong")
            found = device.connected.get(timeout=5)
            device.stop()
            return found

        code, connack = await elsewhere(walk)
    assert code == NOT_AUTHORIZED
    assert connack.ReasonString == "CONNACK:Client is not authorized to connect. ReturnCode: 5"


def fall_silent(plane: Plane) -> None:
    plane.clock.now += 3600
    plane.broker.tick()


def delete_connection(plane: Plane) -> None:
    plane.broker.disconnect("thermo-1")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(fall_silent, 0x8D, id="row-096-silence"),
        pytest.param(delete_connection, 0x98, id="row-077-delete-connection"),
    ],
)
@in_loop
async def test_the_reason_of_an_end_reaches_the_client(
    plane: Plane, certificates: Certificates, end: Callable[[Plane], None], code: int
) -> None:
    """DISCONNECT is on the wire before the close, also where the close does not wait for the client."""
    async with serving(plane, certificates) as port:
        device = await elsewhere(lambda: Paho5(port, certificates))
        await elsewhere(lambda: device.connected.get(timeout=5))
        end(plane)
        assert await elsewhere(lambda: device.closed.get(timeout=5)) == code
        await elsewhere(device.stop)


@in_loop
async def test_mosquitto(plane: Plane, certificates: Certificates) -> None:
    """mosquitto_sub gets what mosquitto_pub sends, its properties included."""
    async with serving(plane, certificates) as port:
        listen = mosquitto("mosquitto_sub", port, certificates, "-P", "right", "-t", "doors/a", version="mqttv5")
        shown = ("-q", "1", "-C", "1", "-i", "ear", "-F", "%C %R %p")
        subscriber = await asyncio.create_subprocess_exec(*listen, *shown, stdout=subprocess.PIPE)
        await until(lambda: bool(plane.broker.clients) and bool(plane.broker.clients["ear"].subscriptions))
        publish = mosquitto("mosquitto_pub", port, certificates, "-P", "right", "-t", "doors/a", version="mqttv5")
        properties = ("-D", "publish", "content-type", "text/plain", "-D", "publish", "response-topic", "doors/b")
        assert await elsewhere(lambda: run([*publish, *properties, "-q", "1", "-m", "open"])) == 0
        output, _ = await asyncio.wait_for(subscriber.communicate(), 5)
    assert output == b"text/plain doors/b open\n"


@in_loop
async def test_mosquitto_refused(plane: Plane, certificates: Certificates) -> None:
    """Its exit code is the reason: 0x87 in CONNACK, and for a denied publish in DISCONNECT."""
    async with serving(plane, certificates) as port:
        stranger = mosquitto(
            "mosquitto_pub", port, certificates, "-P", "wrong", "-t", "doors/a", "-m", "x", version="mqttv5"
        )
        assert await elsewhere(lambda: run(stranger)) == NOT_AUTHORIZED
        assert decided(plane, "refused") == ["authentication"]


@pytest.fixture
def device_sdk() -> None:
    """Skip without AWS's SDK, or fail where every peer is demanded."""
    if importlib.util.find_spec("awsiot") is None:
        missing("awsiotsdk is not installed")


class AwsSdk5:
    """AWS's device SDK, MQTT 5, by its builder for custom authorizers without websockets."""

    def __init__(self, port: int, certificates: Certificates, password: str = "right") -> None:
        from awsiot import mqtt5_client_builder

        self.connected: Future[Any] = Future()
        self.failed: Future[Any] = Future()
        self.stopped: Future[None] = Future()
        self.messages: queue.Queue[Any] = queue.Queue()
        self.client = mqtt5_client_builder.direct_with_custom_authorizer(
            auth_username="thermo",
            auth_authorizer_name="doors",
            auth_password=password,
            endpoint="localhost",
            port=port,
            ca_filepath=str(certificates.ca_file),
            client_id="thermo-1",
            on_publish_received=lambda data: self.messages.put(data.publish_packet),
            on_lifecycle_connection_success=lambda data: self._once(self.connected, data),
            on_lifecycle_connection_failure=lambda data: self._once(self.failed, data),
            on_lifecycle_stopped=lambda data: self._once(self.stopped, None),
        )
        self.client.start()

    @staticmethod
    def _once(future: Future[Any], value: object) -> None:
        if not future.done():
            future.set_result(value)

    def stop(self) -> None:
        self.client.stop()
        self.stopped.result(5)


@pytest.mark.usefixtures("device_sdk")
@in_loop
async def test_the_aws_device_sdk(plane: Plane, certificates: Certificates) -> None:
    """It checks CONNACK against what AWS IoT Core announces, and takes ours for AWS's."""
    async with serving(plane, certificates) as port:

        def walk() -> None:
            from awscrt import mqtt5

            device = AwsSdk5(port, certificates)
            settings = device.connected.result(10).negotiated_settings
            assert (settings.receive_maximum_from_server, settings.maximum_qos.value) == (100, 1)
            assert settings.subscription_identifiers_available is False
            filters = [mqtt5.Subscription("doors/a", mqtt5.QoS.AT_LEAST_ONCE), mqtt5.Subscription("doors/#")]
            suback = device.client.subscribe(mqtt5.SubscribePacket(filters)).result(5)
            assert [code.value for code in suback.reason_codes] == [1, NOT_AUTHORIZED]
            users = [mqtt5.UserProperty("a", "1")]
            packet = mqtt5.PublishPacket(
                topic="doors/a",
                payload=b"open",
                qos=mqtt5.QoS.AT_LEAST_ONCE,
                content_type="text/plain",
                user_properties=users,
            )
            assert device.client.publish(packet).result(5).puback.reason_code.value == 0
            message = device.messages.get(timeout=5)
            assert (message.topic, bytes(message.payload), message.content_type) == ("doors/a", b"open", "text/plain")
            assert [(each.name, each.value) for each in message.user_properties] == [("a", "1")]
            denied = mqtt5.PublishPacket(topic="doors/b", payload=b"open", qos=mqtt5.QoS.AT_LEAST_ONCE)
            assert device.client.publish(denied).result(5).puback.reason_code.value == NOT_AUTHORIZED
            device.stop()

        await elsewhere(walk)
    assert decided(plane, "denied") == ["iot:Subscribe", "iot:Publish"]


@pytest.mark.usefixtures("device_sdk")
@in_loop
async def test_the_aws_device_sdk_with_a_wrong_password(plane: Plane, certificates: Certificates) -> None:
    """It shows the CONNACK: not authorized."""
    async with serving(plane, certificates) as port:

        def walk() -> int:
            device = AwsSdk5(port, certificates, password="wrong")
            code: int = device.failed.result(10).connack_packet.reason_code.value
            device.stop()
            return code

        assert await elsewhere(walk) == NOT_AUTHORIZED
        await settle()


def aiomqtt_client(port: int, certificates: Certificates, version: str, password: str) -> Any:
    """An asyncio client, which runs in the emulator's own loop."""
    if importlib.util.find_spec("aiomqtt") is None:
        missing("aiomqtt is not installed")
    import aiomqtt

    return aiomqtt.Client(
        "localhost",
        port,
        username=USERNAME,
        password=password,
        identifier="thermo-1",
        protocol=aiomqtt.ProtocolVersion[version],
        tls_context=tls(certificates),
    )


@pytest.mark.parametrize("version", ["V311", "V5"])
@in_loop
async def test_aiomqtt(plane: Plane, certificates: Certificates, version: str) -> None:
    """A message there and back, in both versions."""
    async with serving(plane, certificates) as port, aiomqtt_client(port, certificates, version, "right") as device:
        await device.subscribe("doors/a", qos=1)
        await device.publish("doors/a", b"open", qos=1)
        message = await asyncio.wait_for(anext(aiter(device.messages)), 5)
    assert (str(message.topic), message.payload) == ("doors/a", b"open")


@in_loop
async def test_aiomqtt_with_a_wrong_password(plane: Plane, certificates: Certificates) -> None:
    """It raises with the reason."""
    async with serving(plane, certificates) as port:
        device = aiomqtt_client(port, certificates, "V5", "wrong")
        with pytest.raises(Exception, match="Not authorized"):
            await device.__aenter__()
    assert decided(plane, "refused") == ["authentication"]
