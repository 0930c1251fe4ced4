"""JSON as the models mean it: base64 is bytes, a timestamp is a moment, a null is nothing.

Handlers take and give what boto3 users see: ``bytes`` for a blob, numbers for numbers, and for
a timestamp epoch seconds (a `datetime` is taken too). ``decode(shape, encode(shape, x)) == x``.

A value of the wrong type is a SerializationException in the words of AWS's own framework.
botocore never sends one; hand-written requests do.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from iotauth_cli.emulator.control.service import ServiceError
from iotauth_cli.emulator.control.wire.models import Shape

INTEGERS = frozenset({"integer", "long"})
FLOATS = frozenset({"float", "double"})
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def serialization_error(message: str) -> ServiceError:
    return ServiceError("SerializationException", message)


def decode(shape: Shape, value: Any) -> Any:
    """Return what the JSON *value* means under *shape*; members the model does not know are left out.

    Raises:
        ServiceError: a value has the wrong JSON type.
    """
    return _DECODERS.get(shape.type, _decode_scalar)(shape, value)


def _decode_structure(shape: Shape, value: Any) -> dict[str, Any]:
    if shape.traits.get("document"):
        return value  # type: ignore[no-any-return]  # free JSON
    if not isinstance(value, dict):
        raise serialization_error(_mismatch(value, "structure"))
    known = shape.by_wire_name
    return {
        known[wire_name][0]: decode(known[wire_name][1], item)
        for wire_name, item in value.items()
        if item is not None and wire_name in known
    }


def _decode_list(shape: Shape, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise serialization_error(_mismatch(value, "list"))
    return [decode(shape.element, item) for item in value]


def _decode_map(shape: Shape, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise serialization_error(_mismatch(value, "map"))
    return {key: decode(shape.value, item) for key, item in value.items() if item is not None}


def _decode_string(shape: Shape, value: Any) -> str:
    if not isinstance(value, str):
        raise serialization_error(_mismatch(value, "string"))
    return value


def _decode_scalar(shape: Shape, value: Any) -> Any:
    if shape.type == "boolean" and isinstance(value, bool):
        return value
    if shape.type in INTEGERS and isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)
    if shape.type in FLOATS and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if shape.type in FLOATS and value in NOT_FINITE:
        return NOT_FINITE[value]
    raise serialization_error(_mismatch(value, shape.type))


def _decode_blob(shape: Shape, value: Any) -> bytes:
    if not isinstance(value, str):
        raise serialization_error(_mismatch(value, "blob"))
    return decode_base64(value)


def decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise serialization_error("Invalid Base64 text") from error


def _decode_timestamp(shape: Shape, value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return parse_timestamp(value)
    raise serialization_error(_mismatch(value, "timestamp"))


def parse_timestamp(text: str) -> float:
    """Read epoch seconds, ISO 8601 or the date of an HTTP header; all three travel."""
    for parse in (float, _parse_iso8601, _parse_http_date):
        try:
            return parse(text)
        except (ValueError, TypeError):
            continue
    raise serialization_error(f"Invalid timestamp: {text}")


def _parse_iso8601(text: str) -> float:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _parse_http_date(text: str) -> float:
    return parsedate_to_datetime(text).timestamp()


def from_text(shape: Shape, text: str) -> Any:
    """Read a scalar that travels as text: in a form, a path, a query string or a header.

    Raises:
        ServiceError: the text is not one of its type.
    """
    if shape.type == "boolean":
        return text == "true"
    if shape.type == "timestamp":
        return parse_timestamp(text)
    if shape.type == "blob":
        return decode_base64(text)
    if shape.type in INTEGERS or shape.type in FLOATS:
        return _number_from_text(shape, text)
    return text


def _number_from_text(shape: Shape, text: str) -> float:
    try:
        return int(text) if shape.type in INTEGERS else float(text)
    except ValueError as error:
        raise serialization_error(_mismatch(text, shape.type)) from error


_DECODERS: dict[str, Callable[[Shape, Any], Any]] = {
    "string": _decode_string,
    "structure": _decode_structure,
    "list": _decode_list,
    "map": _decode_map,
    "blob": _decode_blob,
    "timestamp": _decode_timestamp,
}

_COLLECTIONS = {"structure", "list", "map"}
_JAVA_NAMES = {"integer": "Integer", "long": "Long", "float": "Float", "double": "Double", "blob": "Blob"}


def _mismatch(value: Any, wanted: str) -> str:
    """Word a wrong type as AWS's JSON reader does."""
    if isinstance(value, list):
        return "Start of list found where not expected"
    if isinstance(value, dict):
        return "Start of structure or map found where not expected"
    if wanted in _COLLECTIONS:
        return "Unexpected field type"
    if isinstance(value, bool):
        token = "TRUE_VALUE" if value else "FALSE_VALUE"
    else:
        token = "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"
    return f"{token} cannot be converted to {_JAVA_NAMES.get(wanted, wanted.title())}"


def encode(shape: Shape, value: Any) -> Any:
    """Return *value* as JSON under *shape*; None and members the model does not know are left out."""
    return _ENCODERS.get(shape.type, _encode_scalar)(shape, value)


def _encode_structure(shape: Shape, value: Any) -> Any:
    if shape.traits.get("document"):
        return value
    known = shape.body_members
    return {
        known[name][0]: encode(known[name][1], item)
        for name, item in value.items()
        if item is not None and name in known
    }


def _encode_list(shape: Shape, value: Any) -> list[Any]:
    return [encode(shape.element, item) for item in value]


def _encode_map(shape: Shape, value: Any) -> dict[str, Any]:
    return {key: encode(shape.value, item) for key, item in value.items()}


def _encode_blob(shape: Shape, value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _encode_timestamp(shape: Shape, value: Any) -> Any:
    return format_timestamp(value, shape.traits.get("timestampFormat", "unixTimestamp"))


def _encode_scalar(shape: Shape, value: Any) -> Any:
    if shape.type in FLOATS and not math.isfinite(value):
        return next(name for name, number in NOT_FINITE.items() if str(number) == str(value))
    return value


_ENCODERS: dict[str, Callable[[Shape, Any], Any]] = {
    "string": lambda shape, value: value,
    "structure": _encode_structure,
    "list": _encode_list,
    "map": _encode_map,
    "blob": _encode_blob,
    "timestamp": _encode_timestamp,
}


def format_timestamp(moment: float | datetime, style: str) -> Any:
    """Say *moment* as ``unixTimestamp`` (a number, to the millisecond), ``iso8601`` or ``rfc822``."""
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    if style == "unixTimestamp":
        return int(seconds) if seconds == int(seconds) else round(seconds, 3)
    if style == "rfc822":
        return formatdate(seconds, usegmt=True)
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
