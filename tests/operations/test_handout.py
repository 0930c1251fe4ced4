"""The hand-out file: durable before the rows, whole after a crash, private, and never somebody else's file."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotauth_cli import files
from iotauth_cli.errors import InputError
from iotauth_cli.operations.fleet import handout
from iotauth_cli.operations.fleet.handout import Handed, Handout, Index
from iotauth_cli.secret import Secret

SUFFIXES = ("csv", "jsonl")
TEXT = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=20)


def filled(path: Path, *client_ids: str) -> Path:
    """Write a hand-out in which a client's password is its name behind `secret-`."""
    opened = Handout.open(path)
    for client_id in client_ids:
        opened.put(client_id, Secret(f"secret-{client_id}"), username=f"{client_id}?x=y")
    opened.flush()
    opened.close()
    return path


def ids(path: Path) -> list[str]:
    return [handed.client_id for handed in handout.read(path)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5), st.sampled_from(SUFFIXES))
def test_what_is_put_is_read(tmp_path: Path, rows: list[tuple[str, str, str]], suffix: str) -> None:
    """Commas, quotes and any script survive, in both forms."""
    path = tmp_path / f"out.{suffix}"
    path.unlink(missing_ok=True)
    opened = Handout.open(path)
    for client_id, username, password in rows:
        opened.put(client_id, Secret(password), username=username)
    opened.flush()
    opened.close()
    assert list(handout.read(path)) == [Handed(c, Secret(p), {"username": u}) for c, u, p in rows]


def test_other_programs_read_it(tmp_path: Path) -> None:
    """Python's csv and json modules find the columns that the header promises."""
    text = filled(tmp_path / "out.csv", "thermo-1", 'a "b", c').read_text()
    assert list(csv.DictReader(io.StringIO(text)))[1] == {
        "client_id": 'a "b", c',
        "username": 'a "b", c?x=y',
        "password": 'secret-a "b", c',
    }
    line = filled(tmp_path / "out.jsonl", "thermo-1").read_text()
    assert json.loads(line) == {"client_id": "thermo-1", "username": "thermo-1?x=y", "password": "secret-thermo-1"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_goes_on_where_it_was_torn(tmp_path: Path, suffix: str) -> None:
    """A last line without its end was never flushed; it is dropped, and the next line begins on its own."""
    path = filled(tmp_path / f"out.{suffix}", "a", "b")
    with path.open("ab") as file:
        file.write(b'c,c?x=y,half"{')
    assert ids(path) == ["a", "b"]
    filled(path, "d")
    assert ids(path) == ["a", "b", "d"]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """Even when the file was there and anybody could."""
    path = tmp_path / "out.csv"
    path.touch(0o644)
    assert filled(path, "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("out.csv", "client_id,topic\na,b\n", "is no hand-out file"),
        ("out.csv", "client_id,password\na,b\n", "is no hand-out file"),
        ("out.jsonl", '{"client_id": "a"}\n', "line 1, is no line"),
        ("out.jsonl", "[]\n", "line 1, is no line"),
        ("out.txt", "", "neither a .csv nor a .jsonl"),
    ],
    ids=["a-fleet", "other-columns", "no-password", "a-list", "suffix"],
)
def test_it_is_never_added_to_something_else(tmp_path: Path, name: str, content: str, said: str) -> None:
    """A typing mistake must not write secrets to the end of another file."""
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        Handout.open(path)
    assert path.read_text() == content


def test_a_broken_line_is_named_and_not_repeated(tmp_path: Path) -> None:
    """The line may hold a password."""
    path = filled(tmp_path / "out.csv", "a")
    path.write_text(path.read_text() + "b,canary\n")
    with pytest.raises(InputError, match="line 3, is no line of a hand-out file") as refused:
        list(handout.read(path))
    assert "canary" not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    """The second is told, and may come again when the first is over."""
    path = tmp_path / "out.csv"
    first = Handout.open(path)
    with pytest.raises(InputError, match="another process is writing"):
        Handout.open(path)
    first.close()
    Handout.open(path).close()


def test_a_pipe_is_no_journal(tmp_path: Path) -> None:
    """What cannot be read again cannot be resumed from."""
    os.mkfifo(tmp_path / "out.csv")
    with pytest.raises(InputError, match="is no file"):
        Handout.open(tmp_path / "out.csv")


