"""Where a command is about to work, in words and as a question."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.cli import place
from iotauth_cli.cli.context import Context
from iotauth_cli.cli.output import Output
from iotauth_cli.errors import InputError
from iotauth_cli.operations.audit_log import AuditLog, Event
from iotauth_cli.operations.installation import Step
from support_aws import ACCOUNT, stubbed

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-secret"}
IDENTITY = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "UserId": "AIDAEXAMPLE"}
NEW = [Step("create", "authorizer", "doors", "there is none")]


def context(tmp_path: Path, environ: dict[str, str], *, yes: bool = False, **flags: Any) -> Context:
    output = Output(assume_yes=yes, may_ask=False)
    return Context(flags, output, {"HOME": str(tmp_path / "home")} | environ, tmp_path / "project", ExitStack())


def aws_config(tmp_path: Path) -> None:
    (tmp_path / "home" / ".aws").mkdir(parents=True)
    (tmp_path / "home" / ".aws" / "config").write_text("[profile work]\nregion = eu-west-1\n")


def test_the_place_says_who_chose_it(tmp_path: Path) -> None:
    """The region's source and the profile stand in one line, before AWS was asked anything."""
    aws_config(tmp_path)
    assert (
        place.where(context(tmp_path, {}, profile="work")) == "AWS eu-west-1 (region from ~/.aws/config), profile work"
    )


def test_a_region_that_was_typed_needs_no_source(tmp_path: Path) -> None:
    """Whoever typed `--region` knows."""
    found = place.where(context(tmp_path, KEYS, region="eu-west-1"))
    assert found == "AWS eu-west-1, keys of AWS_ACCESS_KEY_ID"


def test_account_and_caller_are_told_once_aws_was_asked(tmp_path: Path) -> None:
    """The line costs no call; a plan has made it already."""
    here = context(tmp_path, KEYS | {"AWS_REGION": "eu-west-1"})
    with stubbed(here.session, "sts") as stub:
        assert ACCOUNT not in place.where(here)
        stub.add_response("get_caller_identity", IDENTITY)
        assert here.session.account == ACCOUNT
        told = place.where(here)
    expected = f"AWS eu-west-1 (region from AWS_REGION), account {ACCOUNT}, keys of AWS_ACCESS_KEY_ID, as user/ann"
    assert told == expected


def works_in(tmp_path: Path, region: str) -> None:
    (tmp_path / "project").mkdir(exist_ok=True)
    log = AuditLog(tmp_path / "project" / ".iotauth", f"aws-{region}")
    who = f"arn:aws:iam::{ACCOUNT}:user/ann"
    log.append(Event(0, who, "authorizer create", "done", facts={"authorizer": "doors"}, local="ann@desk"))


def agrees(here: Context, steps: list[Step]) -> bool:
    with stubbed(here.session, "sts") as stub:
        stub.add_response("get_caller_identity", IDENTITY)
        assert here.session.account == ACCOUNT
        return place.agrees(here, steps)


def test_a_second_region_needs_a_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same project, a forgotten `--region`: it is said where it works, and nothing goes on without a yes."""
    works_in(tmp_path, "eu-west-1")
    environ = KEYS | {"AWS_REGION": "us-east-1"}
    with pytest.raises(InputError, match="nobody to ask"):
        agrees(context(tmp_path, environ), NEW)
    told = f"this project works in AWS eu-west-1, account {ACCOUNT} (authorizer `doors`)"
    assert capsys.readouterr().err.splitlines() == [told]
    assert agrees(context(tmp_path, environ, yes=True), NEW)


def test_nothing_is_asked_where_the_project_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor where no authorizer would be made."""
    works_in(tmp_path, "eu-west-1")
    assert agrees(context(tmp_path, KEYS, region="eu-west-1"), NEW)
    assert agrees(context(tmp_path, KEYS, region="us-east-1"), [Step("update", "authorizer", "doors", "")])
    assert capsys.readouterr().err == ""


def test_a_plan_tells_what_would_be_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--dry-run` asks nothing, and does not keep quiet about it either."""
    works_in(tmp_path, "eu-west-1")
    here = context(tmp_path, KEYS, region="us-east-1")
    with stubbed(here.session, "sts") as stub:
        stub.add_response("get_caller_identity", IDENTITY)
        place.tell_elsewhere(here, NEW)
        place.tell_elsewhere(here, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("this project works in AWS eu-west-1")
