"""CloudWatch Logs through boto3: groups, streams, and events by time, by pattern and in pages."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.control.logs import filter_pattern
from iotauth_cli.emulator.control.service import ServiceError
from iotauth_cli.emulator.model import LogLine
from support_control import Control, code_of, message_of

GROUP = "/aws/lambda/doors"
ARN = f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}"


@pytest.fixture
def logs(control: Control) -> Any:
    return control.client("logs")


@pytest.fixture
def now() -> int:
    """Now in epoch milliseconds: events much older or newer are rejected."""
    return int(time.time() * 1000)


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call()
    return code_of(error)


def put(logs: Any, events: Iterable[tuple[int, str]], stream: str = "one") -> dict[str, Any]:
    for create, names in (
        (logs.create_log_group, {"logGroupName": GROUP}),
        (logs.create_log_stream, {"logGroupName": GROUP, "logStreamName": stream}),
    ):
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            create(**names)
    listed = [{"timestamp": timestamp, "message": message} for timestamp, message in events]
    answered: dict[str, Any] = logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=listed)
    return answered


def found(answered: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answered["events"]]


def test_a_group_is_created_shown_and_deleted(logs: Any) -> None:
    """With its tags and its retention; a second of its name conflicts."""
    logs.create_log_group(logGroupName=GROUP, tags={"team": "doors"})
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/d")["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (GROUP, 7)
    assert (group["arn"], group["logGroupArn"]) == (f"{ARN}:*", ARN)
    assert logs.list_tags_for_resource(resourceArn=ARN)["tags"] == {"team": "doors"}
    logs.delete_retention_policy(logGroupName=GROUP)
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    assert refused(lambda: logs.create_log_group(logGroupName=GROUP)) == ("ResourceAlreadyExistsException", 400)
    logs.delete_log_group(logGroupName=GROUP)
    assert logs.describe_log_groups()["logGroups"] == []
    assert refused(lambda: logs.delete_log_group(logGroupName=GROUP)) == ("ResourceNotFoundException", 400)


def test_retention_knows_certain_days_only(logs: Any) -> None:
    """The model does not list them; the service does."""
    logs.create_log_group(logGroupName=GROUP)
    with pytest.raises(ClientError) as error:
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=2)
    assert code_of(error) == ("InvalidParameterException", 400)
    assert "Value '2' at 'retentionInDays' failed to satisfy constraint" in message_of(error)


def test_groups_are_listed_by_prefix_and_in_pages(logs: Any) -> None:
    """boto3's paginator follows the tokens."""
    for number in range(3):
        logs.create_log_group(logGroupName=f"/doors/{number}")
    logs.create_log_group(logGroupName="/other")
    paginator = logs.get_paginator("describe_log_groups")
    pages = list(paginator.paginate(logGroupNamePrefix="/doors", PaginationConfig={"PageSize": 2}))
    assert [[group["logGroupName"] for group in page["logGroups"]] for page in pages] == [
        ["/doors/0", "/doors/1"],
        ["/doors/2"],
    ]
    by_fragment = logs.describe_log_groups(logGroupNamePattern="ors/1")["logGroups"]
    assert [group["logGroupName"] for group in by_fragment] == ["/doors/1"]


def test_tags_of_a_group_are_merged_and_removed(logs: Any) -> None:
    """By the group's ARN; one of no group is not found."""
    logs.create_log_group(logGroupName=GROUP, tags={"a": "1"})
    logs.tag_resource(resourceArn=ARN, tags={"a": "2", "b": "3"})
    logs.untag_resource(resourceArn=ARN, tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=ARN)["tags"] == {"b": "3"}
    assert refused(lambda: logs.list_tags_for_resource(resourceArn=f"{ARN}x"))[0] == "ResourceNotFoundException"


