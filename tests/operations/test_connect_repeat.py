"""The same attempt many times, and a connection that stays: who ends it, and what can be said of that."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from iotauth_cli.cli import render_connect, test_connect
from iotauth_cli.cli.output import Output
from iotauth_cli.operations import connect
from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.operations.repeat import Summary, Try, tries
from iotauth_cli.probe.stages import Manner, Started
from support_emulator import running_emulator
from support_world import CLIENT, TOPIC, Place, connected, installed

FIVE = Manner(is_mqtt5=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("repeat")
    with running_emulator(directory) as emulator, installed(emulator, directory) as place:
        yield place


def prepared(place: Place, **members: Any) -> connect.Knock:
    return connect.prepare(place.session, place.store, place.wish, Visit(CLIENT, timeout_s=8, **members))


def summed_up(
    place: Place, times: int, between: Callable[[int], None] = lambda number: None, **members: Any
) -> Summary:
    seen = Summary()
    for event in tries(place.session, prepared(place, **members), times=times, every_s=0):
        if isinstance(event, Try):
            seen.add(event)
            between(event.number)
    return seen


def test_tries_are_counted_and_timed_step_by_step(place: Place) -> None:
    seen = summed_up(place, 3)
    assert (seen.count, seen.of, seen.ok, seen.refused) == (3, 3, 3, 0)
    assert list(seen.stages)[-2:] == ["receive", "end"]
    for count, least, middle, most in seen.stages.values():
        assert count == 3
        assert least <= middle <= most
    assert seen.as_document()["ok"] is True


def test_each_try_is_diagnosed_by_itself(place: Place) -> None:
    """A client that is disabled in between: the later tries fail for that, the earlier ones stand."""

    def disable(number: int) -> None:
        if number == 1:
            place.update_row(CLIENT, allow_connect={"BOOL": False})

    try:
        seen = summed_up(place, 3, disable)
    finally:
        place.update_row(CLIENT, allow_connect={"BOOL": True})
    assert (seen.ok, seen.refused, dict(seen.causes)) == (1, 2, {"disabled": 2})
    lines = render_connect.summary(seen, 80)
    assert "3 tries: 1 ok, 2 refused" in lines
    assert f"2 × disabled: client `{CLIENT}` is disabled" in lines


def test_ctrl_c_gives_the_summary_so_far(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """The document is printed, and the interruption goes on to where the program says so."""

    def interrupted() -> Generator[Any, None, None]:
        for event in tries(place.session, prepared(place), times=100, every_s=0):
            yield event
            if isinstance(event, Try) and event.number == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        test_connect.tell_all(Output(as_json=True), interrupted())
    document = json.loads(capsys.readouterr().out)
    assert (document["tries"], document["of"], document["let_in"]) == (2, 100, 2)


def test_the_answer_is_yes_only_if_every_try_was_let_in(place: Place) -> None:
    def code(**members: Any) -> int:
        return test_connect.tell_all(
            Output(as_json=True), tries(place.session, prepared(place, **members), times=1, every_s=0)
        )

    assert code() == 0
    assert code(publish="elsewhere/x") == 1
    assert code(port=1) == 3


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tries_and_their_summary_fit_the_width(place: Place, width: int) -> None:
    seen, lines = Summary(), []
    for event in tries(place.session, prepared(place, publish="elsewhere/x"), times=2, every_s=0):
        assert len(render_connect.progress(seen, event)) <= 80
        if isinstance(event, Try):
            seen.add(event)
            lines += render_connect.try_lines(event, width)
    lines += render_connect.summary(replace(seen, of=5), width)
    assert lines[0].startswith("no  1")
    assert "2 of 5 tries: 0 ok, 2 refused" in lines
    assert all(len(line) <= width for line in lines)


# --- staying ------------------------------------------------------------------------------------


def stay(place: Place, then: Callable[[], None], **members: Any) -> Report:
    """Connect, stay, do *then* as soon as the staying has begun, and return how it ended."""
    events = connect.knock(place.session, prepared(place, stay_s=20.0, **members))
    try:
        while True:
            event = next(events)
            if isinstance(event, Started) and event.name == "stay":
                then()
    except StopIteration as end:
        report: Report = end.value
        return report


def cause_of(report: Report) -> str:
    assert report.diagnosis is not None
    return report.diagnosis.cause


def test_a_connection_that_nobody_ends_stays(place: Place) -> None:
    report = connect.prepare(place.session, place.store, place.wish, Visit(CLIENT, stay_s=0.2))
    assert report.errand.stay_s == 0.2
    ended = place.knock(stay_s=0.2)
    assert ended.ok
    assert [stage.name for stage in ended.stages][-2:] == ["stay", "end"]


def test_two_devices_with_one_client_id_are_recognised_in_mqtt_5(place: Place) -> None:
    """The broker says so: session taken over."""
    report = stay(place, lambda: connected(place, CLIENT).socket.close(), manner=FIVE)
    assert cause_of(report) == "session-taken-over"
    assert report.stages[-1].facts["code"] == 0x8E


def test_without_a_reason_two_causes_remain_and_how_to_tell_them_apart_is_said(place: Place) -> None:
    """MQTT 3.1.1 only hangs up."""
    report = stay(place, lambda: connected(place, CLIENT).socket.close())
    assert cause_of(report) == "ended-without-a-word"
    assert report.diagnosis is not None
    assert "--mqtt5 --stay 20" in report.diagnosis.remedy
    assert any(line.startswith("the connection lasted ") for line in report.diagnosis.evidence)


def test_a_session_that_was_ended_on_purpose_is_not_taken_for_a_second_device(place: Place) -> None:
    def end() -> None:
        place.emulator.client("iot-data").delete_connection(clientId=CLIENT)

    assert cause_of(stay(place, end, manner=FIVE)) == "session-ended"
    assert place.knock(publish=TOPIC).ok
