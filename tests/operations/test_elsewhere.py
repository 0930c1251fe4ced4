"""Where else a project works, read from the private files that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotauth_cli.operations.audit_log import AuditLog, Event
from iotauth_cli.operations.elsewhere import Place, creates_authorizer, places
from iotauth_cli.operations.installation import Step

ACCOUNT = "123456789012"
OTHER = "210987654321"
HERE = "aws-eu-central-1"


def event(command: str = "authorizer create", account: str = ACCOUNT, outcome: str = "done", **facts: str) -> Event:
    who = f"arn:aws:sts::{account}:assumed-role/Admin/anna" if account else "unknown"
    return Event(1763640000, who, command, outcome, facts={"authorizer": "doors", **facts}, local="anna@desk")


def credential(directory: Path, store: str, name: str = "door-7") -> None:
    folder = directory / "credentials" / store
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text("{}")


def found(directory: Path, here: str = HERE, account: str = ACCOUNT) -> list[str]:
    return [place.store_name for place in places(directory, here=here, account=account)]


def test_a_new_project_works_nowhere(tmp_path: Path) -> None:
    """Without any files there is nothing to ask about."""
    assert found(tmp_path / ".iotauth") == []


def test_what_is_known_of_a_place(tmp_path: Path) -> None:
    """Authorizers and the account come from the audit log, the rest from the files beside it."""
    store = "aws-eu-west-1-prod"
    AuditLog(tmp_path, store).append(event())
    AuditLog(tmp_path, store).append(event(authorizer="gates"))
    AuditLog(tmp_path, store).append(event("authorizer delete"))
    credential(tmp_path, store)
    (tmp_path / "keys" / store / "doors").mkdir(parents=True)
    assert places(tmp_path, here=HERE, account=ACCOUNT) == (
        Place(store, "eu-west-1", "prod", ACCOUNT, ("gates",), 1, has_keys=True),
    )


@pytest.mark.parametrize("outcome", ["failed", "no", "interrupted"])
def test_an_attempt_is_no_installation(tmp_path: Path, outcome: str) -> None:
    """What was refused or ended in the middle made no authorizer that is in use."""
    AuditLog(tmp_path, "aws-eu-west-1").append(event(outcome=outcome))
    assert found(tmp_path) == []


def test_the_emulator_is_no_place(tmp_path: Path) -> None:
    """Nobody is asked who goes from the emulator to AWS, or back."""
    credential(tmp_path, "emulator")
    assert found(tmp_path) == []
    credential(tmp_path, "aws-eu-west-1")
    assert found(tmp_path, here="emulator") == []


def test_a_place_where_it_works_already_is_not_new(tmp_path: Path) -> None:
    """A project may work in two regions once somebody said so."""
    credential(tmp_path, "aws-eu-west-1")
    assert found(tmp_path) == ["aws-eu-west-1"]
    credential(tmp_path, HERE)
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("store", "account", "is_elsewhere"),
    [
        ("aws-eu-central-1-dev", ACCOUNT, False),
        ("aws-eu-central-1-dev", OTHER, True),
        ("aws-eu-central-1-dev", "", True),
        ("aws-eu-central-1", OTHER, True),
        ("aws-eu-central-1", "", False),
        ("aws-eu-west-1", ACCOUNT, True),
    ],
    ids=["two profiles, one account", "another account", "nobody knows", "other keys", "the same store", "region"],
)
def test_the_account_decides_within_a_region(tmp_path: Path, store: str, account: str, is_elsewhere: bool) -> None:
    """Two profiles may lead to one account, and one profile today to another account than yesterday."""
    AuditLog(tmp_path, store).append(event(account=account))
    assert bool(found(tmp_path)) is is_elsewhere


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "ap-southeast-5", "us-isob-east-1"])
def test_every_regions_name_is_told_from_the_profile(tmp_path: Path, region: str) -> None:
    """Profiles may contain what looks like a part of a region."""
    credential(tmp_path, f"aws-{region}-team-2")
    place = places(tmp_path, here=HERE, account=ACCOUNT)[0]
    assert (place.region, place.profile) == (region, "team-2")


def test_only_a_new_authorizer_is_asked_about() -> None:
    """A repaired one, or a function made for one that exists, is where it was."""
    assert creates_authorizer([Step("keep", "role", "a", ""), Step("create", "authorizer", "doors", "")])
    assert not creates_authorizer([Step("create", "function", "a", ""), Step("update", "authorizer", "doors", "")])
