"""What MQTT 5 lets a broker say: reason codes, reason strings, and the terms in CONNACK's properties.

Source: MQTT 5, sections 2.4 and 3.2.2.3; AWS IoT developer guide, "MQTT", lists those that it uses.
"""

from __future__ import annotations

from typing import Any

NOT_AUTHORIZED = 0x87
SESSION_TAKEN_OVER = 0x8E
ADMINISTRATIVE_ACTION = 0x98
QOS_NOT_SUPPORTED = 0x9B

# paho's name of a property: how it is told
TERMS = {
    "ServerKeepAlive": "keep-alive {} s",
    "MaximumQoS": "QoS up to {}",
    "ReceiveMaximum": "{} messages in flight",
    "TopicAliasMaximum": "{} topic aliases",
    "MaximumPacketSize": "packets up to {} bytes",
    "SessionExpiryInterval": "session kept {} s",
    "AssignedClientIdentifier": "client id `{}` given",
}
# … and those that say what is not there, when they are 0
MISSING = {
    "RetainAvailable": "no retained messages",
    "WildcardSubscriptionAvailable": "no wildcards",
    "SubscriptionIdentifierAvailable": "no subscription identifiers",
    "SharedSubscriptionAvailable": "no shared subscriptions",
}


def terms(properties: Any) -> list[str]:
    """Return the broker's terms, as CONNACK states them."""
    told = [text.format(getattr(properties, name)) for name, text in TERMS.items() if hasattr(properties, name)]
    return told + [text for name, text in MISSING.items() if getattr(properties, name, 1) == 0]


def words(reason: Any, properties: Any) -> str:
    """Return a reason code with its name and, if there is one, the broker's reason string."""
    said = getattr(properties, "ReasonString", "").replace("`", "'")
    return f"{reason.value:#04x} {str(reason).lower()}" + (f", `{said}`" if said else "")
