"""The shapes an expression can have, exactly as written.

A tree knows no request: ``#name`` and ``:value`` stay as they are until a `Scope` says what they
stand for, so that one tree serves every request with the same text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Step = str | int  # an attribute name (or "#placeholder"), or a list index
Steps = tuple[Step, ...]
Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Path:
    """A document path: ``a.#b[2]`` is ``("a", "#b", 2)``."""

    steps: Steps


@dataclass(frozen=True)
class Reference:
    """A value of the request: ``:limit``."""

    name: str


@dataclass(frozen=True)
class Call:
    function: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Comparison:
    operator: str  # = <> < <= > >=
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Between:
    subject: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True)
class In:
    subject: Operand
    options: tuple[Operand, ...]


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class And:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    conditions: tuple[Condition, ...]


Operand = Path | Reference | Call
Test = Comparison | Between | In | Call
Condition = Test | Not | And | Or


@dataclass(frozen=True)
class Arithmetic:
    operator: str  # + -
    left: Operand
    right: Operand


@dataclass(frozen=True)
class SetAction:
    path: Path
    value: Operand | Arithmetic


@dataclass(frozen=True)
class RemoveAction:
    path: Path


@dataclass(frozen=True)
class AddAction:
    path: Path
    value: Reference


@dataclass(frozen=True)
class DeleteAction:
    path: Path
    value: Reference


Action = SetAction | RemoveAction | AddAction | DeleteAction


@dataclass(frozen=True)
class Update:
    """The actions of an update in the order written; a section may stand only once."""

    sections: tuple[str, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Projection:
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Parsed(Generic[Tree]):
    """A tree and every ``#name`` and ``:value`` in its text."""

    tree: Tree
    placeholders: frozenset[str]


def tests(condition: Condition) -> Iterator[Test]:
    """Yield the comparisons and function calls that *condition* is made of, in the order written."""
    if isinstance(condition, (And, Or)):
        for part in condition.conditions:
            yield from tests(part)
    elif isinstance(condition, Not):
        yield from tests(condition.condition)
    else:
        yield condition


def operands(node: Test | Action | Arithmetic) -> tuple[Operand, ...]:
    """Return what *node* is applied to, in the order written; a call's own operands lie below it."""
    if isinstance(node, Call):
        return node.operands
    if isinstance(node, (Comparison, Arithmetic)):
        return node.left, node.right
    if isinstance(node, Between):
        return node.subject, node.low, node.high
    if isinstance(node, In):
        return node.subject, *node.options
    if isinstance(node, RemoveAction):
        return (node.path,)
    if isinstance(node.value, Arithmetic):
        return node.path, *operands(node.value)
    return node.path, node.value


def leaves(operand: Operand) -> Iterator[Path | Reference]:
    """Yield the paths and values that *operand* is computed from."""
    if isinstance(operand, Call):
        for inner in operand.operands:
            yield from leaves(inner)
    else:
        yield operand


def paths(node: Condition | Update | Projection) -> Iterator[Path]:
    """Yield every document path in *node*."""
    if isinstance(node, Projection):
        yield from node.paths
        return
    parts = node.actions if isinstance(node, Update) else tuple(tests(node))
    for part in parts:
        for operand in operands(part):
            yield from (leaf for leaf in leaves(operand) if isinstance(leaf, Path))
