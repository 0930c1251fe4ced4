"""The project's audit log: one line for each command that changed something, or tried to.

`.iotauth/audit/<store>.jsonl`, mode 0600, is only ever appended to. Each line ends in a checksum
over the line before it and itself, so that a line changed, lost or put in between shows. The chain has no
secret key: it proves that nothing happened by accident or in passing, not that nobody with write
access computed it anew. Whoever keeps the last checksum elsewhere can prove more.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iotauth_cli.aws import caller as sts
from iotauth_cli.aws.caller import Callers
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import IotauthError
from iotauth_cli.files import FILE_MODE, cannot, lock, private_directory

UNKNOWN = "unknown"
CHAIN_DIGITS = 32  # 128 bits of SHA-256
CHAIN = re.compile(rb',"chain":"([0-9a-f]{%d})"}$' % CHAIN_DIGITS)
LOCK_PATIENCE_S = 5.0  # whoever holds the lock writes one line
LOCK_PAUSE_S = 0.005
READ_BACK_BYTES = 65_536
ASK_AGAIN_S = 600

_compact = json.JSONEncoder(separators=(",", ":"), default=str).encode


@dataclass(frozen=True)
class Event:
    """What one command did. *at* is in epoch seconds, *who* an ARN or `unknown`.

    *outcome* is `done`, `no` (the answer was no, or nobody said yes), `failed` with the error's
    *code*, or `interrupted`. *facts* name clients, slots, tables; never a secret.
    """

    at: int
    who: str
    command: str
    outcome: str
    code: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    local: str = ""  # user and machine, since keys are shared


@dataclass(frozen=True)
class Line:
    """A line of the log as it stands there. *event* is None where none can be read; *is_chained* tells
    whether its checksum is that of the line before and itself."""

    number: int
    event: Event | None
    chain: str
    is_chained: bool


@dataclass(frozen=True)
class AuditLog:
    """The log of one target below *directory*, the project's `.iotauth`."""

    directory: Path
    store_name: str

    @property
    def folder(self) -> Path:
        return self.directory / "audit"

    @property
    def path(self) -> Path:
        return self.folder / f"{self.store_name}.jsonl"

    def append(self, event: Event) -> None:
        """Write *event* behind the last line, whole and durable or not at all.

        Raises:
            InputError: the file cannot be written, or another process does not let go of it.
        """
        private_directory(self.folder, top=self.directory)
        try:
            # No link is followed: it may have come with a repository, and lead to a file of the user's own.
            no_link = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | no_link, FILE_MODE)
            with open(descriptor, "rb+", buffering=0):
                _lock(descriptor)
                size = os.fstat(descriptor).st_size
                before, needs_end = _tail(descriptor, size)
                _write(descriptor, size, (b"\n" if needs_end else b"") + chained(build(event), before))
        except OSError as problem:
            raise cannot("write", self.path, problem) from problem

    def lines(self) -> Iterator[Line]:
        """Yield every line, from the oldest; nothing where there is no log.

        Raises:
            InputError: it is there and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                before = ""
                for number, raw in enumerate(file, start=1):
                    line = parse(number, raw, before)
                    before = line.chain or before
                    yield line
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as problem:
            raise cannot("read", self.path, problem) from problem


@dataclass(frozen=True)
class Wanted:
    """Which lines are asked for: not older than *since* (epoch seconds), about *client*, of *command*.

    A command's group means all of its commands: `client` is `client add` and `client remove`.
    """

    since: int | None = None
    client: str | None = None
    command: str | None = None

    def matches(self, event: Event) -> bool:
        is_recent = self.since is None or event.at >= self.since
        is_command = self.command is None or f"{event.command} ".startswith(f"{self.command} ")
        return is_recent and is_command and (self.client is None or self.client in clients_of(event))


@dataclass(frozen=True)
class Verified:
    """What a walk along the chain found. *last* is the checksum to keep elsewhere."""

    lines: int
    broken: tuple[Line, ...]
    last: str

    @property
    def ok(self) -> bool:
        return not self.broken


def wanted(log: AuditLog, filters: Wanted) -> Iterator[Line]:
    """Yield the lines that *filters* ask for, and those that cannot be read: any of them might be meant."""
    return (line for line in log.lines() if line.event is None or filters.matches(line.event))


def verify(log: AuditLog) -> Verified:
    """Walk along the whole chain."""
    count, last, broken = 0, "", []
    for line in log.lines():
        count, last = line.number, line.chain or last
        if not line.is_chained:
            broken.append(line)
    return Verified(count, tuple(broken), last)


def clients_of(event: Event) -> tuple[str, ...]:
    """Return the clients that *event* names, one or several."""
    several = event.facts.get("clients")
    one = event.facts.get("client")
    return (*([one] if one else []), *(several if isinstance(several, list) else []))


def build(event: Event) -> str:
    """Return *event* as one compact JSON object."""
    return _compact(
        {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event.at)),
            "who": event.who,
            "local": event.local or local_user(),
            "command": event.command,
            "outcome": event.outcome,
            **({"code": event.code} if event.code else {}),
            "facts": event.facts,
        }
    )


def chained(body: str, before: str) -> bytes:
    """Return the line of *body*, which follows the one with checksum *before*."""
    return f'{body[:-1]},"chain":"{checksum(body.encode(), before)}"}}\n'.encode()


def checksum(body: bytes, before: str) -> str:
    """Return the checksum of a line: of the one before it, then its own JSON without the checksum."""
    return hashlib.sha256(before.encode() + body).hexdigest()[:CHAIN_DIGITS]


def parse(number: int, raw: bytes, before: str) -> Line:
    """Read one line that follows the one with checksum *before*. Never raises."""
    text = raw.rstrip(b"\n")
    chain = chain_of(text)
    body = CHAIN.sub(b"}", text)
    try:
        return Line(number, _event(json.loads(text)), chain, chain == checksum(body, before))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Line(number, None, chain, False)


def chain_of(line: bytes) -> str:
    """Return the checksum that *line* carries; nothing where it was torn off."""
    found = CHAIN.search(line)
    return found[1].decode() if found else ""


def _event(found: dict[str, Any]) -> Event:
    import calendar

    return Event(
        at=calendar.timegm(time.strptime(found["at"], "%Y-%m-%dT%H:%M:%SZ")),
        who=str(found["who"]),
        command=str(found["command"]),
        outcome=str(found["outcome"]),
        code=found.get("code"),
        facts=dict(found["facts"]),
        local=str(found["local"]),
    )


def caller(log: AuditLog, session: Session, *, now: int, may_ask: bool) -> str:
    """Return the ARN of whoever the session's keys belong to, or `unknown`.

    A key never changes its owner, so STS is asked once for each and the answer kept beside the
    log. Where it gave none it is not asked again before some minutes of *now* (epoch seconds) are over:
    nobody should wait for it at every command. Where *may_ask* is false only what is known counts.
    """
    if session.callers.found:  # this command has asked already
        return [*session.callers.found.values()][-1].arn
    try:
        key = session.keys().access_key if may_ask or session.target.access_key else None
    except IotauthError:
        key = None
    if key is None:
        return UNKNOWN
    callers, name = Callers(log.folder), session.caller_name(key)
    known = callers.kept(name) or 0
    if isinstance(known, int) and known <= now and may_ask:
        known = sts.arn(session) or now + ASK_AGAIN_S
        callers.keep(name, known)
    return known if isinstance(known, str) else UNKNOWN


def local_user() -> str:
    """Return `user@machine`, as far as this machine knows its user."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = UNKNOWN
    return f"{user}@{socket.gethostname()}"


def _lock(descriptor: int) -> None:
    """Keep other processes out until the file is closed.

    Raises:
        OSError: another one holds it for longer than writing a line takes.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while not lock(descriptor):  # on Windows it always is: where two lines were written at once, the chain shows it
        if time.monotonic() > deadline:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        time.sleep(LOCK_PAUSE_S)


def _tail(descriptor: int, size: int) -> tuple[str, bool]:
    """Return the checksum of the last line that has one, and whether the file ends within a line."""
    text, step = b"", READ_BACK_BYTES
    while len(text) < size:
        start = max(0, size - step)
        text = os.pread(descriptor, size - start, start)
        lines = text.split(b"\n")[0 if start == 0 else 1 :]
        chain = next(filter(None, map(chain_of, reversed(lines))), None)
        if chain:
            return chain, not text.endswith(b"\n")
        step *= 4
    return "", bool(text) and not text.endswith(b"\n")


def _write(descriptor: int, size: int, line: bytes) -> None:
    """Append *line*; a disk that fills up in the middle of it leaves the file as it was."""
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise
