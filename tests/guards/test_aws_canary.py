"""Rows' passwords, other people's variables and AWS keys go through what works on an account; then all is searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support_adoption import PYTHON, ROWS, Older, older
from support_emulator import running_emulator
from support_shell import Shell

ROW = "Canary-of-a-row-5512"
VARIABLE = "Canary-of-a-variable-5513"
SECRET_KEY = "Canary/of+a/secret/key/5514"
TOKEN = "Canary//of+a/session/token5515=="
DENIED = "Canary-of-nobody-5516"
# What people write when they look for a mistake: the password in the log, in the error and in the answer.
TALKING = PYTHON.replace(
    "    row = table",
    """    print("asked", client_id, password)
    if client_id == "door-2":
        raise ValueError("no such password: " + password)
    if client_id == "door-4":
        return {"isAuthenticated": True, "principalId": password * 40}
    row = table""",
)


@dataclass(frozen=True)
class House:
    shell: Shell
    state: Path

    @property
    def seen(self) -> str:
        return "".join(ran.text for ran in self.shell.transcript)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Run every command of an account's, well and badly, on what somebody else has made by hand."""
    root = tmp_path_factory.mktemp("aws-canary")
    (root / "work").mkdir()
    with running_emulator(tmp_path_factory.mktemp("state")) as running:
        theirs = older(running)
        make(theirs)
        extra = {"IOTAUTH_EMULATOR": "1", "IOTAUTH_STATE_DIR": str(running.state_dir)}
        shell = Shell(cwd=root / "work", home=root, extra=extra)
        adopt(shell)
        shell.run("authorizer", "create", "gates", "--alpn-free", "--tag", "site=north", "--yes", "--debug")
        give_variable(theirs, "iotauth-authorizer")
        change(shell)
        write(shell)
        keys = {
            "AWS_ACCESS_KEY_ID": "ASIACANARY5514CANARY",
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": TOKEN,
            "AWS_ENDPOINT_URL": running.ready.control_endpoint,
            "AWS_REGION": "us-east-1",
        }
        shell.extra = {**keys, "IOTAUTH_ACCOUNT": "123456789012"}
        with_keys(shell)
        shell.extra = {**keys, "IOTAUTH_ACCOUNT": "999999999999"}
        for command in ("authorizer create", "init --adopt"):
            shell.run(*command.split(), "--debug", "--yes", check=False)
        yield House(shell, running.state_dir)


def make(theirs: Older) -> None:
    rows = tuple({**row, "Password": ROW} for row in ROWS)
    theirs.make(TALKING, rows=(*rows, {**rows[0], "Client_ID": "door-4"}, {**rows[0], "Client_ID": "door-5"}))
    theirs.put({"Client_ID": "broken", "Password": ROW, "allow_connect": "perhaps", "Slots": ROW})
    give_variable(theirs, theirs.function)


def give_variable(account: Older, function: str) -> None:
    """Let somebody give *function* a variable that is a secret."""
    functions = account.aws("lambda")
    found = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": {**found, "DB_PASSWORD": VARIABLE}}
    )


def adopt(shell: Shell) -> None:
    adopting = ("init", "--adopt", "--debug")
    shell.run(*adopting, "--dry-run", "--compare", "50", "--json")
    shell.run(*adopting, "--yes", "--force")
    assert list((shell.cwd / ".iotauth" / "adoption").rglob("*.json"))  # it goes with the way back
    assert wide(shell) == []
    shell.run("authorizer", "show", "--json")
    shell.run("client", "list", "--json")
    shell.run("client", "audit", "--json", check=False)
    wrong = ("authorizer", "test-invoke", "--client", "door-1", "--password-stdin", "--debug")
    shell.run(*wrong, stdin=DENIED, check=False)
    shell.run(*wrong, stdin=ROW, check=False)
    back = ("init", "--rollback", "--debug")
    shell.run(*back, "--yes", check=False)
    shell.run(*back, "--yes", "--force", check=False)


def change(shell: Shell) -> None:
    shell.run("authorizer", "create", "gates", "--yes", "--debug")
    shell.run("authorizer", "show", "gates", "--json")
    shell.run("authorizer", "update", "gates", "--memory", "512", "--refresh-after", "20m", "--yes", "--json")
    shell.run("authorizer", "disable", "gates", "--yes", "--debug")
    shell.run("authorizer", "show", "Doors", "--debug")
    shell.run("estimate", "--devices", "1000", "--json")


def write(shell: Shell) -> None:
    for name, format_ in (("gates", "sam"), ("gates", "terraform"), ("Doors", "cloudformation")):
        shell.run("template", name, "--format", format_, "-o", f"{name}-{format_}", "--debug")
    shell.run("policy", "operator", "--debug")


def with_keys(shell: Shell) -> None:
    for command in (
        "authorizer list --debug",
        "authorizer create gates --dry-run --debug",
        "authorizer show nobody --debug",
        "template gates --format terraform",
        "policy operator",
        "init --adopt Doors --dry-run --compare 3 --table Door_Clients --json",
        "config show --json",
        "authorizer delete gates --yes --debug",
    ):
        shell.run(*command.split(), check=False)


def test_the_commands_came_to_where_secrets_are(house: House) -> None:
    """Else nothing was looked for: the functions were compared, keys were used, and the account guard said no."""
    assert "the old function gives no answer that counts (it failed: `ValueError`)" in house.seen
    assert "left out: the function's own variables `DB_PASSWORD`" in house.seen
    assert "belong to account 123456789012" in house.seen
    log = (house.shell.cwd / ".iotauth" / "audit" / "aws-us-east-1.jsonl").read_text()
    assert "authorizer delete" in log


@pytest.mark.parametrize("secret", [ROW, VARIABLE, SECRET_KEY, TOKEN, DENIED])
def test_nothing_printed_holds_it(house: House, secret: str) -> None:
    """On no stream, in no traceback, in no JSON."""
    for form in (secret, json.dumps(secret), secret.replace("/", "%2F")):
        assert form not in house.seen


@pytest.mark.parametrize("secret", [ROW, VARIABLE, SECRET_KEY, TOKEN, DENIED])
def test_no_file_of_the_user_holds_it(house: House, secret: str) -> None:
    """Neither project nor home: plan, template, audit log, what an adoption remembers, the AWS CLI's cache."""
    files = [path for path in house.shell.home.rglob("*") if path.is_file()]
    assert {path.name for path in files} > {"main.tf", "template.yaml", "callers.json"}
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


def wide(shell: Shell) -> list[Path]:
    """Return the private files that others than their owner can read."""
    files = [path for path in (shell.cwd / ".iotauth").rglob("*") if path.is_file()]
    assert files
    return [path for path in files if path.name != ".gitignore" and path.stat().st_mode & 0o077]


def test_what_is_kept_of_an_account_is_private(house: House) -> None:
    """Whose keys these are, what was adopted, what was done: for their owner alone."""
    assert wide(house.shell) == []
