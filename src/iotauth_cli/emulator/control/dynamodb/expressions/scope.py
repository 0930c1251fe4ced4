"""What the placeholders of a tree stand for in one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
    Call,
    Operand,
    Path,
    Reference,
    Steps,
    leaves,
)
from iotauth_cli.emulator.control.dynamodb.expressions.tokens import ExpressionError
from iotauth_cli.emulator.control.dynamodb.values import Value, kind_of


@dataclass(frozen=True)
class Scope:
    """The request's ExpressionAttributeNames and its ExpressionAttributeValues, in normal form."""

    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)

    def steps(self, path: Path) -> Steps:
        """Return *path* with its placeholders replaced. A name as written never begins with ``#``."""
        return tuple(step if isinstance(step, int) else self.names.get(step, step) for step in path.steps)

    def head(self, path: Path) -> str:
        """Return the top-level attribute that *path* begins with."""
        return str(self.steps(path)[0])

    def value(self, reference: Reference) -> Value:
        return self.values[reference.name]

    def kind(self, operand: Operand) -> str | None:
        """Return the type of *operand* if it is known without an item: a value's, or that of ``size``."""
        if isinstance(operand, Reference):
            return kind_of(self.value(operand))
        return "N" if isinstance(operand, Call) and operand.function == "size" else None

    def check_defined(self, operand: Operand) -> None:
        """Refuse a placeholder in *operand* that the request does not define.

        Raises:
            ExpressionError: for the first of them.
        """
        for leaf in leaves(operand):
            if isinstance(leaf, Reference):
                self._check_value(leaf.name)
            else:
                self._check_names(leaf)

    def _check_value(self, name: str) -> None:
        if name not in self.values:
            raise ExpressionError(
                f"An expression attribute value used in expression is not defined; attribute value: {name}"
            )

    def _check_names(self, path: Path) -> None:
        for step in path.steps:
            if isinstance(step, str) and step.startswith("#") and step not in self.names:
                raise ExpressionError(
                    f"An expression attribute name used in the document path is not defined; attribute name: {step}"
                )


def written(steps: Steps) -> str:
    """Write *steps* as AWS shows them in an error: ``[a, [2], b]``."""
    return f"[{', '.join(f'[{step}]' if isinstance(step, int) else step for step in steps)}]"
