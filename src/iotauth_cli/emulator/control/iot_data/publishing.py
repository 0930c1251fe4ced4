"""What a Publish request says, be it signed by AWS credentials or by a device over HTTPS.

Both are the same operation of the iot-data model, so both are read and checked by it; the topic
is then held to the same rules as one that comes over MQTT.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.control.iot_data import message_properties
from iotauth_cli.emulator.control.iot_data.message_properties import InvalidProperty
from iotauth_cli.emulator.control.service import Parameters, ServiceError
from iotauth_cli.emulator.control.wire import check, models, rest_json
from iotauth_cli.emulator.control.wire.models import Operation
from iotauth_cli.emulator.model import HttpRequest
from iotauth_cli.emulator.mqtt.packets import Properties
from iotauth_cli.emulator.mqtt.topics import InvalidTopic, check_topic

SERVICE = "iot-data"
TOPICS = "/topics/"


@dataclass(frozen=True)
class Publishing:
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = ()


def read_publishing(request: HttpRequest, max_payload_bytes: int) -> Publishing:
    """Read `POST /topics/<topic>`; slashes of the topic may be percent-encoded or not.

    Raises:
        ServiceError: a parameter, the topic or the payload is not one that AWS IoT takes.
    """
    path, mark, query = request.target.partition("?")
    topic = path.removeprefix(TOPICS).replace("/", "%2F")  # the model wants it in one segment
    if not topic:
        raise _invalid("an empty topic")
    operation = _operation()
    assert operation.input is not None
    parameters = rest_json.parse(operation, replace(request, target=f"{TOPICS}{topic}{mark}{query}"))
    check.check(SERVICE, operation.input, parameters)
    return publishing(parameters, max_payload_bytes)


def publishing(parameters: Parameters, max_payload_bytes: int) -> Publishing:
    """Return the message that checked parameters of the operation describe.

    Raises:
        ServiceError: InvalidRequestException, or RequestEntityTooLargeException (413).
    """
    payload = parameters.get("payload", b"")
    if len(payload) > max_payload_bytes:
        message = f"a payload of {len(payload)} bytes; the limit is {max_payload_bytes}"
        raise ServiceError("RequestEntityTooLargeException", message, 413)
    for name in ("topic", "responseTopic"):
        if name in parameters:
            _check(parameters[name])
    topic, retain = parameters["topic"], parameters.get("retain", False)
    if retain and topic.startswith("$"):
        raise _invalid(f"topic `{topic}` is reserved for AWS IoT, which retains no message on it")
    return Publishing(topic, payload, parameters.get("qos", 0), retain, _properties(parameters))


def publish(broker: Broker, message: Publishing) -> None:
    """Give *message* to the broker; whether its sender may was decided before."""
    broker.publish_from_api(
        message.topic, message.payload, message.qos, retain=message.retain, properties=message.properties
    )


def _properties(parameters: Parameters) -> Properties:
    try:
        return message_properties.read(parameters)
    except InvalidProperty as error:
        raise _invalid(str(error)) from error


def _check(topic: str) -> None:
    try:
        check_topic(topic)
    except InvalidTopic as error:
        raise _invalid(str(error)) from error
    if "\0" in topic:
        raise _invalid("a topic with U+0000, which MQTT forbids")


def _invalid(sentence: str) -> ServiceError:
    return ServiceError(check.code_of(SERVICE), sentence)


@functools.cache
def _operation() -> Operation:
    model = models.load(SERVICE)
    operation = model.operation("Publish") if model else None
    assert operation is not None, "botocore has the iot-data model since 2015"
    return operation
