"""A script for AWS's own device SDK: connects as the device does, publishes once and hears what comes back."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem, refuse_nul
from iotauth_cli.device.formats.python_client import opening
from iotauth_cli.device.login import DeviceLogin

SCRIPT = """
import threading

from awscrt import mqtt
from awsiot import mqtt_connection_builder

received = threading.Event()


def on_message(topic, payload, **_):
    print("received", topic, payload)
    if topic == TOPIC:
        received.set()


connection = mqtt_connection_builder.direct_with_custom_authorizer(
    endpoint=HOST,
    ca_bytes=CA.encode(),
    client_id=CLIENT_ID,
    username=USERNAME,  # complete as it is: the builder would encode the authorizer's name another way
    auth_password=PASSWORD,
    clean_session=True,
    keep_alive_secs=60,
)
connection.port = PORT  # the builder itself knows 443 only
connection.connect().result(timeout=20)
print("connected")
for each in FILTERS:
    connection.subscribe(each, mqtt.QoS.AT_LEAST_ONCE, on_message)[0].result(timeout=20)
    print("subscribed to", each)
if TOPIC:
    connection.publish(TOPIC, "hello", mqtt.QoS.AT_LEAST_ONCE)[0].result(timeout=20)
    print("published to", TOPIC)
    if FILTERS:
        received.wait(5)
connection.disconnect().result(timeout=20)
"""


def render(login: DeviceLogin) -> Rendered:
    refuse_nul("a text of MQTT", login)
    text = "\n".join(opening(login, "Connect with AWS's device SDK: `pip install awsiotsdk`.")) + "\n" + SCRIPT
    file = RenderedFile(f"{file_stem(login)}.awsiotsdk.py", text)
    return Rendered((file,), *measured(login), command="python {path}")
