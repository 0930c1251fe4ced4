"""Time to live, point-in-time recovery, tags."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.emulator.behaviour import Behaviour
from support_dynamodb import Clock, Database

HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400


def enable(database: Database, attribute: str = "expires", *, enabled: bool = True) -> dict[str, Any]:
    return database.call(
        "UpdateTimeToLive",
        TableName="clients",
        TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute},
    )


def ids(database: Database) -> set[str]:
    return {item["id"]["S"] for item in database.call("Scan", TableName="clients")["Items"]}


def test_time_to_live_is_on_or_off(database: Database) -> None:
    """The setting is described as it was made; it is off to begin with."""
    database.create()
    off = {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    assert database.call("DescribeTimeToLive", TableName="clients") == off
    assert enable(database) == {"TimeToLiveSpecification": {"Enabled": True, "AttributeName": "expires"}}
    assert database.call("DescribeTimeToLive", TableName="clients") == {
        "TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    }
    enable(database, enabled=False)
    assert database.call("DescribeTimeToLive", TableName="clients") == off


def test_with_awss_patience_a_change_of_time_to_live_is_under_way_for_an_hour(database: Database, clock: Clock) -> None:
    """The choice flipped to AWS's figure: described as under way, a second change refused until it is over."""
    database.behaviour = Behaviour(time_to_live_change_s=HOUR)
    database.reopen()
    database.create()
    enable(database)
    database.reopen()  # what is under way survives that
    described = database.call("DescribeTimeToLive", TableName="clients")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLING", "AttributeName": "expires"}
    refused = database.refusal(
        "UpdateTimeToLive",
        TableName="clients",
        TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires"},
    )
    assert (refused.code, refused.message) == (
        "ValidationException",
        "Time to live has been modified multiple times within a fixed interval",
    )
    clock.now += HOUR
    assert database.call("DescribeTimeToLive", TableName="clients")["TimeToLiveDescription"]["TimeToLiveStatus"] == (
        "ENABLED"
    )
    enable(database, enabled=False)
    described = database.call("DescribeTimeToLive", TableName="clients")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLING"}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (None, ("expires", False), "TimeToLive is already disabled"),
        ("expires", ("expires", True), "TimeToLive is already enabled"),
        (
            "expires",
            ("other", True),
            "TimeToLive is active on a different AttributeName: current AttributeName is expires",
        ),
        (
            "expires",
            ("other", False),
            "TimeToLive is active on a different AttributeName: current AttributeName is expires",
        ),
    ],
)
def test_a_setting_that_changes_nothing_is_refused(
    database: Database, first: str | None, second: tuple[str, bool], message: str
) -> None:
    """AWS refuses to enable what is enabled, to disable what is not, and to move without disabling."""
    database.create()
    if first is not None:
        enable(database, first)
    attribute, enabled = second
    error = database.refusal(
        "UpdateTimeToLive",
        TableName="clients",
        TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute},
    )
    assert (error.code, error.message) == ("ValidationException", message)


def test_an_expired_item_stays_for_two_days(database: Database, clock: Clock) -> None:
    """As on AWS an expired item is still read, and some days later it is gone."""
    database.create()
    enable(database)
    database.put(id="soon", expires=int(clock.now) + HOUR)
    database.put(id="late", expires=int(clock.now) + 10 * DAY)
    database.put(id="never")
    clock.now += HOUR + 47 * HOUR
    assert ids(database) == {"soon", "late", "never"}
    clock.now += 2 * HOUR
    assert ids(database) == {"late", "never"}


@pytest.mark.parametrize(
    "expires",
    [
        pytest.param("1", id="a text"),
        pytest.param(1, id="more than five years ago"),
        pytest.param(-1, id="negative"),
        pytest.param(10**30, id="beyond any calendar"),
    ],
)
def test_what_is_no_recent_second_does_not_expire(database: Database, clock: Clock, expires: Any) -> None:
    """AWS leaves alone what is not a number, and what claims to have expired more than five years ago."""
    database.create()
    enable(database)
    database.put(id="kept", expires=expires)
    clock.now += 3 * DAY
    assert ids(database) == {"kept"}


