"""The audit log: whole lines, in a chain that shows what was done to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.aws import caller as sts
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import InputError
from iotauth_cli.operations import audit_log
from iotauth_cli.operations.audit_log import AuditLog, Event
from iotauth_cli.secret import Secret
from support_aws import aws_target

NOW = 1763640000
ANNA = "arn:aws:iam::123456789012:user/anna"
EVENT = Event(1763640000, ANNA, "client add", "done", facts={"client": "door-7"}, local="anna@desk")


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / ".iotauth", "aws-eu-west-1")


def fill(log: AuditLog, count: int = 4) -> list[bytes]:
    for number in range(count):
        log.append(Event(1763640000 + number, ANNA, "client add", "done", facts={"n": number}, local="anna@desk"))
    return log.path.read_bytes().splitlines(keepends=True)


def broken(log: AuditLog) -> list[int]:
    return [line.number for line in log.lines() if not line.is_chained]


def test_what_was_appended_is_read_back(log: AuditLog) -> None:
    """Lines come back in their order, each chained to the one before."""
    log.append(EVENT)
    log.append(Event(1763640060, audit_log.UNKNOWN, "client remove", "failed", "not-found", local="anna@desk"))
    lines = list(log.lines())
    assert [line.event for line in lines] == [
        EVENT,
        Event(1763640060, "unknown", "client remove", "failed", "not-found", {}, "anna@desk"),
    ]
    assert all(line.is_chained for line in lines)


@given(facts=st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers() | st.lists(st.text(max_size=3))))
def test_a_line_is_parsed_as_it_was_built(facts: dict[str, Any]) -> None:
    """Any text in any fact survives, and cannot pass for a checksum or for a line of its own."""
    event = Event(1763640000, ANNA, "client add", "done", facts=facts, local="x")
    raw = audit_log.chained(audit_log.build(event), "00" * 16)
    assert raw.count(b"\n") == 1
    line = audit_log.parse(1, raw, "00" * 16)
    assert line.event == event
    assert line.is_chained


def test_a_secret_among_the_facts_stays_dots(log: AuditLog) -> None:
    """A command that notes a Secret by mistake writes its mask."""
    log.append(Event(0, ANNA, "client add", "done", facts={"password": Secret("canary-in-the-log")}, local="x"))
    assert b"canary" not in log.path.read_bytes()


def test_a_link_is_not_written_through(log: AuditLog, tmp_path: Path) -> None:
    """It may have come with a repository, and lead to a file of the user's own."""
    other = tmp_path / "profile"
    other.write_text("theirs")
    log.folder.mkdir(parents=True)
    log.path.symlink_to(other)
    with pytest.raises(InputError):
        log.append(Event(0, ANNA, "client add", "done", facts={}, local="x"))
    assert other.read_text() == "theirs"


def test_an_altered_line_shows(log: AuditLog) -> None:
    """One digit changed breaks the line's own checksum; what follows hangs on what is written there."""
    lines = fill(log)
    lines[1] = lines[1].replace(b'"n":1', b'"n":7')
    log.path.write_bytes(b"".join(lines))
    assert broken(log) == [2]


def test_a_lost_line_shows_at_the_next(log: AuditLog) -> None:
    """A line that is gone leaves one that does not follow the one before it."""
    lines = fill(log)
    log.path.write_bytes(b"".join(lines[:1] + lines[2:]))
    assert broken(log) == [2]


def test_lines_that_changed_places_show(log: AuditLog) -> None:
    """Order is part of the chain."""
    lines = fill(log)
    log.path.write_bytes(lines[0] + lines[2] + lines[1] + lines[3])
    assert broken(log) == [2, 3, 4]


def test_a_new_beginning_shows(log: AuditLog) -> None:
    """The first line follows nothing; one that followed another does not fit there."""
    lines = fill(log)
    log.path.write_bytes(b"".join(lines[1:]))
    assert broken(log) == [1]


@pytest.mark.parametrize("kept", [1, 40, -2, -1], ids=["a byte", "a part", "the brace", "all but the line end"])
def test_a_torn_line_spoils_itself_alone(log: AuditLog, kept: int) -> None:
    """A machine that lost power in the middle of a line: the next line stands for itself, chained to the last whole."""
    lines = fill(log)
    log.path.write_bytes(b"".join(lines[:3]) + lines[3][:kept])
    log.append(EVENT)
    found = list(log.lines())
    assert [line.is_chained for line in found] == [True, True, True, kept == -1, True]
    assert found[-1].event == EVENT