def test_streams_show_when_they_were_used(logs: Any, now: int) -> None:
    """First and last event, by name or by last use, in either direction."""
    put(logs, [(now - 5, "x"), (now - 3, "y")], "b")
    put(logs, [(now - 9, "x")], "a")
    by_name = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert [stream["logStreamName"] for stream in by_name] == ["a", "b"]
    assert (by_name[1]["firstEventTimestamp"], by_name[1]["lastEventTimestamp"]) == (now - 5, now - 3)
    first = logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True, limit=1)
    assert [stream["logStreamName"] for stream in first["logStreams"]] == ["b"]
    rest = logs.describe_log_streams(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True, nextToken=first["nextToken"]
    )
    assert [stream["logStreamName"] for stream in rest["logStreams"]] == ["a"]
    only = logs.describe_log_streams(logGroupIdentifier=ARN, logStreamNamePrefix="b")["logStreams"]
    assert [stream["logStreamName"] for stream in only] == ["b"]
    logs.delete_log_stream(logGroupName=GROUP, logStreamName="b")
    assert found(logs.filter_log_events(logGroupName=GROUP)) == ["x"]


def test_events_need_their_group_and_their_stream(logs: Any) -> None:
    """Neither is made by putting an event; only functions get theirs without asking."""
    event = {"logEvents": [{"timestamp": 0, "message": "x"}], "logGroupName": GROUP, "logStreamName": "one"}
    assert refused(lambda: logs.put_log_events(**event)) == ("ResourceNotFoundException", 400)
    logs.create_log_group(logGroupName=GROUP)
    assert refused(lambda: logs.put_log_events(**event)) == ("ResourceNotFoundException", 400)


def test_events_come_in_order_or_not_at_all(logs: Any, now: int) -> None:
    """Out of order or over a day apart the whole batch is refused; too old or too new, single events are."""
    assert refused(lambda: put(logs, [(now, "b"), (now - 1, "a")])) == ("InvalidParameterException", 400)
    day = 86_400_000
    assert refused(lambda: put(logs, [(now - day - 1, "a"), (now, "b")])) == ("InvalidParameterException", 400)
    rejected = put(logs, [(now - 15 * day, "old")])["rejectedLogEventsInfo"]
    assert rejected == {"tooOldLogEventEndIndex": 1}
    mixed = put(logs, [(now, "kept"), (now + 3 * 3_600_000, "new")])["rejectedLogEventsInfo"]
    assert mixed == {"tooNewLogEventStartIndex": 1}
    assert found(logs.filter_log_events(logGroupName=GROUP)) == ["kept"]


def test_a_stream_is_read_from_its_end_and_from_its_start(logs: Any, now: int) -> None:
    """Tokens lead both ways; at an end the same token comes back."""
    put(logs, [(now + number, str(number)) for number in range(5)])
    where = {"logGroupName": GROUP, "logStreamName": "one", "limit": 2}
    end = logs.get_log_events(**where)
    assert found(end) == ["3", "4"]
    before = logs.get_log_events(**where, nextToken=end["nextBackwardToken"])
    assert found(before) == ["1", "2"]
    again = logs.get_log_events(**where, nextToken=before["nextForwardToken"])
    assert found(again) == ["3", "4"]
    over = logs.get_log_events(**where, nextToken=again["nextForwardToken"])
    assert (found(over), over["nextForwardToken"]) == ([], again["nextForwardToken"])
    start = logs.get_log_events(**where, startFromHead=True)
    assert found(start) == ["0", "1"]
    assert found(logs.get_log_events(**where, nextToken=start["nextForwardToken"])) == ["2", "3"]
    assert refused(lambda: logs.get_log_events(**where, nextToken="x"))[0] == "InvalidParameterException"


def test_the_end_of_a_time_range_is_in_the_filter_but_not_in_the_stream(logs: Any, now: int) -> None:
    """FilterLogEvents takes the end in, GetLogEvents leaves it out; both take the start."""
    put(logs, [(now + number, str(number)) for number in range(4)])
    span = {"startTime": now + 1, "endTime": now + 2}
    assert found(logs.filter_log_events(logGroupName=GROUP, **span)) == ["1", "2"]
    assert found(logs.get_log_events(logGroupName=GROUP, logStreamName="one", **span)) == ["1"]


