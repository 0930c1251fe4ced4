"""What every benchmark reports: rows that put ours beside a peer measured in the same run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table. *ratio* is ours divided by the peer's; None when it was not measured.

    *goal* is the highest ratio that is good enough; None where there is no goal.
    """

    what: str
    ours: str
    peer: str
    ratio: float | None
    goal: float | None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None when there is nothing to compare."""
        return None if self.ratio is None or self.goal is None else self.ratio <= self.goal


def not_measured(what: str, why: str, goal: float | None = None) -> Row:
    """Return a row that says why it is empty."""
    return Row(what, "not measured", why, None, goal)


def render(rows: Iterable[Row]) -> str:
    """Return *rows* as a table in plain text, with `miss` after a goal that was not reached."""
    cells = [("what", "ours", "peer", "ratio", "goal", ""), *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "-" if row.ratio is None else f"{row.ratio:.3g}"
    goal = "-" if row.goal is None else f"<= {row.goal:g}"
    return (row.what, row.ours, row.peer, ratio, goal, "miss" if row.is_met is False else "")
