"""What can be said to change, and a change of one part: it knows how the part differs, and brings it there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import NotFound
from iotauth_cli.operations.installation import FunctionSettings, Step, Wish

SO_ALREADY = "it is so already"


@dataclass(frozen=True)
class Changes:
    """What was said; None, and what is empty, was not. *unreserve* takes back calls that are kept for the function."""

    settings: FunctionSettings = field(default_factory=FunctionSettings)
    unreserve: bool = False
    caching_for_http: bool | None = None
    tags: dict[str, str] = field(default_factory=dict)
    untag: tuple[str, ...] = ()
    function_arn: str | None = None


@dataclass(frozen=True)
class Change(ABC):
    """Something about one part that is to be otherwise."""

    session: Session
    wish: Wish
    changes: Changes

    @property
    @abstractmethod
    def resource(self) -> str: ...

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    def differences(self) -> list[str]:
        """Say what becomes of what; nothing if it is so already."""

    @abstractmethod
    def bring(self) -> None: ...

    def step(self) -> Step:
        found = self.differences()
        return Step("update" if found else "keep", self.resource, self.name, "; ".join(found) or SO_ALREADY)


def missing(wish: Wish, what: str) -> NotFound:
    return NotFound(f"there is no {what}", hint=f"finish it: `iotauth authorizer create {wish.authorizer}`")
