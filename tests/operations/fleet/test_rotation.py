"""Rotating a fleet: killed anywhere and run again, no secret that was handed out is lost or changed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws import workers
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import Conflict, InputError
from iotauth_cli.operations.fleet import handout, rotation
from iotauth_cli.operations.fleet.handout import Handout
from iotauth_cli.operations.fleet.journal import Journal, note_path
from iotauth_cli.operations.fleet.outcome import Outcome
from iotauth_cli.operations.fleet.rotation import Order, Rotation
from iotauth_cli.operations.fleet.selection import Where
from iotauth_cli.operations.rotation import begin, finish
from iotauth_cli.secret import Secret
from support import require_peer
from support_fleet import DAY, NOW, OLD, DirectClient, Fleet, Killed, Steps, one_by_one, state_of

NAMES = ("a", "b", "c", "d", "e")
EVERYONE = Where()
GRACE_S = 7 * DAY


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, and a flush every two secrets."""
    monkeypatch.setattr(workers, "run", one_by_one)
    monkeypatch.setattr(rotation, "FLUSH_EVERY", 2)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path / "state")
    yield fleet
    fleet.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".iotauth", "aws")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "fleet.csv"


def rotate(
    table: ClientTable,
    store: Store,
    path: Path | None,
    *terms: str,
    now: int = NOW,
    batch: int | None = None,
) -> list[Outcome]:
    """Run `client rotate` as a process would, to its end."""
    where = Where.parse(terms)
    journal = Journal.open(path, store, table.name, where, now)
    run = Rotation(table, store, journal, Order(where, "doors", GRACE_S, batch), now)
    return sorted(run.outcomes())


def kinds(outcomes: list[Outcome]) -> dict[str, str]:
    return {each.client_id: each.why or each.kind for each in outcomes}


def handed(path: Path) -> dict[str, str]:
    """Return the passwords in a hand-out; one line for each client."""
    found = [(each.client_id, each.password.reveal()) for each in handout.read(path)]
    assert len(found) == len(dict(found))
    return dict(found)


def test_each_client_gets_a_secret_beside_the_one_it_has(fleet: Fleet, store: Store, out: Path) -> None:
    """Both let it in; the file has what the device is to be given, and is readable by its owner alone."""
    fleet.add(*NAMES)
    assert kinds(rotate(fleet.table, store, out)) == dict.fromkeys(NAMES, "rotated")
    passwords = handed(out)
    for name, row in fleet.rows().items():
        assert (state_of(row, OLD), state_of(row, passwords[name])) == ("retiring", "pending")
        assert {slot.grace_s for slot in row.slots.values()} == {GRACE_S, None}
    assert out.stat().st_mode & 0o077 == 0
    assert "a,a?x-amz-customauthorizer-name=doors,iota_" in out.read_text()
    assert not note_path(out).exists()


def test_a_selection_leaves_the_others_alone(fleet: Fleet, store: Store, out: Path) -> None:
    """Their rows are not even written."""
    fleet.add("a-1", "b-1")
    before = fleet.row("b-1")
    assert kinds(rotate(fleet.table, store, out, "prefix=a-")) == {"a-1": "rotated"}
    assert fleet.row("b-1") == before


def test_what_is_skipped_is_named_with_its_reason(fleet: Fleet, store: Store, out: Path) -> None:
    """Somebody may be on the way with a secret; who may not connect is not meant; what cannot be read stays."""
    fleet.add("fine", "waits")
    fleet.add("off", enabled=False)
    fleet.add("over", expires_at=NOW)
    two = {name: Slot("h", NOW - DAY) for name in "AB"}
    fleet.add("two", slots=two)
    fleet.database.put("clients", Client_ID="broken", Secret_A="canary")
    fleet.change("waits", lambda row: begin(row, Secret("x"), now=NOW - 60, grace_s=GRACE_S))
    found = rotate(fleet.table, store, out)
    assert kinds(found) == {
        "fine": "rotated",
        "waits": "unseen",
        "off": "disabled",
        "over": "expired",
        "two": "crowded",
        "broken": "unreadable",
    }
    assert [each.since for each in found if each.client_id == "waits"] == [NOW - 60]
    assert handed(out).keys() == {"fine"}


