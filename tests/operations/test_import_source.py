"""The file to import: what people save is read, and each mistake is told with the row it is in."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from iotauth_cli.errors import InputError
from iotauth_cli.operations.importing import source
from iotauth_cli.operations.importing.source import Raw


def read(tmp_path: Path, content: str | bytes, name: str = "fleet.csv", *, hashed: bool = False) -> list[Raw]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with source.opened(str(path), hashed=hashed) as found:
        return list(found.rows())


def cells(rows: list[Raw]) -> list[tuple[object, ...]]:
    return [row.cells for row in rows]


@pytest.mark.parametrize(
    "content",
    [
        "client_id,topic\na,b/#\n",
        "\ufeffclient_id,topic\r\na,b/#\r\n",
        "client_id;topic\na;b/#\n",
        "client_id\ttopic\na\tb/#",
        '"Client ID",Topics\n\n"a","b/#"\n\n',
    ],
    ids=["plain", "excel", "semicolons", "tabs", "quoted"],
)
def test_what_spreadsheets_save_is_read(tmp_path: Path, content: str) -> None:
    """Byte-order mark, CRLF, semicolons, tabs, quotes, empty lines, and names in other letters."""
    assert cells(read(tmp_path, content)) == [("a", "b/#")]


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path: Path) -> None:
    """The header is row 1, and an empty row counts."""
    rows = read(tmp_path, 'client_id,note\na,"two\nlines"\n\nb,\n')
    assert [(row.number, row.cells[0]) for row in rows] == [(2, "a"), (4, "b")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\ufeff\r\n\r\n", "is empty"),
        ("thermo-1,sensors/#\n", "row 1 must name the columns, and none of them is `client_id`"),
        ("client_id,serial\n", "has a column `serial` that means nothing here"),
        ("client_id,topic,topics\n", "has the column `topic` twice"),
        (b"PK\x03\x04\0\0\0", "is no text"),
        ("client_id\n".encode("utf-16"), "is UTF-16 text"),
        (b"client_id,note\na,ok\nb,caf\xe9\n", "line 3, is not UTF-8 text"),
    ],
    ids=["empty", "blank", "no-header", "unknown", "twice", "binary", "utf-16", "latin-1"],
)
def test_what_is_no_fleet_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    """In a sentence, with a hint."""
    with pytest.raises(InputError, match=said) as refused:
        read(tmp_path, content)
    assert refused.value.hint


def test_a_first_row_without_names_is_not_repeated(tmp_path: Path) -> None:
    """It may hold a password."""
    with pytest.raises(InputError) as refused:
        read(tmp_path, "thermo-1,canary\n")
    assert "canary" not in f"{refused.value} {refused.value.hint}"


def test_bad_rows_are_told_and_the_next_are_read(tmp_path: Path) -> None:
    """Too few cells, too many, and quotes that do not close where they should."""
    rows = read(tmp_path, 'client_id,topic\na\nb,x,y\n"c"d,x\ne,x\n')
    assert [(row.number, row.problem) for row in rows if row.problem] == [
        (2, "has 1 cells where the header has 2"),
        (3, "has 3 cells where the header has 2"),
        (4, "is no CSV: ',' expected after '\"'"),
    ]
    assert rows[-1].cells == ("e", "x")


def test_json_lines_say_what_a_csv_says(tmp_path: Path) -> None:
    """Members in any order; lists are lists; what is left out or null is empty."""
    rows = read(tmp_path, '{"topics": ["b", "c"], "client_id": "a", "note": null}\n\n[]\n{\n{"x": 1}\n', "fleet.jsonl")
    named = dict(zip(source.COLUMNS, rows[0].cells, strict=True))
    assert {name: cell for name, cell in named.items() if cell} == {"client_id": "a", "topic": ("b", "c")}
    assert [(row.number, row.problem) for row in rows[1:]] == [
        (3, "is no JSON object"),
        (4, "is no JSON"),
        (5, "has a member `x` that means nothing here"),
    ]


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two was meant, nobody knows; the header of a .csv is held to the same."""
    lines = ['{"client_id": "a", "client_id": "b"}', '{"topic": "a", "topics": "b"}', '{"tags": {"a": "1", "a": "2"}}']
    rows = read(tmp_path, "\n".join(lines), "fleet.jsonl")
    assert [row.problem for row in rows] == [
        "has a member twice",
        "has two members that mean the same",
        "has a member twice",
    ]


def test_a_mosquitto_password_file_is_read_as_it_is(tmp_path: Path) -> None:
    """The name is the client id; comments are left out."""
    rows = read(tmp_path, "# ours\ndoor-7:$7$101$a$b\nbroken\n", "passwd", hashed=True)
    assert rows[0].cells == ("door-7", "$7$101$a$b")
    assert rows[1].problem == "has no `:` between name and hash"


def test_another_suffix_is_not_guessed_at(tmp_path: Path) -> None:
    """A spreadsheet file is not a CSV because somebody hopes so."""
    with pytest.raises(InputError, match="neither a"):
        read(tmp_path, "client_id\n", "fleet.txt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """As it was typed."""
    with (
        pytest.raises(InputError, match=r"cannot read `.*none\.csv`: no such file"),
        source.opened(str(tmp_path / "none.csv")),
    ):
        pass


class Pipe:
    """What stdin is when something is piped in."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_a_pipe_is_kept_for_the_second_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file that nobody else can read and that is gone afterwards."""
    line = json.dumps({"client_id": "a", "topic": "b"}).encode()
    monkeypatch.setattr(sys, "stdin", Pipe(line))
    with source.opened("-") as found:
        assert list(found.rows()) == list(found.rows())
        assert found.name == "stdin"
        assert os.stat(found.path).st_mode & 0o777 == 0o600
    assert not found.path.exists()
