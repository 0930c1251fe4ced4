"""One story for each attempt to connect: what the function decided, and what AWS IoT tells of the same connection.

The function is told a connection id and our handler logs it; AWS IoT's entries carry a trace id, and nothing says
that it is the same. Where it is, it joins them. Else a `Connect` belongs to the newest call for the same client id
that ended at most `SOON_MS` before and has none yet, and whatever follows to the client's connection of that time.
What can be said with less than that is not said: an entry without a client id stays alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from iotauth_cli.operations.log_calls import LoggedCall, LoggedLine
from iotauth_cli.operations.log_entries import CONNECT, DISCONNECT, PUBLISH_IN, PUBLISH_OUT, IotEntry

JOIN_MS = 10_000  # AWS IoT waits 5 s for the function; its clock and Lambda's are both AWS's
SOON_MS = 2_000  # how long after the function's answer AWS IoT logs what it made of it; UNCONFIRMED
OVERTAKEN_MS = 2_000  # the end of a connection may be logged so long after the one that took its place
MAX_STORIES = 50_000  # the newest
MAX_NOTES = 500  # entries of one story

Item = LoggedCall | LoggedLine | IotEntry


@dataclass(frozen=True)
class Story:
    """An attempt, or what is seen of one. *calls* are several where AWS IoT asked again later.

    *published* and *delivered* count messages; *entries* holds the rest, and what failed. *line* is what a
    function printed outside of any call.
    """

    number: int
    at_ms: int
    client_id: str | None = None
    connection_id: str | None = None
    calls: tuple[LoggedCall, ...] = ()
    entries: tuple[IotEntry, ...] = ()
    published: int = 0
    delivered: int = 0
    line: str | None = None

    @property
    def connect(self) -> IotEntry | None:
        return next((entry for entry in self.entries if entry.event == CONNECT), None)

    @property
    def is_open(self) -> bool:
        """Whether further entries may belong to it."""
        is_refused = self.connect is not None and not self.connect.ok
        return not is_refused and not any(entry.event == DISCONNECT for entry in self.entries)

    @property
    def is_trouble(self) -> bool:
        failed = any(each.call.error is not None or each.call.allowed is False for each in self.calls)
        return failed or any(entry.is_trouble for entry in self.entries)


class Stories:
    """Join items as they come. Those of one look at the logs are best given by time."""

    def __init__(self) -> None:
        self._stories: dict[int, Story] = {}
        self._count = 0
        self._by_connection: dict[str, int] = {}
        self._by_client: dict[str, list[int]] = {}

    def all(self) -> list[Story]:
        """Return the stories by the time at which they began."""
        return sorted(self._stories.values(), key=lambda story: (story.at_ms, story.number))

    def take(self, item: Item) -> Story:
        """Add *item*; return the story that it belongs to, as it stands now."""
        if isinstance(item, LoggedLine):
            return self._begin(Story(0, item.at_ms, line=item.text))
        return self._take_call(item) if isinstance(item, LoggedCall) else self._take_entry(item)

    def _take_call(self, found: LoggedCall) -> Story:
        story = self._of_connection(found.connection_id) or self._story_awaiting(found)
        if story is None:
            story = Story(0, found.at_ms, found.call.client_id, found.connection_id)
        connection_id = story.connection_id or found.connection_id
        calls = (*story.calls, found)[-MAX_NOTES:]
        return self._keep(replace(story, at_ms=min(story.at_ms, found.at_ms), connection_id=connection_id, calls=calls))

    def _story_awaiting(self, found: LoggedCall) -> Story | None:
        """Return the story whose `Connect` was read before this call, its cause: logs come late."""
        for story in self._of_client(found.call.client_id):
            connect = story.connect
            if connect is not None and not story.calls and _fits(found, connect):
                return story
        return None

    def _take_entry(self, entry: IotEntry) -> Story:
        story = self._of_connection(entry.trace_id) or self._story_of(entry)
        if story is None:
            story = Story(0, entry.at_ms, entry.client_id)
        if entry.ok and entry.event in (PUBLISH_IN, PUBLISH_OUT) and (story.number or entry.client_id):
            is_in = entry.event == PUBLISH_IN
            return self._keep(
                replace(story, published=story.published + is_in, delivered=story.delivered + (not is_in))
            )
        entries = sorted((*story.entries, entry), key=lambda each: each.at_ms)[-MAX_NOTES:]
        return self._keep(replace(story, entries=tuple(entries)))

    def _story_of(self, entry: IotEntry) -> Story | None:
        stories = self._of_client(entry.client_id)
        if entry.event == CONNECT:
            fitting = (each for each in stories if each.connect is None and each.calls and _fits(each.calls[-1], entry))
            return next(fitting, None)
        is_overtaken = entry.disconnect_reason == "DUPLICATE_CLIENTID"
        for story in stories:
            is_too_young = is_overtaken and entry.at_ms - story.at_ms < OVERTAKEN_MS and story is not stories[-1]
            if story.is_open and not is_too_young and story.at_ms <= entry.at_ms:
                return story
        return None

    def _of_connection(self, connection_id: str | None) -> Story | None:
        number = self._by_connection.get(connection_id) if connection_id else None
        return self._stories.get(number) if number is not None else None

    def _of_client(self, client_id: str | None) -> list[Story]:
        """Return what is known of a client, the newest first."""
        numbers = self._by_client.get(client_id, []) if client_id else []
        return [self._stories[number] for number in reversed(numbers) if number in self._stories]

    def _keep(self, story: Story) -> Story:
        if not story.number:
            return self._begin(story)
        self._stories[story.number] = story
        return story

    def _begin(self, story: Story) -> Story:
        self._count += 1
        story = replace(story, number=self._count)
        self._stories[story.number] = story
        if story.connection_id:
            self._by_connection[story.connection_id] = story.number
        if story.client_id:
            recent = self._by_client.setdefault(story.client_id, [])
            recent.append(story.number)
            del recent[:-10]
        if len(self._stories) > MAX_STORIES:
            self._forget(next(iter(self._stories)))
        return story

    def _forget(self, number: int) -> None:
        story = self._stories.pop(number)
        if story.connection_id and self._by_connection.get(story.connection_id) == number:
            del self._by_connection[story.connection_id]
        recent = self._by_client.get(story.client_id or "", [])
        if number in recent:
            recent.remove(number)
        if not recent:
            self._by_client.pop(story.client_id or "", None)


def _fits(found: LoggedCall, connect: IotEntry) -> bool:
    """Tell whether *connect* can be what became of the call: right after it, and not against its word."""
    if found.is_no_connection or (connect.ok and (found.call.allowed is False or found.call.error is not None)):
        return False
    last_ms = found.ended_ms + SOON_MS if found.is_over else found.at_ms + JOIN_MS
    return found.at_ms <= connect.at_ms <= last_ms
