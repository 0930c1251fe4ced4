"""The part of an item that a projection shows."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.emulator.control.dynamodb.expressions.projection import project
from iotauth_cli.emulator.control.dynamodb.expressions.request import read_expressions
from iotauth_cli.emulator.control.service import ServiceError
from support_dynamodb import plain, typed

ITEM = {"a": {"b": [2, 4, {"x": "hi", "y": "yo"}], "c": 5}, "s": "text", "a.b": "dotted"}


def shown(text: str, **names: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {"ProjectionExpression": text}
    if names:
        parameters["ExpressionAttributeNames"] = {f"#{name}": value for name, value in names.items()}
    projection = read_expressions(parameters).projection
    assert projection is not None
    return plain(project(typed(ITEM), projection))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s", {"s": "text"}),
        ("s, gone", {"s": "text"}),
        ("gone", {}),
        ("a.c", {"a": {"c": 5}}),
        ("a.b", {"a": {"b": [2, 4, {"x": "hi", "y": "yo"}]}}),
        ("a.b[1]", {"a": {"b": [4]}}),
        ("a.b[2], a.b[0]", {"a": {"b": [2, {"x": "hi", "y": "yo"}]}}),
        ("a.b[2].y, a.c", {"a": {"b": [{"y": "yo"}], "c": 5}}),
        ("a.b[9]", {}),
        ("a.b[0].x", {}),
        ("a.b.x", {}),
        ("a[0]", {}),
    ],
)
def test_a_projection_keeps_the_shape(text: str, expected: dict[str, Any]) -> None:
    """Maps keep their names, lists close up, and what is not there is left out with its empty surroundings."""
    assert shown(text) == expected


def test_a_placeholder_is_one_step() -> None:
    """A dot in a name is part of the name, not a path."""
    assert shown("#d", d="a.b") == {"a.b": "dotted"}
    assert shown("#p.#q", p="a", q="c") == {"a": {"c": 5}}


def test_paths_are_compared_by_their_names() -> None:
    """Two placeholders for one attribute overlap, though they are written differently."""
    with pytest.raises(ServiceError, match=r"overlap .* path one: \[s\], path two: \[s\]"):
        shown("#x, #y", x="s", y="s")
    with pytest.raises(ServiceError, match=r"conflict .* path one: \[s, \[0\]\], path two: \[s, x\]"):
        shown("s[0], s.x")
    with pytest.raises(ServiceError, match="not defined; attribute name: #z"):
        shown("#x, #z", x="s")