def test_the_setting_counts_for_items_that_were_there_before(database: Database, clock: Clock) -> None:
    """Enabling makes old items expire, disabling keeps them; other tables are not touched."""
    database.create()
    database.create("others")
    expired = int(clock.now) - 3 * DAY
    database.put(id="old", expires=expired)
    database.put("others", id="old", expires=expired)
    enable(database)
    enable(database, enabled=False)
    clock.now += 2 * 60
    assert ids(database) == {"old"}
    enable(database)
    clock.now += 2 * 60
    assert ids(database) == set()
    assert database.get("others", id="old") is not None


def test_an_update_moves_the_expiry(database: Database, clock: Clock) -> None:
    """The attribute counts as it was written last."""
    database.create()
    enable(database)
    database.put(id="a", expires=int(clock.now))
    database.call(
        "UpdateItem",
        TableName="clients",
        Key={"id": {"S": "a"}},
        UpdateExpression="SET expires = expires + :more",
        ExpressionAttributeValues={":more": {"N": str(5 * DAY)}},
    )
    clock.now += 3 * DAY
    assert ids(database) == {"a"}
    clock.now += 5 * DAY
    assert ids(database) == set()


def test_recovery_is_a_setting(database: Database, clock: Clock) -> None:
    """Point-in-time recovery is kept and described with the window it would give."""
    database.create()
    off = database.call("DescribeContinuousBackups", TableName="clients")["ContinuousBackupsDescription"]
    assert off == {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }
    since = clock.now
    specification = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
    database.call("UpdateContinuousBackups", TableName="clients", PointInTimeRecoverySpecification=specification)
    for passed, earliest in ((DAY, since), (29 * DAY, since + 23 * DAY)):
        clock.now += passed
        on = database.call("DescribeContinuousBackups", TableName="clients")["ContinuousBackupsDescription"]
        assert on["PointInTimeRecoveryDescription"] == {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": 7,
            "EarliestRestorableDateTime": earliest,
            "LatestRestorableDateTime": clock.now,
        }
    again = database.call(
        "UpdateContinuousBackups",
        TableName="clients",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
    )
    assert again["ContinuousBackupsDescription"] == off
    error = database.refusal("DescribeContinuousBackups", TableName="nowhere")
    assert (error.code, error.message) == ("TableNotFoundException", "Table not found: nowhere")


def test_tags_are_kept(database: Database) -> None:
    """Tags are set, overwritten and taken off by their keys."""
    database.create(Tags=[{"Key": "a", "Value": "1"}])
    arn = database.call("DescribeTable", TableName="clients")["Table"]["TableArn"]
    database.call("TagResource", ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    database.call("UntagResource", ResourceArn=arn, TagKeys=["b", "gone"])
    assert database.call("ListTagsOfResource", ResourceArn=arn) == {"Tags": [{"Key": "a", "Value": "2"}]}


@pytest.mark.parametrize(
    ("arn", "code", "message"),
    [
        (
            "arn:aws:dynamodb:us-east-1:123456789012:table/gone",
            "ResourceNotFoundException",
            "Requested resource not found: ResourcArn: arn:aws:dynamodb:us-east-1:123456789012:table/gone not found",
        ),
        ("clients", "ValidationException", "Invalid TableArn: Invalid ResourceArn provided as input clients"),
    ],
)
def test_what_is_not_there_has_no_tags(database: Database, arn: str, code: str, message: str) -> None:
    """A tag operation takes the ARN of a table that exists."""
    database.create()
    error = database.refusal("ListTagsOfResource", ResourceArn=arn)
    assert (error.code, error.message) == (code, message)


def test_a_table_has_at_most_fifty_tags(database: Database) -> None:
    """The fifty-first tag is refused, and none of its call is set."""
    database.create(Tags=[{"Key": str(number), "Value": ""} for number in range(49)])
    arn = database.call("DescribeTable", TableName="clients")["Table"]["TableArn"]
    tags = [{"Key": "x", "Value": ""}, {"Key": "y", "Value": ""}]
    assert "exceeds the limit of 50" in database.refusal("TagResource", ResourceArn=arn, Tags=tags).message
    assert len(database.call("ListTagsOfResource", ResourceArn=arn)["Tags"]) == 49
