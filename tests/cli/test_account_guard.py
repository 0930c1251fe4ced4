"""`account:` in the settings: in the wrong account nothing is called, whichever command it is and by whichever door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_cli.cli import Root
from iotauth_cli.cli.lazy import LazyGroup
from support_desk import Desk, Typed
from support_stand_in import Answer, Request, StandIn, identity_xml, stand_in

MEANT = "123456789012"
OTHER = "210987654321"
KEY = "AKIAIOSFODNN7EXAMPLE"


class Account:
    """STS as it should be, and everything else refused: what comes there has passed the guard."""

    def __init__(self) -> None:
        self.account = OTHER
        self.status = 200

    def __call__(self, request: Request) -> Answer:
        if request.service == "sts":
            return Answer(identity_xml(f"arn:aws:iam::{self.account}:user/anna"), self.status, "text/xml")
        return Answer('{"__type": "AccessDeniedException", "message": "no"}', 403)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def aws(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Whatever is asked of AWS is asked of this machine."""
    with stand_in(account) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield found


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iotauth_cli.aws.caller.PAUSE_S", 0.0)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iotauth.yaml").write_text(f"region: eu-west-1\naccount: '{MEANT}'\n")
    (tmp_path / "policy.json").write_text('{"Version": "2012-10-17", "Statement": []}')
    (tmp_path / "fleet.csv").write_text("client_id\ndoor-7\n")
    return Desk(tmp_path)


COMMANDS = [
    "authorizer create",
    "authorizer create --dry-run",
    "authorizer delete --yes",
    "authorizer list",
    "authorizer migrate --to signed --yes",
    "authorizer rotate-key --yes",
    "authorizer disable --yes",
    "authorizer enable",
    "authorizer set-default --yes",
    "authorizer show",
    "authorizer update --memory 512",
    "authorizer test-invoke --username a --password-stdin",
    "client add door-7 --topic doors/7",
    "client audit",
    "client confirm door-7",
    "client disable door-7 --yes",
    "client enable door-7",
    "client export rows.jsonl",
    "client import fleet.csv --template doors/7 --secrets-out secrets.csv",
    "client list",
    "client migrate --yes",
    "client remove door-7 --yes",
    "client rotate --all --yes --secrets-out secrets.csv",
    "client rotate door-7",
    "client show door-7",
    "client update door-7 --publish doors/8",
    "init --adopt --force",
    "listen doors/7",
    "logs",
    "logs disable --yes",
    "logs enable --yes",
    "logs status",
    "policy can door-7 publish doors/7",
    "policy show door-7",
    "publish doors/7 hello",
    "template",
    "test-connect door-7 --username door-7 --password-stdin",
]


# These ask nobody, or not before a board, a file or a credential is there; the emulator's go nowhere else.
ELSEWHERE = {
    "audit log",
    "boards",
    "config show",
    "doctor",  # has a test of its own below
    "emulator",
    "estimate",
    "explain",
    "flash",
    "keys",
    "policy function",
    "policy lint",
    "policy operator",
    "policy readonly",
    "policy rules",
    "quickstart",
    "secrets",
}


