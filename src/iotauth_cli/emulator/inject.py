"""Bad days to order: what is to go wrong, how often or how long, and for whom.

`iotauth emulator inject` puts an `Injection` on the list here; the rooms that can fail are wrapped by
`unreliable`, which asks the list before each thing that could go wrong. Whatever does is a line of the
authorizer log, so that a day which is bad by order can be told from one that is bad by mistake.

The list is no part of the state: an emulator that was started anew has good days only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from iotauth_cli.emulator.admin import Handler, Members, number, text
from iotauth_cli.emulator.attempts import INJECTED, Attempt, AttemptLog
from iotauth_cli.errors import InputError

FUNCTION_THROTTLED = "function-throttled"
FUNCTION_SLOW = "function-slow"
FUNCTION_CRASH = "function-crash"
FUNCTION_WRONG_ANSWER = "function-wrong-answer"
CONNECTION_CUT = "connection-cut"
CONNACK_DELAY = "connack-delay"
CERTIFICATE_EXPIRED = "certificate-expired"
DYNAMODB_THROTTLED = "dynamodb-throttled"
DUPLICATE_CLIENT_ID = "duplicate-client-id"

MAX_DELAY_S = 3600.0
MAX_COUNT = 1_000_000  # beyond that nobody counts: it is a mistyped number
MAX_SECONDS = 366 * 86400.0  # a longer day is no longer a bad day, and the end must still be a date


@dataclass(frozen=True)
class Kind:
    """*knows_client*: who is concerned is known when it happens. *delay_s* is the usual delay of a kind with one."""

    name: str
    knows_client: bool = True
    delay_s: float | None = None


KINDS = {
    kind.name: kind
    for kind in (
        Kind(FUNCTION_THROTTLED),
        Kind(FUNCTION_SLOW, delay_s=6.0),  # AWS IoT waits 5 s
        Kind(FUNCTION_CRASH),
        Kind(FUNCTION_WRONG_ANSWER),
        Kind(CONNECTION_CUT),
        Kind(CONNACK_DELAY, delay_s=10.0),  # of the order at which clients give up
        Kind(CERTIFICATE_EXPIRED, knows_client=False),
        Kind(DYNAMODB_THROTTLED, knows_client=False),
        Kind(DUPLICATE_CLIENT_ID),
    )
}


@dataclass(frozen=True)
class Injection:
    """One thing that is to go wrong: *left* times more, or until *ends_at* (the emulator's seconds)."""

    number: int
    kind: str
    client_id: str | None = None
    left: int | None = None
    ends_at: float = math.inf
    delay_s: float | None = None


class Injections:
    """The list of what is to go wrong. *clock* is the emulator's."""

    def __init__(self, attempts: AttemptLog, clock: Callable[[], float]) -> None:
        self._attempts = attempts
        self._clock = clock
        self._active: list[Injection] = []
        self._last_number = 0

    def __bool__(self) -> bool:
        return bool(self._active)

    def add(
        self,
        kind: str,
        *,
        client_id: str | None = None,
        count: int | None = None,
        seconds: float | None = None,
        delay_s: float | None = None,
    ) -> Injection:
        """Put an injection on the list. Without *count* and *seconds* it happens once.

        Raises:
            InputError: there is no such kind, or the kind cannot be limited or delayed in this way.
        """
        found = _checked(kind, client_id, count, seconds, delay_s)
        self._last_number += 1
        injection = Injection(
            self._last_number,
            kind,
            client_id,
            left=None if seconds is not None else count or 1,
            ends_at=math.inf if seconds is None else self._clock() + seconds,
            delay_s=found.delay_s if delay_s is None else delay_s,
        )
        self._active.append(injection)
        return injection

    def take(self, kind: str, client_id: str | None, sentence: str) -> Injection | None:
        """Return the injection by which *kind* happens now to *client_id*, and write down *sentence*; None is usual."""
        if not self._active:
            return None
        wanted = (each for each in self.active() if each.kind == kind and each.client_id in (None, client_id))
        found = next(wanted, None)
        if found is not None:
            self._use(found)
            self._attempts.record(Attempt(INJECTED, kind, sentence, client_id=client_id))
        return found

    def active(self) -> tuple[Injection, ...]:
        """Return what may still happen, the oldest first."""
        now = self._clock()
        self._active = [each for each in self._active if now < each.ends_at]
        return tuple(self._active)

    def clear(self) -> int:
        """Let nothing more go wrong; return how many injections that ended."""
        ended = len(self.active())
        self._active = []
        return ended

    def _use(self, injection: Injection) -> None:
        if injection.left is None:
            return
        place = self._active.index(injection)
        if injection.left == 1:
            del self._active[place]
        else:
            self._active[place] = replace(injection, left=injection.left - 1)


class InjectionDesk:
    """What the emulator's own API says and does about injections. *on_added* is called after each new one."""

    def __init__(self, injections: Injections, on_added: Callable[[], None]) -> None:
        self._injections = injections
        self._on_added = on_added
        self.nouns: Mapping[str, Handler] = {"inject": self.show}
        self.verbs: Mapping[str, Handler] = {"inject": self.add, "inject/clear": self.clear}

    async def show(self, members: Members) -> Members:
        return {"injections": [_document(each) for each in self._injections.active()]}

    async def add(self, members: Members) -> Members:
        """Inject ``kind``; ``client_id``, ``count``, ``seconds`` and ``delay_s`` may be left out.

        Raises:
            InputError: as `Injections.add`.
        """
        injection = self._injections.add(
            text(members, "kind"),
            client_id=None if members.get("client_id") is None else text(members, "client_id"),
            count=_whole(members, "count"),
            seconds=None if members.get("seconds") is None else number(members, "seconds"),
            delay_s=None if members.get("delay_s") is None else number(members, "delay_s"),
        )
        self._on_added()
        return _document(injection)

    async def clear(self, members: Members) -> Members:
        return {"cleared": self._injections.clear()}


def _checked(name: str, client_id: str | None, count: int | None, seconds: float | None, delay_s: float | None) -> Kind:
    kind = KINDS.get(name)
    if kind is None:
        raise InputError(f"nothing called `{name}` can be injected", hint=f"one of: {', '.join(KINDS)}")
    if client_id is not None and not kind.knows_client:
        raise InputError(f"`{name}` happens before a client is known", hint="leave `--client` out")
    if count is not None and seconds is not None:
        raise InputError("an injection ends after a count or after a time, not both", hint="leave one of them out")
    if count is not None and not 1 <= count <= MAX_COUNT:
        raise InputError(f"`{name}` cannot happen {count} times", hint=f"use 1 to {MAX_COUNT} times")
    if seconds is not None and not 0 < seconds <= MAX_SECONDS:
        raise InputError(
            f"`{name}` cannot last {seconds:g} s", hint=f"use more than 0 and at most {MAX_SECONDS:.0f} s, a year"
        )
    if delay_s is not None and kind.delay_s is None:
        raise InputError(f"`{name}` has no delay", hint="leave the delay out")
    if delay_s is not None and not 0 < delay_s <= MAX_DELAY_S:
        raise InputError(
            f"`{name}` cannot come {delay_s:g} s late", hint=f"use more than 0 and at most {MAX_DELAY_S:.0f} s"
        )
    return kind


def _whole(members: Members, name: str) -> int | None:
    if members.get(name) is None:
        return None
    value = number(members, name)
    if not value.is_integer():
        raise InputError(f"`{name}` must be a whole number")
    return int(value)


def _document(injection: Injection) -> dict[str, Any]:
    members = asdict(injection)
    return {**members, "ends_at": None if injection.ends_at == math.inf else injection.ends_at}
