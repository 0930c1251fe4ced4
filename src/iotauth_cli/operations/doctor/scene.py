"""What is looked at: the settings, this machine, and AWS through a session that asks each question once."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from iotauth_cli import __version__
from iotauth_cli.aws import iot, lambda_
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.errors import AccessDenied, IotauthError
from iotauth_cli.operations.authorizers import with_its_function
from iotauth_cli.operations.doctor.finding import Door, Unseen
from iotauth_cli.operations.doctor.memory import Once, Remembering
from iotauth_cli.operations.installation import Wish
from iotauth_cli.operations.installation.authorizer import function_of
from iotauth_cli.operations.installation.function import HANDLER
from iotauth_cli.operations.installation.part import MADE_BY
from iotauth_cli.operations.installation.stack import stack_behind


@dataclass(frozen=True)
class Machine:
    """What runs here. *required* are the oldest versions that iotauth works with, *installed* those that are there."""

    python: tuple[int, int]
    version: str
    required: Mapping[str, str]
    installed: Mapping[str, str]

    @classmethod
    def read(cls) -> Machine:
        required = oldest(metadata.requires("iotauth") or []) if is_installed("iotauth") else {}
        installed = {name: metadata.version(name) for name in required if is_installed(name)}
        return cls(sys.version_info[:2], __version__, required, installed)


def oldest(requirements: list[str]) -> dict[str, str]:
    """Return the lower bounds of *requirements* (`boto3>=1.40`); those of extras are left out."""
    found = (re.match(r"([\w.-]+)[^;]*>=\s*([\w.]+)", text) for text in requirements if "extra" not in text)
    return {match[1]: match[2] for match in found if match}


def is_installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


@dataclass(frozen=True)
class Premises:
    """What the settings say. *door* is the way to AWS, or why there is none; *now* is in epoch seconds.

    *account* is the one that is meant, where that was said; *store_name* names the private files of the target.
    """

    wish: Wish
    project_dir: Path
    state_dir: Path
    door: Door
    now: float
    timeout_s: float
    account: str | None = None
    store_name: str | None = None
    machine: Machine | None = None


@dataclass(frozen=True)
class Scene:
    """*denied* are the calls that AWS would not answer, as they come."""

    premises: Premises
    denied: list[str] = field(default_factory=list)
    once: Once = field(default_factory=Once, compare=False)

    @property
    def now(self) -> float:
        return self.premises.now

    @property
    def iotauth(self) -> Path:
        return self.premises.project_dir / ".iotauth"

    @cached_property
    def machine(self) -> Machine:
        return self.premises.machine or Machine.read()

    @property
    def session(self) -> Session:
        door = self.premises.door
        if isinstance(door, IotauthError):
            raise door
        session: Session = self.once("session", lambda: Remembering.of(door))
        return session

    def close(self) -> None:
        """Close every connection that was opened for the checks."""
        door = self.premises.door
        if isinstance(door, Session):
            self.once("session", lambda: Remembering.of(door)).close_but(door)

    def aws(self, words: str) -> str:
        """Return how a shell calls the AWS CLI for the same place."""
        return f"{self.session.target.aws_command} {words}"

    @property
    def store(self) -> Store:
        if self.premises.store_name is None:
            raise Unseen("it is not known which target is meant")
        return Store(self.iotauth, self.premises.store_name)

    # --- what checks share: the session remembers, so asking again costs nothing ---------------

    def identity(self) -> dict[str, Any]:
        return self.session.call("sts", "get_caller_identity")

    def found_authorizer(self) -> iot.Authorizer | None:
        return iot.find(self.session, self.premises.wish.authorizer)

    def authorizer(self) -> iot.Authorizer:
        found = self.found_authorizer()
        if found is None:
            raise Unseen(f"there is no authorizer `{self.premises.wish.authorizer}`")
        return found

    def wish(self) -> Wish:
        """Return the names as they really are: the authorizer may call a function of the user's own.

        Whoever may not see the authorizer is told of the function that the settings name.
        """
        try:
            found = self.found_authorizer()
        except AccessDenied:
            found = None
        return with_its_function(self.session, self.premises.wish, found)

    def function_arn(self) -> FunctionArn:
        return function_of(self.session, self.wish())

    def function(self) -> lambda_.Function:
        arn = self.function_arn()
        found = lambda_.find(self.session, arn.name)
        if found is None:
            raise Unseen(f"there is no function `{arn.name}`")
        return found

    def own_function(self) -> lambda_.Function | str:
        """Return the function if iotauth made it or its handler runs in it, else what to say of another."""
        found = self.function()
        if found.configuration.handler == HANDLER or MADE_BY in found.configuration.description:
            return found
        return f"function `{found.name}` is your own, and how it is made is your choice"

    def stack(self) -> str | None:
        """Return the stack that owns the function, or None: also where it may not be seen."""
        with contextlib.suppress(IotauthError, Unseen):
            return stack_behind(self.session, self.wish())
        return None

    def absent(self, sentence: str) -> str:
        """Return *sentence* for a part that is missing from an installation; there may be none at all.

        Raises:
            Unseen: there is no authorizer, which is said by the check that looks for it.
        """
        with contextlib.suppress(AccessDenied):
            self.authorizer()
        return sentence
