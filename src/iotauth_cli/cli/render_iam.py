"""An IAM policy as text: JSON with a line for each member, lists filled up to the width of a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 80


def laid_out(document: Mapping[str, Any]) -> list[str]:
    """Return the lines of a policy: the same JSON, shorter to look at than an item a line."""
    statements = [laid_out_statement(each) for each in document["Statement"]]
    body = ["    {\n" + ",\n".join(lines) + "\n    }" for lines in statements]
    text = f'{{\n  "Version": {json.dumps(document["Version"])},\n  "Statement": [\n' + ",\n".join(body) + "\n  ]\n}"
    return text.split("\n")


def laid_out_statement(statement: Mapping[str, Any]) -> list[str]:
    return [member(name, value) for name, value in statement.items()]


def member(name: str, value: Any) -> str:
    """Return one member, on one line if it fits."""
    line = f"      {json.dumps(name)}: {json.dumps(value)}"
    if len(line) < WIDTH or not isinstance(value, list):
        return line
    items = ",\n".join(" " * 8 + line for line in filled([json.dumps(each) for each in value]))
    return f"      {json.dumps(name)}: [\n{items}\n      ]"


def filled(items: Sequence[str]) -> list[str]:
    """Put as many items on a line as fit, with what separates them."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + len(", ,") + 8 <= WIDTH:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return lines
