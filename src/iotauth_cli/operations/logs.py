"""What the function and AWS IoT have logged, once or as it comes, as one story for each attempt to connect.

A log is read from a moment on; CloudWatch shows a line some seconds late, and not every stream's equally late.
So whoever follows looks again at the last `OVERLAP_MS` each time and takes by its id what is new: nothing comes
twice, and nothing is lost at the seam, whatever streams begin and end meanwhile.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from iotauth_cli.aws import iot, logs
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.logs import LogEvent
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, IotauthError, NotFound, Throttled
from iotauth_cli.operations import log_entries
from iotauth_cli.operations.log_calls import Calls, LoggedCall, LoggedLine
from iotauth_cli.operations.log_entries import IotEntry
from iotauth_cli.operations.log_stories import JOIN_MS, Item, Stories, Story

OVERLAP_MS = 30_000  # how late a line may come; CloudWatch needs some 5 s
UNFINISHED_MS = 20_000  # a call that began so long ago is told as it is; AWS IoT waits 5 s
MAX_ITEMS = 100_000  # of one look, the newest: what a day of a fleet logs must not fill our memory
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0
LONGEST_THROTTLED_S = 30.0

IotState = Literal["on", "off", "unseen"]


@dataclass(frozen=True)
class Sources:
    """Which logs there are to read: *function*'s, and AWS IoT's own where *iot* is ``on``.

    *level* is AWS IoT's. *unseen* says what this user may not read, in words.
    """

    function: str
    iot: IotState
    level: str | None = None
    unseen: tuple[str, ...] = ()
    is_function_seen: bool = True
    has_group: bool = True


@dataclass(frozen=True)
class Wanted:
    """Which stories are asked for. *limit* takes the newest; None all."""

    since_ms: int
    client_id: str | None = None
    only_trouble: bool = False
    limit: int | None = None

    def takes(self, story: Story) -> bool:
        is_asked = self.client_id is None or story.client_id == self.client_id
        return is_asked and (story.is_trouble or not self.only_trouble)


@dataclass(frozen=True)
class Found:
    """*left_out* counts the stories before the oldest of *stories* that were asked for as well.

    *uncalled* are the numbers of those that AWS IoT refused without a call of the function.
    """

    sources: Sources
    stories: tuple[Story, ...]
    left_out: int = 0
    uncalled: frozenset[int] = frozenset()
    is_cut: bool = False  # there was more than we hold, and the oldest was dropped unread


@dataclass(frozen=True)
class Told:
    """Something new in a story: *item* is what came last."""

    story: Story
    item: Item


@dataclass(frozen=True)
class Waiting:
    """AWS slows us down; the next look is in *seconds*."""

    seconds: float


def sources(session: Session, authorizer: str, function: str) -> Sources:
    """Find out whose log to read: that of the function which *authorizer* asks, or *function* if it cannot be seen."""
    unseen: list[str] = []
    try:
        found = iot.find(session, authorizer)
        function = FunctionArn.parse(found.function_arn).name if found else function
    except AccessDenied as denied:
        unseen.append(f"which function the authorizer asks: {denied.message}")
    state, level = iot_state(session, unseen)
    return Sources(function, state, level, tuple(unseen))


def iot_state(session: Session, unseen: list[str]) -> tuple[IotState, str | None]:
    """Return whether AWS IoT logs, and how much; what may not be asked is added to *unseen*."""
    try:
        found = iot.logging(session)
    except AccessDenied as denied:
        unseen.append(f"whether AWS IoT logs: {denied.message}")
        return "on", None  # its group may be readable all the same
    return ("on", found.level) if found is not None and found.is_on else ("off", None)


class Tail:
    """A log group, read again and again."""

    def __init__(self, session: Session, group: str, since_ms: int, now_ms: Callable[[], int]) -> None:
        self._session = session
        self._group = group
        self._since_ms = since_ms
        self._now_ms = now_ms
        self._newest_ms = since_ms
        self._seen: dict[str, int] = {}  # ids of what was told, with their times

    def news(self) -> Iterator[LogEvent]:
        """Yield what was not yielded before.

        Raises:
            NotFound: there is no such group, yet.
        """
        start_ms, newest_ms = max(self._since_ms, self._newest_ms - OVERLAP_MS), self._newest_ms
        for event in logs.events(self._session, self._group, start_ms):
            if event.id not in self._seen:
                self._seen[event.id] = event.at_ms
                newest_ms = max(newest_ms, event.at_ms)
                yield event
        # Only now: what a look that broke off has not brought must be looked for again. A clock that runs ahead,
        # somewhere, must not carry us past what comes.
        self._newest_ms = max(self._newest_ms, min(newest_ms, self._now_ms()))
        oldest_ms = self._newest_ms - OVERLAP_MS
        self._seen = {id_: at_ms for id_, at_ms in self._seen.items() if at_ms >= oldest_ms}


class Reading:
    """Both logs of one place, each from its own tail."""

    def __init__(self, session: Session, places: Sources, since_ms: int, now_ms: Callable[[], int]) -> None:
        self.places = places
        self._now_ms = now_ms
        self._calls = Calls()
        self.is_cut = False
        self._found: deque[Item] = deque(maxlen=MAX_ITEMS)
        self._function = Tail(session, logs.group_of(places.function), since_ms, now_ms)
        self._iot = Tail(session, logs.IOT_GROUP, since_ms, now_ms)

    @property
    def sees_calls(self) -> bool:
        """Whether a call of the function would have been found."""
        return self.places.is_function_seen and self.places.has_group and not self.is_cut

    def look(self, *, is_last: bool) -> list[Item]:
        """Return what is new, by time. Only the *last* look takes calls that are still running.

        What a look that broke off has found comes with the next one.
        """
        if self.places.is_function_seen:
            self._take(self._items_of_function())
            self._take(self._calls.settle(None if is_last else self._now_ms() - UNFINISHED_MS))
        if self.places.iot == "on":
            self._take(self._entries())
        found = sorted(self._found, key=lambda item: item.at_ms)
        self._found.clear()
        return found

    def _take(self, items: Iterable[Item]) -> None:
        for item in items:
            self.is_cut = self.is_cut or len(self._found) == MAX_ITEMS
            self._found.append(item)

    def _items_of_function(self) -> Iterator[Item]:
        try:
            for event in self._function.news():
                yield from self._calls.take(event)
        except NotFound:  # nobody has called it
            self.places = replace(self.places, has_group=False)
        except AccessDenied as denied:
            self.places = replace(
                self.places, is_function_seen=False, unseen=self._unseen("the function's log", denied)
            )

    def _entries(self) -> Iterator[IotEntry]:
        try:
            entries = map(log_entries.read, self._iot.news())
            yield from (entry for entry in entries if entry is not None)
        except NotFound:  # it was turned on, and nothing has happened since
            return
        except AccessDenied as denied:
            self.places = replace(self.places, iot="unseen", unseen=self._unseen("AWS IoT's log", denied))

    def _unseen(self, what: str, denied: IotauthError) -> tuple[str, ...]:
        return (*self.places.unseen, f"{what}: {denied.message}")


def read(session: Session, places: Sources, wanted: Wanted) -> Found:
    """Return the stories that the logs tell now.

    Raises:
        AccessDenied: neither log may be read.
    """
    reading, joined = Reading(session, places, wanted.since_ms, epoch_ms), Stories()
    for item in reading.look(is_last=True):
        joined.take(item)
    refuse_the_blind(reading.places)
    stories = joined.all()
    fitting = [story for story in stories if wanted.takes(story)]
    limit = len(fitting) if wanted.limit is None else wanted.limit
    shown = fitting[max(0, len(fitting) - limit) :]
    uncalled = frozenset(uncalled_in(stories, wanted.since_ms, epoch_ms())) if reading.sees_calls else frozenset()
    return Found(reading.places, tuple(shown), len(fitting) - len(shown), uncalled, reading.is_cut)


def uncalled_in(stories: Sequence[Story], since_ms: int, now_ms: int) -> Iterator[int]:
    """Yield the numbers of stories in which AWS IoT refused CONNECT and the function was certainly not called.

    Not of those whose call may have begun before *since_ms*, may not be in the log yet, or may be one of those
    that name nobody.
    """
    nameless = sorted(story.at_ms for story in stories if story.calls and story.client_id is None)
    for story in stories:
        if story.connect is None or story.connect.ok or story.calls:
            continue
        earliest_ms = story.at_ms - JOIN_MS
        place = bisect_left(nameless, earliest_ms)
        is_alone = place == len(nameless) or nameless[place] > story.at_ms + JOIN_MS
        if is_alone and earliest_ms >= since_ms and story.at_ms <= now_ms - OVERLAP_MS:
            yield story.number


def follow(
    session: Session, places: Sources, wanted: Wanted, now_ms: Callable[[], int] | None = None
) -> Iterator[Told | Waiting | Sources]:
    """Yield what the logs tell from the moment on that is *wanted*, without end.

    The `Sources` come first, and again when something turns out to be hidden.

    Raises:
        AccessDenied: neither log may be read.
    """
    reading, joined = Reading(session, places, wanted.since_ms, now_ms or epoch_ms), Stories()
    told, pause_s = None, FIRST_PAUSE_S
    while True:
        try:
            items = reading.look(is_last=False)
        except Throttled:
            pause_s = min(pause_s * 2, LONGEST_THROTTLED_S)
            yield Waiting(pause_s)
            session.sleep(pause_s)
            continue
        refuse_the_blind(reading.places)
        if reading.places.unseen != (told and told.unseen):
            told = reading.places
            yield told
        yield from news(joined, items, wanted)
        pause_s = FIRST_PAUSE_S if items else min(pause_s * 1.5, LONGEST_PAUSE_S)
        session.sleep(pause_s)


def news(joined: Stories, items: Iterable[Item], wanted: Wanted) -> Iterator[Told]:
    """Join *items*, and yield those that are wanted, each with the story it has become part of."""
    for item in items:
        story = joined.take(item)
        is_asked = wanted.client_id is None or story.client_id == wanted.client_id
        if is_asked and (is_trouble(item) or not wanted.only_trouble):
            yield Told(story, item)


def is_trouble(item: Item) -> bool:
    if isinstance(item, IotEntry):
        return item.is_trouble
    return isinstance(item, LoggedCall) and (item.call.error is not None or item.call.allowed is False)


def refuse_the_blind(places: Sources) -> None:
    if not places.is_function_seen and places.iot != "on":
        raise AccessDenied(
            f"neither the log of function `{places.function}` nor AWS IoT's can be read: {places.unseen[-1]}",
            hint="have what `iotauth policy readonly` prints allowed, or choose another user with `--profile`",
        )


def epoch_ms() -> int:
    return int(time.time() * 1000)


__all__ = ["Found", "LoggedLine", "Sources", "Story", "Told", "Waiting", "Wanted", "follow", "read", "sources"]
