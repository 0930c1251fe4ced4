"""Which board of a row gets which client: never two boards one credential, whatever was cut off before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.errors import InputError
from iotauth_cli.operations.flash.fleet import BEGUN, DONE, Journal, Wanted, assign, read_list

A, B, C = "24:0a:c4:00:00:0a", "24:0a:c4:00:00:0b", "24:0a:c4:00:00:0c"


def given_to(journal: Journal, wish: list[Wanted], mac: str, *done_now: str, again: bool = False) -> str | None:
    return assign(mac, wish, journal, done_now=done_now, again=again).client_id


def test_boards_get_the_next_client_and_keep_the_one_they_have(tmp_path: Path) -> None:
    """In the list's order; one that was begun gets the same again, one that is done nothing, unless asked for."""
    journal, wish = Journal(tmp_path / "boards.jsonl"), [Wanted("kiln-1"), Wanted("kiln-2")]
    assert given_to(journal, wish, A) == "kiln-1"
    journal.note(A, "kiln-1", BEGUN)
    assert given_to(journal, wish, B) == "kiln-2"
    assert given_to(journal, wish, A) == "kiln-1"
    journal.note(A, "kiln-1", DONE)
    assert given_to(journal, wish, A) is None
    assert given_to(journal, wish, A, again=True) == "kiln-1"
    assert given_to(journal, wish, A, A, again=True) is None
    journal.note(B, "kiln-2", BEGUN)
    assert given_to(journal, wish, C) is None


def test_a_list_may_say_which_board_is_whose(tmp_path: Path) -> None:
    """An assigned client waits for its board; the board gets no other, and nobody gets it twice."""
    journal, wish = Journal(tmp_path / "boards.jsonl"), [Wanted("kiln-1", B), Wanted("kiln-2")]
    assert given_to(journal, wish, A) == "kiln-2"
    assert given_to(journal, wish, B) == "kiln-1"
    journal.note(C, "kiln-1", DONE)
    refused = assign(B, wish, journal, done_now=(), again=False)
    assert refused.client_id is None
    assert refused.reason == f"client `kiln-1` is on board {C} already"


def test_a_board_of_another_list_is_left_alone(tmp_path: Path) -> None:
    """What it was given before counts in every list."""
    journal = Journal(tmp_path / "boards.jsonl")
    journal.note(A, "gate-1", DONE)
    assert assign(A, [Wanted("kiln-1")], journal, done_now=(), again=True).client_id is None


@given(st.lists(st.sampled_from([A, B, C]), max_size=12), st.integers(0, 60))
def test_no_client_is_ever_on_two_boards(tmp_path_factory: pytest.TempPathFactory, boards: list[str], cut: int) -> None:
    """Any order of boards, and a journal that a power cut has shortened in the middle of its last line."""
    path = tmp_path_factory.mktemp("row") / "boards.jsonl"
    wish = [Wanted(f"kiln-{number}") for number in range(4)]
    for mac in boards:
        journal = Journal(path)
        client = given_to(journal, wish, mac)
        if client is not None:
            journal.note(mac, client, BEGUN)
            journal.note(mac, client, DONE)
    if path.exists():
        last = path.read_bytes().splitlines(keepends=True)[-1]
        path.write_bytes(path.read_bytes()[: -min(cut, len(last) - 1)] if cut else path.read_bytes())
    journal = Journal(path)
    before = dict(journal.clients)
    for mac in (A, B, C):
        client = given_to(journal, wish, mac, again=True)
        if client is not None:
            journal.note(mac, client, DONE)
    found = Journal(path)
    assert len(set(found.clients.values())) == len(found.clients)
    assert before.items() <= found.clients.items()


def test_lists_are_read_with_and_without_a_header(tmp_path: Path) -> None:
    """An id a line, or columns in any order; other columns are left alone."""
    path = tmp_path / "bench.csv"
    path.write_text("kiln-1\n\nkiln-2\n")
    assert read_list(path) == (Wanted("kiln-1"), Wanted("kiln-2"))
    path.write_text(f"place,mac,client_id\noven,{A.upper().replace(':', '-')},kiln-1\nroof,,kiln-2\n")
    assert read_list(path) == (Wanted("kiln-1", A), Wanted("kiln-2"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no client"),
        ("client_id\n", "names no client"),
        ("kiln-1\nkiln-1\n", "names client `kiln-1` twice"),
        (f"client_id,mac\nkiln-1,{A}\nkiln-2,{A}\n", f"names board `{A}` twice"),
        ("client_id,mac\nkiln-1,here\n", "row 1 has `here` for a MAC address"),
        (f"client_id,mac\n,{A}\n", "row 1 names no client"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    """Before any board is touched, with the file's name in the sentence."""
    path = tmp_path / "bench.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_list(path)
    with pytest.raises(InputError, match="there is no file"):
        read_list(tmp_path / "nowhere.csv")
