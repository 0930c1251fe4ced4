"""Long tables: laid out by their first rows, printed as they come, and still one table or one document."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.cli.layout import PART, Layout, parts
from iotauth_cli.cli.output import Output, Printed, aligned, fitted
from support_scenarios import Tape, streams

COLUMNS = ("client", "state")
CELLS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=30)
WORDS = st.lists(CELLS, min_size=1, max_size=6).map(" ".join)
ROWS = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8)


def printed(output: Output, rows: Iterator[tuple[Any, tuple[str, ...]]]) -> tuple[list[str], Printed]:
    tape = Tape()
    with streams(io.StringIO(), tape.stream(""), tape.stream("! ")):
        found = output.long_table(COLUMNS, rows)
    return tape.lines(), found


def numbered(count: int) -> Iterator[tuple[Any, tuple[str, ...]]]:
    return (({"client_id": f"c{number}"}, (f"c{number}", "enabled")) for number in range(count))


@given(ROWS, st.integers(0, 80))
def test_a_table_that_ends_soon_looks_like_a_short_one(rows: list[tuple[str, str]], width: int) -> None:
    """The same columns, and the same blocks where they do not fit."""
    text = Layout.of(COLUMNS, rows, width).text(rows, is_first=True)
    assert text.split("\n") == fitted(COLUMNS, rows, width)


@given(ROWS, ROWS, st.integers(0, 80))
def test_later_rows_keep_the_layout(first: list[tuple[str, str]], later: list[tuple[str, str]], width: int) -> None:
    """Whatever they hold: nothing is cut off, and a block never follows a line."""
    layout = Layout.of(COLUMNS, first, width)
    text = layout.text(later, is_first=False)
    assert all(cell in text for row in later for cell in row)
    assert text.count("\n") == (len(later) - 1 if layout.widths else 3 * len(later) - 1)


def test_a_wider_cell_pushes_its_own_line_only() -> None:
    """The rows behind it are as they would have been."""
    layout = Layout.of(COLUMNS, [("a", "on")], 80)
    wide, usual = layout.text([("x" * 20, "on"), ("b", "off")], is_first=False).split("\n")
    assert wide == f"{'x' * 20}  on"
    assert usual == aligned(COLUMNS, [("b", "off")])[1]


@given(st.lists(st.tuples(CELLS, CELLS, WORDS, WORDS), min_size=1, max_size=8), st.integers(0, 120))
def test_words_of_the_last_columns_fold_and_none_is_lost(rows: list[tuple[str, ...]], width: int) -> None:
    """No line is wider than the terminal unless it is a block's, and each word stands somewhere, unbroken."""
    layout = Layout.of(("client", "state", "topics", "remark"), rows, width)
    text = layout.text(rows, is_first=True)
    assert layout.widths is None or max(map(len, text.split("\n"))) <= width
    assert set(" ".join(cell for row in rows for cell in row).split()) <= set(text.split())


def test_a_folded_table_reads_from_left_to_right() -> None:
    """Names and times stay whole, one row's words below each other."""
    columns, row = ("client", "topics", "remark"), ("thermo-1", "sensors/1, sensors/1/#", "new secret not seen yet")
    assert Layout.of(columns, [row], 50).text([row], is_first=True).split("\n") == [
        "client    topics               remark",
        "thermo-1  sensors/1,           new secret not seen",
        "          sensors/1/#          yet",
    ]


@pytest.mark.parametrize("count", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 1])
def test_any_number_of_rows_is_one_table_and_one_document(count: int) -> None:
    """Names once at the top; one JSON array with a line for each, which `jq` and `grep` both read."""
    lines, found = printed(Output(), numbered(count))
    assert len(lines) == (count + 1 if count else 0)
    assert found.rows == count
    text, _ = printed(Output(as_json=True), numbered(count))
    assert json.loads("\n".join(text)) == [document for document, _ in numbered(count)]
    assert len(text) == (count + 2 if count else 1)


def test_rows_are_printed_before_the_last_is_known() -> None:
    """So that a million take no more memory than a thousand, and what was found before a failure is seen."""

    def failing() -> Iterator[tuple[Any, tuple[str, ...]]]:
        yield from numbered(PART)
        raise OSError("gone")

    tape = Tape()
    with streams(io.StringIO(), tape.stream(""), tape.stream("! ")), pytest.raises(OSError, match="gone"):
        Output().long_table(COLUMNS, failing())
    assert len(tape.lines()) == PART + 1


def test_a_name_in_a_row_cannot_steer_the_terminal() -> None:
    """Rows come from elsewhere."""
    lines, _ = printed(Output(), iter([({}, ("a\x1b[2K", "on"))]))
    assert lines[1] == "a\\x1b[2K  on"


@given(st.lists(st.integers()), st.integers(1, 5))
def test_parts_hold_everything_once(values: list[int], size: int) -> None:
    """In order, none of them empty, none longer than asked for."""
    found = list(parts(values, size))
    assert [value for part in found for value in part] == values
    assert all(0 < len(part) <= size for part in found)
