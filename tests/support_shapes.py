"""Values for botocore's shapes, as hypothesis strategies: what a client may send, what a service may return."""

from __future__ import annotations

import string
from typing import Any

from botocore.model import (
    ListShape,
    MapShape,
    Shape,
    StringShape,
    StructureShape,
)
from hypothesis import strategies as st

# What every protocol can carry: XML has no control characters, a header no line breaks.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=8)
PLAIN = st.text(string.ascii_letters + string.digits + "-_./:=+@ %&?#", min_size=1, max_size=8).map(str.strip)
PLACES = ("uri", "header", "querystring")
RECURSIVE = {"AttributeValue": {"S": "deep"}}  # DynamoDB's values hold values; this ends them
DEPTH = 3  # where a recursive shape ends


def values_of(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values of *shape*; nothing in them is empty where empty cannot be told from absent."""
    if isinstance(shape, StructureShape):
        return structures_of(shape, depth)
    if isinstance(shape, ListShape):
        return st.lists(values_of(shape.member, depth + 1), min_size=1, max_size=2)
    if isinstance(shape, MapShape):
        keys = values_of(shape.key, depth + 1).filter(bool)
        return st.dictionaries(keys, values_of(shape.value, depth + 1), min_size=1, max_size=2)
    if isinstance(shape, StringShape):
        is_plain = shape.serialization.get("location") in PLACES
        return PLAIN.filter(bool) if is_plain else TEXT
    return SCALARS[shape.type_name]


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(0, 2**31 - 1),
    "long": st.integers(0, 2**53),
    "float": st.floats(-1e6, 1e6, width=32),
    "double": st.floats(-1e6, 1e6),
    "blob": st.binary(min_size=1, max_size=8),
    "timestamp": st.integers(0, 2**32),
}


def structures_of(shape: StructureShape, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Return structures with any of their members; those in the path and the required ones are always there."""
    if depth > DEPTH and shape.name in RECURSIVE:
        return st.just(RECURSIVE[shape.name])
    needed: dict[str, st.SearchStrategy[Any]] = {}
    possible: dict[str, st.SearchStrategy[Any]] = {}
    for name, member in shape.members.items():
        in_path = member.serialization.get("location") == "uri"
        target = needed if in_path or name in shape.required_members else possible
        target[name] = values_of(member, depth + 1)
    found = st.fixed_dictionaries(needed, optional=possible)
    return found if depth == 0 else found.filter(bool)
