"""Following the authorizer log: told once, counted now and then, and not lost when the log begins anew."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

from iotauth_cli.emulator import lifecycle
from iotauth_cli.emulator.attempts import KEPT, REFUSED, Attempt, AttemptLog
from iotauth_cli.emulator.state import State
from iotauth_cli.operations import emulator
from iotauth_cli.operations.following import COUNTED_EVERY_S, Following

NOON = 1_800_000_000.0


class Watch:
    """A stopwatch that is moved by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def attempt(number: int, at: float = NOON, repeats: int = 0) -> Attempt:
    return Attempt(REFUSED, "authorizer", "no", client_id="c", number=number, at=at, last_at=at, repeats=repeats)


def test_what_stands_in_the_log_is_told_once() -> None:
    """Two looks at the same lines tell them the first time only."""
    following = Following()
    look = [attempt(1), attempt(2)]
    assert list(following.news(look)) == look
    assert list(following.news([*look, attempt(3)])) == [attempt(3)]


def test_repeats_are_counted_and_told_at_most_every_ten_seconds() -> None:
    """A client that hammers is one line at once, and then one with its count every while."""
    watch = Watch()
    following = Following(clock=watch)
    assert list(following.news([attempt(1)])) == [attempt(1)]
    assert list(following.news([attempt(1, repeats=40)])) == []
    watch.seconds = COUNTED_EVERY_S
    assert list(following.news([attempt(1, repeats=90)])) == [attempt(1, repeats=90)]
    assert list(following.news([attempt(1, repeats=91)])) == []


def test_what_is_older_than_what_was_shown_stays_untold() -> None:
    """`--limit 1` showed the last line; the earlier ones are no news. One that is repeated later is."""
    shown, older = attempt(1, NOON + 9), attempt(2, NOON)
    following = Following([shown])
    assert list(following.news([older, shown])) == []
    again = replace(attempt(3), last_at=NOON + 10)
    assert list(following.news([older, shown, again])) == [again]


def test_a_log_that_begins_anew_is_followed_further() -> None:
    """After `emulator reset` the numbers start over; a line of the same number is another one."""
    following = Following([attempt(1), attempt(2)])
    assert list(following.news([attempt(1), attempt(2)])) == []
    assert list(following.news([])) == []
    assert list(following.news([attempt(1, NOON + 60)])) == [attempt(1, NOON + 60)]


def test_following_for_months_does_not_fill_the_memory() -> None:
    """Only as many lines are remembered as the log itself keeps."""
    following = Following()
    for number in range(KEPT + 5):
        list(following.news([attempt(number)]))
    assert list(following.news([attempt(KEPT + 4)])) == []
    assert list(following.news([attempt(0)])) == [attempt(0)]


def test_a_reset_and_a_new_start_between_two_looks(tmp_path: Path) -> None:
    """The state file goes and another comes; who follows sees both sides of it."""
    record(tmp_path, "before")

    def sleep(_seconds: float) -> None:
        lifecycle.reset(tmp_path)
        record(tmp_path, "after")

    following = emulator.follow(tmp_path, sleep=sleep)
    assert [each.sentence for each in islice(following, 2)] == ["before", "after"]


def record(state_dir: Path, sentence: str) -> None:
    state = State.open(state_dir)
    AttemptLog(state).record(Attempt(REFUSED, "authorizer", sentence, client_id="c"))
    state.close()
