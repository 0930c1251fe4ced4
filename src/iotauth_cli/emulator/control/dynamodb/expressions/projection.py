"""Sets of document paths, and the part of an item that they name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from iotauth_cli.emulator.control.dynamodb.expressions.scope import Scope, written
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import Projection, Step, Steps
from iotauth_cli.emulator.control.dynamodb.expressions.tokens import ExpressionError
from iotauth_cli.emulator.control.dynamodb.values import Item, Value


@dataclass
class PathTree:
    """Paths joined at their common beginnings. `build` makes one; after that it is only read."""

    first: Steps = ()  # the first path that came through here, for error messages
    is_end: bool = False  # a path ends here, so everything below is meant
    children: dict[Step, PathTree] = field(default_factory=dict)

    @classmethod
    def build(cls, paths: Iterable[Steps]) -> PathTree:
        """Join *paths*.

        Raises:
            ExpressionError: one path holds another, or takes for a list what another takes for a map.
        """
        tree = cls()
        for steps in paths:
            tree._insert(steps)
        return tree

    def _insert(self, steps: Steps) -> None:
        node = self
        for step in steps:
            node = node._descend(step, steps)
        if node.is_end or node.children:
            raise _clash("overlap", node.first, steps)
        node.is_end = True

    def _descend(self, step: Step, steps: Steps) -> PathTree:
        if self.is_end:
            raise _clash("overlap", self.first, steps)
        for sibling, child in self.children.items():
            if type(sibling) is not type(step):
                raise _clash("conflict", child.first, steps)
            break  # siblings are all names or all indexes
        return self.children.setdefault(step, PathTree(steps))


def _clash(how: str, first: Steps, second: Steps) -> ExpressionError:
    return ExpressionError(
        f"Two document paths {how} with each other; must remove or rewrite one of these paths; "
        f"path one: {written(first)}, path two: {written(second)}"
    )


def check_projection(projection: Projection, scope: Scope) -> PathTree:
    """Return the paths of *projection* under the request's names.

    Raises:
        ExpressionError: a placeholder is not defined, or two paths overlap or conflict.
    """
    for path in projection.paths:
        scope.check_defined(path)
    return PathTree.build(scope.steps(path) for path in projection.paths)


def project(item: Item, tree: PathTree) -> Item:
    """Return the part of *item* that *tree* names: maps keep their names, lists close up."""
    return _project_members(item, tree)


def _project(value: Value, tree: PathTree) -> Value | None:
    if tree.is_end:
        return value
    if "M" in value:
        members = _project_members(value["M"], tree)
        return {"M": members} if members else None
    elements = _project_elements(value.get("L", []), tree)
    return {"L": elements} if elements else None


def _project_members(members: Item, tree: PathTree) -> Item:
    projected = {
        name: _project(members[name], child)
        for name, child in tree.children.items()
        if isinstance(name, str) and name in members
    }
    return {name: value for name, value in projected.items() if value is not None}


def _project_elements(elements: list[Value], tree: PathTree) -> list[Value]:
    indexes = sorted(index for index in tree.children if isinstance(index, int) and index < len(elements))
    projected = (_project(elements[index], tree.children[index]) for index in indexes)
    return [value for value in projected if value is not None]
