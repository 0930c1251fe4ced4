"""One part brought to what is wanted, whatever AWS shows of it and when."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError
from iotauth_cli.operations.installation.part import Part
from support_aws import Pauses, aws_target
from support_installation import WISH


@dataclass(frozen=True)
class Late(Part[str]):
    """A part that AWS shows only after it was looked for *hidden* times."""

    hidden: int = 0
    done: list[str] = field(default_factory=list)
    resource = "thing"

    @property
    def name(self) -> str:
        return "late"

    def look(self) -> str | None:
        self.done.append("look")
        made = "create" in self.done
        return "bare" if made and self.done.count("look") > self.hidden + 1 else None

    def drift(self, found: str) -> list[str]:
        return ["it is bare"]

    def create(self) -> None:
        self.done.append("create")

    def mend(self, found: str) -> None:
        self.done.append("mend")

    def remove(self, found: str) -> None:
        self.done.append("remove")


def late(hidden: int) -> Late:
    return Late(Session(aws_target(), sleep=Pauses()), WISH, hidden)


def test_what_was_made_is_mended_when_it_appears() -> None:
    """IAM may not show a role yet that it has just made; the policy still has to go in."""
    part = late(hidden=2)
    part.bring()
    assert [step for step in part.done if step != "look"] == ["create", "mend"]
    assert part.session.sleep == Pauses([0.25, 0.5])


def test_what_never_appears_is_an_error() -> None:
    """Better than to go on without it."""
    with pytest.raises(AwsError, match="thing `late` was made and does not appear"):
        late(hidden=1000).bring()


def test_nothing_is_taken_away_that_is_not_there() -> None:
    """A step that an earlier run has done already is no failure."""
    part = late(hidden=1000)
    part.take_away()
    assert part.done == ["look"]
