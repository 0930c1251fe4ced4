"""Real clients over TLS: what each may do, what it may not, and what it sees when it is refused.

Every client walks the same way: in with the right password, a subscription and a publish that are
granted, the message back, then a filter and a topic that are not, and a wrong password. The
functions behind the authorizer are faked; everything from the socket to the broker is real.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import queue
import ssl
import subprocess
from concurrent.futures import Future

import pytest

from iotauth_cli.emulator.ca import Certificates
from support import missing
from support_clients import USERNAME, decided, elsewhere, mosquitto, run, serving, until
from support_data import Plane, in_loop, settle


class Paho:
    """A paho client in its own thread; what happens to it comes out of queues."""

    def __init__(self, port: int, certificates: Certificates, password: str = "right") -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        self.connected: queue.Queue[bool] = queue.Queue()
        self.closed: queue.Queue[object] = queue.Queue()
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="thermo-1", reconnect_on_failure=False)
        self.client.username_pw_set(USERNAME, password)
        context = ssl.create_default_context(cafile=str(certificates.ca_file))
        context.set_alpn_protocols(["mqtt"])
        self.client.tls_set_context(context)
        self.client.on_connect = lambda *args: self.connected.put(not args[3].is_failure)
        self.client.on_disconnect = lambda *args: self.closed.put(args[3])
        self.client.on_message = lambda *args: self.messages.put((args[2].topic, args[2].payload))
        self.client.connect("localhost", port)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@in_loop
async def test_paho(plane: Plane, certificates: Certificates) -> None:
    """paho-mqtt with a TLS context that offers ALPN `mqtt`."""
    async with serving(plane, certificates) as port:

        def walk() -> tuple[str, bytes]:
            device = Paho(port, certificates)
            assert device.connected.get(timeout=5)
            device.client.subscribe("doors/a", qos=1)
            device.client.publish("doors/a", b"open", qos=1).wait_for_publish(5)
            message = device.messages.get(timeout=5)
            device.client.publish("doors/b", b"open", qos=1)
            device.closed.get(timeout=5)
            device.stop()
            device = Paho(port, certificates)
            assert device.connected.get(timeout=5)
            device.client.subscribe("doors/#")
            device.closed.get(timeout=5)
            device.stop()
            return message

        assert await elsewhere(walk) == ("doors/a", b"open")
    assert set(decided(plane, "cut-off")) >= {"iot:Publish", "iot:Subscribe"}


@in_loop
async def test_paho_with_a_wrong_password(plane: Plane, certificates: Certificates) -> None:
    """It sees the close alone, as on AWS: no CONNACK, so no reason."""
    async with serving(plane, certificates) as port:

        def walk() -> bool:
            device = Paho(port, certificates, password="wrong")
            device.closed.get(timeout=5)
            device.stop()
            return device.connected.empty()

        assert await elsewhere(walk)
    assert set(decided(plane, "refused")) == {"authentication"}


@in_loop
async def test_mosquitto(plane: Plane, certificates: Certificates) -> None:
    """mosquitto_sub gets what mosquitto_pub sends, at QoS 1."""
    async with serving(plane, certificates) as port:
        listen = mosquitto("mosquitto_sub", port, certificates, "-P", "right", "-t", "doors/a", "-q", "1", "-C", "1")
        subscriber = await asyncio.create_subprocess_exec(*listen, "-i", "ear", stdout=subprocess.PIPE)
        await until(lambda: bool(plane.broker.clients) and bool(plane.broker.clients["ear"].subscriptions))
        publish = mosquitto("mosquitto_pub", port, certificates, "-P", "right", "-t", "doors/a", "-q", "1")
        assert await elsewhere(lambda: run([*publish, "-m", "open"])) == 0
        output, _ = await asyncio.wait_for(subscriber.communicate(), 5)
    assert output == b"open\n"


@in_loop
async def test_mosquitto_refused(plane: Plane, certificates: Certificates) -> None:
    """A wrong password and a topic that is not granted both end in `connection lost`, exit 7."""
    async with serving(plane, certificates) as port:
        stranger = mosquitto("mosquitto_pub", port, certificates, "-P", "wrong", "-t", "doors/a", "-m", "x")
        assert await elsewhere(lambda: run(stranger)) == 7
        assert decided(plane, "refused") == ["authentication"]
        denied = mosquitto("mosquitto_pub", port, certificates, "-P", "right", "-t", "doors/b", "-q", "1", "-m", "x")
        assert await elsewhere(lambda: run(denied)) == 7
        assert decided(plane, "cut-off") == ["iot:Publish"]


async def listen_for_ever(command: list[str]) -> None:
    """Run *command* again and again: cut off in mid-handshake, mosquitto_sub gives up instead of reconnecting."""
    while True:
        subscriber = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
        try:
            await subscriber.wait()
        finally:
            if subscriber.returncode is None:
                subscriber.terminate()
                await subscriber.wait()


@in_loop
async def test_mosquitto_that_tries_again_for_ever_is_counted(plane: Plane, certificates: Certificates) -> None:
    """mosquitto_sub comes back after each cut-off: two lines in the log, and a number on each."""
    async with serving(plane, certificates) as port:
        command = mosquitto("mosquitto_sub", port, certificates, "-P", "right", "-i", "ear", "-t", "doors/#")
        subscriber = asyncio.ensure_future(listen_for_ever(command))
        try:
            await until(lambda: any(each.repeats for each in plane.attempts.recent() if each.outcome == "cut-off"))
        finally:
            subscriber.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await subscriber
    assert [each.decided_by for each in plane.attempts.recent()] == ["iot:Connect", "iot:Subscribe"]


@pytest.fixture
def device_sdk() -> None:
    """Skip without AWS's SDK, or fail where every peer is demanded."""
    if importlib.util.find_spec("awsiot") is None:
        missing("awsiotsdk is not installed")


