"""A script for paho-mqtt 2: connects as the device does, publishes once and hears what comes back."""

from __future__ import annotations

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem, refuse_nul
from iotauth_cli.device.formats.python_client import opening
from iotauth_cli.device.login import DeviceLogin

SCRIPT = """
import ssl
import sys

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion


def on_connect(client, userdata, flags, reason, properties):
    print("connected" if not reason.is_failure else f"refused: {reason}")
    if reason.is_failure:
        client.disconnect()
    elif FILTERS:
        client.subscribe([(each, 1) for each in FILTERS])
    else:
        publish(client)


def on_subscribe(client, userdata, mid, reasons, properties):
    print("subscribed to", ", ".join(FILTERS))
    publish(client)


def publish(client):
    if TOPIC:
        client.publish(TOPIC, "hello", qos=1)


def on_publish(client, userdata, mid, reason, properties):
    print("published to", TOPIC)
    if not FILTERS:
        client.disconnect()


def on_message(client, userdata, message):
    print("received", message.topic, message.payload)
    if message.topic == TOPIC:
        client.disconnect()


def on_disconnect(client, userdata, flags, reason, properties):
    userdata["reason"] = reason
    if reason.is_failure:
        print(f"disconnected: {reason}", file=sys.stderr)
    client.loop_stop()


tls = ssl.create_default_context(cadata=CA)
tls.set_alpn_protocols(ALPN)
ended = {}
client = Client(CallbackAPIVersion.VERSION2, CLIENT_ID, userdata=ended, reconnect_on_failure=False)
client.username_pw_set(USERNAME, PASSWORD)
client.tls_set_context(tls)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_publish = on_publish
client.on_message = on_message
client.on_disconnect = on_disconnect
client.connect(HOST, PORT)
client.loop_forever()
sys.exit(1 if ended["reason"].is_failure else 0)
"""


def render(login: DeviceLogin) -> Rendered:
    refuse_nul("a text of MQTT", login)
    text = "\n".join(opening(login, "Connect with paho-mqtt 2: `pip install paho-mqtt`.")) + "\n" + SCRIPT
    file = RenderedFile(f"{file_stem(login)}.paho.py", text)
    return Rendered((file,), *measured(login), command="python {path}")
