"""CloudWatch Logs: the group that a function writes to, and AWS IoT's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.session import Session

IOT_GROUP = "AWSIotLogsV2"


@dataclass(frozen=True)
class LogGroup:
    """*retention_days* is None where logs are kept forever."""

    name: str
    retention_days: int | None


@dataclass(frozen=True)
class LogEvent:
    """A line of a log, or several that were written as one. *at_ms* is epoch milliseconds, *id* is its group's own."""

    stream: str
    at_ms: int
    message: str
    id: str = ""


def group_of(function: str) -> str:
    """Return the name of the group that Lambda lets *function* write to."""
    return f"/aws/lambda/{function}"


def arn(scope: ArnScope, name: str) -> str:
    return f"arn:{scope.partition}:logs:{scope.region}:{scope.account}:log-group:{name}"


def find(session: Session, name: str) -> LogGroup | None:
    for page in session.pages("logs", "describe_log_groups", logGroupNamePrefix=name):
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                return LogGroup(name, group.get("retentionInDays"))
    return None


def create(session: Session, name: str) -> None:
    session.call("logs", "create_log_group", logGroupName=name)


def retain(session: Session, name: str, days: int) -> None:
    session.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=days)


def delete(session: Session, name: str) -> None:
    session.call("logs", "delete_log_group", logGroupName=name)


def events(session: Session, group: str, since_ms: int) -> Iterator[LogEvent]:
    """Yield what was logged in any stream of *group* from *since_ms* on, each stream in its own order."""
    for page in session.pages("logs", "filter_log_events", logGroupName=group, startTime=since_ms):
        for event in page["events"]:
            yield LogEvent(event["logStreamName"], event["timestamp"], event["message"].rstrip("\n"), event["eventId"])