def test_a_row_that_no_line_of_the_file_can_hold_does_not_stop_the_others(
    fleet: Fleet, store: Store, out: Path
) -> None:
    """Rows are also written by hand, and a user name may have a line end in it."""
    fleet.add("a", "c")
    fleet.add("b", username="b\nc")
    assert kinds(rotate(fleet.table, store, out)) == {"a": "rotated", "b": "unwritable", "c": "rotated"}
    assert handed(out).keys() == {"a", "c"}


def test_who_is_named_by_the_selection_is_meant(fleet: Fleet, store: Store, out: Path) -> None:
    """`--where enabled=no` says that the disabled ones are to be rotated."""
    fleet.add("off", enabled=False)
    assert kinds(rotate(fleet.table, store, out, "enabled=no")) == {"off": "rotated"}


def test_a_rotation_that_was_seen_in_use_is_promoted(fleet: Fleet, store: Store, out: Path, tmp_path: Path) -> None:
    """The next rotation ends it: the secret in use becomes the old one."""
    fleet.add("a")
    rotate(fleet.table, store, out)
    fleet.use("a", NOW + 60)
    second = tmp_path / "second.csv"
    assert kinds(rotate(fleet.table, store, second, now=NOW + 120)) == {"a": "rotated"}
    row = fleet.row("a")
    assert [state_of(row, word) for word in (OLD, handed(out)["a"], handed(second)["a"])] == [
        None,
        "retiring",
        "pending",
    ]


def test_an_older_row_keeps_its_password_for_the_grace(fleet: Fleet, store: Store, out: Path) -> None:
    """Hashed, beside the new one."""
    fleet.add("old", slots={}, plain_password="plain")
    assert kinds(rotate(fleet.table, store, out)) == {"old": "rotated"}
    row = fleet.row("old")
    assert row.plain_password is None
    assert (state_of(row, "plain"), state_of(row, handed(out)["old"])) == ("retiring", "pending")


def test_nothing_is_written_where_nobody_is_meant(fleet: Fleet, store: Store, out: Path) -> None:
    """No file, no note, no folder."""
    fleet.add("a")
    assert rotate(fleet.table, store, out, "prefix=x") == []
    assert rotate(fleet.table, store, None, "prefix=x") == []
    assert not out.exists()
    assert not store.directory.exists()


def test_without_a_file_the_private_store_has_the_secrets(fleet: Fleet, store: Store) -> None:
    """In a file of this rotation, which the next one does not touch."""
    fleet.add("a")
    rotate(fleet.table, store, None)
    (kept,) = (store.directory / "rotations").glob("*.csv")
    assert kept.name == "aws-clients-20251120T120000Z.csv"
    assert state_of(fleet.row("a"), handed(kept)["a"]) == "pending"
    assert kept.parent.stat().st_mode & 0o077 == 0
    assert (store.directory / ".gitignore").read_text() == "*\n"


def credential(client_id: str, table: str = "clients") -> Credential:
    return Credential(client_id, client_id, Secret(OLD), "gates", table, ("t",), (), NOW - DAY)


def test_a_credential_that_is_kept_here_stays_the_clients(fleet: Fleet, store: Store, out: Path) -> None:
    """With the new password and the one it replaces; who keeps none gets none, and another table's is let be."""
    fleet.add("a", "b", "c")
    store.save(credential("a"))
    store.save(credential("c", "others"))
    rotate(fleet.table, store, out)
    kept = store.load("a")
    assert kept is not None
    assert kept.password.reveal() == handed(out)["a"]
    assert kept.previous == Secret(OLD)
    assert "a,a?x-amz-customauthorizer-name=gates," in out.read_text()
    assert store.load("b") is None
    assert store.load("c") == credential("c", "others")


def test_an_unfinished_rotation_in_the_private_store_is_found(fleet: Fleet, store: Store, tmp_path: Path) -> None:
    """Each table's own: the same command goes on with it on another day, and begins anew when it is finished."""
    fleet.add("a", "b", "c")
    rotate(fleet.table, store, None, batch=1)
    others = Journal.open(None, store, "clients-2", EVERYONE, NOW)
    assert not others.is_resumed
    others.close()
    assert sorted(kinds(rotate(fleet.table, store, None, batch=1, now=NOW + DAY)).values()) == ["done", "rotated"]
    rotate(fleet.table, store, None, now=NOW + 2 * DAY)
    (file,) = (store.directory / "rotations").glob("*.csv")
    passwords = handed(file)
    assert {state_of(row, passwords[name]) for name, row in fleet.rows().items()} == {"pending"}
    for name in passwords:
        fleet.use(name)
    rotate(fleet.table, store, None, now=NOW + 3 * DAY)
    assert len(list((store.directory / "rotations").glob("*.csv"))) == 2


