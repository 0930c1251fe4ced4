"""Which lines of two logs belong to one attempt, and which must stay apart because nothing proves it."""

from __future__ import annotations

import pytest

from iotauth_cli.operations import log_stories
from iotauth_cli.operations.log_calls import LoggedCall, LoggedLine
from iotauth_cli.operations.log_entries import IotEntry
from iotauth_cli.operations.log_stories import Item, Stories, Story
from iotauth_cli.operations.logs import uncalled_in
from iotauth_cli.probe.evidence import Call


def asked(
    at_ms: int, client: str | None = "a", *, allowed: bool | None = True, connection: str | None = "c"
) -> LoggedCall:
    """A call that took 10 ms."""
    made = Call(at_ms, client, allowed, "ok" if allowed else "disabled", duration_ms=10.0)
    return LoggedCall("stream", made, connection_id=f"{connection}-{at_ms}" if connection else None, is_over=True)


def entry(at_ms: int, event: str = "Connect", client: str | None = "a", *, ok: bool = True, **members: str) -> IotEntry:
    return IotEntry(at_ms, event, ok, client_id=client, **members)


def joined(*items: Item) -> list[Story]:
    stories = Stories()
    for item in items:
        stories.take(item)
    return stories.all()


def test_a_connection_is_one_story_from_the_call_to_its_end() -> None:
    """What the client did meanwhile is part of it; messages that went well are counted."""
    (story,) = joined(
        asked(0),
        entry(20),
        entry(30, "Subscribe", topic="t"),
        entry(40, "Publish-In", topic="t"),
        entry(40, "Publish-Out", topic="t"),
        entry(50, "Publish-In", topic="t"),
        entry(60, "Publish-In", ok=False, topic="x"),
        entry(70, "Disconnect", disconnect_reason="AUTH_ERROR"),
    )
    assert [each.event for each in story.entries] == ["Connect", "Subscribe", "Publish-In", "Disconnect"]
    assert (story.published, story.delivered, story.is_trouble, story.is_open) == (2, 1, True, False)


def test_the_connection_id_joins_what_the_client_id_cannot() -> None:
    """AWS IoT's trace id, where it is the same; and a later call for the same connection."""
    again = LoggedCall("stream", Call(9_000, "a", True, "ok"), connection_id="c-0")
    (story,) = joined(asked(0), IotEntry(60_000, "Connect", True, trace_id="c-0"), again)
    assert len(story.calls) == 2


@pytest.mark.parametrize(
    "items",
    [
        (asked(0), entry(4_000, ok=False)),
        (asked(0), entry(20, client="b")),
        (asked(0, allowed=False), entry(20)),
        (asked(0, connection=None), entry(20)),
        (asked(50), entry(20)),
        (asked(0, client=None, connection=None, allowed=None), entry(20, ok=False)),
        (asked(0), entry(20, client=None)),
    ],
    ids=[
        "too late",
        "another client",
        "let in after a no",
        "a test call",
        "before the call",
        "a call that names nobody",
        "an entry that names nobody",
    ],
)
def test_what_nothing_proves_stays_apart(items: tuple[Item, Item]) -> None:
    """Two stories are less wrong than one that never happened."""
    assert len(joined(*items)) == 2


def test_a_message_over_http_is_told_with_the_call_that_let_it_in() -> None:
    """It has no client id in AWS IoT's log, but the trace that its sender was told is the function's connection."""
    over_http = IotEntry(20, "Publish-In", True, trace_id="c-0", protocol="HTTP", topic="t")
    (story,) = joined(asked(0), over_http)
    assert (story.client_id, story.published, story.entries) == ("a", 1, ())
    (alone,) = joined(over_http)
    assert (alone.client_id, alone.entries) == (None, (over_http,))


def test_two_attempts_of_one_client_each_keep_their_own_end() -> None:
    """Each `Connect` goes to the newest call that has none."""
    first, second = joined(
        asked(0, allowed=False), entry(20, ok=False), asked(1000), entry(1020), entry(1030, "Disconnect")
    )
    assert [each.event for each in first.entries] == ["Connect"]
    assert [each.event for each in second.entries] == ["Connect", "Disconnect"]


def test_a_call_that_is_read_after_its_connect_belongs_to_it() -> None:
    """One log may come later than the other."""
    (story,) = joined(entry(20, ok=False), asked(0))
    assert (story.at_ms, len(story.calls), len(story.entries)) == (0, 1, 1)


def test_the_end_of_a_connection_that_was_taken_over_is_the_old_ones() -> None:
    """AWS IoT may log it after the new `Connect`."""
    old, new = joined(
        asked(0),
        entry(20),
        asked(90_000),
        entry(90_020),
        entry(90_030, "Disconnect", disconnect_reason="DUPLICATE_CLIENTID"),
    )
    assert not old.is_open
    assert old.is_trouble
    assert new.is_open


def test_a_disconnect_of_a_connection_from_before_is_a_story_of_its_own() -> None:
    """And so is a line that a function printed outside of any call."""
    first, second = joined(entry(5, "Disconnect", disconnect_reason="CONNECTION_LOST"), LoggedLine("s", 9, "hello"))
    assert (first.client_id, first.is_trouble) == ("a", True)
    assert second.line == "hello"


def test_only_so_many_stories_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest; what comes for a forgotten one begins a new one."""
    monkeypatch.setattr(log_stories, "MAX_STORIES", 2)
    stories = Stories()
    for at_ms in range(5):
        stories.take(asked(at_ms, f"client-{at_ms}"))
    assert [story.client_id for story in stories.all()] == ["client-3", "client-4"]
    stories.take(entry(10, client="client-0"))
    assert [story.client_id for story in stories.all()] == ["client-4", "client-0"]


def test_that_nobody_called_the_function_is_said_only_where_it_is_certain() -> None:
    """Not near a call that names nobody, not at the edge of what was read, not while the log may be late."""
    refused = entry(50_000, ok=False)

    def uncalled(*items: Item, since_ms: int = 0, now_ms: int = 100_000) -> bool:
        return bool(list(uncalled_in(joined(*items), since_ms, now_ms)))

    assert uncalled(refused)
    assert uncalled(asked(30_000, client=None, connection=None), refused)
    assert not uncalled(asked(49_000, client=None, connection=None), refused)
    assert not uncalled(asked(49_990, allowed=False), refused)
    assert not uncalled(refused, since_ms=45_000)
    assert not uncalled(refused, now_ms=60_000)
    assert not uncalled(entry(50_000))