def names(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name in group.table:
        loaded = group.load(name)
        yield from names(loaded, (*path, name)) if isinstance(loaded, LazyGroup) else [" ".join((*path, name))]


def test_no_command_is_left_out() -> None:
    """A new command is typed below into the wrong account, or listed above."""
    for name in names(Root()):
        is_listed = any(f"{name} ".startswith(f"{each} ") for each in ELSEWHERE)
        assert is_listed or any(f"{command} ".startswith(f"{name} ") for command in COMMANDS), name


def called(aws: StandIn) -> list[str | None]:
    return [request.service for request in aws.requests]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_called_in_the_wrong_account(command: str, desk: Desk, aws: StandIn) -> None:
    """STS is asked whose keys these are, once, and its answer ends the command."""
    typed = desk(*command.split(), stdin="secret")
    assert called(aws) == ["sts"]
    assert typed.code in (1, 2, 3), typed.text  # test-connect has an answer: no
    assert f"belong to account {OTHER} (`user/anna`), and account {MEANT} is meant" in typed.text


def test_the_sentence_names_accounts_keys_and_source(desk: Desk, aws: StandIn) -> None:
    """Both accounts, whose keys, and the line of the setting; then what can be typed."""
    assert desk("client", "list").lines == [
        f"! error: these keys (keys of AWS_ACCESS_KEY_ID) belong to account {OTHER} (`user/anna`), "
        f"and account {MEANT} is meant (iotauth.yaml, line 2)",
        "! hint: nothing was called there; choose other keys with `--profile`, or correct `account`",
        "[exit 2]",
    ]


def test_the_variable_says_so_too(desk: Desk, aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """IOTAUTH_ACCOUNT is nearer than the file, and named as the source."""
    monkeypatch.setenv("IOTAUTH_ACCOUNT", "333333333333")
    assert "account 333333333333 is meant (IOTAUTH_ACCOUNT)" in desk("client", "list").text


def passed(typed: Typed, aws: StandIn) -> bool:
    return called(aws)[:2] == ["sts", "dynamodb"] and "may not call `dynamodb:Scan`" in typed.text


def test_the_right_account_costs_one_question(desk: Desk, aws: StandIn, account: Account) -> None:
    """Then the command goes its way."""
    account.account = MEANT
    assert passed(desk("client", "list"), aws)
    assert called(aws).count("sts") == 1


def test_without_the_setting_nobody_is_asked(desk: Desk, aws: StandIn) -> None:
    """A fast command stays without STS."""
    (desk.folder / "iotauth.yaml").write_text("region: eu-west-1\n")
    desk("client", "list")
    assert set(called(aws)) == {"dynamodb"}


@pytest.mark.parametrize("status", [403, 500, 503], ids=str)
def test_no_answer_is_a_no(status: int, desk: Desk, aws: StandIn, account: Account) -> None:
    """Where STS does not say whose keys these are, nothing goes on."""
    account.account, account.status = MEANT, status
    typed = desk("client", "list")
    assert set(called(aws)) == {"sts"}
    assert f"it could not be checked that these keys belong to account {MEANT} (iotauth.yaml, line 2)" in typed.text
    assert typed.code == 3


def test_nobody_there_is_a_no(desk: Desk, aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is down stops a command before its first call; STS alone may be out of reach."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    typed = desk("client", "list")
    assert aws.requests == []
    assert "it could not be checked" in typed.text


def test_the_emulator_is_held_to_no_account(desk: Desk, aws: StandIn) -> None:
    """A project with `account:` goes on working with `--emulator`: what is missing is only the emulator."""
    typed = desk("client", "list", "--emulator")
    assert "the emulator is not running" in typed.text
    assert aws.requests == []


def test_the_audit_log_names_who_was_stopped(desk: Desk, aws: StandIn) -> None:
    """The refusal leaves its line, with the caller that STS named."""
    desk("client", "add", "door-7", "--topic", "doors/7")
    text = (desk.folder / ".iotauth" / "audit" / "aws-eu-west-1.jsonl").read_text()
    assert f"arn:aws:iam::{OTHER}:user/anna" in text
    assert '"outcome":"failed"' in text
    assert len(aws.requests) == 1


def test_the_answer_is_kept(desk: Desk, aws: StandIn, account: Account) -> None:
    """A key never changes its account: the next command knows whose it is, and goes on at once."""
    account.account = MEANT
    desk("client", "list")
    desk("client", "list")
    assert called(aws).count("sts") == 1


def test_a_proxy_leads_to_sts_too(desk: Desk, aws: StandIn, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind one the light client reaches nobody; boto3 then asks the one question."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.invalid")
    monkeypatch.setenv("http_proxy", aws.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert f"belong to account {OTHER}" in desk("client", "list").text
    assert [request.path for request in aws.requests] == ["http://sts.example.invalid/"]


def test_nothing_is_kept_where_there_is_no_project(
    desk: Desk, aws: StandIn, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look from any folder leaves nothing behind in it."""
    (desk.folder / "iotauth.yaml").unlink()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("IOTAUTH_ACCOUNT", MEANT)
    account.account = MEANT
    assert passed(desk("client", "list"), aws)
    assert not (desk.folder / ".iotauth").exists()


@pytest.mark.parametrize("kept", ["no ARN", "arn:aws:iam::1234:user/x", 7, None, ["x"]], ids=str)
def test_what_was_kept_and_cannot_be_read_is_asked_again(
    kept: object, desk: Desk, aws: StandIn, account: Account
) -> None:
    """A broken note is no answer, and neither is the audit log's "nobody knew"."""
    account.account = MEANT
    desk("client", "list")
    file = desk.folder / ".iotauth" / "audit" / "callers.json"
    file.write_text(json.dumps(dict.fromkeys(json.loads(file.read_text()), kept)))
    assert passed(desk("client", "list"), StandIn("", aws.requests[2:]))
    file.write_text("{")
    assert passed(desk("client", "list"), StandIn("", aws.requests[4:]))


def test_what_a_test_stand_answered_counts_nowhere_else(
    desk: Desk, aws: StandIn, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer holds for the address that gave it: whatever takes STS's place knows nothing of AWS's keys."""
    account.account = MEANT
    desk("client", "list")
    with stand_in(Account()) as another:
        monkeypatch.setenv("AWS_ENDPOINT_URL", another.url)
        assert "is meant" in desk("client", "list").text
        assert called(another) == ["sts"]


def test_the_doctor_tells_the_account_and_looks_no_further(desk: Desk, aws: StandIn) -> None:
    """An examination reads too: it says whose keys these are and examines nothing of theirs."""
    typed = desk("doctor")
    assert set(called(aws)) <= {"sts", None}  # unsigned is the question for the time, which anybody may ask
    assert OTHER in typed.text
    assert typed.code == 1