def test_a_filter_goes_over_streams_in_the_order_of_time(logs: Any, now: int) -> None:
    """All of them, those named, or those with a prefix; in pages without loss or repetition."""
    put(logs, [(now, "a0"), (now + 2, "a2")], "a")
    put(logs, [(now + 1, "b1"), (now + 2, "b2")], "b")
    assert found(logs.filter_log_events(logGroupName=GROUP)) == ["a0", "b1", "a2", "b2"]
    assert found(logs.filter_log_events(logGroupName=GROUP, logStreamNames=["b"])) == ["b1", "b2"]
    assert found(logs.filter_log_events(logGroupIdentifier=ARN, logStreamNamePrefix="a")) == ["a0", "a2"]
    paginator = logs.get_paginator("filter_log_events")
    pages = list(paginator.paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 3}))
    assert [found(page) for page in pages] == [["a0", "b1", "a2"], ["b2"]]
    assert len({event["eventId"] for page in pages for event in page["events"]}) == 4
    both = {"logStreamNames": ["a"], "logStreamNamePrefix": "a"}
    assert refused(lambda: logs.filter_log_events(logGroupName=GROUP, **both))[0] == "InvalidParameterException"
    assert refused(lambda: logs.filter_log_events(logGroupName=GROUP, logStreamNames=["c"]))[0] == (
        "ResourceNotFoundException"
    )


def test_a_pattern_is_applied_before_the_limit(logs: Any, now: int) -> None:
    """A page is full of hits, however rare they are."""
    put(logs, [(now + number, f"{number} {'ERROR' if number % 10 == 0 else 'fine'}") for number in range(50)])
    page = logs.filter_log_events(logGroupName=GROUP, filterPattern="ERROR", limit=3)
    assert found(page) == ["0 ERROR", "10 ERROR", "20 ERROR"]
    rest = logs.filter_log_events(logGroupName=GROUP, filterPattern="ERROR", nextToken=page["nextToken"])
    assert found(rest) == ["30 ERROR", "40 ERROR"]
    assert "nextToken" not in rest


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR occurred", True),
        ("ERROR", "an error occurred", False),
        ("ERROR door", "door: ERROR", True),
        ("ERROR door", "window: ERROR", False),
        ('"wrong password"', "the wrong password", True),
        ('"wrong password"', "password wrong", False),
        ("ERROR -door", "door: ERROR", False),
        ("ERROR -door", "window: ERROR", True),
        ("?ERROR ?WARN", "a WARN", True),
        ("?ERROR ?WARN", "fine", False),
        (r'"\"client\":\"door-7\""', '{"client":"door-7"}', True),
        ("-healthy", "healthy", False),
    ],
)
def test_the_terms_of_a_pattern(pattern: str, message: str, expected: bool) -> None:
    """All wanted, none unwanted, one of the alternatives; quotes hold a phrase, case counts."""
    assert filter_pattern.parse(pattern).matches(message) is expected


@pytest.mark.parametrize("pattern", ["{ $.a = 1 }", "[a, b]", "%x%"])
def test_patterns_beyond_terms_say_that_they_are_not_there(pattern: str) -> None:
    """501 and the sign that they begin with, instead of a wrong result."""
    with pytest.raises(ServiceError, match="filter patterns that begin with") as error:
        filter_pattern.parse(pattern)
    assert error.value.status == 501


@given(st.text(max_size=20))
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    """No pattern makes the parser fail in another way, and each judges any message."""
    try:
        parsed = filter_pattern.parse(pattern)
    except ServiceError:
        return
    assert parsed.matches(pattern) in (True, False)


def test_what_functions_print_gathers_and_is_read_at_once(control: Control, logs: Any) -> None:
    """Lines wait together for SQLite, but every reader sees them; group and stream come with them."""

    def write() -> None:
        for number in range(3):
            control.logs.write(LogLine(GROUP, "2026/01/01/[$LATEST]1", "us-east-1", 1000 + number, f"line {number}"))

    control.server.call(write)
    assert found(logs.filter_log_events(logGroupName=GROUP)) == ["line 0", "line 1", "line 2"]
    control.server.call(write)
    assert logs.describe_log_groups()["logGroups"][0]["logGroupName"] == GROUP
    control.server.call(write)
    control.restart()
    assert len(found(logs.filter_log_events(logGroupName=GROUP))) == 9
    elsewhere = control.client("logs", "eu-west-1")
    assert elsewhere.describe_log_groups()["logGroups"] == []


def test_expired_events_are_gone_after_a_restart(control: Control, logs: Any, now: int) -> None:
    """What is older than the group's retention is dropped when the state is opened."""
    day = 86_400_000
    put(logs, [(now - 3 * day, "old")])
    put(logs, [(now, "young")])
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    control.restart()
    assert found(logs.filter_log_events(logGroupName=GROUP)) == ["young"]
