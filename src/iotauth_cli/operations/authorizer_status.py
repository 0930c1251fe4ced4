"""Whether an authorizer lets devices in, and which one decides about devices that name none."""

from __future__ import annotations

from dataclasses import dataclass

from iotauth_cli.aws import iot
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import InputError
from iotauth_cli.operations.authorizers import require


@dataclass(frozen=True)
class Found:
    """How an authorizer is: *is_default* of the account and region."""

    is_active: bool
    is_default: bool


def look(session: Session, name: str) -> Found:
    """Return how the authorizer is.

    Raises:
        NotFound: there is no such authorizer.
    """
    found, default = require(session, name), iot.find_default(session)
    return Found(found.is_active, default is not None and default.name == name)


def set_active(session: Session, name: str, *, is_active: bool) -> bool:
    """Make the authorizer ACTIVE or INACTIVE; return whether it was not.

    Raises:
        NotFound: there is no such authorizer.
    """
    if require(session, name).is_active == is_active:
        return False
    iot.update(session, name, is_active=is_active)
    return True


@dataclass(frozen=True)
class Default:
    """Which authorizer devices get that name none, *before* and as it is *wanted*; None for none."""

    before: str | None
    wanted: str | None

    @property
    def is_change(self) -> bool:
        return self.before != self.wanted


def plan_default(session: Session, name: str | None) -> Default:
    """Say what making *name* the default changes; None clears it.

    Raises:
        NotFound: there is no such authorizer.
        InputError: it is inactive, and would let nobody in.
    """
    if name is not None and not require(session, name).is_active:
        raise InputError(
            f"authorizer `{name}` is inactive, and would refuse every device that names none",
            hint=f"activate it first: `iotauth authorizer enable {name}`",
        )
    found = iot.find_default(session)
    return Default(found.name if found else None, name)


def apply_default(session: Session, planned: Default) -> None:
    if planned.wanted is None:
        iot.clear_default(session)
    elif planned.is_change:
        iot.set_default(session, planned.wanted)
