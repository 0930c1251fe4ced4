"""What a check is, and what it can say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import IotauthError

if TYPE_CHECKING:
    from iotauth_cli.operations.doctor.scene import Scene

Door = Session | IotauthError  # the way to AWS, or why there is none
Severity = Literal["error", "warning", "note"]
Status = Literal["error", "warning", "note", "fine", "unseen"]

MOST_NAMES = 3  # in a sentence


@dataclass(frozen=True)
class Repair:
    """Something that can be mended without anybody being locked out and without anything being lost.

    Two findings may have the same repair; *what* tells them apart.
    """

    what: str
    apply: Callable[[Door], None] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Finding:
    """*fix* is a command to type; one of ours begins with `iotauth `. With a *repair* it is safe."""

    severity: Severity
    sentence: str
    fix: str | None = None
    repair: Repair | None = None


class Unseen(Exception):
    """A check cannot look, because of what another one finds. The message says what is in the way."""


Outcome = Finding | str  # text: the fact that is well


@dataclass(frozen=True)
class Check:
    """One line of the checklist. *title* is what is asked about, in words, for whoever waits for it.

    *is_last*: it looks at what the others have found.
    """

    id: str
    group: str
    title: str
    look: Callable[[Scene], Outcome]
    is_last: bool = False


@dataclass(frozen=True)
class Result:
    """What *check* came to. *needs* is the permission that was missing, where one was.

    *is_blind*: nobody could be asked.
    """

    check: Check
    status: Status
    sentence: str
    fix: str | None = None
    repair: Repair | None = None
    needs: str | None = None
    is_blind: bool = False

    @property
    def ok(self) -> bool:
        """A note is something to know, and what could not be seen is not known to be wrong."""
        return self.status not in ("error", "warning")

    def as_document(self) -> dict[str, Any]:
        return {
            "id": self.check.id,
            "group": self.check.group,
            "status": self.status,
            "sentence": self.sentence,
            "fix": self.fix,
            "safe": self.repair is not None,
            "needs": self.needs,
        }


def some(names: Sequence[object]) -> str:
    """Name the first of *names*, and say how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(f"`{name}`" for name in names[:MOST_NAMES]) + more


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
