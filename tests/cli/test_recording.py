"""Every mutating command leaves one line in the audit log, however it ends; nothing else does."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.device.child import terminable
from iotauth_cli.operations import audit_log, clients
from support_desk import Desk

THE_EMULATORS = "arn:aws:iam::123456789012:user/iotauth-emulator"


def lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / ".iotauth" / "audit" / "emulator.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def outcomes(folder: Path) -> list[tuple[str, str, str | None]]:
    return [(line["command"], line["outcome"], line.get("code")) for line in lines(folder)]


@pytest.fixture
def at_table(at_emulator: Desk) -> Desk:
    """The desk, with an authorizer, and a log that begins now."""
    assert at_emulator("authorizer", "create", "--quiet").code == 0
    (at_emulator.folder / ".iotauth" / "audit" / "emulator.jsonl").unlink()
    return at_emulator


def test_a_command_that_did_it_says_who_and_what(at_table: Desk) -> None:
    """Caller, table, client and slot; and no password."""
    password = at_table("client", "add", "done-1", "--topic", "t/1", "--json").document["password"]
    (line,) = lines(at_table.folder)
    assert line["who"] == THE_EMULATORS
    assert (line["command"], line["outcome"]) == ("client add", "done")
    assert line["facts"] == {"table": "iotauth-clients", "client": "done-1", "slot": "A"}
    assert password not in json.dumps(line)


def test_a_command_that_failed_says_so(at_table: Desk) -> None:
    """A second client of the same id: refused, and written down as refused."""
    at_table("client", "add", "twice-1", "--topic", "t/1")
    at_table("client", "add", "twice-1", "--topic", "t/1")
    assert outcomes(at_table.folder)[-1] == ("client add", "failed", "already-exists")


def test_a_no_is_an_outcome(at_table: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown what would be deleted and asked, the person said no."""
    monkeypatch.setattr("iotauth_cli.cli.output.Output.confirm", lambda *_: False)
    at_table("authorizer", "delete")
    assert outcomes(at_table.folder) == [("authorizer delete", "no", None)]


def test_an_interrupted_command_leaves_its_line(at_table: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle: the line says that it may have been done."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clients, "add", interrupted)
    assert at_table("client", "add", "cut-1", "--topic", "t/1").code == 130
    assert outcomes(at_table.folder) == [("client add", "interrupted", None)]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_command_that_is_told_to_stop_leaves_its_line(
    name: str, at_table: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled job and a lost terminal are Ctrl-C to it; afterwards the signals mean what they did."""
    number = getattr(signal, name)

    def told_to_stop(*_: object, **__: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(clients, "add", told_to_stop)
    assert at_table("client", "add", "cut-1", "--topic", "t/1").code == 130
    assert outcomes(at_table.folder) == [("client add", "interrupted", None)]
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_flash_that_is_told_to_stop_leaves_the_same_line(at_table: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever clears up behind a child ends with the signal's own code, and was interrupted all the same."""

    def told_to_stop(*_: object, **__: object) -> None:
        with terminable():
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(clients, "add", told_to_stop)
    assert at_table("client", "add", "cut-2", "--topic", "t/1").code == 128 + signal.SIGTERM
    assert outcomes(at_table.folder) == [("client add", "interrupted", None)]


def test_nohup_stays_nohup(at_table: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that somebody had ignored is still ignored."""

    def told_to_stop(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGHUP)
        raise LookupError

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(clients, "add", told_to_stop)
        assert at_table("client", "add", "hup-1", "--topic", "t/1").code == 70
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_bug_leaves_its_line(at_table: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of no kind of ours is named by its kind; its text may hold anything."""

    def bug(*_: object, **__: object) -> None:
        raise LookupError("canary")

    monkeypatch.setattr(clients, "add", bug)
    assert at_table("client", "add", "bug-1", "--topic", "t/1").code == 70
    assert outcomes(at_table.folder) == [("client add", "failed", "LookupError")]


@pytest.mark.parametrize(
    "arguments",
    [("client", "list"), ("client", "show", "nobody"), ("authorizer", "create", "--dry-run"), ("client", "add")],
    ids=" ".join,
)
def test_what_changes_nothing_leaves_no_line(at_table: Desk, arguments: tuple[str, ...]) -> None:
    """Reading, planning and a command line that makes no sense."""
    at_table(*arguments)
    assert lines(at_table.folder) == []


def test_a_command_that_found_no_target_leaves_no_line(desk: Desk) -> None:
    """There was nothing it could have changed."""
    assert desk("client", "remove", "nobody", "--emulator", "--yes").code == 3
    assert not (desk.folder / ".iotauth").exists()


def test_a_log_that_cannot_be_written_keeps_the_result(at_table: Desk) -> None:
    """The client is added and shown; that the log has no line is said, even to who wants quiet."""
    (at_table.folder / ".iotauth" / "audit" / "emulator.jsonl").mkdir()
    ran = at_table("client", "add", "taken-1", "--topic", "t/1", "--no-save", "--quiet", "--json")
    assert ran.code == 0
    assert ran.document["client_id"] == "taken-1"
    assert "! the audit log has no line about this command: cannot write" in ran.text


def test_trouble_with_the_identity_is_no_trouble(at_table: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while the line is written, the command ends as it ended."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("bug in here")

    monkeypatch.setattr(audit_log, "caller", broken)
    assert at_table("client", "add", "odd-1", "--topic", "t/1", "--no-save").code == 0
