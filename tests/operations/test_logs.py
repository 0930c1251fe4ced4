"""Reading logs once and following them, over HTTP from the emulator's CloudWatch: nothing twice, nothing lost."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from iotauth_cli.aws import logs as aws_logs
from iotauth_cli.aws.logs import LogEvent
from iotauth_cli.aws.session import Session
from iotauth_cli.emulator.model import LogLine
from iotauth_cli.errors import AccessDenied, AwsError, Throttled
from iotauth_cli.operations import iot_logging, logs
from iotauth_cli.operations.logs import Sources, Tail, Told, Waiting, Wanted
from support_control import REGION
from support_installation import WISH, Account

FUNCTION = WISH.function
PLACES = Sources(FUNCTION, "on", "INFO")
GROUP = aws_logs.group_of(FUNCTION)


def write(account: Account, group: str, at_ms: int, message: str, stream: str = "stream") -> None:
    account.server.call(lambda: account.logs.write(LogLine(group, stream, REGION, at_ms, message)))


def write_call(account: Account, client: str, at_ms: int, stream: str = "stream", *, allowed: bool = True) -> None:
    reason = "ok" if allowed else "wrong-password"
    told = {"iotauth": 1, "connection": f"c-{client}-{at_ms}", "client": client, "allowed": allowed, "reason": reason}
    lines = [
        "START RequestId: 1f Version: $LATEST",
        json.dumps(told, separators=(",", ":")),
        "END RequestId: 1f",
        "REPORT RequestId: 1f\tDuration: 5.00 ms\tBilled Duration: 5 ms\tMemory Size: 128 MB",
    ]

    def put() -> None:
        for line in lines:
            account.logs.write(LogLine(GROUP, stream, REGION, at_ms, line))

    account.server.call(put)


def write_connect(account: Account, client: str, at_ms: int, *, ok: bool = True) -> None:
    entry = {"eventType": "Connect", "status": "Success" if ok else "Failure", "clientId": client, "traceId": "t"}
    write(account, aws_logs.IOT_GROUP, at_ms, json.dumps(entry))


def ago(seconds: float) -> int:
    return int((time.time() - seconds) * 1000)


def test_both_logs_are_one_story_an_attempt(account: Account) -> None:
    """The newest of those that are asked for, and how many came before."""
    for second in range(3):
        at_ms = ago(60 - second)
        write_call(account, "thermo-1", at_ms)
        write_connect(account, "thermo-1", at_ms + 10)
    write_call(account, "thermo-2", ago(50), allowed=False)
    found = logs.read(account.session(), PLACES, Wanted(ago(600), "thermo-1", limit=2))
    assert [(len(story.calls), len(story.entries)) for story in found.stories] == [(1, 1), (1, 1)]
    assert found.left_out == 1
    (refused,) = logs.read(account.session(), PLACES, Wanted(ago(600), only_trouble=True)).stories
    assert refused.client_id == "thermo-2"


def test_a_refusal_that_reached_no_function_is_known_as_such(account: Account) -> None:
    """Only because the function's log could be read, and has nothing near it."""
    write_call(account, "other", ago(300))
    write_connect(account, "thermo-1", ago(60), ok=False)
    found = logs.read(account.session(), PLACES, Wanted(ago(600), "thermo-1"))
    assert found.uncalled == {found.stories[0].number}
    assert not logs.read(Denied(account, "/aws/lambda/"), PLACES, Wanted(ago(600), "thermo-1")).uncalled


def test_without_a_log_group_there_is_nothing_and_it_is_known(account: Account) -> None:
    """A function that was never called has no group, and AWS IoT none before its first entry."""
    found = logs.read(account.session(), PLACES, Wanted(0))
    assert (found.stories, found.sources.has_group, found.uncalled) == ((), False, frozenset())


class Denied(Session):
    """A session whose user may not read groups of a name that begins so."""

    def __init__(self, account: Account, *prefixes: str) -> None:
        session = account.session()
        super().__init__(session.target, session.sleep)
        object.__setattr__(self, "prefixes", prefixes)

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        name = str(parameters.get("logGroupName"))
        if any(name.startswith(prefix) for prefix in self.prefixes):  # type: ignore[attr-defined]
            raise AccessDenied("`ann` may not call `logs:FilterLogEvents`")
        return super().pages(service, operation, **parameters)


def test_what_a_role_may_not_read_is_said_and_the_rest_is_shown(account: Account) -> None:
    """Each log by itself; only where neither can be read there is no answer."""
    write_call(account, "thermo-1", ago(60))
    write_connect(account, "thermo-1", ago(59.9))
    half = logs.read(Denied(account, "AWSIot"), PLACES, Wanted(0))
    assert half.sources.unseen == ("AWS IoT's log: `ann` may not call `logs:FilterLogEvents`",)
    assert len(half.stories[0].calls) == 1
    other = logs.read(Denied(account, "/aws/lambda/"), PLACES, Wanted(0))
    assert other.sources.unseen == ("the function's log: `ann` may not call `logs:FilterLogEvents`",)
    with pytest.raises(AccessDenied, match="neither the log of function `doors-authorizer` nor AWS IoT's can be read"):
        logs.read(Denied(account, "AWSIot", "/aws/lambda/"), PLACES, Wanted(0))


