"""Which board of a row gets which client: never two boards one credential, whatever was cut off before."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.device import ports
from iotauth_cli.device.esptool import Chip
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import DeviceError, InputError
from iotauth_cli.operations.flash.bench import Bench, Written
from iotauth_cli.operations.flash.events import Step
from iotauth_cli.operations.flash.fleet import BEGUN, DONE, Fleet, Journal, Row, Wanted, assign, read_list

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


class Table:
    """A bench without tools: the board at a port is whichever was put there last; `mute` ones do not answer."""

    def __init__(self, boards: dict[str, str]) -> None:
        self.boards = boards

    def probe(self, port: str) -> Chip:
        if self.boards[port] == "mute":
            raise DeviceError(f"the chip on `{port}` does not answer")
        return Chip("esp32", self.boards[port])

    def flash(self, login: DeviceLogin, port: str, chip: Chip) -> Generator[Step, None, Written]:
        yield Step("flashing")
        return Written(login.client_id, "esp32", port, "nvs", ("credentials",), 1, chip.mac, None, 0.1, 0.1)


@pytest.fixture
def no_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "check", lambda port: None)


def row(table: Table, wish: list[Wanted], journal: Journal, **extra: Any) -> Row:
    def login(client_id: str) -> DeviceLogin:
        empty: Any = dict.fromkeys(DeviceLogin.__dataclass_fields__)
        return DeviceLogin(**{**empty, "client_id": client_id})

    return Row(cast(Bench, table), wish, journal, lambda: list(table.boards), login, **{"may_wait": False, **extra})


def finished(row: Row) -> tuple[list[Any], Fleet]:
    events, run = [], row.run()
    while True:
        try:
            events.append(next(run))
        except StopIteration as end:
            ended: Fleet = end.value
            return events, ended


def test_it_waits_for_the_next_board_at_the_same_port(
    no_ports: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for once; a port is looked at again when another board was plugged in there, and not before."""
    table, following, looks = Table({"/dev/tty1": A}), [B, C], []

    def identity(port: str) -> tuple[str, int, int]:
        return port, hash(table.boards[port]), 0

    def sleep(_seconds: float) -> None:
        looks.append(1)
        if len(looks) % 3 == 0:
            table.boards["/dev/tty1"] = following.pop(0)

    monkeypatch.setattr(ports, "identity", identity)
    wish = [Wanted(f"kiln-{number}") for number in (1, 2, 3)]
    events, ended = finished(row(table, wish, Journal(tmp_path / "boards.jsonl"), may_wait=True, sleep=sleep))
    assert [(each.client_id, each.mac) for each in ended.written] == [("kiln-1", A), ("kiln-2", B), ("kiln-3", C)]
    asked = [event.text for event in events if isinstance(event, Step) and "plug in" in event.text]
    assert asked == ["1 of 3 done; plug in the next board", "2 of 3 done; plug in the next board"]
    assert (ended.left, ended.failed) == ((), ())


def test_a_board_that_fails_does_not_stop_the_others(no_ports: None, tmp_path: Path) -> None:
    """It is named with the reason, and its client stays without a board."""
    table = Table({"/dev/tty1": "mute", "/dev/tty2": A})
    wish = [Wanted("kiln-1"), Wanted("kiln-2")]
    _, ended = finished(row(table, wish, Journal(tmp_path / "boards.jsonl")))
    assert [each.client_id for each in ended.written] == ["kiln-1"]
    assert [(each.port, each.problem.message) for each in ended.failed] == [
        ("/dev/tty1", "the chip on `/dev/tty1` does not answer")
    ]
    assert ended.left == ("kiln-2",)


def test_again_writes_every_board_once_more_with_what_it_has(no_ports: None, tmp_path: Path) -> None:
    """New firmware for a row that is done: the same pairs, in whatever order the boards come now."""
    path, wish = tmp_path / "boards.jsonl", [Wanted("kiln-1"), Wanted("kiln-2")]
    finished(row(Table({"/dev/tty1": A, "/dev/tty2": B}), wish, Journal(path)))
    _, ended = finished(row(Table({"/dev/tty1": B, "/dev/tty2": A}), wish, Journal(path), again=True))
    assert [(each.client_id, each.mac) for each in ended.written] == [("kiln-2", B), ("kiln-1", A)]
    assert (ended.before, ended.left) == (0, ())
