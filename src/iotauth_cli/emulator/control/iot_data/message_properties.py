"""MQTT 5's properties of a message, as the iot-data API says them: in query parameters, headers and JSON.

User properties are a JSON array of objects, ``[{"deviceName": "alpha"}, {"deviceCnt": "45"}]``, in
base64 where they travel as a header.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from iotauth_cli.emulator.control.service import Parameters
from iotauth_cli.emulator.mqtt.packets import Properties
from iotauth_cli.emulator.mqtt.properties import Property, decode_properties

PAYLOAD_FORMATS = {"UNSPECIFIED_BYTES": 0, "UTF8_DATA": 1}
MAX_EXPIRY_S = 2**32 - 1  # MQTT 5 counts it in four bytes
TEXTS = {"contentType": Property.CONTENT_TYPE, "responseTopic": Property.RESPONSE_TOPIC}
MAX_TEXT_BYTES = 65_535  # MQTT 5, 1.5.4


class InvalidProperty(ValueError):
    """A property that MQTT 5 cannot carry; the message is a sentence about it."""


def read(parameters: Parameters) -> Properties:
    """Return the properties that the parameters of Publish describe.

    Raises:
        InvalidProperty: one of them cannot travel over MQTT.
    """
    return tuple(_read(parameters))


def _read(parameters: Parameters) -> Iterator[tuple[Property, Any]]:
    if "payloadFormatIndicator" in parameters:
        yield Property.PAYLOAD_FORMAT, PAYLOAD_FORMATS[parameters["payloadFormatIndicator"]]
    if "messageExpiry" in parameters:
        yield Property.MESSAGE_EXPIRY, _expiry(parameters["messageExpiry"])
    for name, identifier in TEXTS.items():
        if name in parameters:
            yield identifier, _text(name, parameters[name])
    if "correlationData" in parameters:
        yield Property.CORRELATION_DATA, _bytes(parameters["correlationData"])
    for pair in _pairs(parameters.get("userProperties", [])):
        yield Property.USER_PROPERTY, pair


def _expiry(seconds: int) -> int:
    if not 0 <= seconds <= MAX_EXPIRY_S:
        raise InvalidProperty(f"messageExpiry {seconds} is not between 0 and {MAX_EXPIRY_S} seconds")
    return seconds


def _text(name: str, text: object) -> str:
    if not isinstance(text, str):
        raise InvalidProperty(f"{name} is not a text")
    if "\0" in text or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise InvalidProperty(f"{name} has U+0000 or more than {MAX_TEXT_BYTES} bytes, which MQTT forbids")
    return text


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidProperty("correlationData is not base64") from error


def _pairs(given: object) -> Iterator[tuple[str, str]]:
    """Yield the user properties; boto3 wraps a caller's JSON text in JSON once more."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise InvalidProperty("userProperties is not JSON") from error
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise InvalidProperty("userProperties is not a JSON array of objects")
    for each in given:
        for name, value in each.items():
            yield _text("a name in userProperties", name), _text(f"user property {name}", value)


def user_properties(encoded: bytes) -> bytes | None:
    """Return the user properties among *encoded* ones (as they go over the wire) as JSON, or None."""
    found = decode_properties(encoded)
    pairs = [{value[0]: value[1]} for key, value in found if key == Property.USER_PROPERTY and isinstance(value, tuple)]
    return json.dumps(pairs, separators=(",", ":")).encode() if pairs else None