def test_a_finished_hand_out_is_not_added_to(fleet: Fleet, store: Store, out: Path) -> None:
    """Last year's command must not bring last year's secrets back."""
    fleet.add("a")
    rotate(fleet.table, store, out)
    before = out.read_bytes()
    with pytest.raises(InputError, match=r"fleet.csv` exists already, and no unfinished rotation is using it"):
        rotate(fleet.table, store, out)
    assert out.read_bytes() == before


def test_a_batch_leaves_the_rest_for_the_next_run(fleet: Fleet, store: Store, out: Path) -> None:
    """The same command again takes the next ones, and the last run finishes."""
    fleet.add(*NAMES)
    for _ in range(2):
        assert list(kinds(rotate(fleet.table, store, out, batch=2)).values()).count("rotated") == 2
        assert note_path(out).exists()
    assert sorted(kinds(rotate(fleet.table, store, out, batch=2)).values()) == ["done"] * 4 + ["rotated"]
    assert not note_path(out).exists()
    passwords = handed(out)
    assert all(state_of(row, passwords[name]) == "pending" for name, row in fleet.rows().items())


def test_a_client_that_was_seen_is_not_rotated_twice_by_one_rotation(fleet: Fleet, store: Store, out: Path) -> None:
    """Between two batches the devices take their new secrets; the next batch is for the others."""
    fleet.add("a", "b")
    (first,) = (name for name, kind in kinds(rotate(fleet.table, store, out, batch=1)).items() if kind == "rotated")
    fleet.use(first)
    assert kinds(rotate(fleet.table, store, out, batch=1))[first] == "done"
    assert state_of(fleet.row(first), handed(out)[first]) == "pending"


@pytest.mark.parametrize(
    ("terms", "table", "words"),
    [
        (("prefix=b",), "clients", "the rotation of `--where prefix=a` into"),
        (("prefix=a",), "others", "belongs to the unfinished rotation of table `clients`"),
    ],
)
def test_an_unfinished_file_is_another_rotations(
    fleet: Fleet, store: Store, out: Path, terms: tuple[str, ...], table: str, words: str
) -> None:
    """What was begun is finished first; the hint names the command that does."""
    fleet.add("a-1", "a-2")
    rotate(fleet.table, store, out, "prefix=a", batch=1)
    with pytest.raises(InputError) as caught:
        Journal.open(out, store, table, Where.parse(terms), NOW)
    assert words in caught.value.message


def test_a_place_that_is_not_there_is_named_before_anything_else(fleet: Fleet, store: Store, out: Path) -> None:
    """The folder's name was mistyped: nobody is asked, and nothing is rotated."""
    with pytest.raises(InputError, match=r"there is no directory `.*nowhere`"):
        rotate(fleet.table, store, out.parent / "nowhere" / "fleet.csv")


@pytest.mark.parametrize("is_tracked", [False, True])
def test_git_does_not_get_the_secrets(fleet: Fleet, store: Store, out: Path, is_tracked: bool) -> None:
    """A file that git does not know is ignored from then on; one that it keeps is refused, and nothing rotated."""
    fleet.add("a")
    for words in (["init", "--quiet"], ["add", "--force", "fleet.csv"] if is_tracked else ["status", "--short"]):
        out.touch()
        subprocess.run([require_peer("git"), "-C", str(out.parent), *words], check=True, capture_output=True)
    out.unlink()
    if is_tracked:
        with pytest.raises(InputError, match=r"git tracks `.*fleet.csv`"):
            rotate(fleet.table, store, out)
        assert fleet.row("a").version == 1
        assert not out.exists()
    else:
        rotate(fleet.table, store, out)
        assert (out.parent / ".gitignore").read_text() == "/fleet.csv\n"


def test_a_second_process_is_kept_out_of_the_file(fleet: Fleet, store: Store, out: Path) -> None:
    """Two runs over one file would each take the other's secrets for an earlier run's."""
    fleet.add("a", "b")
    rotate(fleet.table, store, out, batch=1)
    held = Handout.open(out)
    with pytest.raises(InputError, match="another process is writing"):
        rotate(fleet.table, store, out)
    held.close()


