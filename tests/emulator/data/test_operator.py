"""An operator in a WebSocket that AWS keys have signed: let in without an authorizer, refused for a wrong signature."""

from __future__ import annotations

import importlib.util
import queue
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from iotauth_authorizer.aws_credentials import Credentials
from iotauth_cli.aws.signed_websocket import SERVICE, signed_path
from iotauth_cli.emulator.attempts import ADMITTED, REFUSED
from iotauth_cli.emulator.ca import Certificates
from iotauth_cli.emulator.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from iotauth_cli.emulator.mqtt.packets import Connack, Publish
from support import missing
from support_clients import decided, elsewhere, serving
from support_data import REGION, Plane, in_loop, settle
from support_websocket import WebSocketDevice

KEYS = Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None)


def path(keys: Credentials = KEYS, *, host: str = "localhost", region: str = REGION, ago_s: float = 0) -> str:
    return signed_path(keys, host=host, region=region, now=time.time() - ago_s)


def path_of_botocore(secret_key: str = SECRET_ACCESS_KEY) -> str:
    """Return a path as botocore signs it, which is AWS's own."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as BotoCredentials

    request = AWSRequest("GET", "wss://localhost/mqtt")
    SigV4QueryAuth(BotoCredentials(ACCESS_KEY_ID, secret_key), SERVICE, REGION, expires=300).add_auth(request)
    parts = urlsplit(str(request.url))
    return f"{parts.path}?{parts.query}"


@pytest.mark.parametrize("target", [path, path_of_botocore], ids=["ours", "botocore's"])
@in_loop
async def test_an_operator_may_do_everything_and_no_function_is_called(plane: Plane, target: Any) -> None:
    """CONNACK without an authorizer, every topic, AWS's own events too; the log names the keys."""
    device = WebSocketDevice(plane)
    await device.upgrade(target())
    assert device.status == 101
    await device.connect("watcher", username=None)
    assert device.received == [Connack(0)]
    await device.subscribe("#")
    await device.subscribe("$aws/events/presence/#")
    await device.send(Publish("doors/7/open", b"now"))
    assert ("doors/7/open", b"now") in device.messages
    await plane.connected("thermo-1")
    await settle()
    assert "$aws/events/presence/connected/thermo-1" in [topic for topic, _ in device.messages]
    assert [event["protocolData"]["mqtt"].get("clientId") for event in plane.runner.events] == ["thermo-1"]
    assert decided(plane, ADMITTED) == ["aws-keys", "iot:Connect"]


@in_loop
async def test_the_session_token_is_no_part_of_what_is_signed(plane: Plane) -> None:
    """AWS IoT takes it from behind the signature."""
    device = WebSocketDevice(plane)
    await device.upgrade(path(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY, "token/with+signs==")))
    assert device.status == 101


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (path_of_botocore("wrong"), "the signature does not match the request"),
        (path(Credentials("AKIAOTHER", "x", None)), "AWS access key `AKIAOTHER` is not the emulator's"),
        (path(region="mars-1"), f"the signature is for iotdevicegateway in mars-1, not {SERVICE} in {REGION}"),
        (path(host="elsewhere"), "the signature does not match the request"),
        (path(ago_s=3600), "the signature is of another time"),
        (path() + "&x=y", "the signature does not match the request"),
        ("/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256", "the request is not signed as AWS4-HMAC-SHA256 wants it"),
        (path().replace("X-Amz-Date=2", "X-Amz-Date=x"), "X-Amz-Date or X-Amz-Expires cannot be read"),
    ],
    ids=["secret", "key", "region", "host", "old", "changed", "nothing else", "date"],
)
@in_loop
async def test_a_wrong_signature_is_answered_403(plane: Plane, target: str, sentence: str) -> None:
    """As AWS IoT answers it; the log has the reason, the client has not."""
    device = WebSocketDevice(plane)
    await device.upgrade(target)
    assert (device.status, device.said["message"]) == (403, "Forbidden")
    assert (plane.last.outcome, plane.last.decided_by) == (REFUSED, "aws-keys")
    assert plane.last.sentence.startswith(sentence)


@in_loop
async def test_the_keys_can_be_denied_everything() -> None:
    """The choice `aws_keys_may_do_anything` turned off: 403."""
    plane = Plane(aws_keys_may_do_anything=False)
    device = WebSocketDevice(plane)
    await device.upgrade(path())
    assert device.status == 403


@in_loop
async def test_a_token_signature_in_the_query_is_still_a_devices(plane: Plane) -> None:
    """Only X-Amz-Algorithm makes a request an operator's."""
    device = WebSocketDevice(plane)
    await device.upgrade("/mqtt?x-amz-customauthorizer-name=doors")
    assert device.status == 101
    await device.connect("thermo-1", username=None)
    assert len(plane.runner.events) == 1


def device_sdk(port: int, certificates: Certificates, secret_key: str) -> list[bytes] | str:
    """Publish a message to oneself with AWS's device SDK; return what came back, or the SDK's word for why not."""
    from awscrt import auth, exceptions, mqtt
    from awsiot import mqtt_connection_builder

    connection = mqtt_connection_builder.websockets_with_default_aws_signing(
        region=REGION,
        credentials_provider=auth.AwsCredentialsProvider.new_static(ACCESS_KEY_ID, secret_key),
        endpoint="localhost",
        port=port,
        client_id="operator",
        ca_filepath=str(certificates.ca_file),
        clean_session=True,
    )
    received: queue.Queue[bytes] = queue.Queue()
    try:
        connection.connect().result(5)
    except exceptions.AwsCrtError as error:
        return str(error.name)
    subscribed, _ = connection.subscribe(
        "doors/#", mqtt.QoS.AT_LEAST_ONCE, lambda topic, payload, **_: received.put(payload)
    )
    subscribed.result(5)
    connection.publish("doors/9", b"open", mqtt.QoS.AT_LEAST_ONCE)[0].result(5)
    found = [received.get(timeout=5)]
    connection.disconnect().result(5)
    return found


@in_loop
async def test_the_device_sdk_of_aws(plane: Plane, certificates: Certificates) -> None:
    """`websockets_with_default_aws_signing` gets in with the emulator's keys, and with no others."""
    if importlib.util.find_spec("awsiot") is None:
        missing("awsiotsdk is not installed")
    async with serving(plane, certificates) as port:
        assert await elsewhere(lambda: device_sdk(port, certificates, SECRET_ACCESS_KEY)) == [b"open"]
        refused = await elsewhere(lambda: device_sdk(port, certificates, "wrong"))
    assert refused == "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"
    assert plane.runner.events == []
    assert decided(plane, REFUSED) == ["aws-keys"]
