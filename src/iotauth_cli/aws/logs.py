"""CloudWatch Logs: the group that a function writes to, and AWS IoT's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.polling import retry
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError

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


def create(session: Session, name: str, tags: Mapping[str, str] | None = None) -> None:
    change(session, "create_log_group", logGroupName=name, **({"tags": dict(tags)} if tags else {}))


def retain(session: Session, name: str, days: int) -> None:
    change(session, "put_retention_policy", logGroupName=name, retentionInDays=days)


def tags(session: Session, arn: str) -> dict[str, str]:
    return dict(session.call("logs", "list_tags_for_resource", resourceArn=arn).get("tags", {}))


def tag(session: Session, arn: str, added: Mapping[str, str]) -> None:
    """Put tags on the group, beside those that it has."""
    change(session, "tag_resource", resourceArn=arn, tags=dict(added))


def untag(session: Session, arn: str, keys: Sequence[str]) -> None:
    change(session, "untag_resource", resourceArn=arn, tagKeys=list(keys))


def change(session: Session, operation: str, **parameters: Any) -> None:
    """Change a group; two changes at once are too many for CloudWatch Logs, and the second is to come again."""

    def passes(problem: AwsError) -> bool:
        return problem.aws_code == "OperationAbortedException"

    retry(lambda: session.call("logs", operation, **parameters), passes, session.sleep)


def delete(session: Session, name: str) -> None:
    session.call("logs", "delete_log_group", logGroupName=name)


def events(session: Session, group: str, since_ms: int) -> Iterator[LogEvent]:
    """Yield what was logged in any stream of *group* from *since_ms* on, each stream in its own order."""
    for page in session.pages("logs", "filter_log_events", logGroupName=group, startTime=since_ms):
        for event in page["events"]:
            yield LogEvent(event["logStreamName"], event["timestamp"], event["message"].rstrip("\n"), event["eventId"])
