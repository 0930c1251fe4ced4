"""Where else on AWS a project has been at work: what keeps a second installation from being made in the wrong region.

Nobody has to write that down. The private files below `.iotauth` are named after their target, and the audit
log says what was created there and in which account. The emulator is no place in this sense: whoever
goes from it to AWS does what the guides tell them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iotauth_cli.operations.audit_log import AuditLog, Event
from iotauth_cli.operations.installation.part import Step

STORE = re.compile(r"aws-(?P<region>[a-z]+(?:-[a-z]+)+-\d+)(?:-(?P<profile>.+))?")
ACCOUNT = re.compile(r"arn:[\w-]+:\w+::(\d{12}):")
FOLDERS = ("credentials", "keys")


@dataclass(frozen=True)
class Place:
    """A region where this project works. *account* is None where no line of the audit log tells it.

    *authorizers* were created there and not deleted, as far as the audit log knows; *credentials* counts
    the clients whose credential is kept, *has_keys* tells whether keys are that sign tokens.
    """

    store_name: str
    region: str
    profile: str | None
    account: str | None
    authorizers: tuple[str, ...]
    credentials: int
    has_keys: bool

    @property
    def is_in_use(self) -> bool:
        return bool(self.authorizers or self.credentials or self.has_keys)


def creates_authorizer(steps: Sequence[Step]) -> bool:
    """Tell whether *steps* make an authorizer that was not there."""
    return any((step.action, step.resource) == ("create", "authorizer") for step in steps)


def places(directory: Path, *, here: str, account: str) -> tuple[Place, ...]:
    """Return the places other than the store *here* in *account* where the project of *directory* works.

    None if *here* is no place on AWS, or one where the project works already. In the same region the account
    decides: two profiles may lead to one. Where it is not known, another profile counts as another place.
    """
    own = STORE.fullmatch(here)
    if own is None:
        return ()
    found = [place for place in (look(directory, name) for name in stores(directory)) if place.is_in_use]
    if any(is_same(place, own["region"], here, account) for place in found):
        return ()
    return tuple(found)


def is_same(place: Place, region: str, store_name: str, account: str) -> bool:
    if place.region != region:
        return False
    return place.account == account if place.account else place.store_name == store_name


def stores(directory: Path) -> list[str]:
    """Return the names of the targets on AWS that have private files below *directory*."""
    folders = [path for folder in FOLDERS for path in entries(directory / folder) if path.is_dir()]
    logs = [path.with_suffix("") for path in entries(directory / "audit") if path.suffix == ".jsonl"]
    return sorted({path.name for path in [*folders, *logs] if STORE.fullmatch(path.name)})


def look(directory: Path, store_name: str) -> Place:
    """Return what the files of *store_name*, which names a place on AWS, say of it."""
    named = STORE.fullmatch(store_name)
    assert named is not None, store_name
    events = [line.event for line in AuditLog(directory, store_name).lines() if line.event]
    credentials = [path for path in entries(directory / "credentials" / store_name) if path.suffix == ".json"]
    return Place(
        store_name,
        named["region"],
        named["profile"],
        account_of(events),
        created(events),
        len(credentials),
        has_keys=any(path.is_dir() for path in entries(directory / "keys" / store_name)),
    )


def account_of(events: Sequence[Event]) -> str | None:
    """Return the account of the newest event that AWS could name the caller of."""
    return next((match[1] for event in reversed(events) if (match := ACCOUNT.match(event.who))), None)


def created(events: Sequence[Event]) -> tuple[str, ...]:
    """Return the authorizers that were created and not deleted since."""
    there: dict[str, None] = {}
    for event in events:
        name = event.facts.get("authorizer")
        if event.outcome == "done" and isinstance(name, str):
            if event.command == "authorizer create":
                there[name] = None
            elif event.command == "authorizer delete":
                there.pop(name, None)
    return tuple(there)


def entries(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
