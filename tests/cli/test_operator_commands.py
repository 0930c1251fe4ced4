"""What transcripts do not show: JSON documents, start-up, questions, how a context is built."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from iotauth_cli.cli.context import Context
from iotauth_cli.cli.output import Output
from support_desk import Desk
from support_emulator import RunningEmulator
from support_scenarios import Tape, streams

LIST_MODULES = (
    "import sys; from iotauth_cli.__main__ import main; code = main(sys.argv[1:]); "
    "sys.stderr.write('\\n' + ' '.join(sys.modules)); sys.exit(code)"
)


def modules_of(*arguments: str) -> set[str]:
    """Return what a process of its own has loaded at the end of a command."""
    ran = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, *arguments], capture_output=True, text=True, check=True, env=os.environ
    )
    return set(ran.stderr.splitlines()[-1].split())


def test_rows_are_written_without_boto3(at_emulator: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """`client add`, `list` and `show` load neither boto3 nor yaml: that is most of their speed.

    `client remove` does: what ends the client's session is an operation that only boto3 signs.
    """
    at_emulator("authorizer", "create")
    (at_emulator.folder / "iotauth.yaml").write_text("emulator: true  # as the variable says\n")
    for arguments in (
        ("client", "add", "quick-1", "--topic", "quick/1"),
        ("client", "list"),
        ("client", "show", "quick-1"),
    ):
        assert not modules_of(*arguments) & {"boto3", "botocore", "yaml", "rich", "cryptography"}, arguments


def test_keys_in_the_environment_need_no_boto3_either(
    at_emulator: Desk, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With AWS_* variables, as CI has them, rows go the same short way."""
    at_emulator("authorizer", "create")
    monkeypatch.delenv("IOTAUTH_EMULATOR")
    for name, value in emulator.variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    loaded = modules_of("client", "add", "quick-2", "--topic", "quick/2")
    assert not loaded & {"boto3", "botocore"}
    assert at_emulator("client", "remove", "quick-2", "--yes").code == 0


def test_every_command_has_one_json_document(at_emulator: Desk) -> None:
    """--json: the result on stdout under names that stay, the talk still on stderr."""
    created = at_emulator("authorizer", "create", "json-1", "--json").document
    assert (created["authorizer"], created["applied"]) == ("json-1", True)
    assert {"action", "resource", "name", "reason"} == set(created["steps"][0])
    planned = at_emulator("authorizer", "create", "json-1", "--dry-run", "--json").document
    assert (planned["applied"], {step["action"] for step in planned["steps"]}) == (False, {"keep"})
    assert "json-1" in [each["name"] for each in at_emulator("authorizer", "list", "--json").document]
    assert at_emulator("authorizer", "show", "json-1", "--json").document["status"] == "active"
    added = at_emulator("client", "add", "json-7", "--topic", "json/7", "--json").document
    assert added["password"].startswith("iota_")
    assert Path(added["kept_at"]).is_file()
    assert "json-7" in [each["client_id"] for each in at_emulator("client", "list", "--json").document]
    shown = at_emulator("client", "show", "json-7", "--json")
    assert added["password"] not in shown.text
    assert shown.document["publish"] == ["json/7", "json/7/#"]
    assert shown.document["policy_documents"][0]["Version"] == "2012-10-17"
    tried = at_emulator("authorizer", "test-invoke", "json-1", "--client", "json-7", "--json").document
    assert (tried["ok"], tried["is_authenticated"]) == (True, True)
    refused = at_emulator(
        "authorizer", "test-invoke", "json-1", "--client", "json-7", "--password-stdin", "--json", stdin="no"
    )
    assert (refused.document["ok"], refused.code) == (False, 1)
    removed = at_emulator("client", "remove", "json-7", "--yes", "--json").document
    assert (removed["client_id"], removed["row"], removed["credential"]) == ("json-7", True, True)
    assert (removed["session"]["ok"], removed["session"]["reconnect"]) == (True, "refused")
    assert at_emulator("authorizer", "delete", "json-1", "--yes", "--json").document["applied"] is True
    assert at_emulator("init", "--json").document["file"].endswith("iotauth.yaml")
    assert at_emulator("config", "show", "--json").document["emulator"]["source"] == "IOTAUTH_EMULATOR"


def test_a_password_of_ones_own_is_not_shown(at_emulator: Desk) -> None:
    """Whoever typed it knows it; neither text nor JSON repeats it."""
    at_emulator("authorizer", "create")
    for arguments in ((), ("--json",)):
        added = at_emulator(
            "client", "add", "own-1", "--topic", "own/1", "--password-stdin", *arguments, stdin="canary"
        )
        assert added.code == 0
        assert "canary" not in added.text
        assert at_emulator("client", "remove", "own-1", "--yes").code == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("yes\n", 0), ("\n", 1), ("n\n", 1), ("", 1)])
def test_a_question_is_answered_by_yes_alone(at_emulator: Desk, typed: str, code: int) -> None:
    """At a terminal, anything but yes leaves the client where it is; that is an answer, exit code 1."""
    from iotauth_cli.__main__ import main

    at_emulator("authorizer", "create")
    at_emulator("client", "add", "asked-1", "--topic", "asked/1")
    tape = Tape()
    with streams(Terminal(typed), tape.stream(""), tape.stream("! ")):
        assert main(["client", "remove", "asked-1"]) == code
    assert "remove client `asked-1` from table `iotauth-clients`? [y/N]" in "\n".join(tape.lines())
    assert at_emulator("client", "remove", "asked-1", "--yes").code == (3 if code == 0 else 0)


@pytest.mark.parametrize(
    ("given", "read"),
    [(b"secret", "secret"), (b"secret\n", "secret"), (b"secret\r\n", "secret"), (b" s \n\n", " s \n"), (b"", "")],
)
def test_one_line_end_is_not_part_of_a_password(given: bytes, read: str) -> None:
    """`echo` adds it; anything else that was piped in is meant."""
    with streams(io.TextIOWrapper(io.BytesIO(given), newline=""), sys.stdout, sys.stderr):
        assert Output().read_password().reveal() == read


def context(folder: Path, **flags: object) -> Context:
    return Context(flags, Output(), {"HOME": str(folder)}, folder, ExitStack())


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "`iotauth client list`"),
        ({"emulator": True}, "`iotauth client list --emulator`"),
        ({"emulator": False, "region": "eu-west-1"}, "`iotauth client list --no-emulator --region eu-west-1`"),
        ({"profile": "my doors", "config": "a.yaml"}, "`iotauth client list --profile 'my doors' --config a.yaml`"),
    ],
)
def test_the_next_command_means_the_same_place(tmp_path: Path, flags: dict[str, object], expected: str) -> None:
    """Flags that say where are repeated, so that what is pasted does not land elsewhere."""
    assert context(tmp_path, **flags).command("client list") == expected


def test_a_commands_own_options_are_settings_too(tmp_path: Path) -> None:
    """They beat the file; what was not given changes nothing."""
    (tmp_path / "iotauth.yaml").write_text("authorizer: doors\ntable: doors-clients\n")
    narrowed = context(tmp_path).with_flags(authorizer="gates", table=None)
    assert (narrowed.settings.authorizer, narrowed.settings.table) == ("gates", "doors-clients")


def test_building_a_context_touches_nothing(tmp_path: Path) -> None:
    """A broken file or a missing emulator is no matter for a command that needs neither."""
    (tmp_path / "iotauth.yaml").write_text("[")
    assert context(tmp_path, emulator=True).output == Output()
