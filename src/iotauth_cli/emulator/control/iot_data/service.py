"""The iot-data API: what boto3's `iot-data` and ``aws iot-data`` ask of AWS IoT's data endpoint.

Requests signed with AWS credentials come to the control port, where AWS_ENDPOINT_URL leads, and
to the data port, where AWS has this API. Policies of authorizers do not bind them: AWS asks the
caller's own IAM policies, and the emulator lets its owner do everything. The emulator has one
broker; a request for any region reaches it.
Source: the iot-data service model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.control.iot_data.answers import milliseconds, not_found
from iotauth_cli.emulator.control.iot_data.connections import PAGE, Connections
from iotauth_cli.emulator.control.iot_data.message_properties import user_properties
from iotauth_cli.emulator.control.iot_data.publishing import SERVICE, publish, publishing
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result


class IotDataService:
    """Publish, and look at connections and retained messages. *clock* is the broker's."""

    name = SERVICE

    def __init__(self, broker: Broker, clock: Callable[[], float], behaviour: Behaviour) -> None:
        self._broker = broker
        self._clock = clock
        self._behaviour = behaviour
        self.operations: Mapping[str, Handler] = {
            **Connections(broker, clock).operations,
            "Publish": self.publish,
            "GetRetainedMessage": self.get_retained_message,
            "ListRetainedMessages": self.list_retained_messages,
        }

    def publish(self, parameters: Parameters, context: Context) -> Result:
        message = publishing(parameters, self._behaviour.max_payload_bytes)
        publish(self._broker, message)
        return {}

    def get_retained_message(self, parameters: Parameters, context: Context) -> Result:
        topic = parameters["topic"]
        kept = self._broker.retained.find(topic, self._clock())
        if kept is None:
            raise not_found(f"No retained message exists for topic {topic}.")
        return {
            "topic": kept.topic,
            "payload": kept.payload,
            "qos": kept.qos,
            "lastModifiedTime": milliseconds(kept.stored_at),
            "userProperties": user_properties(kept.properties),
        }

    def list_retained_messages(self, parameters: Parameters, context: Context) -> Result:
        listing, token = page(
            SERVICE,
            self._broker.retained.list(self._clock()),
            lambda message: message.topic,
            parameters.get("nextToken"),
            parameters.get("maxResults", PAGE),
        )
        topics = [
            {
                "topic": kept.topic,
                "payloadSize": len(kept.payload),
                "qos": kept.qos,
                "lastModifiedTime": milliseconds(kept.stored_at),
            }
            for kept in listing
        ]
        return {"retainedTopics": topics, "nextToken": token}