def test_whose_log_it_is_says_the_authorizer(account: Account) -> None:
    """A function of somebody else's has another name; without an authorizer the settings' name counts."""
    assert logs.sources(account.session(), "doors", FUNCTION) == Sources(FUNCTION, "off")
    account.client("iot").create_authorizer(
        authorizerName="doors",
        authorizerFunctionArn="arn:aws:lambda:us-east-1:123456789012:function:mine:live",
        signingDisabled=True,
    )
    assert logs.sources(account.session(), "doors", FUNCTION).function == "mine"


def test_a_single_client_that_is_logged_is_enough_to_look(account: Account) -> None:
    """The default may say nothing at all."""
    iot_logging.enable(account.session(), "info")
    client = account.client("iot")
    client.set_v2_logging_options(defaultLogLevel="DISABLED")
    assert logs.sources(account.session(), "doors", FUNCTION).iot == "off"
    client.set_v2_logging_level(logTarget={"targetType": "CLIENT_ID", "targetName": "thermo-1"}, logLevel="DEBUG")
    assert logs.sources(account.session(), "doors", FUNCTION).iot == "on"


def test_a_tail_tells_late_lines_and_none_twice(account: Account) -> None:
    """CloudWatch shows lines of one stream later than newer ones of another."""
    began = ago(100)
    tail = Tail(account.session(), GROUP, began, lambda: ago(0))

    def news() -> list[str]:
        return [event.message for event in tail.news()]

    write(account, GROUP, began + 1000, "new", "one")
    assert news() == ["new"]
    write(account, GROUP, began + 200, "late", "two")
    write(account, GROUP, began - 1, "too old", "two")
    write(account, GROUP, began + 1000, "new", "one")  # the same text again is another line
    assert sorted(news()) == ["late", "new"]
    assert news() == []
    write(account, GROUP, began + 50_000, "later", "three")
    assert news() == ["later"]
    assert len(tail._seen) == 1  # what is too old to come again needs no memory


def test_a_look_that_breaks_off_is_made_up_for(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that were not reached are read at the next look, those that were are not told again."""
    began = ago(100)
    for number in range(4):
        write(account, GROUP, began + number * 20_000, str(number))
    tail = Tail(account.session(), GROUP, began, lambda: ago(0))
    whole = aws_logs.events

    def half(session: Session, group: str, since_ms: int) -> Iterator[LogEvent]:
        yield from islice(whole(session, group, since_ms), 2)
        raise Throttled("slow down")

    monkeypatch.setattr(aws_logs, "events", half)
    told = []
    with pytest.raises(Throttled):
        told += [event.message for event in tail.news()]  # a list would lose what came before
    seen = len(tail._seen)
    monkeypatch.setattr(aws_logs, "events", whole)
    assert seen == 2
    assert [event.message for event in tail.news()] == ["2", "3"]


def test_following_tells_every_call_once_while_many_come(account: Account) -> None:
    """From streams that begin and end meanwhile, written by another thread as fast as it can."""
    began, count = ago(0.5), 400

    def crowd() -> None:
        for number in range(count):
            # Up to a second late, from a new stream every 20 calls.
            late_ms = random.Random(number).randrange(1000)
            write_call(account, f"client-{number}", ago(0) - late_ms, f"stream-{number // 20}-{number % 3}")

    thread = threading.Thread(target=crowd)
    thread.start()
    told: list[str | None] = []
    wanted = Wanted(began - 1000)
    for event in logs.follow(account.session(), replace(PLACES, iot="off"), wanted):
        if isinstance(event, Told):
            told.append(event.story.client_id)
        if len(told) >= count:
            break
    thread.join()
    assert sorted(told, key=str) == sorted((f"client-{number}" for number in range(count)), key=str)


def test_following_waits_longer_when_aws_slows_it_down(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and goes on; its pauses grow up to a limit, also while nothing comes."""
    write_call(account, "thermo-1", ago(60))
    whole, refusals = aws_logs.events, iter(range(8))

    def slow(session: Session, group: str, since_ms: int) -> Iterator[LogEvent]:
        if next(refusals, None) is not None:
            raise Throttled("slow down")
        return whole(session, group, since_ms)

    monkeypatch.setattr(aws_logs, "events", slow)
    events = logs.follow(account.session(), replace(PLACES, iot="off"), Wanted(0))
    found = list(islice(events, 10))
    assert [event.seconds for event in found[:8] if isinstance(event, Waiting)] == [2, 4, 8, 16, 30, 30, 30, 30]
    assert [type(event) for event in found[8:]] == [Sources, Told]


def test_what_was_found_before_a_look_broke_off_is_not_lost(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's log was read, and AWS slowed us down at AWS IoT's."""
    write_call(account, "thermo-1", ago(60))
    write_connect(account, "thermo-1", ago(59.9))
    whole, refusals = aws_logs.events, iter(range(1))

    def slow(session: Session, group: str, since_ms: int) -> Iterator[LogEvent]:
        if group == aws_logs.IOT_GROUP and next(refusals, None) is not None:
            raise Throttled("slow down")
        return whole(session, group, since_ms)

    monkeypatch.setattr(aws_logs, "events", slow)
    events = list(islice(logs.follow(account.session(), PLACES, Wanted(0)), 4))
    assert [type(event) for event in events] == [Waiting, Sources, Told, Told]


def test_following_stops_at_what_does_not_pass_by_itself(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that was stopped is not asked for ever."""

    def gone(session: Session, group: str, since_ms: int) -> Iterator[LogEvent]:
        raise AwsError("no answer")

    monkeypatch.setattr(aws_logs, "events", gone)
    with pytest.raises(AwsError):
        next(logs.follow(account.session(), PLACES, Wanted(0)))
