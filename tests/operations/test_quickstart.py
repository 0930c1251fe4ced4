"""The story, told chapter by chapter on a real emulator, and what becomes of it when something breaks."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import Item, to_item
from iotauth_cli.errors import InputError, NotFound
from iotauth_cli.operations import clients, quickstart
from iotauth_cli.operations.emulator import Ports
from iotauth_cli.operations.quickstart import CLIENT, Began, Ended, Event, Report, Row, World
from iotauth_cli.secret import Secret
from support_emulator import RunningEmulator, running_emulator
from support_world import Place, standing

CHAPTERS = ["authorizer", "client", "row", "connect", "wrong-password", "foreign-topic", "no-alpn"]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("quickstart")) as running:
        yield running


@pytest.fixture
def place(emulator: RunningEmulator, tmp_path: Path) -> Iterator[Place]:
    with standing(emulator, tmp_path) as place:
        yield place


def world_of(place: Place) -> World:
    return World(place.session, place.store, place.table, place.wish, "aws", " --emulator", int(time.time()))


def story(place: Place) -> Iterator[Event]:
    return quickstart.story(world_of(place))


def until(events: Iterator[Event], name: str) -> Began:
    """Let the story go on to the beginning of chapter *name*."""
    return next(event for event in events if isinstance(event, Began) and event.name == name)


def endings(events: Iterator[Event]) -> dict[str, Ended]:
    return {event.chapter.name: event for event in events if isinstance(event, Ended)}


def test_the_story_comes_out_as_it_should_and_can_be_told_again(place: Place) -> None:
    """Twice in a row: every chapter ends well, and the second time the client is made anew."""
    first = endings(story(place))
    second = endings(story(place))
    assert list(first) == list(second) == CHAPTERS
    assert all(ended.ok for ended in (*first.values(), *second.values()))
    hashes = [json.dumps(run["row"].result.item) for run in (first, second) if isinstance(run["row"].result, Row)]
    assert hashes[0] != hashes[1]


def test_the_refusals_are_the_ones_that_are_told(place: Place) -> None:
    """Each refusal is a connection that really was refused, with the diagnosis of test-connect."""
    reports = {name: ended.result for name, ended in endings(story(place)).items() if isinstance(ended.result, Report)}
    causes = {name: report.diagnosis.cause if report.diagnosis else None for name, report in reports.items()}
    assert causes == {
        "connect": None,
        "wrong-password": "wrong-password",
        "foreign-topic": "publish-not-granted",
        "no-alpn": "no-alpn",
    }
    assert reports["wrong-password"].was_called is True
    assert reports["no-alpn"].was_called is False


def test_no_chapter_holds_the_secret(place: Place) -> None:
    """But for the credential itself, which the store keeps, it is nowhere in what is told."""
    told = [event for event in story(place) if not isinstance(event, Began)]
    kept = place.store.load(CLIENT)
    assert kept is not None
    assert kept.password.reveal() not in repr(told)


def test_a_function_that_is_deleted_in_the_middle_ends_the_story(place: Place) -> None:
    """The next connection fails, the story says how, and goes no further."""
    events = story(place)
    until(events, "connect")
    place.emulator.client("lambda").delete_function(FunctionName=place.wish.function)
    rest = endings(events)
    assert list(rest) == ["connect"]
    assert not rest["connect"].ok
    assert rest["connect"].was_answered
    assert "asks a function that is not there" in str(rest["connect"].unexpected)


@pytest.mark.parametrize("chapter", ["wrong-password", "no-alpn"])
def test_a_refusal_for_another_reason_is_not_taken_for_the_expected_one(place: Place, chapter: str) -> None:
    """A device that is refused because the function is gone was not refused for its password, or its ALPN."""
    events = story(place)
    until(events, chapter)
    place.emulator.client("lambda").delete_function(FunctionName=place.wish.function)
    rest = endings(events)
    assert list(rest) == [chapter]
    assert not rest[chapter].ok


def test_an_authorizer_that_lets_everybody_in_is_found_out(place: Place) -> None:
    """A wrong password that is accepted fails the story."""
    events = story(place)
    until(events, "wrong-password")
    kept = place.store.load(CLIENT)
    assert kept is not None
    place.update_row(CLIENT, Password={"S": quickstart.WRONG_PASSWORD})
    rest = endings(events)
    assert "was let in" in str(rest["wrong-password"].unexpected)


def test_a_killed_function_process_is_started_again_as_lambda_does(place: Place) -> None:
    """The process is not the function: the next call has a new one, and the story goes on."""
    events = story(place)
    until(events, "wrong-password")
    for pid in children_of(place.emulator.ready.pid):
        os.kill(pid, signal.SIGKILL)
    assert all(ended.ok for ended in endings(events).values())


def children_of(pid: int) -> list[int]:
    """Return the processes that the emulator has started; needs Linux's /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("no /proc to find the function's process in")
    return [int(child) for child in children.read_text().split()]


def test_a_dead_emulator_is_no_refusal(tmp_path: Path) -> None:
    """Nobody is there to say yes or no, and the chapter says so."""
    with running_emulator(tmp_path) as emulator, standing(emulator, tmp_path) as place:
        events = story(place)
        until(events, "connect")
        emulator.kill()
        ended = endings(events)["connect"]
    assert not ended.ok
    assert not ended.was_answered
    assert "nothing listens" in str(ended.unexpected)


def test_a_folder_that_cannot_be_written_is_said_before_anything_else_fails(place: Place) -> None:
    """The credential has to be kept, or the next commands could not be typed."""
    (place.project / ".iotauth").write_text("in the way")
    with pytest.raises(InputError, match="iotauth"):
        list(story(place))


SECRET = Secret("iota_only_for_this_test")
RECORD = clients.new_record(clients.NewClient("thermo-1", "iotauth"), SECRET, Grants.for_topic("a"), now=0)
OTHER = clients.new_record(clients.NewClient("thermo-2", "iotauth"), SECRET, Grants(), now=0)
SPOILED: dict[str, tuple[Item, str | None]] = {
    "as-it-should-be": (to_item(RECORD), None),
    "no-row": ({}, "is not in the table"),
    "plain-secret": (to_item(RECORD._replace(note=f"it is {SECRET.reveal()}")), "lies in the table as it is"),
    "another-clients-hash": (to_item(OTHER), "is not the secret's"),
}


@pytest.mark.parametrize(("item", "said"), SPOILED.values(), ids=SPOILED)
def test_the_row_is_held_against_the_secret(item: Item, said: str | None) -> None:
    """What is claimed about the item is checked on the item."""
    fault = quickstart.item_fault(item, SECRET, "thermo-1")
    assert fault is None if said is None else said in str(fault)


def test_the_first_chapter_finds_or_starts_the_emulator(emulator: RunningEmulator) -> None:
    """One that runs is left as it is."""
    began, ended = quickstart.open_emulator(emulator.state_dir, Ports())
    assert isinstance(began, Began)
    assert isinstance(ended, Ended)
    assert ended.ok
    assert not getattr(ended.result, "is_new", True)


def test_a_credential_that_vanished_is_an_error(place: Place) -> None:
    events = story(place)
    until(events, "row")
    place.store.remove(CLIENT)
    with pytest.raises(NotFound, match="is gone"):
        list(events)