def meanwhile(fleet: Fleet, operation: str, change: Callable[[str], None]) -> ClientTable:
    """Return a table where *change* happens to each client right before its *operation*, once."""
    table = fleet.as_process(Steps())
    seen: set[str] = set()

    def before(called: str, body: dict[str, Any]) -> None:
        client_id = body["Key"]["Client_ID"]["S"] if called == operation else None
        if client_id is not None and client_id not in seen:
            seen.add(client_id)
            change(client_id)

    assert isinstance(table.client, DirectClient)
    table.client.meanwhile = before
    return table


def test_what_others_change_meanwhile_is_kept(fleet: Fleet, store: Store, out: Path) -> None:
    """A client disabled between scan and write stays disabled, and has its secret."""
    fleet.add("a", "b")
    table = meanwhile(
        fleet, "UpdateItem", lambda name: void(fleet.change(name, lambda row: row._replace(enabled=False)))
    )
    assert kinds(rotate(table, store, out)) == {"a": "rotated", "b": "rotated"}
    for name, row in fleet.rows().items():
        assert not row.enabled
        assert state_of(row, handed(out)[name]) == "pending"


def void(_: object) -> None:
    """Take a result that nobody wants."""


def test_two_rotations_at_once_lose_nothing(fleet: Fleet, store: Store, tmp_path: Path) -> None:
    """One wins each client; the loser's file does not name a secret that counts nowhere."""
    fleet.add(*NAMES)
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    rival = iter(())

    def rotate_one(name: str) -> None:
        if name in ("a", "c"):
            rotate(fleet.table, store, tmp_path / f"theirs-{name}.csv", f"prefix={name}")

    found = rotate(meanwhile(fleet, "UpdateItem", rotate_one), store, ours)
    assert kinds(found) == {"a": "superseded", "b": "rotated", "c": "superseded", "d": "rotated", "e": "rotated"}
    assert not theirs.exists()
    assert not list(rival)
    everything = handed(ours) | handed(tmp_path / "theirs-a.csv") | handed(tmp_path / "theirs-c.csv")
    assert handed(ours).keys() == {"b", "d", "e"}
    assert {state_of(row, everything[name]) for name, row in fleet.rows().items()} == {"pending"}


def test_a_secret_that_leaked_is_cut_off_meanwhile(fleet: Fleet, store: Store, out: Path) -> None:
    """`rotate --now` of one client wins over the fleet's rotation: its secret is the only one, and stays it."""
    fleet.add("a", "b")
    fresh = {"A": Slot("fresh", NOW)}
    cut = lambda name: void(name == "a" and fleet.change("a", lambda row: row._replace(slots=fresh)))  # noqa: E731
    assert kinds(rotate(meanwhile(fleet, "UpdateItem", cut), store, out)) == {"a": "superseded", "b": "rotated"}
    assert fleet.row("a").slots == fresh
    assert handed(out).keys() == {"b"}


def test_a_resume_meets_a_rival_of_the_same_second(fleet: Fleet, store: Store, out: Path) -> None:
    """Killed before its write, and somebody else handed out a secret: that one is on its way to the device."""
    fleet.add("a", "b")
    stopped_after(fleet, store, out, 1)
    late = next(name for name in "ab" if fleet.row(name).version == 1)
    fleet.change(late, lambda row: begin(row, Secret("theirs"), now=NOW, grace_s=GRACE_S))
    assert kinds(rotate(fleet.table, store, out, now=NOW + 1))[late] == "superseded"
    assert state_of(fleet.row(late), "theirs") == "pending"
    assert late not in handed(out)


def test_a_client_that_is_removed_meanwhile_is_not_handed_a_secret(fleet: Fleet, store: Store, out: Path) -> None:
    """And it does not come back."""
    fleet.add("a", "b")
    table = meanwhile(fleet, "UpdateItem", lambda name: void(name == "a" and fleet.table.remove("a")))
    assert kinds(rotate(table, store, out)) == {"a": "gone", "b": "rotated"}
    assert handed(out).keys() == {"b"}
    assert fleet.rows().keys() == {"b"}


