"""How the rows of a long table become lines before all of them are known. Pure.

The first rows decide on the columns' widths, and whether they fit at all; a later cell that is wider
than its column pushes its own line only. Where they do not fit, each row is a block of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import NamedTuple, TypeVar

Value = TypeVar("Value")
Row = Sequence[str]
PART = 1000  # rows that are laid out, and printed, together
FOLDABLE = 2  # columns, the last ones; names and times before them are never broken
READABLE = 16  # characters that a folded column has at least


class Layout(NamedTuple):
    """*widths* of the columns in characters, None is a block for each row; *folds* where words go on below."""

    columns: Row
    widths: Sequence[int] | None
    folds: bool = False

    @classmethod
    def of(cls, columns: Row, rows: Sequence[Row], terminal_width: int) -> Layout:
        """Return the layout that suits *rows*, the first ones of the table."""
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        room = terminal_width - 2 * (len(widths) - 1)
        if sum(widths) <= room:
            return cls(columns, widths)
        least = [
            width if index < len(widths) - FOLDABLE else folded_least(column, width)
            for index, (width, column) in enumerate(zip(widths, zip(columns, *rows, strict=True), strict=True))
        ]
        return cls(columns, shrunk(widths, least, room) if sum(least) <= room else None, folds=True)

    def text(self, rows: Sequence[Row], *, is_first: bool) -> str:
        """Return *rows* as lines; those that are *is_first* have the columns' names above them."""
        if self.widths is not None:
            return "\n".join(map(self._line, [self.columns, *rows] if is_first else rows))
        return ("" if is_first else "\n") + "\n\n".join(map(self._block, rows))

    def _line(self, row: Row) -> str:
        widths = self.widths or ()
        lines = zip_longest(*map(self._folded, row, widths, range(len(row))), fillvalue="") if self.folds else [row]
        return "\n".join(
            "  ".join([cell.ljust(width) for cell, width in zip(line, widths, strict=True)]).rstrip() for line in lines
        )

    def _folded(self, cell: str, width: int, index: int) -> list[str]:
        if len(cell) <= width or index < len(self.columns) - FOLDABLE:
            return [cell]
        from textwrap import wrap

        return wrap(cell, width, break_long_words=False, break_on_hyphens=False)

    def _block(self, row: Row) -> str:
        label = max(map(len, self.columns))
        return "\n".join([f"{name:<{label}}  {cell}".rstrip() for name, cell in zip(self.columns, row, strict=True)])


def folded_least(column: Row, width: int) -> int:
    """Return how narrow *column* of *width* may become without breaking a word, in characters."""
    return max(min(width, READABLE), *(len(word) for cell in column for word in cell.split()), 0)


def shrunk(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return *widths* taken from, the widest first and none below its *least*, until their sum is *room*."""
    narrowed = list(widths)
    while sum(narrowed) > room:
        index = max((i for i in range(len(narrowed)) if narrowed[i] > least[i]), key=narrowed.__getitem__)
        narrowed[index] -= 1
    return narrowed


def parts(values: Iterable[Value], size: int = PART) -> Iterator[list[Value]]:
    """Yield *values* in lists of *size*, the last one shorter."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
