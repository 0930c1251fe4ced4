"""Attribute values: what DynamoDB stores, as botocore hands it over.

A value is a dict of one entry, its type and its content: ``{"S": "door-7"}``, ``{"B": bytes}``,
``{"L": [value, ...]}``; an item maps attribute names to values. `normalise` is the door: behind
it every number is canonical and every set free of duplicates, and nothing is changed in place.
Source: Amazon DynamoDB developer guide, "Supported data types and naming rules".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from iotauth_cli.emulator.control.dynamodb import numbers
from iotauth_cli.emulator.control.dynamodb.errors import invalid, invalid_value

Value = dict[str, Any]
Item = dict[str, Value]

TYPES = ("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL")
SETS = ("SS", "NS", "BS")
MAX_LEVELS = 32  # of nesting; a top-level attribute is on the first

EMPTY_VALUE = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
SEVERAL_TYPES = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)
TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


def kind_of(value: Value) -> str:
    return next(iter(value))


def normalise_item(item: Item) -> Item:
    """Return *item* with every value in its normal form.

    Raises:
        ServiceError: a value breaks a rule of its type, or lies more than 32 levels deep.
    """
    return {name: normalise(value) for name, value in item.items()}


def normalise(value: Value, level: int = 1) -> Value:
    if len(value) != 1:
        raise invalid(SEVERAL_TYPES if value else EMPTY_VALUE)
    if level > MAX_LEVELS:
        raise invalid(TOO_DEEP)
    ((kind, content),) = value.items()
    normaliser = _NORMALISERS.get(kind)
    return value if normaliser is None else {kind: normaliser(content, level)}


def _normalise_number(text: str, level: int) -> str:
    return numbers.canonical(text)


def _normalise_null(is_null: bool, level: int) -> bool:
    if not is_null:
        raise invalid_value("Null attribute value types must have the value of true")
    return True


def _normalise_string_set(texts: list[str], level: int) -> list[str]:
    if not texts:
        raise invalid_value("An string set  may not be empty")  # AWS's spelling
    if len(set(texts)) < len(texts):
        raise invalid_value(f"Input collection [{', '.join(texts)}] contains duplicates.")
    return texts


def _normalise_number_set(texts: list[str], level: int) -> list[str]:
    if not texts:
        raise invalid_value("An number set  may not be empty")
    canonical = [numbers.canonical(text) for text in texts]
    if len(set(canonical)) < len(canonical):
        raise invalid("Input collection contains duplicates")
    return canonical


def _normalise_binary_set(blobs: list[bytes], level: int) -> list[bytes]:
    if not blobs:
        raise invalid_value("Binary sets should not be empty")
    if len(set(blobs)) < len(blobs):
        shown = ", ".join(map(encode_blob, blobs))
        raise invalid_value(f"Input collection [{shown}]of type BS contains duplicates.")
    return blobs


def _normalise_list(values: list[Value], level: int) -> list[Value]:
    return [normalise(value, level + 1) for value in values]


def _normalise_map(values: Item, level: int) -> Item:
    return {name: normalise(value, level + 1) for name, value in values.items()}


_NORMALISERS: dict[str, Callable[[Any, int], Any]] = {
    "N": _normalise_number,
    "NULL": _normalise_null,
    "SS": _normalise_string_set,
    "NS": _normalise_number_set,
    "BS": _normalise_binary_set,
    "L": _normalise_list,
    "M": _normalise_map,
}


def levels(value: Value) -> int:
    """Return how many levels deep *value* is: 1 for a scalar."""
    ((kind, content),) = value.items()
    if kind == "L":
        return 1 + max(map(levels, content), default=0)
    if kind == "M":
        return 1 + max(map(levels, content.values()), default=0)
    return 1


def equal(left: Value, right: Value) -> bool:
    """Tell whether two normal values are the same; the order within a set does not count."""
    if left == right:
        return True
    kind = kind_of(left)
    if kind != kind_of(right):
        return False
    return _same_content(kind, left[kind], right[kind])


def _same_content(kind: str, left: Any, right: Any) -> bool:
    if kind in SETS:
        return set(left) == set(right)
    if kind == "L":
        return len(left) == len(right) and all(map(equal, left, right))
    if kind == "M":
        return left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
    return False


def ordinal(value: Value) -> Decimal | str | bytes | None:
    """Return what *value* is ordered by among values of its type, or None if its type has no order.

    Python orders strings by code point, which is the order of their UTF-8 bytes that AWS uses.
    """
    ((kind, content),) = value.items()
    if kind == "N":
        return Decimal(content)
    return content if kind in ("S", "B") else None


def item_size(item: Item) -> int:
    """Return the size of *item* in bytes, as AWS counts it against 400 KB and for capacity.

    Source: Amazon DynamoDB developer guide, "Item sizes and formats".
    """
    return sum(text_size(name) + _size(value) for name, value in item.items())


def _size(value: Value) -> int:
    ((kind, content),) = value.items()
    return _SIZES[kind](content)


def text_size(text: str) -> int:
    # Nearly every text is ASCII, which Python knows without looking. JSON may carry a lone surrogate.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _list_size(values: list[Value]) -> int:
    return 3 + sum(1 + _size(value) for value in values)


def _map_size(values: Item) -> int:
    return 3 + len(values) + item_size(values)


_SIZES: dict[str, Callable[[Any], int]] = {
    "S": text_size,
    "N": numbers.byte_size,
    "B": len,
    "SS": lambda texts: sum(map(text_size, texts)),
    "NS": lambda texts: sum(map(numbers.byte_size, texts)),
    "BS": lambda blobs: sum(map(len, blobs)),
    "NULL": lambda _: 1,
    "BOOL": lambda _: 1,
    "L": _list_size,
    "M": _map_size,
}


def dump(item: Item) -> str:
    """Write *item* as JSON, its blobs in base64; `load` reads it back."""
    return _ENCODER.encode(item)


def load(text: str) -> Item:
    item: Item = json.loads(text)
    # Most items hold no blob, and walking each to find out would halve the speed of a scan.
    # Within a JSON string the quotes would be escaped, so only a real type (or a name) looks so.
    if '"B":' in text or '"BS":' in text:
        return {name: _restore(value) for name, value in item.items()}
    return item


def encode_blob(blob: bytes) -> str:
    return base64.b64encode(blob).decode("ascii")


def _restore(value: Value) -> Value:
    ((kind, content),) = value.items()
    if kind == "B":
        return {"B": base64.b64decode(content)}
    if kind == "BS":
        return {"BS": [base64.b64decode(blob) for blob in content]}
    if kind == "L":
        return {"L": [_restore(element) for element in content]}
    if kind == "M":
        return {"M": {name: _restore(member) for name, member in content.items()}}
    return value


_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=encode_blob)
