"""MQTT 5's properties of a message: as they come, under names in words; and as they go out."""

from __future__ import annotations

from typing import Any

NAMES = {  # MQTT 5, 3.3.2.3: paho's names and ours
    "ContentType": "content_type",
    "ResponseTopic": "response_topic",
    "CorrelationData": "correlation_data",
    "MessageExpiryInterval": "expires_in_s",
    "PayloadFormatIndicator": "payload_format",
    "UserProperty": "user_properties",
}


def properties_of(properties: Any) -> dict[str, Any]:
    """Return a message's properties under their names in words; bytes as hex."""
    found = {ours: getattr(properties, theirs) for theirs, ours in NAMES.items() if hasattr(properties, theirs)}
    if "correlation_data" in found:
        found["correlation_data"] = bytes(found["correlation_data"]).hex()
    if "user_properties" in found:
        found["user_properties"] = [list(pair) for pair in found["user_properties"]]
    return found


def content(content_type: str) -> Any:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = content_type
    return properties