def test_a_line_longer_than_is_read_at_once_is_found(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last checksum is looked for further and further back."""
    monkeypatch.setattr(audit_log, "READ_BACK_BYTES", 16)
    fill(log, 3)
    with log.path.open("ab") as file:
        file.write(b"x" * 1000 + b"\n")
    log.append(EVENT)
    assert broken(log) == [4]


def test_there_is_no_log_before_the_first_line(log: AuditLog) -> None:
    """Nothing was done yet: no lines, and no error."""
    assert list(log.lines()) == []


def test_only_the_owner_reads_it(log: AuditLog) -> None:
    """Names of clients are nobody else's business; git ignores the folder."""
    log.append(EVENT)
    assert log.path.stat().st_mode & 0o077 == 0
    assert log.folder.stat().st_mode & 0o077 == 0
    assert (log.directory / ".gitignore").read_text() == "*\n"


APPEND = """
import sys
from pathlib import Path
from iotauth_cli.operations.audit_log import AuditLog, Event
log = AuditLog(Path(sys.argv[1]), "shared")
for number in range(int(sys.argv[3])):
    log.append(Event(0, "x", "client add", "done", facts={"by": sys.argv[2], "n": number}, local="x"))
"""


def test_processes_that_write_at_once_keep_the_chain(tmp_path: Path) -> None:
    """Four processes append 25 lines each: none is lost, none is torn, every one is chained."""
    writers = [subprocess.Popen([sys.executable, "-c", APPEND, str(tmp_path), str(by), "25"]) for by in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    lines = list(AuditLog(tmp_path, "shared").lines())
    assert all(line.is_chained for line in lines)
    for by in range(4):
        found = [line.event.facts["n"] for line in lines if line.event and line.event.facts["by"] == str(by)]
        assert found == list(range(25))


def test_a_log_that_another_process_keeps_is_given_up(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stopped while it held the lock does not stop every other."""
    fcntl = pytest.importorskip("fcntl")
    log.append(EVENT)
    monkeypatch.setattr(audit_log, "LOCK_PATIENCE_S", 0.02)
    with log.path.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="cannot write"):
            log.append(EVENT)
    assert len(list(log.lines())) == 1


def test_a_full_disk_leaves_the_log_whole(log: AuditLog) -> None:
    """A line that did not fit is taken back to its first byte."""
    resource = pytest.importorskip("resource")
    fill(log)
    size = log.path.stat().st_size
    ran = subprocess.run(
        [sys.executable, "-c", APPEND.replace('"shared"', '"aws-eu-west-1"'), str(log.directory), "full", "1"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20)),
        capture_output=True,
        text=True,
    )
    assert "InputError: cannot write" in ran.stderr
    assert log.path.stat().st_size == size
    assert broken(log) == []


def test_who_is_asked_once_for_each_key(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """STS answers the first command; every later one reads what it said."""
    asked: list[Session] = []

    def answer(session: Session) -> str:
        asked.append(session)
        return ANNA

    monkeypatch.setattr(sts, "arn", answer)
    session = Session(aws_target()._replace(access_key="AKIA1", secret_key=Secret("x")))
    assert [audit_log.caller(log, session, now=NOW, may_ask=True) for _ in range(3)] == [ANNA] * 3
    assert len(asked) == 1
    assert audit_log.caller(log, session, now=NOW, may_ask=False) == ANNA
    other = Session(aws_target()._replace(access_key="AKIA2", secret_key=Secret("x")))
    assert audit_log.caller(log, other, now=NOW, may_ask=False) == "unknown"
    assert json.loads((log.folder / "callers.json").read_text()).popitem()[1] == ANNA


def test_who_cannot_be_known_is_unknown(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer nobody waits for one at every command; some minutes later it is asked for again."""
    monkeypatch.setattr(sts, "arn", lambda session: None)
    session = Session(aws_target()._replace(access_key="AKIA1", secret_key=Secret("x")))
    assert audit_log.caller(log, session, now=NOW, may_ask=True) == "unknown"
    monkeypatch.setattr(sts, "arn", lambda session: ANNA)
    assert audit_log.caller(log, session, now=NOW + audit_log.ASK_AGAIN_S - 1, may_ask=True) == "unknown"
    assert audit_log.caller(log, session, now=NOW + audit_log.ASK_AGAIN_S, may_ask=True) == ANNA


@pytest.mark.parametrize("kept", ["[", "[]", '{"AKIA1": null}', '{"AKIA1": ["x"]}'])
def test_broken_notes_of_answers_are_none(log: AuditLog, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is asked for again."""
    monkeypatch.setattr(sts, "arn", lambda session: ANNA)
    session = Session(aws_target()._replace(access_key="AKIA1", secret_key=Secret("x")))
    log.folder.mkdir(parents=True)
    (log.folder / "callers.json").write_text(kept)
    assert audit_log.caller(log, session, now=NOW, may_ask=True) == ANNA


@pytest.mark.parametrize(
    ("filters", "is_meant"),
    [
        (audit_log.Wanted(), True),
        (audit_log.Wanted(since=1763640000), True),
        (audit_log.Wanted(since=1763640001), False),
        (audit_log.Wanted(client="door-7"), True),
        (audit_log.Wanted(client="door-8"), True),
        (audit_log.Wanted(client="door"), False),
        (audit_log.Wanted(command="client"), True),
        (audit_log.Wanted(command="client rotate"), True),
        (audit_log.Wanted(command="client rot"), False),
        (audit_log.Wanted(command="authorizer"), False),
    ],
)
def test_filters_mean_whole_names(filters: audit_log.Wanted, is_meant: bool) -> None:
    """A client by its whole id, alone or among several; a command by whole words; a time to the second."""
    event = Event(1763640000, ANNA, "client rotate", "done", facts={"client": "door-7", "clients": ["door-8"]})
    assert filters.matches(event) is is_meant


def test_verifying_names_the_broken_lines_and_the_last_checksum(log: AuditLog) -> None:
    """A whole log is whole; a cut-off end shows only to who kept the last checksum."""
    lines = fill(log)
    whole = audit_log.verify(log)
    assert (whole.ok, whole.lines) == (True, 4)
    log.path.write_bytes(b"".join(lines[:3]))
    cut = audit_log.verify(log)
    assert (cut.ok, cut.lines) == (True, 3)
    assert cut.last != whole.last
    log.path.write_bytes(b"nonsense\n" + b"".join(lines))
    assert [(line.number, line.event) for line in audit_log.verify(log).broken] == [(1, None)]