class AwsSdk:
    """AWS's device SDK, MQTT 3.1.1, by its builder for custom authorizers without websockets."""

    def __init__(self, port: int, certificates: Certificates, password: str = "right") -> None:
        from awsiot import mqtt_connection_builder

        self.closed: Future[object] = Future()
        self.connection = mqtt_connection_builder.direct_with_custom_authorizer(
            auth_username="thermo",
            auth_authorizer_name="doors",
            auth_password=password,
            endpoint="localhost",
            ca_filepath=str(certificates.ca_file),
            client_id="thermo-1",
            clean_session=True,
            keep_alive_secs=30,
            reconnect_min_timeout_secs=1,
            on_connection_interrupted=lambda connection, error, **_: self._interrupted(error),
        )
        self.connection.port = port  # the builder insists on 443, whatever it is given

    def _interrupted(self, error: object) -> None:
        if not self.closed.done():
            self.closed.set_result(error)

    def stop(self) -> None:
        self.connection.disconnect().result(5)


@pytest.mark.usefixtures("device_sdk")
@in_loop
async def test_the_aws_device_sdk(plane: Plane, certificates: Certificates) -> None:
    """Its user name carries the authorizer's name and the SDK's own parameters, and all works."""
    async with serving(plane, certificates) as port:

        def walk() -> tuple[str, bytes]:
            from awscrt.mqtt import QoS

            messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
            device = AwsSdk(port, certificates)
            device.connection.connect().result(10)
            subscribed, _ = device.connection.subscribe(
                "doors/a", QoS.AT_LEAST_ONCE, lambda topic, payload, **_: messages.put((topic, bytes(payload)))
            )
            subscribed.result(5)
            published, _ = device.connection.publish("doors/a", b"open", QoS.AT_LEAST_ONCE)
            published.result(5)
            message = messages.get(timeout=5)
            device.connection.publish("doors/b", b"open", QoS.AT_MOST_ONCE)
            device.closed.result(5)
            device.stop()
            return message

        assert await elsewhere(walk) == ("doors/a", b"open")
    assert "iot:Publish" in decided(plane, "cut-off")
    username = plane.runner.events[0]["protocolData"]["mqtt"]["username"]
    assert username.startswith("thermo?x-amz-customauthorizer-name=doors&SDK=")


@pytest.mark.usefixtures("device_sdk")
@in_loop
async def test_the_aws_device_sdk_with_a_wrong_password(plane: Plane, certificates: Certificates) -> None:
    """It reports what users of AWS report: an unexpected hang-up, not a refused connection."""
    async with serving(plane, certificates) as port:

        def walk() -> str:
            from awscrt.exceptions import AwsCrtError

            device = AwsSdk(port, certificates, password="wrong")
            with pytest.raises(AwsCrtError) as caught:
                device.connection.connect().result(10)
            return str(caught.value.name)

        assert await elsewhere(walk) == "AWS_ERROR_MQTT_UNEXPECTED_HANGUP"
        await settle()
    assert decided(plane, "refused") == ["authentication"]
