"""Terraform's language, as text: blocks and attributes, laid out as `terraform fmt` lays them out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INDENT = "  "
NOT_IN_HCL = {"\\b": "\\u0008", "\\f": "\\u000c"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Raw:
    """An expression as it is written: a reference, a call."""

    text: str


@dataclass(frozen=True)
class Call:
    """A function of one value: `jsonencode({…})`."""

    name: str
    argument: Any


@dataclass(frozen=True)
class Template:
    """A text with `${…}` in it that means something. Every other text means itself."""

    text: str


@dataclass(frozen=True)
class Block:
    """`type "label" "label" { … }`. *body* has attributes and, in their place, nested blocks; None is left out."""

    type: str
    labels: tuple[str, ...] = ()
    body: tuple[tuple[str, Any] | Block, ...] = ()


def document(blocks: Iterable[Block]) -> str:
    return "\n".join("\n".join(block(each)) + "\n" for each in blocks)


def block(found: Block, depth: int = 0) -> list[str]:
    """Return the lines of a block."""
    pad = INDENT * depth
    opening = " ".join([found.type, *(quoted(label) for label in found.labels)])
    lines = body(found.body, depth + 1)
    return [f"{pad}{opening} {{", *lines, f"{pad}}}"] if lines else [f"{pad}{opening} {{}}"]


def body(entries: Sequence[tuple[str, Any] | Block], depth: int) -> list[str]:
    """Return attributes and blocks: short ones in a column, each longer one apart."""
    lines: list[str] = []
    column: list[tuple[str, str]] = []

    def flush() -> None:
        width = max((len(name) for name, _ in column), default=0)
        apart(lines, [f"{INDENT * depth}{name:<{width}} = {text}" for name, text in column])
        column.clear()

    for entry in entries:
        if isinstance(entry, Block):
            flush()
            apart(lines, block(entry, depth))
        elif entry[1] is not None:
            name, text = entry[0], expression(entry[1], depth)
            if "\n" in text:
                flush()
                apart(lines, f"{INDENT * depth}{name} = {text}".split("\n"))
            else:
                column.append((name, text))
    flush()
    return lines


def apart(lines: list[str], more: list[str]) -> None:
    """Add *more* to *lines*, an empty line between."""
    if lines and more:
        lines.append("")
    lines += more


def expression(value: Any, depth: int) -> str:
    """Return a value as an expression that begins in a line of that *depth*; what has parts takes several lines."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Call):
        return f"{value.name}({expression(value.argument, depth)})"
    if isinstance(value, Template):
        return quoted(value.text, is_template=True)
    if isinstance(value, Mapping):
        return mapping(value, depth)
    if isinstance(value, (list, tuple)):
        return sequence(value, depth)
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def mapping(found: Mapping[str, Any], depth: int) -> str:
    if not found:
        return "{}"
    names = {name: name if NAME.fullmatch(name) else quoted(name) for name in found}
    return "{\n" + "\n".join(members(found, names, depth + 1)) + f"\n{INDENT * depth}}}"


def members(found: Mapping[str, Any], names: Mapping[str, str], depth: int) -> list[str]:
    """Return a mapping's members; their column ends where a member takes several lines."""
    lines: list[str] = []
    column: list[tuple[str, str]] = []

    def flush() -> None:
        width = max((len(name) for name, _ in column), default=0)
        lines.extend(f"{INDENT * depth}{name:<{width}} = {text}" for name, text in column)
        column.clear()

    for name, value in found.items():
        text = expression(value, depth)
        if "\n" in text:
            flush()
            lines += f"{INDENT * depth}{names[name]} = {text}".split("\n")
        else:
            column.append((names[name], text))
    flush()
    return lines


def sequence(found: Sequence[Any], depth: int) -> str:
    texts = [expression(each, depth + 1) for each in found]
    if not any("\n" in text for text in texts):
        return f"[{', '.join(texts)}]"
    pad = INDENT * (depth + 1)
    return "[\n" + "".join(f"{pad}{text},\n" for text in texts) + f"{INDENT * depth}]"


def quoted(text: str, *, is_template: bool = False) -> str:
    """Return *text* in quotes; without *is_template* its `${` and `%{` mean themselves."""
    # Two of JSON's escapes are none here; a backslash that is escaped itself is taken with what follows it.
    escaped = re.sub(r"\\(.)", lambda found: NOT_IN_HCL.get(found[0], found[0]), json.dumps(text, ensure_ascii=False))
    return escaped if is_template else escaped.replace("${", "$${").replace("%{", "%%{")


def escape(text: str) -> str:
    """Return *text* for a part of a `Template` that is to mean itself."""
    return text.replace("${", "$${").replace("%{", "%%{")