def test_a_client_that_others_keep_changing_is_told(fleet: Fleet, store: Store, out: Path) -> None:
    """After a few attempts; the rotation stays unfinished, and the next run takes it up."""
    fleet.add("a", "b")
    table = fleet.as_process(Steps())

    def before(called: str, body: dict[str, Any]) -> None:
        if called == "UpdateItem" and body["Key"]["Client_ID"]["S"] == "a":
            fleet.change("a", lambda row: row._replace(note=f"{row.note}x"))

    assert isinstance(table.client, DirectClient)
    table.client.meanwhile = before
    found = {each.client_id: each for each in rotate(table, store, out)}
    assert isinstance(found["a"].error, Conflict)
    password = handed(out)["a"]
    assert kinds(rotate(fleet.table, store, out)) == {"a": "rotated", "b": "done"}
    assert state_of(fleet.row("a"), password) == "pending"


def test_a_resume_names_who_was_removed_since(fleet: Fleet, store: Store, out: Path) -> None:
    """A secret for nobody is taken out of the file."""
    fleet.add("a", "b", "c")
    stopped_after(fleet, store, out, 2)
    for name in handed(out):
        fleet.table.remove(name)
    found = kinds(rotate(fleet.table, store, out))
    assert sorted(found.values()) == ["gone", "gone", "rotated"]
    assert handed(out).keys() == {name for name, kind in found.items() if kind == "rotated"}


def stopped_after(fleet: Fleet, store: Store, out: Path, count: int) -> None:
    """Rotate and stop after *count* outcomes, as Ctrl-C does."""
    journal = Journal.open(out, store, "clients", EVERYONE, NOW)
    outcomes = Rotation(fleet.table, store, journal, Order(EVERYONE, "doors", GRACE_S), NOW).outcomes()
    for _ in range(count):
        next(outcomes)
    outcomes.close()


def test_a_resume_writes_a_row_that_the_scan_missed(fleet: Fleet, store: Store, out: Path) -> None:
    """A scan is eventually consistent: whom the file names is asked for by name, before the file counts as done."""
    fleet.add("a", "b", "c")
    stopped_after(fleet, store, out, 1)
    missed = next(name for name, row in fleet.rows().items() if row.version == 1 and name in handed(out))
    table = fleet.as_process(Steps())
    rows = [row for row in fleet.table.rows() if row.client_id != missed]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClientTable, "rows", lambda *_: iter(rows))
        found = kinds(rotate(table, store, out))
    assert found[missed] == "rotated"
    passwords = handed(out)
    assert {name: state_of(row, passwords[name]) for name, row in fleet.rows().items()} == dict.fromkeys(
        "abc", "pending"
    )


def test_a_resume_does_not_bring_a_secret_back_that_was_replaced(fleet: Fleet, store: Store, out: Path) -> None:
    """Between the runs a leaked secret was cut off: it must not count again."""
    fleet.add("a", "b")
    stopped_after(fleet, store, out, 1)
    leaked = next(name for name in "ab" if fleet.row(name).version == 2)
    fresh = {"A": Slot("h", NOW + 60)}
    fleet.change(leaked, lambda row: row._replace(slots=fresh))
    assert kinds(rotate(fleet.table, store, out, now=NOW + 120))[leaked] == "superseded"
    assert fleet.row(leaked).slots == fresh
    assert leaked not in handed(out)


def test_a_resume_leaves_a_later_rotation_of_one_client_alone(fleet: Fleet, store: Store, out: Path) -> None:
    """Between two batches one client was rotated by itself: its newest secret stays the one that is kept here."""
    fleet.add("a", "b")
    store.save(credential("a"))
    store.save(credential("b"))
    stopped_after(fleet, store, out, 1)
    first = next(name for name in "ab" if fleet.row(name).version == 2)
    fleet.use(first)
    fleet.change(first, lambda row: begin(row, Secret("newest"), now=NOW + 60, grace_s=GRACE_S))
    store.save(replace(credential(first), password=Secret("newest")))
    assert kinds(rotate(fleet.table, store, out, now=NOW + 120))[first] == "done"
    kept = store.load(first)
    assert kept is not None
    assert kept.password == Secret("newest")


