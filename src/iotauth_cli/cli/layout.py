"""How the rows of a long table become lines before all of them are known. Pure.

The first rows decide on the columns' widths, and whether they fit at all; a later cell that is wider
than its column pushes its own line only. Where they do not fit, each row is a block of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

Value = TypeVar("Value")
Row = Sequence[str]
PART = 1000  # rows that are laid out, and printed, together


class Layout(NamedTuple):
    """*widths* of the columns in characters; None is a block for each row."""

    columns: Row
    widths: Sequence[int] | None

    @classmethod
    def of(cls, columns: Row, rows: Sequence[Row], terminal_width: int) -> Layout:
        """Return the layout that suits *rows*, the first ones of the table."""
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        fits = sum(widths) + 2 * (len(widths) - 1) <= terminal_width
        return cls(columns, widths if fits else None)

    def text(self, rows: Sequence[Row], *, is_first: bool) -> str:
        """Return *rows* as lines; those that are *is_first* have the columns' names above them."""
        if self.widths is not None:
            return "\n".join(map(self._line, [self.columns, *rows] if is_first else rows))
        return ("" if is_first else "\n") + "\n\n".join(map(self._block, rows))

    def _line(self, row: Row) -> str:
        cells = zip(row, self.widths or (), strict=True)
        return "  ".join([cell.ljust(width) for cell, width in cells]).rstrip()

    def _block(self, row: Row) -> str:
        label = max(map(len, self.columns))
        return "\n".join([f"{name:<{label}}  {cell}".rstrip() for name, cell in zip(self.columns, row, strict=True)])


def parts(values: Iterable[Value], size: int = PART) -> Iterator[list[Value]]:
    """Yield *values* in lists of *size*, the last one shorter."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