def test_a_full_disk_leaves_what_was_flushed(tmp_path: Path) -> None:
    """The flush that fails says so, and the file ends where the last one left it."""
    path = filled(tmp_path / "out.csv", "a")
    before = path.read_bytes()
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    opened = Handout.open(path)
    opened.put("b", Secret("x" * 500))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
        with pytest.raises(InputError, match=r"cannot write `.*out\.csv`: file too large"):
            opened.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        signal.signal(signal.SIGXFSZ, ignored)
        opened.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_index_finds_every_client(tmp_path: Path, suffix: str) -> None:
    """Also where lines share a place in the table; and nobody who is not there."""
    names = [f"thermo-{number}" for number in range(500)]
    index = Index(filled(tmp_path / f"out.{suffix}", *names))
    assert [index.find(name) for name in names] == list(handout.read(tmp_path / f"out.{suffix}"))
    assert index.find("thermo-500") is None
    index.close()
    empty = Index(filled(tmp_path / f"empty.{suffix}"))
    assert empty.find("a") is None
    empty.close()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lines_can_be_taken_out(tmp_path: Path, suffix: str) -> None:
    """The rest stays as it was, and private."""
    path = filled(tmp_path / f"out.{suffix}", "a", "ä")
    opened = Handout.open(path)
    places = [opened.put(name, Secret("x")) for name in "bcde"]
    opened.flush()
    opened.close()
    index = Index(path)
    found = [index.place(name) for name in "bd"]
    assert [place and (place[0], place[1].client_id) for place in found] == [(places[0], "b"), (places[2], "d")]
    index.close()
    handout.without_lines(path, [places[2], places[0]])
    assert ids(path) == ["a", "ä", "c", "e"]
    handout.without_lines(path, handout.places_of(path, {"ä", "x"}))
    assert ids(path) == ["a", "c", "e"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_what_a_killed_run_left_beside_the_file_is_not_taken_for_it(tmp_path: Path) -> None:
    """In a container every run has the same number; and where others may write, they know it beforehand."""
    path = filled(tmp_path / "out.csv", "a", "b")
    beside, elsewhere = tmp_path / f".out.csv.{os.getpid()}", tmp_path / "elsewhere"
    beside.write_text("left over\n" * 50)
    handout.without_lines(path, handout.places_of(path, {"b"}))
    assert ids(path) == ["a"]
    elsewhere.write_text("mine\n")
    beside.symlink_to(elsewhere)
    handout.without_lines(path, handout.places_of(path, {"a"}))
    assert (ids(path), elsewhere.read_text(), path.is_symlink()) == ([], "mine\n", False)


def test_nobody_else_has_the_file_before_the_last_line_is_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who got it a moment earlier would write secrets into a file that has no name any more."""
    path = filled(tmp_path / "out.csv", "a", "b")
    refused: list[str] = []

    def replacing(source: Path, target: Path) -> None:
        with pytest.raises(InputError) as caught:
            Handout.open(path)
        refused.append(caught.value.message)
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", replacing)
    Handout.open(path).close(without=handout.places_of(path, {"b"}))
    assert refused == [f"another process is writing `{path}`"]
    assert ids(path) == ["a"]


def test_a_file_that_was_replaced_while_it_was_being_opened_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is then one of a file that nobody finds."""
    path = filled(tmp_path / "out.csv", "a", "b")
    lock = files.lock
    locked: list[int] = []

    def late(descriptor: int) -> bool:
        if not locked:
            handout.without_lines(path, handout.places_of(path, {"b"}))
        locked.append(descriptor)
        return lock(descriptor)

    monkeypatch.setattr("iotauth_cli.operations.fleet.handout.lock", late)
    opened = Handout.open(path)
    opened.put("c", Secret("x"))
    opened.flush()
    opened.close()
    assert len(locked) == 2
    assert ids(path) == ["a", "c"]


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner could have put it there to read what is written to it."""
    path = tmp_path / "out.csv"
    path.touch()
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(InputError, match="belongs to another user"):
        Handout.open(path)
    assert path.read_text() == ""


def test_a_killed_run_leaves_whole_lines(tmp_path: Path) -> None:
    """Whatever was flushed before the kill is there, in whole lines."""
    path = tmp_path / "out.csv"
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from iotauth_cli.operations.fleet.handout import Handout\nfrom iotauth_cli.secret import Secret\n"
        "out = Handout.open(Path(sys.argv[1]))\nout.put('a', Secret('s'))\nout.flush()\nout.put('b', Secret('t'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -signal.SIGKILL
    assert ids(path) == ["a"]