def test_a_resume_knows_its_secret_in_a_finished_rotation(fleet: Fleet, store: Store, out: Path) -> None:
    """Confirmed between the runs: it is the client's only secret now, and that is that."""
    fleet.add("a", "b")
    stopped_after(fleet, store, out, 1)
    first = next(name for name in "ab" if fleet.row(name).version == 2)
    fleet.change(first, lambda row: finish(row, force=True, now=NOW))
    assert kinds(rotate(fleet.table, store, out))[first] == "done"


def hooked(monkeypatch: pytest.MonkeyPatch, steps: Steps, *, torn: bool) -> None:
    """Let every change on the disk be a step. A *torn* write is half there when the process dies in it."""
    write_all = handout.write_all

    def write(file: Any, data: bytes) -> None:
        if torn and steps.taken + 1 == steps.at:
            file.write(data[: len(data) // 2])
        steps.take(lambda: write_all(file, data))

    monkeypatch.setattr(handout, "write_all", write)
    for name in ("fsync", "replace", "unlink", "mkdir"):
        monkeypatch.setattr(os, name, counted(getattr(os, name), steps))


def counted(act: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    return lambda *words, **options: steps.take(lambda: act(*words, **options))


def steps_of_a_run(directory: Path, at: int | None, kind: str, *, private: bool) -> int:
    """Rotate, killed at step *at*; then again to the end; return how many steps the first run took.

    Checks what must hold: every client has the secret that stands in the file, and none that stood there changed.
    """
    fleet, store = Fleet(directory / "state"), Store(directory / ".iotauth", "aws")
    out = None if private else directory / "fleet.csv"
    folder = directory if out else store.directory / "rotations"
    steps = Steps(at, after=kind == "after")
    try:
        fleet.add(*NAMES)
        store.save(credential("c"))
        with pytest.MonkeyPatch.context() as patch:
            hooked(patch, steps, torn=kind == "torn")
            with contextlib.suppress(Killed):
                rotate(fleet.as_process(steps), store, out)
        before = {path.name: handed(path) for path in folder.glob("*.csv") if b"\n" in path.read_bytes()}
        if out is None or note_path(out).exists() or not out.exists():
            rotate(fleet.table, store, out, now=NOW + 1)
        found: dict[str, str] = {}
        for path in sorted(folder.glob("*.csv")):
            found |= handed(path)
        assert all(found[name] == word for words in before.values() for name, word in words.items())
        assert {name: state_of(row, found[name]) for name, row in fleet.rows().items()} == dict.fromkeys(
            NAMES, "pending"
        )
        assert {state_of(row, OLD) for row in fleet.rows().values()} == {"retiring"}
        kept = store.load("c")
        assert kept is not None
        assert (kept.password.reveal(), kept.previous) == (found["c"], Secret(OLD))
        assert not list(folder.glob("*.unfinished"))
    finally:
        fleet.close()
    return steps.taken


@pytest.mark.parametrize("private", [False, True], ids=["a file", "the private store"])
@pytest.mark.parametrize("kind", ["before", "after", "torn"])
def test_killed_at_any_step_and_run_again(tmp_path: Path, kind: str, private: bool) -> None:
    """Each call to the table and each change on the disk in turn is the last thing that the process did."""
    whole = steps_of_a_run(tmp_path / "whole", None, kind, private=private)
    assert whole > 15
    for at in range(1, whole + 1):
        steps_of_a_run(tmp_path / str(at), at, kind, private=private)


def test_a_full_disk_stops_before_the_rows(
    fleet: Fleet, store: Store, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be made durable was not written; with room on the disk the same command goes on."""
    fleet.add(*NAMES)
    write_all, left = handout.write_all, [2]  # the column names, and two secrets

    def full(file: Any, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            file.write(data[:7])
            raise OSError(28, "No space left on device")
        write_all(file, data)

    monkeypatch.setattr(handout, "write_all", full)
    with pytest.raises(InputError, match="no space left on device"):
        rotate(fleet.table, store, out)
    first = handed(out)
    assert {name for name, row in fleet.rows().items() if row.version == 2} == first.keys()
    assert len(first) == 2
    left[0] = 99
    assert sorted(kinds(rotate(fleet.table, store, out)).values()) == ["done"] * 2 + ["rotated"] * 3
    assert first.items() <= handed(out).items()


def test_no_task_prints_its_secret() -> None:
    """A task is a value that a traceback may show."""
    task = rotation.Task("a", ClientRecord("a"), Secret("canary"))
    assert "canary" not in repr(task)
